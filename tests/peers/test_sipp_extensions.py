"""PRACK, UPDATE and session timers between real peers, and a fork with two early dialogs."""

from __future__ import annotations

import re

import pytest

from .conftest import Scene
from .raw import direction_of, media_address
from .sipp import _TARGET, Ladder, callee, sdp

pytestmark = pytest.mark.peer("sipp")

SUPPORTED = "Supported: 100rel\n"
ALLOW = "Allow: INVITE, ACK, BYE, CANCEL, PRACK, UPDATE\n"
_RSEQ = '<ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" check_it="true" assign_to="rseq"/>'


def body(message: str) -> bytes:
    return message.partition("\n\n")[2].encode()


def header(message: str, name: str) -> str:
    return next(line.partition(":")[2].strip() for line in message.split("\n") if line.startswith(f"{name}:"))


def reliable(rseq: int) -> str:
    return f"Require: 100rel\nRSeq: {rseq}\n"


def prack(ladder: Ladder, text: str = "", *, invite: int = 2) -> Ladder:
    """Acknowledge the reliable 18x that came last."""
    ladder.has_target = True
    return ladder.request("PRACK", text, headers=f"RAck: [$rseq] {invite} INVITE\n").receive(200)


def test_reliable_early_media_on_both_legs(scene: Scene) -> None:
    target = scene.callee(
        callee()
        .called()
        .answer_invite("183 Session Progress", sdp(), headers=reliable(71))
        .receive("PRACK")
        .answer("200 OK", tag=False)
        .pause(100)
        .answer_invite("200 OK", retrans=True)
        .receive("ACK")
        .end_of_call()
    )
    ladder = scene.ladder().invite(sdp(), headers=SUPPORTED).receive(100, optional=True)
    ladder.receive(183, action=_TARGET + _RSEQ)
    source = scene.caller(prack(ladder).receive_200().ack().pause(100).bye())
    scene.succeeds()
    (acknowledged,) = {header(message, "RAck") for message in target.received("PRACK")}
    assert acknowledged == "71 1 INVITE"
    early = source.received("SIP/2.0 183")[0]
    assert "100rel" in header(early, "Require")
    assert header(early, "RSeq") != "71"  # each leg counts by itself
    assert media_address(body(early))[1] != 39000
    answer = next(m for m in source.received("SIP/2.0 200") if "INVITE" in m)
    assert body(answer).strip() == b""  # the answer went before


def test_a_reliable_response_is_repeated_until_the_call_ends(scene: Scene) -> None:
    """No PRACK: the same 183 comes again and again, however the callee was acknowledged."""
    target = scene.callee(
        callee()
        .called()
        .answer_invite("183 Session Progress", sdp(), headers=reliable(1))
        .receive("PRACK")
        .answer("200 OK", tag=False)
        .receive("CANCEL", timeout=10000)
        .answer("200 OK", tag=False)
        .answer_invite("487 Request Terminated")
        .receive("ACK")
    )
    ladder = scene.ladder().invite(sdp(), headers=SUPPORTED).receive(100, optional=True).receive(183)
    source = scene.caller(ladder.receive(480, timeout=8000).ack_failure())
    scene.succeeds()
    rseqs = [header(message, "RSeq") for message in source.received("SIP/2.0 183")]
    assert len(rseqs) >= 3
    assert len(set(rseqs)) == 1
    assert len(target.received("PRACK")) == 1


def test_the_offer_comes_in_a_reliable_response(scene: Scene) -> None:
    target = scene.callee(
        callee()
        .called()
        .answer_invite("183 Session Progress", sdp("sendonly"), headers=reliable(5))
        .receive("PRACK")
        .answer("200 OK", tag=False)
        .pause(100)
        .answer_invite("200 OK", retrans=True)
        .receive("ACK")
        .end_of_call()
    )
    ladder = scene.ladder().invite("", headers=SUPPORTED).receive(100, optional=True)
    ladder.receive(183, action=_TARGET + _RSEQ)
    source = scene.caller(prack(ladder, sdp("recvonly")).receive_200().ack().pause(100).bye())
    scene.succeeds()
    assert direction_of(body(source.received("SIP/2.0 183")[0])) == "sendonly"
    assert direction_of(body(target.received("PRACK")[0])) == "recvonly"


def test_a_prack_has_another_offer(scene: Scene) -> None:
    """RFC 3262 §5: it travels as UPDATE, as the 183 is acknowledged there; the PRACK gets the answer."""
    target = scene.callee(
        callee()
        .called()
        .answer_invite("183 Session Progress", sdp(), headers=reliable(9) + ALLOW)
        .receive("PRACK")
        .answer("200 OK", tag=False)
        .receive("UPDATE")
        .answer("200 OK", sdp("recvonly", version=2), tag=False)
        .pause(100)
        .answer_invite("200 OK", retrans=True)
        .receive("ACK")
        .end_of_call()
    )
    ladder = scene.ladder().invite(sdp(), headers=SUPPORTED).receive(100, optional=True)
    ladder.receive(183, action=_TARGET + _RSEQ)
    source = scene.caller(prack(ladder, sdp("sendonly", version=2)).receive_200().ack().pause(100).bye())
    scene.succeeds()
    assert direction_of(body(target.received("UPDATE")[0])) == "sendonly"
    answer = next(m for m in source.received("SIP/2.0 200") if "PRACK" in header(m, "CSeq"))
    assert direction_of(body(answer)) == "recvonly"
    last = next(m for m in source.received("SIP/2.0 200") if "INVITE" in header(m, "CSeq"))
    assert body(last).strip() == b""


def test_two_early_dialogs_of_one_phone(scene: Scene) -> None:
    """Two phones behind one proxy: each reliable 183 is acknowledged in its own dialog, and one answers."""
    target = scene.callee(
        callee()
        .called()
        .answer_invite("183 Session Progress", sdp(port=39000), headers=reliable(10), to_tag="one")
        .receive("PRACK")
        .answer("200 OK", tag=False)
        .answer_invite("183 Session Progress", sdp(port=39010), headers=reliable(500), to_tag="two")
        .receive("PRACK")
        .answer("200 OK", tag=False)
        .pause(100)
        .answer_invite("200 OK", to_tag="two", retrans=True)
        .receive("ACK")
        .end_of_call()
    )
    source = scene.caller(
        scene.ladder()
        .invite(sdp())
        .receive(100, optional=True)
        .receive(183)
        .receive(183)
        .receive_200()
        .ack()
        .pause(100)
        .bye()
    )
    scene.succeeds()
    pracks = {header(m, "To").partition("tag=")[2]: header(m, "RAck") for m in target.received("PRACK")}
    assert pracks == {"one": "10 1 INVITE", "two": "500 1 INVITE"}
    assert header(target.received("BYE")[0], "To").endswith("tag=two")
    tags = [header(m, "To").partition("tag=")[2] for m in source.received("SIP/2.0 183")]
    assert len(set(tags)) == 2


def test_an_update_puts_the_call_on_hold(scene: Scene) -> None:
    target = scene.callee(
        callee()
        .called()
        .answer("180 Ringing")
        .answer("200 OK", sdp(), retrans=True, headers=ALLOW)
        .receive("ACK")
        .receive("UPDATE")
        .answer("200 OK", sdp("recvonly", version=2), tag=False)
        .end_of_call()
    )
    source = scene.caller(
        scene.ladder()
        .invite(sdp(), headers=ALLOW)
        .answered()
        .ack()
        .request("UPDATE", sdp("sendonly", version=2))
        .receive(200)
        .bye()
    )
    scene.succeeds()
    assert direction_of(body(target.received("UPDATE")[0])) == "sendonly"
    answer = next(m for m in source.received("SIP/2.0 200") if "UPDATE" in m)
    assert direction_of(body(answer)) == "recvonly"
    assert header(answer, "Contact")


def test_a_caller_that_wants_too_short_a_session(scene: Scene) -> None:
    """422 with Min-SE, then what it says is agreed, and the caller's UPDATE refreshes that."""
    target = scene.callee(
        callee().called().answer("200 OK", sdp(), retrans=True).receive("ACK").end_of_call()
    )
    timer = "Supported: timer\nSession-Expires: {}\n"
    ladder = scene.ladder().invite(sdp(), headers=timer.format(30)).receive(100, optional=True).receive(422)
    ladder.ack_failure()
    ladder.cseq += 1
    proof = f"[authentication username={ladder.user} password={ladder.password}]\n"
    again = ladder._request("INVITE", cseq=ladder.cseq, extra=proof + timer.format(90), body=sdp())
    source = scene.caller(
        ladder.send(again, retrans=True)
        .answered()
        .ack()
        .request("UPDATE", headers=timer.format("90;refresher=uac"))
        .receive(200)
        .bye()
    )
    scene.succeeds()
    assert header(source.received("SIP/2.0 422")[0], "Min-SE") == "90"
    answers = [m for m in source.received("SIP/2.0 200") if "BYE" not in header(m, "CSeq")]
    assert [header(m, "Session-Expires") for m in answers] == ["90;refresher=uac"] * 2
    assert "timer" in header(answers[0], "Require")
    assert not target.received("UPDATE")


def test_a_callee_that_wants_a_longer_session(scene: Scene) -> None:
    target = scene.callee(
        callee()
        .called()
        .answer("422 Session Interval Too Small", headers="Min-SE: 4000\n")
        .receive("ACK")
        .receive("INVITE", action=_TARGET)
        .answer(
            "200 OK", sdp(), retrans=True, headers="Require: timer\nSession-Expires: 4000;refresher=uac\n"
        )
        .receive("ACK")
        .end_of_call()
    )
    scene.caller(scene.ladder().invite(sdp()).answered().ack().pause(100).bye())
    scene.succeeds()
    first, again = target.received("INVITE")[0], target.received("INVITE")[-1]
    assert [header(m, "Session-Expires") for m in (first, again)] == ["1800", "4000"]
    assert header(again, "Min-SE") == "4000"
    assert header(first, "Call-ID") == header(again, "Call-ID")
    assert re.match("2 ", header(again, "CSeq"))
