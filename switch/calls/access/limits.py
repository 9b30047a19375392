"""Caps of an account: calls at once and calls per second (THREATS C1)."""

from __future__ import annotations

from collections.abc import Mapping


class Caps:
    """Counts the calls of each account; an account without limits is only counted."""

    def __init__(self) -> None:
        self.limits: Mapping[str, tuple[int, float]] = {}
        self.others: dict[int, Mapping[str, int]] = {}  # calls of each account in other workers, as last told
        self._began: dict[str, int] = {}  # calls that began since others were told
        self._up: dict[str, int] = {}
        self._credit: dict[str, tuple[float, float]] = {}  # account -> calls it may start now, as of when

    def admits(self, account: str, now: float) -> bool:
        """Whether the account may start one more call; takes one from its rate when it may."""
        limit = self.limits.get(account)
        if limit is None:
            return True
        at_once, rate = limit
        if at_once and self._up_everywhere(account) >= at_once:
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

    def spend(self, account: str, count: int, now: float) -> None:
        """Another worker let so many calls of the account begin."""
        limit = self.limits.get(account)
        if limit is not None and limit[1]:
            burst = max(1.0, limit[1])
            credit, since = self._credit.get(account, (burst, now))
            credit = min(burst, credit + (now - since) * limit[1])
            self._credit[account] = max(credit - count, -burst), now

    def take_began(self) -> dict[str, int]:
        """How many calls of each account began since this was asked last; kept only where others are."""
        began, self._began = self._began, {}
        return began

    @property
    def up(self) -> Mapping[str, int]:
        """The calls of each account that has any here."""
        return self._up

    def _up_everywhere(self, account: str) -> int:
        count = self._up.get(account, 0)
        return count + sum(told.get(account, 0) for told in self.others.values()) if self.others else count

    def take(self, account: str) -> None:
        """A call of the account began."""
        self._up[account] = self._up.get(account, 0) + 1
        if self.others:
            self._began[account] = self._began.get(account, 0) + 1

    def give_back(self, account: str) -> None:
        """A call of the account ended."""
        left = self._up[account] - 1
        if left:
            self._up[account] = left
        else:
            del self._up[account]
