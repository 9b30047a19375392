"""What one pass of the loop does for all connections: so much work and no more, and one write for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from switchroom.switch.net.faults import Faults

if TYPE_CHECKING:
    from .line import Line

__all__ = ["Passes"]

_TIME = 0.005  # seconds of a pass: calls go through the same loop


class Passes:
    """Says whose turn comes before the loop waits again."""

    def __init__(self, now: Callable[[], float], faults: Faults) -> None:
        self._now, self._faults = now, faults
        self._began_at: float | None = None
        self._is_expected = False
        self._due: dict[Line, None] = {}
        self._held: dict[Line, None] = {}

    def has_time(self, now: float) -> bool:
        """Whether something may be done in this pass."""
        if self._began_at is None:
            self._began_at = now
            self._expect()
        return now - self._began_at < _TIME

    def hold(self, line: Line) -> None:
        """It goes on in a later pass."""
        self._held[line] = None
        self._expect()

    def turn_later(self, line: Line) -> None:
        """It has its turn at the end of this pass."""
        self._due[line] = None
        self._expect()

    def _expect(self) -> None:
        if not self._is_expected:
            self._is_expected = True
            asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        self._is_expected, self._began_at = False, None
        now = self._now()
        due, self._due = self._due, {}
        for line in due:
            self._faults.run(line.turn, now)
        while self._held and self.has_time(self._now()):
            line = next(iter(self._held))  # whoever has waited for the longest
            del self._held[line]
            self._faults.run(line.go_on)
