"""SIP of TwiML and REST: digest towards a URI, several URIs, and a REFER of whoever was dialled."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .digest import credentials
from .harness import wait_until
from .phone import Dialog, Phone
from .raw import Message
from .test_api import OURS, Hooks
from .test_voice import Talker, configure, heard, hooks, tone_wav, voice_place

__all__ = ["hooks"]
Talkers = Callable[[Phone], Talker]
REALM = ("WWW-Authenticate", 'Digest realm="desk", nonce="abc", algorithm=MD5, qop="auth"')


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with voice_place(tmp_path_factory.mktemp("voice")) as place:
        yield place


@pytest.fixture
def talker() -> Iterator[Talkers]:
    made: list[Talker] = []

    def make(phone: Phone) -> Talker:
        made.append(Talker(phone))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def desk(place: Any) -> Iterator[Phone]:
    """A server that is none of ours."""
    with Phone(place[0].address, "desk") as phone:
        yield phone


def elsewhere(phone: Phone) -> str:
    """Where it is by name: addresses of this machine mean the switch's own numbers."""
    return f"localhost:{phone.address[1]}"


def challenged(desk: Phone) -> Dialog:
    """A call that has to prove itself first."""
    first = desk.incoming(10)
    assert isinstance(first.invite, Message)
    assert not first.invite.get("authorization")
    first.respond(first.invite, 401, "Unauthorized", headers=[REALM])
    first.wait_for("ACK")
    return desk.incoming(10)


def is_proven(invite: Any, password: str) -> bool:
    """Whether an INVITE knows the password, by arithmetic that is not the product's."""
    proof = dict(re.findall(r'(\w+)="([^"]*)"', invite.get("authorization")))
    challenge = {"realm": "desk", "nonce": "abc", "algorithm": "MD5", "qop": "auth"}
    again = credentials(challenge, "INVITE", invite.uri, proof["username"], password, cnonce=proof["cnonce"])
    return f'response="{proof["response"]}"' in again


def test_a_call_of_rest_proves_itself(place: Any, hooks: Hooks, desk: Phone, talker: Talkers) -> None:
    switch, client, *_ = place
    made = client.calls.create(
        to=f"sip:desk@{elsewhere(desk)}",
        from_=OURS,
        twiml="<Response><Hangup/></Response>",
        sip_auth_username="us",
        sip_auth_password="hidden-word",
    )
    dialog = challenged(desk)
    assert is_proven(dialog.invite, "hidden-word")
    desk.accept(dialog, talker(desk).sdp)
    dialog.answer_bye()
    wait_until(lambda: made.fetch().status == "completed", 5, "completed")
    assert "hidden-word" not in switch.said(10**6)


def test_the_second_uri_has_its_own_password(place: Any, hooks: Hooks, desk: Phone, talker: Talkers) -> None:
    switch, client, a, _ = place
    with Phone(switch.address, "first") as first:
        uris = f"<Uri priority='2' username='them' password='other'>sip:desk@{elsewhere(desk)}</Uri>"
        uris += f"<Uri priority='1'>sip:first@{elsewhere(first)}</Uri>"
        proof = "username='us' password='hidden'"
        configure(client, hooks, voice=f"<Dial action='/done'><Sip {proof}>{uris}</Sip></Dial>", done="")
        caller = talker(a).call(OURS)
        dialog = challenged(first)
        assert is_proven(dialog.invite, "hidden")
        dialog.respond(dialog.invite, 503, "Service Unavailable")  # type: ignore[arg-type]
        dialog.wait_for("ACK")
        dialog = challenged(desk)
        assert is_proven(dialog.invite, "other")
        desk.accept(dialog, talker(desk).sdp)
        dialog.bye()
        caller.dialog.answer_bye()
        [done] = wait_until(lambda: heard(hooks, "/done"), 5, "the action")
        assert (done["DialSipCallId"], done["DialSipResponseCode"]) == (dialog.call_id, "200")


def test_whoever_was_dialled_sends_the_caller_elsewhere(place: Any, hooks: Hooks, talker: Talkers) -> None:
    _, client, a, b = place
    caller, called = talker(a), talker(b)
    hooks.files["/gone.wav"] = tone_wav(600, 5.0)
    configure(
        client,
        hooks,
        voice="<Dial referUrl='/refer'><Client>1002</Client></Dial>",
        refer="<Play>/gone.wav</Play>",
    )
    caller.call(OURS)
    called.take()
    wait_until(lambda: len(client.calls.list(status="in-progress")) == 2, 5, "a talk")
    b.send(called.dialog.request("REFER", headers=[("Refer-To", "<sip:200@a.example?X-Case=7>")]))
    assert b.final(3, method="REFER", call_id=called.dialog.call_id).status == 202
    for line in (b"SIP/2.0 100", b"SIP/2.0 200"):
        told = called.dialog.wait_for("NOTIFY")
        assert told.body.startswith(line)
        called.dialog.respond(told, 200)
    called.dialog.answer_bye()
    assert caller.hears(600)
    [form] = heard(hooks, "/refer")
    assert form["ReferTransferTarget"] == "<sip:200@a.example?X-Case=7>"
    [child] = client.calls.list(parent_call_sid=form["CallSid"])
    assert child.status == "completed"
    caller.dialog.bye()
