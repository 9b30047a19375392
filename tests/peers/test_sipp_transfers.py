"""REFER and INVITE with Replaces as sipp writes them."""

from __future__ import annotations

import re

import pytest

from .conftest import Scene, next_name
from .harness import PASSWORD, wait_until
from .sipp import Ladder, Sipp, callee, caller, sdp
from .test_sipp_extensions import header

pytestmark = pytest.mark.peer("sipp")


def test_the_caller_transfers_blindly(scene: Scene) -> None:
    stays = scene.callee(
        callee()
        .called()
        .answer("200 OK", sdp(), retrans=True)
        .receive("ACK")
        .receive("INVITE")  # the media of whoever comes instead
        .answer("200 OK", sdp(version=2), tag=False, retrans=True)
        .receive("ACK")
        .end_of_call()
    )
    third = next_name()
    comes = Sipp(
        scene.folder,
        callee()
        .called()
        .answer("180 Ringing")
        .pause(200)
        .answer_invite("200 OK", sdp(port=39010), retrans=True)
        .receive("ACK")
        .pause(500)
        .callee_request("BYE", cseq=1)
        .receive(200),
        port=scene.register(third),
    ).wait_bound()
    scene.cast.append(comes)
    ladder = scene.ladder().invite(sdp()).answered().ack().pause(100)
    refer_to = f"Refer-To: <sip:{third}@[remote_ip]:[remote_port]>\n"
    ladder.request("REFER", headers=refer_to).receive(202)
    for _ in range(3):  # 100, 180, 200
        ladder.receive("NOTIFY").answer("200 OK", tag=False)
    source = scene.caller(ladder.receive("BYE").answer("200 OK", tag=False))
    scene.succeeds()
    told = [message.strip().splitlines()[-1] for message in source.received("NOTIFY")]
    assert list(dict.fromkeys(told)) == ["SIP/2.0 100 Trying", "SIP/2.0 180 Ringing", "SIP/2.0 200 OK"]
    assert all(header(message, "Event") == "refer" for message in source.received("NOTIFY"))
    [invite] = {header(message, "Referred-By") for message in comes.received("INVITE")}
    assert f"sip:{scene.a}@" in invite
    assert stays.received("BYE")
    rows = [r for r in scene.switch.records() if r["from_user"] == scene.a]
    assert [row["to_user"] for row in rows] == [scene.b, third]


@pytest.mark.parametrize("is_own", [True, False])
def test_an_invite_takes_the_place_of_a_dialog(scene: Scene, is_own: bool) -> None:
    replaced = callee().called().answer("200 OK", sdp(), retrans=True).receive("ACK")
    target = scene.callee(replaced.end_of_call())
    ladder = scene.ladder().invite(sdp()).answered().ack()
    if is_own:  # the other end of it is told the new media
        ladder.receive("INVITE").answer("200 OK", sdp(version=2), tag=False, retrans=True).receive("ACK")
        ladder.receive("BYE").answer("200 OK", tag=False)
    else:
        ladder.pause(4000).bye()
    source = scene.caller(ladder)
    scene.call_is_up()
    [answer] = wait_until(lambda: _sent(target, "SIP/2.0 200"), 5, "the answer")[:1]
    [invite] = target.received("INVITE")[:1]
    remote = re.search(r"tag=([^;\s]+)", header(invite, "From"))
    local = re.search(r"tag=([^;\s]+)", header(answer, "To"))
    assert remote
    assert local
    call_id = header(invite, "Call-ID")
    replaces = f"Replaces: {call_id};to-tag={remote[1]};from-tag={local[1]}\nRequire: replaces\n"
    user = scene.b if is_own else next_name()
    taking = caller(scene.a, user, PASSWORD).invite(sdp(port=39020), headers=replaces)
    if is_own:
        taking.answered().ack().pause(300).bye()
    else:
        taking.receive(100, optional=True).receive(403).ack_failure()
    third = scene.caller(taking)
    scene.succeeds()
    assert bool(source.received("INVITE")) == is_own
    assert bool(third.received("SIP/2.0 200")) == is_own


@pytest.mark.parametrize("has_called", [True, False])
def test_an_attended_transfer_of_either_side(scene: Scene, has_called: bool) -> None:
    """A has a call with B and one with C; its REFER names the latter (Replaces), and B talks to C."""
    third = next_name()
    asked = Sipp(scene.folder, _moved().end_of_call(), port=scene.register(third)).wait_bound()
    asking = caller(third, scene.a, PASSWORD).invite(sdp(port=39030)).answered().ack()
    asking.receive("BYE", timeout=10000).answer("200 OK", tag=False)
    consultation = scene.caller(asking)
    scene.cast.append(asked)
    answer = wait_until(
        lambda: next((m for m in consultation.received("SIP/2.0 200") if "INVITE" in header(m, "CSeq")), ""),
        5,
        "the answer of C",
    )
    local, remote = (re.search(r"tag=([^;\s]+)", header(answer, name)) for name in ("From", "To"))
    assert local
    assert remote
    replaces = f"{header(answer, 'Call-ID')}%3Bto-tag%3D{remote[1]}%3Bfrom-tag%3D{local[1]}".replace(
        "@", "%40"
    )
    refer_to = (
        f"Refer-To: <sip:{third}@{scene.switch.address[0]}:{scene.switch.address[1]}?Replaces={replaces}>\n"
    )
    if has_called:
        stays = scene.callee(_hangs_up(_moved()))
        refers = scene.ladder().invite(sdp()).answered().ack().request("REFER", headers=refer_to)
        transferor = scene.caller(_told(refers))
    else:
        calls = callee().called().answer("200 OK", sdp(), retrans=True).receive("ACK").pause(100)
        refers = calls.callee_request("REFER", cseq=1, headers=refer_to)
        transferor = Sipp(scene.folder, _told(refers), port=scene.register(scene.a)).wait_bound()
        scene.cast.append(transferor)
        ladder = caller(scene.a, scene.b, PASSWORD).invite(sdp()).answered().ack()
        ladder.receive("INVITE").answer("200 OK", sdp(version=2), tag=False, retrans=True).receive("ACK")
        stays = scene.caller(ladder.pause(300).bye())
    scene.succeeds()
    told = [message.strip().splitlines()[-1] for message in transferor.received("NOTIFY")]
    assert told[-1] == "SIP/2.0 200 OK"
    # each has the other's description now, by way of the switch
    assert len({header(m, "CSeq") for m in asked.received("INVITE")}) == 2
    assert len({header(m, "CSeq") for m in stays.received("INVITE")}) == (2 if has_called else 1)
    rows = wait_until(
        lambda: [r for r in scene.switch.records() if third in (r["callee"], r["to_user"])][1:], 5, "2"
    )
    assert {(r["from_user"], r["to_user"]) for r in rows} == {(scene.a, third)}


def _moved() -> Ladder:
    """Somebody who is called and is told the media of somebody else then."""
    ladder = callee().called().answer("200 OK", sdp(), retrans=True).receive("ACK")
    ladder.receive("INVITE").answer("200 OK", sdp(version=2), tag=False, retrans=True)
    return ladder.receive("ACK")


def _hangs_up(ladder: Ladder) -> Ladder:
    return ladder.pause(300).callee_request("BYE", cseq=1).receive(200)


def _told(ladder: Ladder) -> Ladder:
    """The transferor is told of the end of it and let go."""
    ladder.receive(202).receive("NOTIFY").answer("200 OK", tag=False)
    ladder.receive("NOTIFY").answer("200 OK", tag=False)
    return ladder.receive("BYE").answer("200 OK", tag=False)


def _sent(one: Sipp, start: str) -> list[str]:
    text = one.messages.read_text(errors="replace") if one.messages.exists() else ""
    found = re.findall(r"message sent \(\d+ bytes\):\n\n(.*?)(?=\n-{40,}|\Z)", text, re.DOTALL)
    return [message for message in found if message.startswith(start)]
