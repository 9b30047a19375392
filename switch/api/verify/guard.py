"""The fraud guard: rules that a person can read, and what they saw in the last hour."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass

from switchroom.switch.config.api import VERIFY_RULE, VERIFY_RULES

WINDOW = 3600.0
_MAX_KEYS = 20_000
_MAX_TIMES = 2000


@dataclass(frozen=True, slots=True)
class Rule:
    """So many codes within an hour, and too few of them used; ``text`` says it, as the configuration does."""

    text: str
    size: int  # of the beginning of the number that counts
    count: int
    share: float  # of them that must be approved


def read_rule(text: str) -> Rule:
    """A rule of the configuration, which has checked it."""
    found = VERIFY_RULE.fullmatch(text)
    assert found is not None
    return Rule(text, int(found[3]), int(found[2]), int(found[4]) / 100)


class Guard:
    """Counts by service and beginning of the number."""

    def __init__(self, rules: Iterable[str] = VERIFY_RULES) -> None:
        self.texts: list[str] = []
        self.update(rules)

    def update(self, rules: Iterable[str]) -> None:
        """Other rules; what was seen until now must be told again."""
        self.texts = list(rules)
        self.rules = [read_rule(text) for text in self.texts]
        self._sent: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()
        self._approved: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def blocks(self, service: str, number: str, now: float) -> Rule | None:
        """The rule that holds a code back, if there is one."""
        for rule in self.rules:
            key = service, number[: rule.size]
            sent = _recent(self._sent, key, now)
            if sent >= rule.count and _recent(self._approved, key, now) < sent * rule.share:
                return rule
        return None

    def note_sent(self, service: str, number: str, now: float) -> None:
        """A code went out."""
        self._note(self._sent, service, number, now)

    def note_approved(self, service: str, number: str, now: float) -> None:
        """A code came back."""
        self._note(self._approved, service, number, now)

    def _note(
        self, seen: OrderedDict[tuple[str, str], deque[float]], service: str, number: str, now: float
    ) -> None:
        for key in {(service, number[: rule.size]) for rule in self.rules}:
            seen.setdefault(key, deque(maxlen=_MAX_TIMES)).append(now)
            seen.move_to_end(key)
            if len(seen) > _MAX_KEYS:
                seen.popitem(last=False)


def _recent(seen: OrderedDict[tuple[str, str], deque[float]], key: tuple[str, str], now: float) -> int:
    times = seen.get(key)
    if times is None:
        return 0
    while times and times[0] <= now - WINDOW:
        times.popleft()
    return len(times)
