"""Two ends of one stream over loopback: tones, digits, reports, strangers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from switchroom import codecs
from switchroom.protocols import rtp
from switchroom.protocols.errors import LocalProtocolError
from switchroom.switch.net import Clock
from switchroom.switch.phone.agreement import Agreement
from switchroom.switch.phone.audio import Audio
from switchroom.switch.phone.wav import read_wav

from .sounds import share_of, tone
from .waiting import until

PCMU, PCMA = codecs.find("PCMU/8000"), codecs.find("PCMA/8000")


def towards(port: int, **changes: object) -> Agreement:
    agreement = Agreement(
        remote=("127.0.0.1", port),
        remote_rtcp=("127.0.0.1", port + 1),
        codec=PCMA,
        payload_type=8,
        event_type=101,
        can_send=True,
        can_receive=True,
        codecs={0: PCMU, 8: PCMA},
        event_types=frozenset({101}),
    )
    return replace(agreement, **changes)  # type: ignore[arg-type]


class Pair:
    """Two ends, and what digits each heard."""

    def __init__(self) -> None:
        self.digits: list[str] = []
        self.a = Audio("127.0.0.1", Clock(), self.digits.append, report_interval=0.1)
        self.b = Audio("127.0.0.1", Clock(), self.digits.append, report_interval=0.1)

    def connect(self, **changes: object) -> None:
        self.a.direct(towards(self.b.port, **changes))
        self.b.direct(towards(self.a.port, **changes))


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    made = Pair()
    yield made
    made.a.close()
    made.b.close()


async def heard_by(audio: Audio, count: int) -> None:
    """Wait until so many packets have come."""
    await until(lambda: audio.report().packets_received >= count)


async def test_a_tone_is_heard_at_the_other_end(pair: Pair, tmp_path: Path) -> None:
    pair.b.record(tmp_path / "b.wav")
    pair.connect()
    await pair.a.play(tone(600))
    await heard_by(pair.b, 25)
    report = pair.b.close()
    samples = read_wav(tmp_path / "b.wav")
    assert len(samples) >= 4000
    assert share_of(samples[:4000], 600) > 0.95
    assert (report.malformed, report.foreign) == (0, 0)
    assert report.jitter_ms < 50


async def test_every_codec_is_spoken(pair: Pair, tmp_path: Path) -> None:
    pair.b.record(tmp_path / "b.wav")
    pair.connect(codec=PCMU, payload_type=0)
    await pair.a.play(tone(900, 0.2))
    await heard_by(pair.b, 10)
    pair.b.close()
    assert share_of(read_wav(tmp_path / "b.wav")[:1600], 900) > 0.95


async def test_digits_arrive_once_each_and_the_tone_waits_for_them(pair: Pair, tmp_path: Path) -> None:
    pair.b.record(tmp_path / "b.wav")
    pair.connect()
    await asyncio.gather(pair.a.play(tone(600, 0.2)), pair.a.send_digits("1#"))
    await heard_by(pair.b, 20)
    pair.b.close()
    assert "".join(pair.digits) == "1#"
    samples = read_wav(tmp_path / "b.wav")
    loud = samples[abs(samples) > 100]
    assert 1200 <= len(loud) <= 1600  # nothing of the tone was lost


async def test_digits_need_the_other_ends_consent(pair: Pair) -> None:
    with pytest.raises(LocalProtocolError, match="telephone-event"):
        await pair.a.send_digits("1")
    pair.connect(event_type=None)
    with pytest.raises(LocalProtocolError, match="telephone-event"):
        await pair.a.send_digits("1")


async def test_only_the_source_that_was_agreed_on_is_heard(pair: Pair) -> None:
    pair.connect()
    await heard_by(pair.b, 3)
    packet = bytes(rtp.Packet(101, 1, 1, 99, bytes(rtp.Event(7, 160))))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for _ in range(5):
            stranger.sendto(packet, ("127.0.0.1", pair.b.port))
        await heard_by(pair.b, 10)
    report = pair.b.report()
    assert report.foreign == 5
    assert pair.digits == []


async def test_malformed_packets_are_counted_and_change_nothing(pair: Pair) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        pair.b.direct(towards(other.getsockname()[1]))
        good = bytes(rtp.Packet(8, 1, 1, 99, bytes(160)))
        unknown = bytes(rtp.Packet(77, 1, 1, 99, bytes(160)))
        short_event = bytes(rtp.Packet(101, 2, 1, 99, b"\1"))
        for data in (b"", b"\x80", b"\xa0" + good[1:], unknown, short_event, b"\x80\xc9\0\0", good):
            other.sendto(data, ("127.0.0.1", pair.b.port))
        await heard_by(pair.b, 2)
    assert pair.b.report().malformed == 6
    assert pair.b.report().packets_received == 2  # the event of one byte was a packet, too


async def test_nothing_is_sent_on_hold_and_nothing_is_listened_to(pair: Pair) -> None:
    pair.a.direct(towards(pair.b.port, can_send=False))
    pair.b.direct(towards(pair.a.port, can_receive=False))
    held = Audio("127.0.0.1", Clock(), pair.digits.append)
    held.is_held = True
    held.direct(towards(pair.b.port))
    await heard_by(pair.a, 10)
    assert pair.a.report().packets_sent == 0
    assert held.close().packets_sent == 0
    pair.a.direct(towards(pair.b.port))
    await pair.a.send_digits("5")
    await heard_by(pair.b, 7)
    assert pair.digits == []


async def test_a_new_source_at_the_other_end_counts_on(pair: Pair) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        pair.b.direct(towards(other.getsockname()[1]))
        for ssrc in (1, 2):
            for number in (1, 2, 3, 5):
                packet = rtp.Packet(8, number, 160 * number, ssrc, bytes(160))
                other.sendto(bytes(packet), ("127.0.0.1", pair.b.port))
        await heard_by(pair.b, 8)
    assert (pair.b.report().packets_received, pair.b.report().lost) == (8, 2)


async def test_reports_tell_the_round_trip(pair: Pair) -> None:
    pair.connect()
    await until(lambda: pair.a.report().round_trip_ms is not None)
    round_trip = pair.a.report().round_trip_ms
    assert round_trip is not None
    assert round_trip < 1000


async def test_rtcp_may_share_the_port_and_strangers_reports_are_not_read(pair: Pair) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        pair.b.direct(towards(other.getsockname()[1]))
        other.sendto(b"\x80\xc9\x00\x01\0\0\0\1", ("127.0.0.1", pair.b.port))
        other.sendto(bytes(rtp.Packet(8, 1, 1, 99, bytes(160))), ("127.0.0.1", pair.b.port))
        await heard_by(pair.b, 1)
        assert (pair.b.report().malformed, pair.b.report().foreign) == (0, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", 0))
        stranger.sendto(b"\x80\xc9\x00\x01\0\0\0\1", ("127.0.0.1", pair.b.port + 1))
        await until(lambda: pair.b.report().foreign == 1)


async def test_closing_ends_what_is_waited_for(pair: Pair) -> None:
    pair.connect()
    playing = asyncio.ensure_future(pair.a.play(tone(600, 30)))
    dialling = asyncio.ensure_future(pair.a.send_digits("123456789"))
    await heard_by(pair.b, 2)
    pair.a.close()
    async with asyncio.timeout(1):
        await asyncio.gather(playing, dialling)
    pair.a.close()


async def test_ports_are_a_pair_and_free_again_afterwards() -> None:
    audio = Audio("127.0.0.1", Clock(), lambda digit: None)
    assert audio.port % 2 == 0
    audio.close()
    for port in (audio.port, audio.port + 1):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind(("127.0.0.1", port))


async def test_the_sender_catches_up_and_leaves_a_gap_when_it_slept_too_long(pair: Pair) -> None:
    now = [1000.0]
    clock = Clock(monotonic=lambda: now[0])
    sleeper = Audio("127.0.0.1", clock, pair.digits.append)
    sleeper.direct(towards(pair.b.port))
    pair.b.direct(towards(sleeper.port))

    async def sent_after(seconds: float) -> int:
        before = sleeper.report().packets_sent
        now[0] += seconds
        await until(lambda: sleeper.report().packets_sent > before)
        return sleeper.report().packets_sent - before

    assert await sent_after(0.0) == 1
    assert await sent_after(0.1) == 5
    assert await sent_after(10.0) == 1
    sleeper.close()
