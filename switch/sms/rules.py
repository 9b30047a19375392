"""What those who hand over messages may do: senders, blocks, rates, quotas, credit, copies, and hooks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from switchroom.switch.config import SmsConfig, SmsRuleConfig
from switchroom.switch.config.patterns import match_any, read_patterns
from switchroom.switch.net.limits import Bucket

from .interfaces import (
    BAD_SOURCE,
    BLOCKED,
    NO_CREDIT,
    THROTTLED,
    Refusal,
    Submission,
)
from .optout import OptOuts
from .routing import named

# What a program makes of a message: another, a refusal, or None: it may go as it is
Hook = Callable[[Submission], "Submission | Refusal | None"]
Put = Callable[[str, str], None]

_COPIES = 500_000  # remembered at once, whatever the window is
_QUOTA, _CREDIT = "quota.", "credit."


class _Rule:
    """One rule, ready to be asked."""

    def __init__(self, config: SmsRuleConfig) -> None:
        self.config = config
        self._inlets = frozenset(config.inlets)
        self._match = None if config.match == "*" else read_patterns(config.match)
        self._sources = None if config.sources is None else read_patterns(config.sources)
        self._replacement = named(config.replacement) if config.replacement else None
        self.burst = float(config.burst or max(1.0, config.rate))
        self.is_counting = bool(config.rate or config.per_day or config.credit is not None)

    def fits(self, submission: Submission) -> bool:
        """Whether it holds for a message."""
        number = submission.destination.number
        return self.covers(submission.inlet) and (self._match is None or match_any(self._match, number))

    def covers(self, inlet: str) -> bool:
        """Whether it holds for messages of an inlet."""
        return not self._inlets or bool({inlet, kind_of(inlet)} & self._inlets)

    def check(self, submission: Submission) -> Submission | Refusal:
        """The sender that may be shown."""
        if self.config.refuse:
            return BLOCKED.saying(f"{submission.destination.number}: {self.config.refuse}")
        if self._sources is None or match_any(self._sources, submission.source.number):
            return submission
        if self._replacement is not None:
            return submission._replace(source=self._replacement)
        return BAD_SOURCE.saying(f"{submission.source.number}: not a sender of {submission.inlet}")


class Rules:
    """All rules; counters and lists go to the store by ``put``."""

    def __init__(self, config: SmsConfig, rules: Iterable[SmsRuleConfig], put: Put) -> None:
        self._put = put
        self.hooks: list[Hook] = []
        self.opt_outs = OptOuts(put)
        self._buckets: dict[tuple[int, str], Bucket] = {}
        self._days: dict[str, tuple[str, int]] = {}
        self._credits: dict[str, float] = {}
        self._copies: OrderedDict[Any, tuple[int, float]] = OrderedDict()
        self.reconfigure(config, rules)

    def reconfigure(self, config: SmsConfig, rules: Iterable[SmsRuleConfig]) -> None:
        """Apply new rules; what was used of quotas and credit stays used."""
        self._config = config
        self._rules = [_Rule(rule) for rule in rules]
        self._sources = read_patterns(config.blocked_sources) if config.blocked_sources else ()
        self._destinations = read_patterns(config.blocked_destinations) if config.blocked_destinations else ()
        self.opt_outs.reconfigure(config)
        self.is_idle = not (
            self._rules or self._sources or self._destinations or config.opt_out or config.duplicate_window
        )

    def load(self, values: Mapping[str, str]) -> None:
        """What was used before the restart, and who wants no messages."""
        for key, value in values.items():
            if key.startswith(_QUOTA):
                day, _, count = value.partition(":")
                self._days[key.removeprefix(_QUOTA)] = (day, int(count))
            elif key.startswith(_CREDIT):
                self._credits[key.removeprefix(_CREDIT)] = float(value)
        self.opt_outs.load(values)

    # -- a message

    def check(self, submission: Submission) -> Submission | Refusal:
        """Whether it may come in, and as what."""
        for hook in self.hooks:
            changed = hook(submission)
            if isinstance(changed, Refusal):
                return changed
            submission = changed or submission
        if self.is_idle:
            return submission
        source, destination = submission.source.number, submission.destination.number
        if self._sources and match_any(self._sources, source):
            return BLOCKED.saying(f"{source}: blocked")
        if self._destinations and match_any(self._destinations, destination):
            return BLOCKED.saying(f"{destination}: blocked")
        rule = self._rule(submission)
        if rule is not None:
            checked = rule[1].check(submission)
            if isinstance(checked, Refusal):
                return checked
            submission = checked
        return self.opt_outs.check(submission)

    def charge(self, submission: Submission, price: float, now: float, posix: float) -> Refusal | None:
        """Count a message that would be taken: rate, quota, credit."""
        found = self._rule(submission) if self._rules else None
        if found is None or not found[1].is_counting:
            return None
        place, rule = found
        inlet, config = submission.inlet, rule.config
        if config.credit is not None and price and self.credit(inlet, config.credit) < price:
            return NO_CREDIT.saying(f"{inlet}: has no credit for {price:g}")
        if config.per_day and self._used(inlet, posix) >= config.per_day:
            return THROTTLED.saying(f"{inlet}: has sent the {config.per_day} messages of the day")
        if config.rate and not self._bucket(place, rule, inlet, now).take(config.rate, rule.burst, now):
            return THROTTLED.saying(f"{inlet}: more than {config.rate:g} messages a second")
        if config.per_day:
            self._days[inlet] = (_day(posix), self._used(inlet, posix) + 1)
            self._put(_QUOTA + inlet, f"{_day(posix)}:{self._days[inlet][1]}")
        if config.credit is not None and price:
            self._set_credit(inlet, self.credit(inlet, config.credit) - price)
        return None

    def _rule(self, submission: Submission) -> tuple[int, _Rule] | None:
        for place, rule in enumerate(self._rules):
            if rule.fits(submission):
                return place, rule
        return None

    def _bucket(self, place: int, rule: _Rule, inlet: str, now: float) -> Bucket:
        bucket = self._buckets.get((place, inlet))
        if bucket is None:
            bucket = self._buckets[place, inlet] = Bucket(rule.burst, now)
        return bucket

    def _used(self, inlet: str, posix: float) -> int:
        day, count = self._days.get(inlet, ("", 0))
        return count if day == _day(posix) else 0

    # -- credit

    def credit(self, inlet: str, first: float = 0.0) -> float:
        """What an inlet may still spend."""
        return self._credits.get(inlet, first)

    def add_credit(self, inlet: str, amount: float) -> float:
        """Give an inlet more to spend, or take some; what it has then. LookupError: it has no account."""
        rule = next((r for r in self._rules if r.config.credit is not None and r.covers(inlet)), None)
        if rule is None:
            raise LookupError(f"{inlet}: no rule gives it a credit")
        self._set_credit(inlet, self.credit(inlet, rule.config.credit or 0.0) + amount)
        return self._credits[inlet]

    def _set_credit(self, inlet: str, amount: float) -> None:
        self._credits[inlet] = round(amount, 6)
        self._put(_CREDIT + inlet, str(self._credits[inlet]))

    # -- copies

    def copy_of(self, submission: Submission, posix: float) -> int | None:
        """The message that this one is a copy of."""
        window = self._config.duplicate_window
        copies = self._copies
        while copies and next(iter(copies.values()))[1] <= posix - window:
            copies.popitem(last=False)
        found = copies.get(_print(submission)) if window else None
        return None if found is None else found[0]

    def remember(self, submission: Submission, id: int, posix: float) -> None:
        """A message was taken."""
        if self._config.duplicate_window:
            self._copies[_print(submission)] = (id, posix)
            if len(self._copies) > _COPIES:
                self._copies.popitem(last=False)

    def forget(self, submission: Submission) -> None:
        """It could not be written after all."""
        self._copies.pop(_print(submission), None)


def kind_of(inlet: str) -> str:
    """``account:*`` for ``account:acme``."""
    return f"{inlet.partition(':')[0]}:*"


def _print(s: Submission) -> Any:
    return hash((s.inlet, s.source.number, s.destination.number, s.body, s.coding, s.udh, s.concat))


def _day(posix: float) -> str:
    return datetime.fromtimestamp(posix, UTC).date().isoformat()
