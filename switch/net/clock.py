"""The one clock: monotonic seconds for everything that waits or lasts, wall-clock time for records only."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Monotonic time, and what the wall clock showed at such a time."""

    __slots__ = ("_instant", "_monotonic", "_posix", "now", "wall")

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._monotonic = monotonic
        self.wall = wall
        self.now = (
            monotonic  # asyncio's time too, but not rounded to the start of the loop's pass as uvloop's is
        )
        self._instant = self._posix = -math.inf  # what was asked last: one pass asks for its own time again

    def utc(self, now: float) -> datetime:
        """Return the wall-clock time of a monotonic instant, by what the wall clock shows at present."""
        # No offset is kept: after a step by NTP records show the corrected time, and no timer has moved.
        return datetime.fromtimestamp(self.posix(now), UTC)

    def posix(self, now: float) -> float:
        """Return the same in seconds since 1970; for one instant the same again, if asked at once."""
        if now != self._instant:
            self._instant, self._posix = now, self.wall() - (self._monotonic() - now)
        return self._posix

    def monotonic_of(self, utc: datetime) -> float:
        """Return the monotonic instant of a stored wall-clock time, such as when a text expires."""
        return self.monotonic_at(utc.timestamp())

    def monotonic_at(self, posix: float) -> float:
        """Return the monotonic instant of a stored time in seconds since 1970."""
        return self._monotonic() + (posix - self.wall())
