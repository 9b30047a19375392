"""How fast messages go out: what is beyond a rate waits, nothing fails for it."""

from __future__ import annotations

__all__ = ["Pace"]

_PIECE = 0.05  # seconds' worth of messages that go out together
_UNLIMITED = 1_000_000


class Pace:
    """A bucket that says how many may go now, and when the next."""

    __slots__ = ("_at", "_paused_until", "_rate", "_tokens")

    def __init__(self, rate: float, now: float) -> None:
        """``rate`` is in messages a second; 0: as fast as they can."""
        self._rate, self._tokens, self._at = rate, 1.0, now
        self._paused_until = now

    def change(self, rate: float) -> None:
        """Go on at another rate."""
        self._rate = rate

    def pause(self, seconds: float, now: float) -> None:
        """Let nothing go for a while."""
        self._paused_until = max(self._paused_until, now + seconds)

    def room(self, now: float) -> int:
        """How many may go now."""
        if now < self._paused_until:
            return 0
        if not self._rate:
            return _UNLIMITED
        self._refill(now)
        return int(self._tokens)

    def take(self, count: int, now: float) -> None:
        """So many go."""
        if self._rate:
            self._refill(now)
            self._tokens -= count

    def next_at(self, now: float) -> float:
        """When to ask again: not for each message, but for a piece of them."""
        if not self._rate:
            return max(self._paused_until, now)
        wanted = max(1.0, self._rate * _PIECE)
        return max(self._paused_until, now + max(0.0, wanted - self._tokens) / self._rate)

    def _refill(self, now: float) -> None:
        largest = max(1.0, 2 * self._rate * _PIECE)
        self._tokens = min(largest, self._tokens + (now - self._at) * self._rate)
        self._at = now
