"""THREATS A8: after jumps, loss and disorder sound is back within 50 packets, and memory does not grow.

Here the converter between two legs, and a leg that is served with its jitter buffer; in the relay and in the
kernel's part of it in child_kernel.py.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from switchroom.codecs import find
from switchroom.switch.media._conversion import Converter
from switchroom.switch.media._sound import Bell, Line, Pipe, Station, run_now
from switchroom.switch.media.serving import LineFormat, LineTerms
from switchroom.switch.media.stream import Conversion, Incoming

from .discontinuities import AFTER, BEFORE, FRAME, STORIES, WITHIN, Packet, endless

HERTZ, RATE, SIZE = 450, 8000, 160  # a whole number of periods in a frame
ROUNDS = 20
PCMU, PCMA = find("PCMU"), find("PCMA")
TONE = PCMU.encoder().encode((12000 * np.sin(2 * np.pi * HERTZ * np.arange(SIZE) / RATE)).astype(np.int16))
Sound = npt.NDArray[np.float64]


def datagram(one: Packet) -> bytes:
    number, timestamp = one.number & 0xFFFF, one.timestamp * SIZE & 0xFFFFFFFF
    return struct.pack("!BBHII", 0x80, 0, number, timestamp, one.ssrc & 0xFFFFFFFF) + TONE


def resident() -> int:
    """Octets of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


class Converting:
    """Sound that goes to a phone with PCMA; each second of it in its place."""

    def __init__(self) -> None:
        incoming = (Incoming(0, RATE, PCMU.config()), Incoming(101, RATE, is_event=True))
        self.converter = Converter(Conversion(incoming, 8, PCMA.config(), 20, (101, RATE)))
        self.decoder = PCMA.decoder()
        self.sent: list[tuple[int, int, float]] = []

    def take(self, one: Packet) -> list[npt.NDArray[np.int16]]:
        made = self.converter.convert(datagram(one), 100 + one.at)
        for packet in made:
            _, _, number, timestamp, _ = struct.unpack("!BBHII", packet[:12])
            self.sent.append((number, timestamp, one.at))
        return [self.decoder.decode(packet[12:]) for packet in made]


class Served:
    """Sound that is heard here, by a station."""

    def __init__(self) -> None:
        self.station = Station(Bell(), run_now)
        formats = (LineFormat(0, RATE, PCMU.config()),)
        self.line = Line(LineTerms(formats, 0, PCMU.config(), 20, None, True, True), self.station)
        self.pipe = Pipe(RATE)
        self.station.tap(self.pipe)
        self.ticks = 0

    def take(self, one: Packet) -> list[npt.NDArray[np.int16]]:
        self.line.take(datagram(one), 100 + one.at)
        heard = []
        while self.ticks * FRAME <= one.at:
            self.line.tick(100 + self.ticks * FRAME + FRAME / 2)
            self.ticks += 1
            heard.append(self.pipe.read())
        return heard


@pytest.mark.parametrize("way", [Converting, Served])
@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_sound_is_back_within_fifty_packets(
    story: Callable[[int], list[Packet]], way: type[Converting | Served]
) -> None:
    brought, heard = way(), []
    for one in story(65530):
        sound = brought.take(one)
        if one.frame >= BEFORE + WITHIN:
            heard += sound
    assert sum(map(len, heard)) >= (AFTER - WITHIN) * SIZE * 0.75  # a fifth may be lost
    whole = np.concatenate(heard)
    last = whole[-RATE // 2 :].astype(float)
    assert share_of_tone(last) > 0.95
    for part in np.split(whole[: len(whole) // 800 * 800], len(whole) // 800):
        assert np.abs(part).max() > 1000, "silence"


def share_of_tone(sound: Sound) -> float:
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    near = np.abs(np.fft.rfftfreq(len(sound), 1 / RATE) - HERTZ) < 15
    return float(power[near].sum() / power.sum())


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_what_the_other_phone_gets_has_no_jumps(story: Callable[[int], list[Packet]]) -> None:
    """Its own buffer needs to know of nothing: numbers in a row, times that go on as the clock does."""
    line = Converting()
    for one in story(65530):
        line.take(one)
    for (number, timestamp, at), (next_number, next_timestamp, next_at) in pairwise(line.sent):
        assert (next_number - number) & 0xFFFF == 1
        passed = ((next_timestamp - timestamp) & 0xFFFFFFFF) / RATE
        assert passed < next_at - at + 32  # the sender may say that he paused; 30 s of it were claimed
        assert passed > 0


@pytest.mark.parametrize("way", [Converting, Served])
def test_memory_stays(way: type[Converting | Served]) -> None:
    brought = way()
    for one in endless(1):
        brought.take(one)
    before = resident()
    for one in endless(ROUNDS):
        brought.take(one)
        if isinstance(brought, Converting):
            brought.sent.clear()
    assert resident() - before < 1 << 20
