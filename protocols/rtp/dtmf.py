"""Digits as telephone events; RFC 4733."""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import LocalProtocolError, RemoteProtocolError
from .packet import Packet

__all__ = ["DIGITS", "DigitReceived", "DigitReceiver", "DigitSender", "Event", "EventPacket"]

DIGITS = "0123456789*#ABCD"  # a digit's place is its event code; §3.2

_FORMAT = struct.Struct("!BBH")
_END_COPIES = 3  # §2.5.1.4: the last packet of an event is said three times
_RESTART_SECONDS = 5  # an event this much older than the last is not late: the sender's clock was set back


@dataclass(frozen=True, slots=True)
class Event:
    """The payload of one packet; §2.3. ``duration`` counts in timestamp units since the event began."""

    code: int
    duration: int
    is_end: bool = False
    volume: int = 10  # dB below full scale

    @classmethod
    def parse(cls, payload: bytes) -> Event:
        if len(payload) < _FORMAT.size:
            raise RemoteProtocolError(f"telephone-event of {len(payload)} bytes")
        code, flags, duration = _FORMAT.unpack_from(payload)
        return cls(code, duration, flags >= 0x80, flags & 0x3F)

    def __bytes__(self) -> bytes:
        try:
            return _FORMAT.pack(self.code, self.is_end << 7 | self.volume & 0x3F, self.duration)
        except struct.error as error:
            raise LocalProtocolError(f"telephone-event field out of range: {error}") from error

    @property
    def digit(self) -> str | None:
        """The key, or None for another event."""
        return DIGITS[self.code] if self.code < len(DIGITS) else None


@dataclass(frozen=True, slots=True)
class DigitReceived:
    """A key was pressed at the other end."""

    digit: str
    timestamp: int


class DigitReceiver:
    """Makes one event of the many packets of a key; lost, doubled and late ones included."""

    __slots__ = ("_clock_rate", "_timestamp")

    def __init__(self, *, clock_rate: int = 8000) -> None:
        self._clock_rate = clock_rate
        self._timestamp: int | None = None

    def receive(self, packet: Packet) -> DigitReceived | None:
        """Take a telephone-event packet; the first one of a key reports it: a lost end does not matter."""
        event = Event.parse(packet.payload)
        if self._timestamp is not None:
            age = (self._timestamp - packet.timestamp) % (1 << 32)
            if age < _RESTART_SECONDS * self._clock_rate:
                return None  # the same key again, or a late packet of an earlier one
        self._timestamp = packet.timestamp
        if event.digit is None:
            return None
        return DigitReceived(event.digit, packet.timestamp)


class EventPacket(NamedTuple):
    """What to put into the next RTP packet."""

    payload: bytes
    timestamp: int
    marker: bool


class DigitSender:
    """Turns digits into packets: one call of ``next_packet`` for each packet time."""

    __slots__ = ("_code", "_end_copies", "_gap", "_gap_left", "_queue", "_started_at", "_step", "_tone")

    def __init__(
        self, *, clock_rate: int = 8000, packet_ms: int = 20, tone_ms: int = 100, gap_ms: int = 60
    ) -> None:
        self._step = clock_rate * packet_ms // 1000
        self._tone = clock_rate * tone_ms // 1000
        if not 0 < self._tone <= 0xFFFF or self._step <= 0:
            raise LocalProtocolError(f"a digit of {tone_ms} ms does not fit a telephone-event")
        self._gap = gap_ms // packet_ms
        self._queue: deque[int] = deque()
        self._code: int | None = None
        self._started_at = 0  # in timestamp units
        self._end_copies = 0
        self._gap_left = 0

    @property
    def is_sending(self) -> bool:
        """Whether digits are under way; audio is silent meanwhile."""
        return self._code is not None or bool(self._queue) or self._gap_left > 0

    def send(self, digits: str) -> None:
        """Queue digits."""
        codes = [DIGITS.find(digit) for digit in digits.upper()]
        if -1 in codes:
            raise LocalProtocolError(f"{digits!r} has characters that are no digits ({DIGITS})")
        self._queue.extend(codes)

    def next_packet(self, timestamp: int) -> EventPacket | None:
        """Return the packet that goes out at that time, or None in a gap and when nothing is left."""
        if self._gap_left:
            self._gap_left -= 1
            return None
        is_first = self._code is None
        if self._code is None:
            if not self._queue:
                return None
            self._code = self._queue.popleft()
            self._started_at = timestamp
            self._end_copies = 0
        duration = min((timestamp - self._started_at) % (1 << 32) + self._step, self._tone)
        event = Event(self._code, duration, is_end=duration >= self._tone)
        if event.is_end:
            self._end_copies += 1
            if self._end_copies == _END_COPIES:
                self._code = None
                self._gap_left = self._gap
        return EventPacket(bytes(event), self._started_at, is_first)
