"""The fraud guard: rules that a person can read, and what they saw in the last hour."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass

WINDOW = 3600.0
_MAX_KEYS = 20_000
_PREFIX = 7  # of the digits of a number: a block of an operator


@dataclass(frozen=True, slots=True)
class Rule:
    """So many codes within an hour, and too few of them used."""

    name: str
    size: int  # of the beginning of the number that counts
    count: int
    share: float  # of them that must be approved

    def text(self) -> str:
        """As it is told."""
        return (
            f"{self.name}: {self.count} codes in an hour to numbers that begin alike ({self.size} signs), "
            f"fewer than {self.share:.0%} of them used"
        )


RULES = (
    Rule("pumping", _PREFIX + 1, 20, 0.10),  # artificially inflated traffic goes to blocks of numbers
    Rule("country", 4, 200, 0.10),
)


class Guard:
    """Counts by service and beginning of the number."""

    def __init__(self) -> None:
        self._sent: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()
        self._approved: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def blocks(self, service: str, number: str, now: float) -> Rule | None:
        """The rule that holds a code back, if there is one."""
        for rule in RULES:
            key = service, number[: rule.size]
            sent = _recent(self._sent, key, now)
            if sent >= rule.count and _recent(self._approved, key, now) < sent * rule.share:
                return rule
        return None

    def note_sent(self, service: str, number: str, now: float) -> None:
        """A code went out."""
        _note(self._sent, service, number, now)

    def note_approved(self, service: str, number: str, now: float) -> None:
        """A code came back."""
        _note(self._approved, service, number, now)


def _note(seen: OrderedDict[tuple[str, str], deque[float]], service: str, number: str, now: float) -> None:
    for rule in RULES:
        key = service, number[: rule.size]
        seen.setdefault(key, deque(maxlen=2000)).append(now)
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
