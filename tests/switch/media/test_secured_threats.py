"""THREATS A1, A2, A3, A8 and A10 on a leg with SRTP; A4 and A6 are in test_sdes.py, A5 in tests/threats."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import pytest
from pylibsrtp import Error

from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane, MediaSession

from .conftest import local_for
from .discontinuities import STORIES
from .malformed import RTP
from .phones import A, Call, Phone, bye, receiver_report, rtp, wait_for
from .secured import SecurePhone, session

CM = "AES_CM_128_HMAC_SHA1_80"
GCM = "AEAD_AES_256_GCM"


def secured(
    plane: MediaPlane, a: Phone, b: Phone, suite: str = CM, *, a_is_nat: bool = False
) -> tuple[Call, SecurePhone]:
    """A call whose first leg is secured."""
    call, caller = Call(plane, a, b, a_is_nat=a_is_nat), SecurePhone(a, suite)
    b.obey(call.session.offer(call.a_leg, call.b_leg, caller.describe()))
    caller.obey(call.session.answer(call.b_leg, call.a_leg, b.describe()))
    call.session.confirm()
    return call, caller


def is_deaf(phone: Phone) -> bool:
    """Nothing lies at its ports."""
    for sock in (phone.rtp, phone.rtcp):
        sock.setblocking(False)
        try:
            sock.recv(2048)
        except BlockingIOError:
            continue
        return False
    return True


@pytest.mark.parametrize("suite", [CM, GCM])
def test_strangers_are_neither_heard_nor_served(
    plane: MediaPlane, a: Phone, b: Phone, third: Phone, suite: str
) -> None:
    """A1: in the clear, with keys of their own, and with packets of the phone that they have seen."""
    call, caller = secured(plane, a, b, suite)
    stranger = session(suite, os.urandom(len(caller.keys[suite])), is_sender=True)
    for seq in range(100):
        true = caller.sender.protect(rtp(seq))
        for data in (true, rtp(seq), stranger.protect(rtp(seq))):
            third.rtp.sendto(data, a.media)
        a.say(true)
        assert b.hear() == rtp(seq)
        b.say(rtp(seq, ssrc=9))
        assert caller.hear() == rtp(seq, ssrc=9)
    wait_for(lambda: call.dropped()["source"] == 300)
    assert is_deaf(b)
    assert is_deaf(third)


def test_the_race_at_the_start_needs_the_key(
    plane: MediaPlane, a: Phone, b: Phone, phone: Callable[[str], Phone]
) -> None:
    """A1 behind a NAT: the same host with another port is first, without the key; that teaches nothing."""
    call, caller = secured(plane, a, b, a_is_nat=True)
    neighbour, moved = phone(A), phone(A)
    stranger = session(CM, os.urandom(30), is_sender=True)
    for seq in range(20):
        neighbour.rtp.sendto(rtp(seq), a.media)
        neighbour.rtp.sendto(stranger.protect(rtp(seq)), a.media)
    wait_for(lambda: call.dropped()["unauthentic"] == 40)
    moved.rtp.sendto(caller.sender.protect(rtp(1)), a.media)  # the phone, from the port that its NAT gave it
    assert b.hear() == rtp(1)
    b.say(rtp(5, ssrc=9))
    assert caller.receiver.unprotect(moved.hear()) == rtp(5, ssrc=9)
    assert is_deaf(neighbour)


def test_forged_reports_are_not_passed_on(plane: MediaPlane, a: Phone, b: Phone, third: Phone) -> None:
    """A2: a BYE in the clear or with another key, of four octets, or seen before from another address."""
    call, caller = secured(plane, a, b)
    caller.say(rtp(1))
    b.hear()
    stranger = session(CM, os.urandom(30), is_sender=True)
    forged = (bye(), stranger.protect_rtcp(bye()), b"\x80\xc9\x00\x00", b"\x81\xcb\x00\x01" + bytes(14))
    for data in forged:
        for sender in (a, third):
            sender.rtcp.sendto(data, a.control)
    true = caller.sender.protect_rtcp(receiver_report())
    third.rtcp.sendto(true, a.control)
    a.rtcp.sendto(true, a.control)
    a.rtcp.sendto(true, a.control)  # a second time: a replay
    assert b.rtcp.recv(2048) == receiver_report()
    caller.say(rtp(2))
    assert b.hear() == rtp(2)
    wait_for(lambda: sum(call.dropped().values()) == 2 * len(forged) + 2)
    assert is_deaf(b)


def test_malformed_packets_change_nothing(plane: MediaPlane, a: Phone, b: Phone, third: Phone) -> None:
    """A3: as they are, and with the right key around them, as far as libsrtp puts it there."""
    call, caller = secured(plane, a, b)
    wrapped = 0
    for seq, data in enumerate(RTP.values()):
        for sender in (a, third):
            sender.rtp.sendto(data, a.media)
        try:
            a.say(caller.sender.protect(data))
            wrapped += 1
        except (Error, ValueError):
            pass
        caller.say(rtp(1000 + seq))
        assert b.hear() == rtp(1000 + seq)
    assert wrapped >= 2
    wait_for(lambda: sum(call.dropped().values()) == 2 * len(RTP) + wrapped)


# SRTP itself takes packets of the past for replays, and cannot tell a jump by half of all numbers.
PASSABLE = [name for name in STORIES if ("-" not in name and "32768" not in name) or "source" in name]


@pytest.mark.parametrize("suite", [CM, GCM])
@pytest.mark.parametrize("name", PASSABLE)
def test_jumps_and_disorder_under_srtp(plane: MediaPlane, a: Phone, b: Phone, name: str, suite: str) -> None:
    """A8: whatever libsrtp takes of it from the other side of the relay is what was said."""
    _, caller = secured(plane, a, b, suite)
    packets = [
        rtp(one.number, ssrc=one.ssrc, timestamp=one.timestamp * 160)
        for one in sorted(STORIES[name](65500), key=lambda one: one.frame)
    ]
    places = [one.frame for one in STORIES[name](65500)]
    closed = dict(zip(sorted(places), [caller.sender.protect(packet) for packet in packets], strict=True))
    said = dict(zip(sorted(places), packets, strict=True))
    for place in places:
        a.say(closed[place])
        assert b.hear() == said[place]


async def test_forged_packets_keep_no_call_alive(a: Phone, b: Phone) -> None:
    """A10: who has not the key is not heard, however much he sends from the right address."""
    expired: asyncio.Queue[MediaSession] = asyncio.Queue()
    config = MediaConfig(ports="22000-27999", first_rtp_timeout=0.6, rtp_timeout=0.3)
    plane = MediaPlane(config, local_for, expired.put_nowait, quarantine=0.0)
    plane.start(asyncio.get_running_loop())
    try:
        call, caller = secured(plane, a, b)
        caller.say(rtp(1))
        b.hear()
        for seq in range(200):
            a.say(rtp(seq) + os.urandom(10))
            if not expired.empty():
                break
            await asyncio.sleep(0.01)
        assert seq < 150
        assert expired.get_nowait() is call.session
    finally:
        plane.stop()
