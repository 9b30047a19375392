"""What may go over a trunk: so many calls at once, so many a second, to these numbers and not to those."""

from __future__ import annotations

import re
from collections.abc import Iterable

from switchroom.protocols import sip
from switchroom.switch.calls.trunks.numbers import Plan, full_number
from switchroom.switch.config import TrunkConfig
from switchroom.switch.config.checks import compile_pattern

_FULL = sip.Refusal(503, (("Retry-After", "10"),))
_TOO_FAST = sip.Refusal(503, (("Retry-After", "1"),))
_FORBIDDEN = sip.Refusal(403)


class Admission:
    """The limits of one trunk and what is used of them; a reload changes the limits, not the counts."""

    __slots__ = (
        "_allowed",
        "_blocked",
        "_burst",
        "_credit",
        "_max",
        "_plan",
        "_rate",
        "_since",
        "began",
        "calls",
        "elsewhere",
    )

    def __init__(self) -> None:
        self.calls = 0
        self.elsewhere: dict[int, int] = {}  # calls in other workers, as last told
        self.began = 0  # calls that took from the rate since the other workers were told
        self._max: int | None = None
        self._rate = self._burst = self._credit = 0.0
        self._since: float | None = None
        self._allowed: list[re.Pattern[str]] = []
        self._blocked: list[re.Pattern[str]] = []
        self._plan = Plan()

    def configure(self, config: TrunkConfig, plan: Plan) -> None:
        """Take the limits of a (changed) configuration."""
        self._max, self._rate, self._plan = config.max_calls, config.calls_per_second, plan
        self._burst = max(1.0, self._rate)
        self._allowed = [compile_pattern(pattern) for pattern in config.allow]
        self._blocked = [compile_pattern(pattern) for pattern in config.block]

    def admit(self, number: str, now: float, is_emergency: bool, is_outgoing: bool) -> sip.Refusal | None:
        """Why a call may not go over the trunk now; emergency calls always may."""
        if is_emergency:
            return None
        if is_outgoing and not self._may_call(number):
            return _FORBIDDEN
        if self._max is not None and self.calls_everywhere >= self._max:
            return _FULL
        return None if not self._rate or self._take_credit(now) else _TOO_FAST

    @property
    def calls_everywhere(self) -> int:
        """Calls of all workers."""
        return self.calls + sum(self.elsewhere.values()) if self.elsewhere else self.calls

    def spend(self, count: int, now: float) -> None:
        """Another worker let so many calls begin."""
        if self._rate:
            self._fill(now)
            self._credit = max(self._credit - count, -self._burst)

    def _may_call(self, number: str) -> bool:
        if not self._blocked and not self._allowed:
            return True
        # However it is dialled, a number is the same number: 00882… is +882…
        forms = {number, full_number(number, self._plan) or number}
        return not _any_matches(self._blocked, forms) and (
            not self._allowed or _any_matches(self._allowed, forms)
        )

    def _take_credit(self, now: float) -> bool:
        self._fill(now)
        if self._credit < 1.0:
            return False
        self._credit -= 1.0
        self.began += 1
        return True

    def _fill(self, now: float) -> None:
        if self._since is None:
            self._credit = self._burst
        else:
            self._credit = min(self._burst, self._credit + (now - self._since) * self._rate)
        self._since = now


def _any_matches(patterns: list[re.Pattern[str]], forms: Iterable[str]) -> bool:
    return any(pattern.fullmatch(form) for form in forms for pattern in patterns)
