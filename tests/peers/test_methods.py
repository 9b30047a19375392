"""What two peers say to each other inside a call, and which fork's media the caller hears."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from .conftest import next_name
from .harness import PASSWORD, Switch
from .phone import Dialog, Phone
from .raw import Message, audio, media_address, response_to
from .rtp import Sound


@pytest.fixture
def pair(switch: Switch) -> Iterator[tuple[Phone, Phone]]:
    with ExitStack() as stack:
        phones = []
        for _ in range(2):
            phone = stack.enter_context(Phone(switch.address, next_name(), PASSWORD))
            assert phone.register().status == 200
            stack.callback(phone.register, 0)
            phones.append(phone)
        yield phones[0], phones[1]


def test_how_to_ring_and_to_answer_travels_and_topology_does_not(pair: tuple[Phone, Phone]) -> None:
    a, b = pair
    headers = [
        ("Alert-Info", "<urn:alert:source:internal>"),
        ("Answer-Mode", "Auto"),
        ("Subject", "lunch"),
        ("P-Early-Media", "supported"),
        ("X-Secret", "10.9.8.7"),
    ]
    dialog = a.start_call(b.user, audio("127.0.0.1", 40000), headers)
    incoming = b.incoming()
    invite = incoming.invite
    assert isinstance(invite, Message)
    assert invite.get("alert-info") == "<urn:alert:source:internal>"
    assert invite.get("answer-mode") == "Auto"
    assert invite.get("subject") == "lunch"
    assert not invite.get("x-secret")
    assert not invite.get("p-early-media")  # believed of trunks that are trusted (RFC 5009 §8)
    incoming.respond(invite, 180, "Ringing", headers=[("Alert-Info", "<urn:alert:service:call-waiting>")])
    assert a.expect(180, call_id=dialog.call_id).get("alert-info") == "<urn:alert:service:call-waiting>"
    b.accept(incoming, audio("127.0.0.1", 41000))
    a.answered(dialog)
    reason = 'Q.850;cause=16;text="Normal"'
    a.send(dialog.request("BYE", headers=[("Reason", reason)]))
    assert "cause=16" in incoming.answer_bye().get("reason")


def test_info_with_digits_travels_and_its_answer_too(pair: tuple[Phone, Phone]) -> None:
    a, b = pair
    dialog = a.start_call(b.user, audio("127.0.0.1", 40000))
    incoming = b.incoming()
    b.accept(incoming, audio("127.0.0.1", 41000))
    a.answered(dialog)
    body = b"Signal=5\r\nDuration=160\r\n"
    kind = [("Content-Type", "application/dtmf-relay")]
    for sender, receiver in ((dialog, incoming), (incoming, dialog)):
        sender.phone.send(sender.request("INFO", headers=kind, body=body))
        request = receiver.wait_for("INFO")
        assert request.body == body
        assert request.get("content-type") == "application/dtmf-relay"
        receiver.phone.send(response_to(request, 200, "OK"))
        assert sender.phone.final(method="INFO", call_id=sender.call_id).status == 200
    a.send(dialog.request("BYE"))
    incoming.answer_bye()


def progress(dialog: Dialog, tag: str, status: int, sound: Sound) -> None:
    """A response of one fork, with where its media is."""
    assert isinstance(dialog.invite, Message)
    contact = ("Contact", f"<sip:{tag}@{dialog.phone.here}>")
    headers = [contact, ("Content-Type", "application/sdp")]
    body = audio("127.0.0.1", sound.port)
    dialog.phone.send(response_to(dialog.invite, status, "Yes", tag=tag, headers=headers, body=body))


def test_the_media_heard_is_that_of_the_fork_that_answers(pair: tuple[Phone, Phone]) -> None:
    """Two forks behind one contact send early media; then one of them answers (RFC 3960)."""
    a, b = pair
    with Sound(mark=b"caller") as ear, Sound(mark=b"fork one") as one, Sound(mark=b"fork two") as two:
        dialog = a.start_call(b.user, audio("127.0.0.1", ear.port))
        incoming = b.incoming()
        assert isinstance(incoming.invite, Message)
        toward = media_address(incoming.invite.body)
        one.remote = two.remote = toward
        progress(incoming, "one", 183, one)
        first = a.expect(183, call_id=dialog.call_id)
        ear.remote = media_address(first.body)
        one.send(5)
        ear.receive(3)
        assert ear.heard_with(b"fork one")
        progress(incoming, "two", 183, two)
        second = a.expect(183, call_id=dialog.call_id)
        assert second.tag("to") != first.tag("to")
        progress(incoming, "two", 200, two)
        incoming.local = f"{incoming.invite.get('to')};tag=two"
        answer = a.answered(dialog)
        incoming.wait_for("ACK")
        assert answer.tag("to") == second.tag("to")
        ear.remote = media_address(answer.body or second.body)
        ear.drain(0.05)
        ear.heard.clear()
        two.send(10)
        ear.receive(5)
        assert ear.heard_with(b"fork two") >= 5
        one.send(10)
        ear.drain(0.05)
        assert not ear.heard_with(b"fork one")
        ear.send(5)
        two.receive(3)
        assert two.heard_with(b"caller") >= 3
        a.send(dialog.request("BYE"))
        assert incoming.answer_bye().tag("to") == "two"
