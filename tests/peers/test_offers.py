"""Offers and answers that cross, come late, twice or not at all (RFC 3261, 3311 and 6337), as tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from .conftest import next_name
from .harness import PASSWORD, Switch
from .phone import Dialog, Phone
from .raw import Message, audio, direction_of, media_address

ALLOW = [("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE, PRACK")]
Pair = tuple[Phone, Phone]


@pytest.fixture
def pair(switch: Switch) -> Iterator[Pair]:
    with (
        Phone(switch.address, next_name(), PASSWORD) as a,
        Phone(switch.address, next_name(), PASSWORD) as b,
    ):
        assert b.register().status == 200
        yield a, b


def invite_of(dialog: Dialog) -> Message:
    assert isinstance(dialog.invite, Message)
    return dialog.invite


def connected(pair: Pair) -> tuple[Dialog, Dialog]:
    """A call that is up; both know UPDATE."""
    a, b = pair
    caller = a.start_call(b.user, audio("127.0.0.1", 40000), headers=ALLOW)
    callee = b.incoming()
    callee.respond(invite_of(callee), 200, "OK", audio("127.0.0.1", 40002), headers=ALLOW)
    a.answered(caller)
    callee.wait_for("ACK")
    return caller, callee


def end(pair: Pair, caller: Dialog, callee: Dialog) -> None:
    """The call is as alive as before: it is hung up by BYE."""
    pair[0].send(caller.request("BYE"))
    callee.answer_bye()
    assert pair[0].final(method="BYE", call_id=caller.call_id).status == 200


def offer(dialog: Dialog, method: str, version: int, direction: str = "sendonly") -> int:
    """Send an offer; its CSeq."""
    dialog.phone.send(dialog.request(method, body=audio("127.0.0.1", 40000, direction, version)))
    return dialog.cseq


# ---- a second offer while the first waits


@pytest.mark.parametrize(
    ("first", "second", "sender", "status"),
    [  # the caller's first waits at the callee; what is the second told?
        ("INVITE", "INVITE", "callee", 491),  # RFC 3261 §14.2
        ("INVITE", "UPDATE", "callee", 491),  # RFC 3311 §5.2
        ("UPDATE", "INVITE", "callee", 491),
        ("UPDATE", "UPDATE", "callee", 491),
        ("INVITE", "INVITE", "caller", 500),  # with Retry-After
        ("INVITE", "UPDATE", "caller", 500),
        ("UPDATE", "UPDATE", "caller", 500),
        ("UPDATE", "INVITE", "caller", 500),
    ],
)
def test_a_second_offer_waits_for_the_first(
    pair: Pair, first: str, second: str, sender: str, status: int
) -> None:
    a, b = pair
    caller, callee = connected(pair)
    begun = offer(caller, first, 2)
    asked = callee.wait_for(first)
    assert direction_of(asked.body) == "sendonly"
    dialog = caller if sender == "caller" else callee
    cseq = offer(dialog, second, 3)
    refused = dialog.phone.take(
        lambda m: m.status >= 200 and m.get("call-id") == dialog.call_id and m.cseq == cseq, 5.0
    )
    assert refused is not None
    assert refused.status == status
    if status == 500:
        assert 0 <= int(refused.get("retry-after").split()[0]) <= 10
    if second == "INVITE":
        acknowledge_failure(dialog, refused)
    callee.respond(asked, 200, "OK", audio("127.0.0.1", 40002, "recvonly", 2))
    answer = a.take(lambda m: m.status >= 200 and m.cseq == begun, 5.0)
    assert answer is not None
    assert answer.status == 200
    assert direction_of(answer.body) == "recvonly"
    if first == "INVITE":
        caller.ack(begun)
        callee.wait_for("ACK")
    b.forget()
    end(pair, caller, callee)


def acknowledge_failure(dialog: Dialog, refused: Message) -> None:
    found = re.search(r"branch=([^;,\s]+)", refused.get("via"))
    assert found
    dialog.phone.send(dialog.request("ACK", cseq=refused.cseq, via=found[1]))


def test_an_update_without_an_offer_passes_while_one_waits(pair: Pair) -> None:
    """It only refreshes (RFC 3311 §5.2 is about offers)."""
    caller, callee = connected(pair)
    begun = offer(caller, "INVITE", 2)
    asked = callee.wait_for("INVITE")
    pair[0].send(caller.request("UPDATE"))
    assert pair[0].final(method="UPDATE", call_id=caller.call_id).status == 200
    callee.respond(asked, 200, "OK", audio("127.0.0.1", 40002, "recvonly", 2))
    assert pair[0].final(method="INVITE", call_id=caller.call_id).status == 200
    caller.ack(begun)
    callee.wait_for("ACK")
    end(pair, caller, callee)


# ---- what comes before the answer


def early(version: int = 1, port: int = 40002) -> bytes:
    return audio("127.0.0.1", port, version=version)


@pytest.mark.parametrize(
    ("provisional", "final"),
    [  # RFC 6337 §3.1: a description in an unreliable 18x only tells what the 2xx will say
        ([], early()),
        ([(180, b"")], early()),
        ([(183, early())], early()),
        ([(180, b""), (183, early()), (180, b"")], early()),
        ([(183, early())], early(2, 40004)),  # it says something else then: the 2xx counts
    ],
)
def test_what_counts_is_the_answer_in_the_2xx(
    pair: Pair, provisional: list[tuple[int, bytes]], final: bytes
) -> None:
    a, b = pair
    caller = a.start_call(b.user, audio("127.0.0.1", 40000))
    callee = b.incoming()
    told = []
    for status, body in provisional:
        callee.respond(invite_of(callee), status, "Progress", body)
        told.append(a.expect(status, method="INVITE", call_id=caller.call_id))
    assert [bool(m.body) for m in told] == [bool(body) for _, body in provisional]
    callee.respond(invite_of(callee), 200, "OK", final)
    answer = a.answered(caller)
    callee.wait_for("ACK")
    for one in [m for m in told if m.body]:
        assert media_address(one.body) == media_address(answer.body)  # the port of the relay stays
    end(pair, caller, callee)


def test_an_answer_without_a_description_ends_the_call(pair: Pair) -> None:
    """A 2xx must have the answer, if no reliable response had it (RFC 3261 §13.2.1)."""
    a, b = pair
    caller = a.start_call(b.user, audio("127.0.0.1", 40000))
    callee = b.incoming()
    callee.respond(invite_of(callee), 200, "OK")
    callee.wait_for("ACK")
    callee.answer_bye()
    assert a.final(method="INVITE", call_id=caller.call_id).status >= 400


# ---- what an offer may look like

LINE = "m=video 0 RTP/AVP 31\r\n"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda body: body, 200),
        (lambda body: body + LINE.encode(), 200),  # a line that is offered as refused (RFC 3264 §5.1)
        (lambda body: body.replace(b"m=audio 40000", b"m=audio 0"), 200),  # no media now, RFC 6337 §5.1
        (lambda body: body.replace(b"c=IN IP4 127.0.0.1", b"c=IN IP4 0.0.0.0"), 200),  # hold of old
        (lambda body: body.replace(b"v=0", b"v=1"), 400),
        (lambda body: body.replace(b"m=audio", b"m=xxx audio"), 400),
        (lambda body: b"rubbish", 400),
    ],
)
def test_offers_inside_a_call(pair: Pair, change: object, status: int) -> None:
    """What can be read travels; what cannot is refused, and the call goes on as it was."""
    assert callable(change)
    caller, callee = connected(pair)
    caller.phone.send(caller.request("INVITE", body=change(audio("127.0.0.1", 40000, version=2))))
    sent = caller.cseq
    if status == 200:
        asked = callee.wait_for("INVITE")
        lines = re.findall(rb"m=(\w+) (\d+)", asked.body)
        answer = audio("127.0.0.1", 40002, version=2)
        if len(lines) == 2:
            assert lines[1] == (b"video", b"0")
            answer += LINE.encode()
        if lines[0][1] == b"0":
            answer = answer.replace(b"m=audio 40002", b"m=audio 0")
        callee.respond(asked, 200, "OK", answer)
    got = caller.phone.final(method="INVITE", call_id=caller.call_id)
    assert got.status == status
    if status == 200:
        assert len(re.findall(rb"m=", got.body)) == len(lines)
        caller.ack(sent)
        callee.wait_for("ACK")
    else:
        acknowledge_failure(caller, got)
    end(pair, caller, callee)
