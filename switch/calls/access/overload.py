"""Overload: how much of the new work is refused, and how much is not even answered (RFC 6357, THREATS G9).

Two things tell how loaded the switch is: how late its loop is, and how many calls are being set up. While
the loop is late, the share of new calls that is refused grows, step by step; when it is in time again the
share shrinks. What is refused costs an answer, so that when even this is too much nothing is said at all.
What belongs to calls that are up is never touched.
"""

from __future__ import annotations

from switchroom.switch.calls.rules import OverloadRules

_WINDOW = 0.5  # seconds; the share changes at most so often
_RISE = 0.25  # of what is still taken
_FALL = 0.1
_LEAST = 0.02
_MOST = 0.95  # somebody always gets through: else nobody would notice that it is over


class Overload:
    """``take`` is asked for each new request; ``note_lag`` is told what the watchdog sees."""

    __slots__ = (
        "_credit",
        "_next_at",
        "_was_late",
        "_worst",
        "dropped",
        "is_silent",
        "refused",
        "rules",
        "share",
    )

    def __init__(self, rules: OverloadRules) -> None:
        self.rules = rules
        self.share = 0.0  # of new calls that are refused
        self.refused = 0
        self.dropped = 0
        self._worst = 0.0  # lag within the window
        self._next_at = 0.0
        self._credit = 0.0
        self._was_late = False  # in the window before
        self.is_silent = False  # even a refusal would cost too much

    def note_lag(self, lag: float, now: float) -> None:
        """The loop was so late just now."""
        self._worst = max(self._worst, lag)
        if now < self._next_at:
            return
        self._next_at = now + _WINDOW
        worst, self._worst = self._worst, 0.0
        was_late, self._was_late = self._was_late, worst > self.rules.lag
        if self._was_late and not was_late:
            return  # once is no load: a pause of the collector, a busy neighbour
        if self._was_late:
            self.share = min(_MOST, self.share + _RISE * (1.0 - self.share))
        elif self.share:
            self.share -= max(_FALL * self.share, _LEAST)
            self.share = max(self.share, 0.0)
        self.is_silent = worst > self.rules.drop_lag

    def sheds(self, setups: int) -> bool:
        """Whether this new call is one of those that are not taken."""
        share = self.share
        if setups > self.rules.max_setups:
            share = 1.0
        if not share:
            return False
        self._credit += share
        if self._credit < 1.0:
            return False
        self._credit -= 1.0
        return True
