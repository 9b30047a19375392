"""THREATS A1, A2, A3, A10: strangers at the media ports, forged RTCP, malformed packets, silence."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ..peers.harness import PASSWORD, Switch, users, wait_until
from ..peers.phone import Dialog, Phone
from ..peers.raw import audio, direction_of, media_address
from ..peers.rtp import Sound, packet
from .conftest import ALICE, BOB, size

STRANGER = "127.0.0.66"
EVIL = b"EVIL"


class Talk(NamedTuple):
    """A call that is up: dialogs, the sound of both ends, and where the switch takes sound."""

    caller: Dialog
    callee: Dialog
    a: Sound
    b: Sound

    def exchange(self, count: int) -> None:
        """Both ends speak and hear each other without loss."""
        for one, other in ((self.a, self.b), (self.b, self.a)):
            before = len(other.heard)
            one.send(count)
            assert other.receive(before + count, timeout=2.0) == before + count

    def is_up(self, switch: Switch) -> None:
        """It still is in the list of calls, and sound still passes."""
        self.exchange(10)
        assert self.count_in(switch) == 1

    def count_in(self, switch: Switch) -> int:
        """How many calls of this caller the switch has."""
        return sum(c["caller"] == self.caller.phone.user for c in switch.calls())


def establish(alice: Phone, bob: Phone, a: Sound, b: Sound, *, shown: str = "127.0.0.1") -> Talk:
    """A call whose descriptions show an address: the true one, or a private one as from behind NAT."""
    caller = alice.start_call(bob.user, audio(shown, a.port))
    callee = bob.incoming()
    bob.accept(callee, audio(shown, b.port))
    answer = alice.answered(caller)
    a.remote = media_address(answer.body)
    b.remote = media_address(callee.invite.body)  # type: ignore[union-attr]
    return Talk(caller, callee, a, b)


def hang_up(talk: Talk) -> None:
    talk.caller.phone.send(talk.caller.request("BYE"))
    talk.callee.answer_bye()
    talk.caller.phone.final(method="BYE")


@pytest.fixture
def sounds() -> Iterator[tuple[Sound, Sound]]:
    with Sound() as a, Sound() as b:
        yield a, b


@pytest.fixture
def talk(alice: Phone, bob: Phone, sounds: tuple[Sound, Sound]) -> Iterator[Talk]:
    up = establish(alice, bob, *sounds)
    up.exchange(10)
    yield up
    hang_up(up)


def test_a_stranger_is_neither_heard_nor_served(target: Switch, talk: Talk) -> None:
    """A1, established call: 0 injected, 0 bled, loss < 2 %; from another host and from another port."""
    with Sound(STRANGER, EVIL) as foreign, Sound("127.0.0.1", EVIL) as neighbour:
        before = {s: len(s.heard) for s in (talk.a, talk.b)}
        rounds = size(100, 1000)
        for _ in range(rounds):
            for evil in (foreign, neighbour):
                for end in (talk.a, talk.b):
                    evil.remote = end.remote
                    evil.send(interval=0)
            talk.a.send(interval=0.002)
            talk.b.send(interval=0.002)
            for end in (talk.a, talk.b):
                end.drain(quiet=0)
        for end in (talk.a, talk.b):
            end.drain()
            assert end.heard_with(EVIL) == 0
            assert len(end.heard) - before[end] >= rounds * 0.98
        assert foreign.drain() == []
        assert neighbour.drain() == []
    assert talk.count_in(target) == 1


def test_a_stranger_with_the_right_ssrc(talk: Talk) -> None:
    """A1: knowing the stream's SSRC and numbers from another address is not enough."""
    with Sound(STRANGER, EVIL) as foreign:
        foreign.ssrc, foreign.sequence = talk.a.ssrc, talk.a.sequence
        foreign.remote = talk.a.remote
        foreign.send(50)
        talk.exchange(20)
        talk.b.drain()
        assert talk.b.heard_with(EVIL) == 0
        assert foreign.drain() == []


@pytest.mark.parametrize("shown", ["127.0.0.1", "10.99.0.5"], ids=["public", "behind NAT"])
def test_the_race_at_the_start(alice: Phone, bob: Phone, sounds: tuple[Sound, Sound], shown: str) -> None:
    """A1: a stranger who sprays the ports before the telephones speak: 0 packets pass (the row allows 10)."""
    assert bob.register(expires=0).status == 200
    contact = f"<sip:{bob.user}@{shown}:{bob.address[1]}>"
    assert bob.register(contact=contact).status == 200
    alice.contact = f"<sip:{alice.user}@{shown}:{alice.address[1]}>"
    talk = establish(alice, bob, *sounds, shown=shown)
    with Sound(STRANGER, EVIL) as foreign:
        for _ in range(20):
            for end in sounds:
                foreign.remote = end.remote
                foreign.send(interval=0.0005)
        for end in sounds:
            end.send(5)
        for end in sounds:
            end.drain()
        early = sum(end.heard_with(EVIL) for end in sounds)
        assert early == 0  # the row allows 10
        for _ in range(50):
            for end in sounds:
                foreign.remote = end.remote
                foreign.send(interval=0)
                end.send()
        for end in sounds:
            end.drain()
        assert sum(end.heard_with(EVIL) for end in sounds) == early
        assert sounds[1].heard_with(sounds[0].mark) >= 50
        assert sounds[0].heard_with(sounds[1].mark) >= 50
        assert foreign.drain() == []
    hang_up(talk)


def test_the_latch_moves_only_with_signalling(talk: Talk) -> None:
    """A1: the telephone's own new address is deaf until its re-INVITE names it."""
    with Sound("127.0.0.1", b"MOVE") as moved:
        moved.remote = talk.a.remote
        moved.send(20)
        talk.b.drain()
        assert talk.b.heard_with(b"MOVE") == 0
        phone = talk.caller.phone
        phone.send(talk.caller.request("INVITE", body=audio("127.0.0.1", moved.port, version=2)))
        offer = talk.callee.wait_for("INVITE")
        talk.callee.respond(offer, 200, "OK", audio("127.0.0.1", talk.b.port, version=2))
        answer = phone.final(method="INVITE")
        talk.caller.ack()
        talk.callee.wait_for("ACK")
        assert media_address(answer.body) == moved.remote
        moved.send(20)
        talk.b.drain()
        assert talk.b.heard_with(b"MOVE") == 20
        talk.b.send(20)
        assert moved.receive(20) == 20
        talk.a.heard.clear()
        talk.a.send(10)  # the old address is a stranger now
        talk.b.heard.clear()
        assert talk.b.drain() == []


# ---- RTCP

_SDES = struct.pack("!BBHIBB", 0x81, 202, 2, 7, 1, 1) + b"x\x00"


def rtcp_bye(ssrc: int) -> bytes:
    """A receiver report and a BYE (RFC 3550 §6.6)."""
    return struct.pack("!BBHI", 0x80, 201, 1, ssrc) + struct.pack("!BBHI", 0x81, 203, 1, ssrc)


def received(control: socket.socket) -> Iterator[bytes]:
    """All that is there."""
    with contextlib.suppress(BlockingIOError):
        while True:
            yield control.recv(2048)


def test_forged_rtcp_changes_nothing(target: Switch, talk: Talk) -> None:
    """A2: BYE and 4-octet RTCP from a stranger: call up, 0 reflected, 0 passed on."""
    forged = [
        rtcp_bye(talk.a.ssrc),
        rtcp_bye(talk.b.ssrc),
        b"\x80\xc9\x00\x00",  # a report of four octets
        b"\x80\xcb\x00\x00",
        struct.pack("!BBH", 0x81, 203, 0xFFFF),
        _SDES,
    ]
    with Sound(STRANGER, EVIL) as foreign:
        for end in (talk.a, talk.b):
            for data in forged:
                foreign.control.sendto(data, (end.remote[0], end.remote[1] + 1))
                foreign.control.sendto(data, end.remote)
        talk.is_up(target)
        for end in (talk.a, talk.b):  # a call that is some seconds old gets reports of the switch's own
            assert not set(received(end.control)) & set(forged)
        with pytest.raises(BlockingIOError):
            foreign.control.recv(2048)


def test_a_true_rtcp_bye_is_relayed_and_ends_nothing(target: Switch, talk: Talk) -> None:
    """A2: RTCP is media; only SIP ends a call."""
    report = struct.pack("!BBHIIIIII", 0x80, 200, 6, talk.a.ssrc, 1, 2, 3, 4, 5)
    for data in (report + _SDES, rtcp_bye(talk.a.ssrc)):
        talk.a.control.sendto(data, (talk.a.remote[0], talk.a.remote[1] + 1))
        heard = wait_until(lambda: _control(talk.b), 2, "RTCP at the other end")
        assert heard == data
    talk.is_up(target)


def _control(sound: Sound) -> bytes:
    try:
        return sound.control.recv(2048)
    except BlockingIOError:
        return b""


# ---- malformed packets


def malformed() -> list[bytes]:
    """55 datagrams whose header lies about what follows."""
    good = packet(1, 160, 0x01020304, b"\xff" * 160)
    found = [good[:n] for n in range(12)]  # 12: shorter than the fixed header
    found += [bytes([v << 6 | 0]) + good[1:] for v in (0, 1, 3)]  # other versions
    found += [bytes([0x80 | n]) + good[1:12] for n in range(1, 16)]  # CSRC that are not there
    found += [bytes([0x90]) + good[1:12] + struct.pack("!HH", 0xBEDE, n) for n in (0, 1, 255, 0x7FFF, 0xFFFF)]
    found += [bytes([0x90]) + good[1:12] + tail for tail in (b"", b"\xbe", b"\xbe\xde", b"\xbe\xde\x00")]
    found += [bytes([0xA0]) + good[1:12] + bytes([n]) for n in (0, 2, 200, 255)]  # padding beyond the packet
    found += [bytes([0xBF]) + good[1:12], bytes([0xFF]) * 12]
    red = bytes([0x80, 101]) + good[2:12]  # redundancy headers (RFC 2198) without their blocks
    found += [red + b"\x80", red + b"\xff\xff\xff\xff", red + b"\x80\x00\x03\xff" * 300]
    found += [bytes(range(256)) * 5, b"\x00" * 1500, b"\x00", b"\x80", b"\r\n\r\n", b"", b"\x80" * 1472]
    return found


def test_malformed_packets_from_both_sides(target: Switch, talk: Talk) -> None:
    """A3: 55 malformed datagrams, from the true and from a foreign address: call up, sound passes."""
    datagrams = malformed()
    assert len(datagrams) == 55
    with Sound(STRANGER) as foreign:
        for data in datagrams:
            for end in (talk.a, talk.b):
                for sender in (end, foreign):
                    sender.socket.sendto(data, end.remote)
                    sender.control.sendto(data, (end.remote[0], end.remote[1] + 1))
        for end in (talk.a, talk.b):
            end.drain()
            end.heard.clear()
        assert foreign.drain() == []
    talk.is_up(target)


def test_random_packets_from_the_true_address(target: Switch, talk: Talk) -> None:
    """A3: seeded random octets behind a header that looks like RTP or RTCP."""
    dice = random.Random(3550)
    for _ in range(size(500, 20000)):
        data = bytes([dice.choice((0x80, 0x90, 0xA0, 0xB0, 0x8F, 0xBF)), dice.randrange(256)])
        data += dice.randbytes(dice.randrange(60))
        talk.a.socket.sendto(data, talk.a.remote)
        talk.a.control.sendto(data, (talk.a.remote[0], talk.a.remote[1] + 1))
    talk.b.drain(quiet=1.1)  # the relay refuses a stream that is too fast for a second
    talk.b.heard.clear()
    talk.is_up(target)


# ---- silence


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Switch]:
    """A10 with both media timeouts at 2 s (by default 30 s for the first packet, 60 s later)."""
    with Switch(
        tmp_path, users=users([ALICE, BOB]), media={"rtp_timeout": 2, "first_rtp_timeout": 2}, sip={"t1": 0.1}
    ) as running:
        yield running


@pytest.mark.parametrize("is_spoken", [True, False], ids=["after sound", "before any sound"])
def test_silence_ends_the_call(impatient: Switch, sounds: tuple[Sound, Sound], is_spoken: bool) -> None:
    """A10: both telephones die in the call: gone and recorded within timeout + 5 s, no port stays."""
    with Phone(impatient.address, ALICE, PASSWORD) as alice, Phone(impatient.address, BOB, PASSWORD) as bob:
        assert bob.register().status == 200
        talk = establish(alice, bob, *sounds)
        if is_spoken:
            talk.exchange(5)
    row = impatient.wait_record(timeout=2 + 5)
    assert row["ended_by"] == "switch"
    assert 1.8 <= row["duration"] <= 2 + 5
    impatient.wait_idle(20)


def test_a_held_call_may_be_silent(impatient: Switch, sounds: tuple[Sound, Sound]) -> None:
    """A10, hold-aware: a call on hold outlives the timeout twice, and the timeout is back after it."""
    with Phone(impatient.address, ALICE, PASSWORD) as alice, Phone(impatient.address, BOB, PASSWORD) as bob:
        assert bob.register().status == 200
        talk = establish(alice, bob, *sounds)
        talk.exchange(5)

        def hold(direction: str, reply: str, version: int) -> None:
            alice.send(
                talk.caller.request("INVITE", body=audio("127.0.0.1", talk.a.port, direction, version))
            )
            offer = talk.callee.wait_for("INVITE")
            assert direction_of(offer.body) == direction
            talk.callee.respond(offer, 200, "OK", audio("127.0.0.1", talk.b.port, reply, version))
            alice.final(method="INVITE")
            talk.caller.ack()
            talk.callee.wait_for("ACK")

        hold("inactive", "inactive", 2)
        assert bob.take(lambda m: m.method == "BYE", timeout=4.5) is None  # twice the timeout
        assert len(impatient.calls()) == 1
        hold("sendrecv", "sendrecv", 3)
        talk.exchange(5)
        bob.expect("BYE", timeout=2 + 5)
        assert impatient.wait_record()["ended_by"] == "switch"
