"""Packets to one stream of samples: in order, what is missing is silence, never more than real time."""

from __future__ import annotations

import numpy as np

from switchroom.codecs import Samples

__all__ = ["Playout"]

DEPTH = 5  # packets held back so that late ones find their place
SLACK = 1.0  # seconds that a stream may run ahead of the clock before it is cut
JUMP = 2.0  # seconds off its place, beyond what time has passed, that make a packet the start of a new stream


class Playout:
    """Orders the packets of one source after another; ``now`` is when a packet came."""

    def __init__(self, rate: int = 8000, *, depth: int = DEPTH) -> None:
        self._rate = rate
        self._depth = depth
        self._waiting: dict[int, Samples] = {}  # by extended timestamp
        self._ssrc: int | None = None
        self._last = 0  # the extended timestamp of the packet that came last
        self._last_at = 0.0
        self._next: int | None = None  # the extended timestamp that is due
        self._started_at: float | None = None
        self._made = 0  # samples so far
        self.late = 0

    def push(self, ssrc: int, timestamp: int, samples: Samples, now: float) -> list[Samples]:
        """Take a packet and return what is due."""
        if self._started_at is None:
            self._started_at = now
        due: list[Samples] = []
        if ssrc != self._ssrc or self._is_jump(timestamp, now):
            due = self.flush(now)
            self._ssrc = ssrc
            self._last = timestamp
            self._next = None
        place = self._last + _signed(timestamp - self._last)
        self._last, self._last_at = place, now
        if self._next is not None and place < self._next:
            self.late += 1
            return due
        self._waiting[place] = samples
        while len(self._waiting) > self._depth:
            due += self._take(now)
        return due

    def flush(self, now: float) -> list[Samples]:
        """Return what is held back: the stream has ended."""
        due: list[Samples] = []
        while self._waiting:
            due += self._take(now)
        return due

    def _is_jump(self, timestamp: int, now: float) -> bool:
        expected = (now - self._last_at) * self._rate
        step = _signed(timestamp - self._last)
        return not -JUMP * self._rate < step < expected + JUMP * self._rate

    def _take(self, now: float) -> list[Samples]:
        place = min(self._waiting)
        samples = self._waiting.pop(place)
        parts = [samples]
        if self._next is not None and place > self._next:
            parts = [np.zeros(min(place - self._next, self._room(now)), np.int16), samples]
        self._next = place + len(samples)
        return [cut for cut in map(self._cut, parts, [now] * len(parts)) if len(cut)]

    def _cut(self, samples: Samples, now: float) -> Samples:
        samples = samples[: self._room(now)]
        self._made += len(samples)
        return samples

    def _room(self, now: float) -> int:
        """How many samples may follow: whoever sends faster than real time does not fill the disk."""
        assert self._started_at is not None
        return max(0, int((now - self._started_at + SLACK) * self._rate) - self._made)


def _signed(difference: int) -> int:
    return (difference + 0x80000000 & 0xFFFFFFFF) - 0x80000000
