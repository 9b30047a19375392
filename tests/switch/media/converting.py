"""A sender, a converter, and what comes of it: for the tests of conversion."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from switchroom.codecs import Config, Decoder, Encoder, find
from switchroom.switch.media._conversion import Converter
from switchroom.switch.media.stream import Conversion, Incoming

IN, OUT, EVENT_IN, EVENT_OUT = 96, 97, 101, 110
TONE = 440


class Sent(NamedTuple):
    """A packet that a converter made."""

    is_marked: bool
    payload_type: int
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes

    @classmethod
    def parse(cls, data: bytes) -> Sent:
        first, second, number, timestamp, ssrc = struct.unpack("!BBHII", data[:12])
        assert first == 0x80
        return cls(bool(second >> 7), second & 0x7F, number, timestamp, ssrc, data[12:])


class Line:
    """A sender with one codec, a converter, and what comes of it in another."""

    def __init__(self, one: str, two: str, packet_ms: int = 20, out_ms: int = 20, **settings: int) -> None:
        flexible = settings if one.startswith("opus") else {}
        self.config: Config = find(one).config(**flexible)
        self.out: Config = find(two).config(**(settings if two.startswith("opus") else {}))
        self.encoder, self.decoder = Encoder(self.config), Decoder(self.out)
        self.clock = find(one).format.clock_rate
        self.packet_ms = packet_ms
        self.converter = Converter(
            Conversion(
                (Incoming(IN, self.clock, self.config), Incoming(EVENT_IN, self.clock, is_event=True)),
                OUT,
                self.out,
                out_ms,
                (EVENT_OUT, find(two).format.clock_rate),
            )
        )
        self.number, self.timestamp, self.ssrc, self.spoken = 65500, 2**32 - 4000, 7, 0
        self.now = 100.0

    def packet(self, payload: bytes, payload_type: int = IN, *, is_marked: bool = False) -> bytes:
        head = struct.pack(
            "!BBHII",
            0x80,
            payload_type | is_marked << 7,
            self.number & 0xFFFF,
            self.timestamp & 0xFFFFFFFF,
            self.ssrc,
        )
        self.number += 1
        return head + payload

    def speak(self) -> bytes:
        """The next packet of the tone."""
        size = self.config.sample_rate * self.packet_ms // 1000
        at = np.arange(self.spoken, self.spoken + size) / self.config.sample_rate
        self.spoken += size
        tone = (12000 * np.sin(2 * np.pi * TONE * at)).astype(np.int16)
        data = self.packet(self.encoder.encode(tone))
        self.timestamp += self.clock * self.packet_ms // 1000
        return data

    def skip(self) -> None:
        """A packet that does not arrive."""
        self.speak()
        self.now += self.packet_ms / 1000

    def take(self, data: bytes) -> list[Sent]:
        made = [Sent.parse(one) for one in self.converter.convert(data, self.now)]
        self.now += self.packet_ms / 1000
        return made

    def talk(self, count: int) -> list[Sent]:
        return [sent for _ in range(count) for sent in self.take(self.speak())]

    def heard(self, sent: list[Sent]) -> npt.NDArray[np.float64]:
        return np.concatenate([self.decoder.decode(one.payload) for one in sent]).astype(float)


def share_of_tone(samples: npt.NDArray[np.float64], rate: int) -> float:
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    near = np.abs(np.fft.rfftfreq(len(samples), 1 / rate) - TONE) < 15
    return float(power[near].sum() / power.sum())


def steps(sent: list[Sent]) -> tuple[set[int], set[int]]:
    """By how much sequence numbers and time stamps move on."""
    pairs = list(pairwise(sent))
    return (
        {(b.sequence_number - a.sequence_number) & 0xFFFF for a, b in pairs},
        {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairs},
    )
