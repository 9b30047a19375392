"""How a call can end, with sipp on both sides: each ladder is what that telephone says and hears."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .conftest import ANSWER_TIMEOUT, T1, Scene, next_name
from .harness import PASSWORD, Switch, users, wait_until
from .phone import Phone
from .raw import SilenceError, audio, response_to
from .sipp import Sipp, callee, caller, sdp
from .test_sipp_extensions import header

pytestmark = pytest.mark.peer("sipp")


@pytest.mark.parametrize(
    ("status", "reason"),
    [(486, "Busy Here"), (603, "Decline"), (480, "Temporarily Unavailable"), (404, "Not Found")],
)
def test_a_refusal_travels_to_the_caller(scene: Scene, status: int, reason: str) -> None:
    scene.callee(callee().called().answer(f"{status} {reason}").receive("ACK"))
    scene.caller(scene.ladder().invite(sdp()).receive(100, optional=True).receive(status).ack_failure())
    scene.succeeds()
    row = scene.record()
    assert (row["cause"], row["ended_by"], row["answer_at"]) == (status, "callee", None)


def test_a_call_from_end_to_end(scene: Scene) -> None:
    scene.callee(
        callee()
        .called()
        .answer("180 Ringing")
        .answer("200 OK", sdp(), retrans=True)
        .receive("ACK")
        .end_of_call()
    )
    scene.caller(scene.ladder().invite(sdp()).answered().ack().pause(300).bye())
    scene.succeeds()
    row = scene.record()
    assert (row["from_user"], row["to_user"], row["cause"], row["ended_by"]) == (
        scene.a,
        scene.b,
        200,
        "caller",
    )
    assert row["setup_at"] <= row["ring_at"] <= row["answer_at"] < row["end_at"]
    assert 0.25 < row["duration"] < 3


def test_the_callee_hangs_up(scene: Scene) -> None:
    scene.callee(
        callee()
        .called()
        .answer("200 OK", sdp(), retrans=True)
        .receive("ACK")
        .pause(200)
        .callee_request("BYE", cseq=1)
        .receive(200)
    )
    scene.caller(scene.ladder().invite(sdp()).answered().ack().receive("BYE").answer("200 OK", tag=False))
    scene.succeeds()
    assert scene.record()["ended_by"] == "callee"


def test_a_caller_over_tcp_reaches_a_callee_over_udp(scene: Scene) -> None:
    target = scene.callee(
        callee()
        .called()
        .answer("180 Ringing")
        .answer("200 OK", sdp(), retrans=True)
        .receive("ACK")
        .end_of_call()
    )
    scene.caller(scene.ladder().invite(sdp()).answered().ack().pause(100).bye(), transport="t1")
    scene.succeeds()
    assert "SIP/2.0/UDP" in target.received("INVITE")[0]


def test_no_answer_ends_the_ringing(scene: Scene) -> None:
    scene.callee(
        callee()
        .called()
        .answer("180 Ringing")
        .receive("CANCEL", timeout=int(ANSWER_TIMEOUT * 1000) + 3000)
        .answer("200 OK")
        .answer_invite("487 Request Terminated")
        .receive("ACK")
    )
    scene.caller(
        scene.ladder()
        .invite(sdp())
        .receive(100, optional=True)
        .receive(180)
        .receive_either(408, 480, timeout=int(ANSWER_TIMEOUT * 1000) + 3000)
        .ack_failure()
    )
    scene.succeeds()
    row = scene.record()
    assert row["cause"] in (408, 480)
    assert row["ended_by"] == "switch"


def test_the_caller_gives_up(scene: Scene) -> None:
    scene.callee(
        callee()
        .called()
        .answer("180 Ringing")
        .receive("CANCEL")
        .answer("200 OK")
        .answer_invite("487 Request Terminated")
        .receive("ACK")
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
    row = scene.record()
    assert (row["cause"], row["ended_by"]) == (487, "caller")


def test_a_number_that_nobody_has(scene: Scene) -> None:
    scene.caller(scene.ladder("5550199").invite(sdp()).receive(100, optional=True).receive(404).ack_failure())
    scene.succeeds()
    assert scene.record()["cause"] == 404


def test_a_user_without_a_telephone(scene: Scene) -> None:
    scene.caller(scene.ladder().invite(sdp()).receive(100, optional=True).receive(480).ack_failure())
    scene.succeeds()
    assert scene.record()["cause"] == 480


def test_a_contact_that_does_not_answer_at_all(scene: Scene) -> None:
    """Its port is closed: an ICMP error or timer B (64 T1) tells, not the answer timeout."""
    scene.register(scene.b)
    scene.caller(
        scene.ladder()
        .invite(sdp())
        .receive(100, optional=True)
        .receive_either(408, 480, timeout=int(64 * T1 * 1000) + 3000)
        .ack_failure()
    )
    scene.succeeds()
    assert scene.record()["cause"] in (408, 480)


def test_first_of_two_contacts_wins(scene: Scene) -> None:
    slow = scene.callee(
        callee()
        .called()
        .answer("180 Ringing")
        .receive("CANCEL")
        .answer("200 OK")
        .answer_invite("487 Request Terminated")
        .receive("ACK")
    )
    fast = scene.callee(
        callee()
        .called()
        .answer("180 Ringing")
        .pause(300)
        .answer("200 OK", sdp(), retrans=True)
        .receive("ACK")
        .end_of_call()
    )
    scene.caller(scene.ladder().invite(sdp()).answered().ack().pause(400).bye())
    scene.succeeds()
    assert len(slow.received("INVITE")) == len(fast.received("INVITE")) == 1
    assert scene.record()["cause"] == 200


def test_the_best_of_two_refusals(scene: Scene) -> None:
    """RFC 3261 §16.7 step 6: 6xx wins over 4xx, and ends the other branch."""
    scene.callee(callee().called().answer("486 Busy Here").receive("ACK"))
    scene.callee(callee().called().answer("180 Ringing").pause(300).answer("603 Decline").receive("ACK"))
    scene.caller(
        scene.ladder().invite(sdp()).receive(100, optional=True).receive(180).receive(603).ack_failure()
    )
    scene.succeeds()
    assert scene.record()["cause"] == 603


def test_the_longest_call(scene: Scene, tmp_path: Path) -> None:
    with Switch(tmp_path / "short", users=users([scene.a, scene.b]), calls={"max_duration": 1}) as short:
        scene.switch = short
        both_hear = (
            callee().called().answer("200 OK", sdp(), retrans=True).receive("ACK").end_of_call(timeout=4000)
        )
        scene.callee(both_hear)
        scene.caller(
            scene.ladder()
            .invite(sdp())
            .answered()
            .ack()
            .receive("BYE", timeout=4000)
            .answer("200 OK", tag=False)
        )
        scene.succeeds()
        row = scene.record()
        assert row["ended_by"] == "switch"
        assert 0.9 <= row["duration"] < 2.5


def test_hangup_from_the_command_line(scene: Scene) -> None:
    scene.callee(callee().called().answer("200 OK", sdp(), retrans=True).receive("ACK").end_of_call())
    scene.caller(
        scene.ladder()
        .invite(sdp())
        .answered()
        .ack()
        .receive("BYE", timeout=10000)
        .answer("200 OK", tag=False)
    )
    call = scene.call_is_up()
    done = scene.switch.cli("hangup", call["id"])
    assert done.returncode == 0, done.stderr
    scene.succeeds()
    assert scene.record()["ended_by"] == "switch"
    assert scene.switch.cli("hangup", call["id"]).returncode != 0


def test_a_caller_that_never_acknowledges(scene: Scene) -> None:
    """200 again and again, at least six times, then BYE to both after 64 T1 (RFC 3261 §13.3.1.4)."""
    limit = int(64 * T1 * 1000) + 3000
    target = scene.callee(
        callee()
        .called()
        .answer("200 OK", sdp(), retrans=True)
        .receive("ACK", timeout=limit)
        .end_of_call(timeout=limit)
    )
    silent = scene.caller(
        scene.ladder().invite(sdp()).answered().receive("BYE", timeout=limit).answer("200 OK", tag=False)
    )
    scene.succeeds(limit / 1000 + 5)
    assert len(silent.received("SIP/2.0 200 OK")) >= 6
    assert len(target.received("BYE")) == 1
    assert scene.record()["ended_by"] == "switch"


def test_an_acknowledgement_that_was_lost(scene: Scene) -> None:
    """The caller's ACK comes late: 200 is repeated until then and not after, and the call goes on."""
    scene.callee(callee().called().answer("200 OK", sdp(), retrans=True).receive("ACK").end_of_call())
    late = scene.caller(scene.ladder().invite(sdp()).answered().pause(800).ack().pause(1200).bye())
    scene.succeeds()
    # at 0, 0.1, 0.3, 0.7 s (and one of BYE)
    assert (
        3 <= len([m for m in late.received("SIP/2.0 200 OK") if re.search(r"(?m)^CSeq: \d+ INVITE", m)]) <= 5
    )
    assert scene.record()["cause"] == 200


def test_a_repeated_invite_makes_one_call(scene: Scene) -> None:
    target = scene.callee(
        callee()
        .called()
        .answer("180 Ringing")
        .pause(600)
        .answer("200 OK", sdp(), retrans=True)
        .receive("ACK")
        .end_of_call()
    )
    with Phone(scene.switch.address, scene.a, PASSWORD) as phone:
        dialog = phone.start_call(scene.b, audio("127.0.0.1", 39000))
        phone.expect(180)
        for _ in range(3):
            assert isinstance(dialog.invite, bytes)
            phone.send(dialog.invite)
            assert phone.receive(1.0).status in (100, 180)  # type: ignore[union-attr]
        phone.answered(dialog)
        assert dialog.bye().status == 200
    scene.succeeds()
    assert len(target.received("INVITE")) == 1
    assert scene.record()["cause"] == 200


def test_an_invite_is_repeated_until_something_comes(scene: Scene) -> None:
    """Timer A: the callee ignores the first INVITE; the second is the same, octet for octet."""
    with Phone(scene.switch.address, scene.b, PASSWORD) as phone:
        assert phone.register().status == 200
        scene.caller(scene.ladder().invite(sdp()).receive(100, optional=True).receive(486).ack_failure())
        first, second, third = (phone.expect("INVITE") for _ in range(3))
        assert first == second == third
        phone.send(response_to(third, 486, "Busy Here", tag="t"))
        scene.succeeds()
        phone.expect("ACK")
        with pytest.raises(SilenceError):
            phone.expect("INVITE", timeout=1.0)


def test_nothing_is_left_behind(switch: Switch) -> None:
    """After all these calls: no call, no port, no transaction."""
    switch.wait_idle(64 * T1 + 5)
    assert wait_until(lambda: switch.is_alive, 1, "alive")
    assert all(row["end_at"] for row in switch.records())


def test_a_phone_that_redirects_is_a_phone_that_forwards(scene: Scene) -> None:
    """302 to a number of ours is followed by us; the caller hears only who answered."""
    third = next_name()
    moved = f"Contact: <sip:{third}@{scene.switch.address[0]}:{scene.switch.address[1]}>\n"
    target = scene.callee(callee().called().redirect("302 Moved Temporarily", moved).receive("ACK"))
    ladder = callee().called().answer("200 OK", sdp(), retrans=True).receive("ACK").end_of_call()
    comes = Sipp(scene.folder, ladder, port=scene.register(third)).wait_bound()
    scene.cast.append(comes)
    source = scene.caller(scene.ladder().invite(sdp()).answered().ack().pause(100).bye())
    scene.succeeds()
    assert target.received("ACK")
    [diversion] = {header(message, "Diversion") for message in comes.received("INVITE")}
    assert f"sip:{scene.b}@" in diversion
    assert not source.received("SIP/2.0 3")
    assert scene.record()["to_user"] == third


def test_a_redirection_to_somewhere_else_is_not_followed(scene: Scene) -> None:
    moved = "Contact: <sip:900@192.0.2.1>\n"
    scene.callee(callee().called().redirect("302 Moved Temporarily", moved).receive("ACK"))
    source = scene.caller(scene.ladder().invite(sdp()).receive(100, optional=True).receive(480).ack_failure())
    scene.succeeds()
    assert "192.0.2.1" not in "".join(source.received("SIP/2.0 480"))


def test_a_wrong_password_gets_no_call(scene: Scene) -> None:
    target = scene.callee(callee().called(timeout=1500))
    scene.caller(
        caller(scene.b, scene.a, "wrong")
        .invite(sdp())
        .receive(100, optional=True)
        .receive_either(403, 401)
        .ack_failure()
    )
    scene.cast[-1].succeeds()
    assert not target.received("INVITE")
