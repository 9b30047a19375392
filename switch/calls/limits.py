"""Caps of an account: calls at once and calls per second (THREATS C1)."""

from __future__ import annotations

from collections.abc import Mapping


class Caps:
    """Counts the calls of each account; an account without limits is only counted."""

    def __init__(self) -> None:
        self.limits: Mapping[str, tuple[int, float]] = {}
        self._up: dict[str, int] = {}
        self._credit: dict[str, tuple[float, float]] = {}  # account -> calls it may start now, as of when

    def admits(self, account: str, now: float) -> bool:
        """Whether the account may start one more call; takes one from its rate when it may."""
        limit = self.limits.get(account)
        if limit is None:
            return True
        at_once, rate = limit
        if at_once and self._up.get(account, 0) >= at_once:
            return False
        if not rate:
            return True
        burst = max(1.0, rate)
        credit, since = self._credit.get(account, (burst, now))
        credit = min(burst, credit + (now - since) * rate)
        if credit < 1.0:
            self._credit[account] = credit, now
            return False
        self._credit[account] = credit - 1.0, now
        return True

    def take(self, account: str) -> None:
        """A call of the account began."""
        self._up[account] = self._up.get(account, 0) + 1

    def give_back(self, account: str) -> None:
        """A call of the account ended."""
        left = self._up[account] - 1
        if left:
            self._up[account] = left
        else:
            del self._up[account]
