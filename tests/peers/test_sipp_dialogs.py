"""What happens inside a call: hold, late offers, glare, and messages that cross on the wire."""

from __future__ import annotations

import re

import pytest

from .conftest import Scene
from .raw import direction_of, media_address
from .sipp import Ladder, callee, sdp

pytestmark = pytest.mark.peer("sipp")


def body(message: str) -> bytes:
    return message.partition("\n\n")[2].encode()


def answered_call() -> Ladder:
    return callee().called().answer("180 Ringing").answer("200 OK", sdp(), retrans=True).receive("ACK")


def test_the_caller_holds_and_resumes(scene: Scene) -> None:
    target = scene.callee(
        answered_call()
        .receive("INVITE")
        .answer("200 OK", sdp("recvonly", version=2), tag=False, retrans=True)
        .receive("ACK")
        .receive("INVITE")
        .answer("200 OK", sdp("sendrecv", version=3), tag=False, retrans=True)
        .receive("ACK")
        .end_of_call()
    )
    holder = scene.caller(
        scene.ladder()
        .invite(sdp())
        .answered()
        .ack()
        .reinvite(sdp("sendonly", version=2))
        .reinvite(sdp(version=3))
        .bye()
    )
    scene.succeeds()
    assert [direction_of(body(m)) for m in target.received("INVITE")] == ["sendrecv", "sendonly", "sendrecv"]
    answers = [m for m in holder.received("SIP/2.0 200") if "INVITE" in m]
    assert [direction_of(body(m)) for m in answers] == ["sendrecv", "recvonly", "sendrecv"]
    # the relay stays where it was: hold must not move the ports
    assert len({media_address(body(m)) for m in answers}) == 1


def test_the_callee_holds_and_resumes(scene: Scene) -> None:
    def once(ladder: Ladder, cseq: int, direction: str) -> Ladder:
        return (
            ladder.callee_request("INVITE", sdp(direction, version=cseq + 1), cseq=cseq)
            .receive(100, optional=True)
            .receive(200)
            .callee_request("ACK", cseq=cseq)
        )

    holder = scene.callee(once(once(answered_call(), 1, "inactive"), 2, "sendrecv").end_of_call())
    held = scene.caller(
        scene.ladder()
        .invite(sdp())
        .answered()
        .ack()
        .receive("INVITE")
        .answer("200 OK", sdp("inactive", version=2), tag=False, retrans=True)
        .receive("ACK")
        .receive("INVITE")
        .answer("200 OK", sdp("sendrecv", version=3), tag=False, retrans=True)
        .receive("ACK")
        .pause(100)
        .bye()
    )
    scene.succeeds()
    assert [direction_of(body(m)) for m in held.received("INVITE")] == ["inactive", "sendrecv"]
    assert [direction_of(body(m)) for m in holder.received("SIP/2.0 200")] == ["inactive", "sendrecv"]


def test_a_call_without_an_offer(scene: Scene) -> None:
    """The offer comes in 200, the answer in ACK (RFC 3261 §13.2.1); both pass through, with our addresses."""
    target = scene.callee(answered_call().end_of_call())
    late = scene.caller(scene.ladder().invite("").answered().ack(sdp("recvonly")).pause(100).bye())
    scene.succeeds()
    assert body(target.received("INVITE")[0]).strip() == b""
    answer = body(target.received("ACK")[0])
    offer = body(next(m for m in late.received("SIP/2.0 200") if "INVITE" in m))
    assert direction_of(answer) == "recvonly"
    for description in (offer, answer):
        assert media_address(description)[1] != 39000


def test_a_reinvite_without_an_offer(scene: Scene) -> None:
    """The other phone makes the offer, in its 200; the answer comes in the ACK, through both legs."""
    target = scene.callee(
        callee()
        .called()
        .answer("200 OK", sdp(), retrans=True)
        .receive("ACK")
        .receive("INVITE")
        .answer("200 OK", sdp("sendrecv", version=2), tag=False, retrans=True)
        .receive("ACK")
        .end_of_call()
    )
    ladder = scene.ladder().invite(sdp()).answered().ack().pause(100)
    ladder.invite("").receive(100, optional=True).receive(200).ack(sdp("recvonly", version=2))
    source = scene.caller(ladder.pause(100).bye())
    scene.succeeds()
    assert body(target.received("INVITE")[-1]).strip() == b""
    assert direction_of(body(target.received("ACK")[-1])) == "recvonly"
    offers = [m for m in source.received("SIP/2.0 200") if "INVITE" in m]
    assert direction_of(body(offers[-1])) == "sendrecv"
    assert media_address(body(offers[-1])) == media_address(body(offers[0]))


def test_a_reinvite_that_is_refused_leaves_the_call_up(scene: Scene) -> None:
    scene.callee(
        answered_call()
        .receive("INVITE")
        .answer("488 Not Acceptable Here", tag=False)
        .receive("ACK")
        .end_of_call()
    )
    scene.caller(
        scene.ladder()
        .invite(sdp())
        .answered()
        .ack()
        .invite(sdp("sendonly", version=2))
        .receive(100, optional=True)
        .receive(488)
        .ack_failure()
        .pause(200)
        .bye()
    )
    scene.succeeds()
    assert scene.record()["ended_by"] == "caller"


def test_glare_is_refused_with_491(scene: Scene) -> None:
    """The callee's re-INVITE crosses the caller's: 491 for it (RFC 3261 §14.2), and the first goes on."""
    rival = answered_call()
    rival.receive("INVITE", action=rival.keep("via2") + rival.keep("cseq2", "CSeq:"))
    rival.callee_request("INVITE", sdp("sendonly", version=2), cseq=1).receive(100, optional=True).receive(
        491
    )
    rival.callee_ack_failure(cseq=1)
    rival.answer(
        "200 OK",
        sdp(version=3),
        via="Via:[$via2]",
        cseq="CSeq:[$cseq2]",
        retrans=True,
        tag=False,
        from_to="From:[$remote]\nTo:[$local];tag=[pid]b[call_number]",
    )
    rival.receive("ACK").end_of_call()
    scene.callee(rival)
    scene.caller(
        scene.ladder().invite(sdp()).answered().ack().reinvite(sdp("sendrecv", version=2)).pause(100).bye()
    )
    scene.succeeds()
    assert scene.record()["ended_by"] == "caller"


def test_early_media(scene: Scene) -> None:
    """183 with a description reaches the caller with the switch's address, and 200 does not move it."""
    scene.callee(
        callee()
        .called()
        .answer("183 Session Progress", sdp())
        .pause(300)
        .answer("200 OK", sdp(), retrans=True)
        .receive("ACK")
        .end_of_call()
    )
    early = scene.caller(
        scene.ladder()
        .invite(sdp())
        .receive(100, optional=True)
        .receive(183)
        .receive_200()
        .ack()
        .pause(100)
        .bye()
    )
    scene.succeeds()
    before = media_address(body(early.received("SIP/2.0 183")[0]))
    after = media_address(body(next(m for m in early.received("SIP/2.0 200") if "INVITE" in m)))
    assert before == after
    assert before[1] != 39000
    low, _, high = scene.switch.config["media"]["ports"].partition("-")
    assert int(low) <= before[1] <= int(high)


def test_cancel_meets_200_at_the_callee(scene: Scene) -> None:
    """The callee answers while CANCEL is under way: its call is confirmed and ended, the caller hears 487."""
    scene.callee(
        callee()
        .called()
        .answer("180 Ringing")
        .receive("CANCEL")
        .answer("200 OK")
        .answer_invite("200 OK", sdp())
        .receive("ACK")
        .end_of_call()
    )
    scene.caller(
        scene.ladder()
        .invite(sdp())
        .receive(100, optional=True)
        .receive(180)
        .cancel()
        .receive(200)
        .receive(487)
        .ack_failure()
    )
    scene.succeeds()
    assert scene.record()["cause"] == 487


def test_cancel_comes_after_200(scene: Scene) -> None:
    """RFC 3261 §9.2: a CANCEL after the final response changes nothing; the call is up."""
    scene.callee(answered_call().end_of_call())
    scene.caller(
        scene.ladder().invite(sdp()).answered().cancel().receive_either(481, 200).ack().pause(300).bye()
    )
    scene.succeeds()
    row = scene.record()
    assert (row["cause"], row["ended_by"]) == (200, "caller")


def test_bye_meets_bye(scene: Scene) -> None:
    """Both hang up at once: each BYE is answered, one record."""
    both = answered_call()
    both.receive("BYE", action=both.keep("via2") + both.keep("cseq2", "CSeq:"))
    both.callee_request("BYE", cseq=1).receive_either(481, 200)
    both.answer(
        "200 OK",
        via="Via:[$via2]",
        cseq="CSeq:[$cseq2]",
        tag=False,
        from_to="From:[$remote]\nTo:[$local];tag=[pid]b[call_number]",
    )
    scene.callee(both)
    scene.caller(scene.ladder().invite(sdp()).answered().ack().pause(100).bye())
    scene.succeeds()
    assert scene.record()["ended_by"] == "caller"


def test_the_two_legs_share_nothing(scene: Scene) -> None:
    """A B2BUA: Call-ID, tag, Via, Contact and the address in the description are its own on each leg."""
    target = scene.callee(answered_call().end_of_call())
    source = scene.caller(scene.ladder().invite(sdp(port=39124)).answered().ack().pause(100).bye())
    scene.succeeds()
    invite = target.received("INVITE")[0]
    heard = "".join(source.received("SIP/2.0"))
    assert not re.search(rf"127\.0\.0\.1:{source.port}\b", invite)
    assert not re.search(rf"127\.0\.0\.1:{target.port}\b", heard)
    assert "39124" not in invite
    sent = re.search(r"Call-ID: (\S+)", heard)
    assert sent
    assert sent.group(1) not in invite
    tag = re.search(r"From:.*;tag=(\S+)", heard)
    assert tag
    assert tag.group(1) not in invite
    assert "Authorization" not in invite
