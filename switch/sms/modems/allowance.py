"""What a SIM may send: so many messages in any minute, and in a day."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

__all__ = ["Allowance"]

_MINUTE, _DAY = 60.0, 86_400.0
_UNLIMITED = 1_000_000
_MAX_TIMES = 600


class Allowance:
    """What was sent; ``keep`` writes it down, so that a restart is no way to send more."""

    def __init__(self, stored: str, keep: Callable[[str], None]) -> None:
        """``stored``: what was kept before: DAY:COUNT:TIME,TIME…"""
        self._keep = keep
        day, _, rest = stored.partition(":")
        count, _, times = rest.partition(":")
        self._day, self._count = day, int(count or 0)
        self._times = deque(map(float, times.split(",") if times else ()), _MAX_TIMES)

    def of_day(self, posix: float) -> int:
        """Messages of today (UTC)."""
        return self._count if self._day == _date(posix) else 0

    def of_minute(self, posix: float) -> int:
        """Messages of the last 60 seconds."""
        # A time that is far ahead is of a clock that was set back meanwhile
        while self._times and not -_MINUTE < posix - self._times[0] < _MINUTE:
            self._times.popleft()
        return len(self._times)

    def room(self, per_minute: int, per_day: int, posix: float) -> int:
        """How many may go now; 0 as a limit: any number."""
        room = per_minute - self.of_minute(posix) if per_minute else _UNLIMITED
        if per_day:
            room = min(room, per_day - self.of_day(posix))
        return max(0, room)

    def take(self, posix: float) -> None:
        """One goes."""
        self._count = self.of_day(posix) + 1
        self._day = _date(posix)
        self._times.append(posix)
        times = ",".join(f"{time:.0f}" for time in self._times)
        self._keep(f"{self._day}:{self._count}:{times}")

    def next_at(self, per_minute: int, per_day: int, posix: float) -> float:
        """When there is room again."""
        if per_day and self.of_day(posix) >= per_day:
            return posix - posix % _DAY + _DAY
        if per_minute and (sent := self.of_minute(posix)) >= per_minute:
            return self._times[sent - per_minute] + _MINUTE
        return posix


def _date(posix: float) -> str:
    return datetime.fromtimestamp(posix, UTC).date().isoformat()
