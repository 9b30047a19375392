"""One route, ready to be asked: its conditions, what it writes, and the steps that it leads to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from switchroom.switch.calls.routing.plan import (
    Destination,
    Inquiry,
    Leap,
    Step,
    ToTrunk,
    ToUser,
    parse_destination,
    show_destination,
)
from switchroom.switch.calls.routing.rewriting import rewrite_of
from switchroom.switch.config import RouteConfig
from switchroom.switch.config.patterns import match_any, read_patterns
from switchroom.switch.config.schedule import read_schedule, zone
from switchroom.switch.numbering.rates import Rate

_MAX_SHOWN = 100
_WORDS = {
    "parallel": "",
    "sequential": "one after the other: ",
    "weight": "by weight: ",
    "cost": "by price: ",
}
_NO_PRICES: dict[str, float] = {}
_Group = tuple[Destination, ...]


class Route:
    """One ``[[routes]]`` entry."""

    def __init__(self, config: RouteConfig, number: int, time_zone: str) -> None:
        self.config = config
        self.label = f"route {number} {config.name or repr(config.match)}"
        self.patterns = read_patterns(config.match)
        self._callers = None if config.callers is None else read_patterns(config.callers)
        self._sources = frozenset(source.removeprefix("user:") for source in config.sources)
        self._sources_shown = ", ".join(config.sources)[:_MAX_SHOWN]
        self._schedule = read_schedule(config.days, config.hours, config.dates, config.except_dates) or None
        self._zone = zone(time_zone)
        self._called = rewrite_of(config.strip, config.prefix, config.replace)
        self._caller = rewrite_of(config.caller_strip, config.caller_prefix, config.caller_replace)
        self._continue_on = _statuses(config.continue_on) if config.continue_on else None
        self._groups = _groups(config)
        self._order = config.order
        self.needs_rates = config.order == "cost"  # whether the steps depend on prices
        self.falls_through = config.fall_through  # the next route that matches is asked, too
        self._is_recorded = config.record
        self._in_order = tuple(range(len(self._groups)))
        # What ``describe`` says of the steps, where no number and no price decides which they are
        self._words = "" if config.order in ("weight", "cost") else _words(config.order, self._groups)
        self._times = tuple(config.ring_time)

    def why_not(self, inquiry: Inquiry) -> str:
        """Why the route is not for this call, whose number it takes; empty when it is."""
        if self._callers is not None and not match_any(self._callers, inquiry.caller):
            return f"caller {inquiry.caller or 'unknown'} is not in callers {self.config.callers}"
        if self._sources and not self._has_source(inquiry.source):
            return f"{inquiry.source or 'the source'} is not in sources {self._sources_shown}"
        if self._schedule is not None:
            return self._schedule.why_not(datetime.fromtimestamp(inquiry.at, self._zone))
        return ""

    def _has_source(self, source: str) -> bool:
        kind = "trunks" if source.startswith("trunk:") else "users"
        return source in self._sources or (kind in self._sources and source != "")

    def called(self, number: str) -> str:
        """The number called as this route writes it."""
        return number if self._called is None else self._called.apply(number)

    def steps(self, inquiry: Inquiry, number: str, outside: str, rates: Sequence[Rate]) -> tuple[Step, ...]:
        """The steps for a call; ``outside``: the caller's number as trunks and other domains see it."""
        called, caller = self.called(number), inquiry.caller
        if self._caller is not None:
            caller, outside = self._caller.apply(caller), self._caller.apply(outside)
        prices = {rate.trunk: rate.price for rate in rates} if self.needs_rates else _NO_PRICES
        steps = []
        for place in self._chosen(inquiry, prices):
            leaps = []
            for to in self._groups[place]:
                price = prices.get(_trunk(to)) if prices else None
                leaps.append(Leap(to, called, caller if type(to) is ToUser else outside, price))
            steps.append(Step(tuple(leaps), self._time(place), self._continue_on, self._is_recorded))
        return tuple(steps)

    def _chosen(self, inquiry: Inquiry, prices: dict[str, float]) -> Sequence[int]:
        """The places of the groups in the order in which they are tried."""
        if self.needs_rates:
            return self._by_cost(prices)
        return self._by_weight(inquiry.chance) if self._order == "weight" else self._in_order

    def _time(self, place: int) -> float | None:
        times = self._times
        if not times:
            return None
        return times[place] if len(times) > 1 else times[0]

    def _by_cost(self, prices: dict[str, float]) -> list[int]:
        """The groups of which a trunk has a price, the cheapest first; equal ones in the given order."""
        priced = []
        for place, group in enumerate(self._groups):
            known = [prices[_trunk(to)] for to in group if _trunk(to) in prices]
            if known:
                priced.append((min(known), place))
        return [place for _, place in sorted(priced)]

    def _by_weight(self, chance: float) -> list[int]:
        """All groups, drawn one after the other by their weights; those of weight 0 come last."""
        left = list(enumerate(self.config.weights))
        chosen = []
        while total := sum(weight for _, weight in left):
            point = chance * total
            for entry in left:
                if point < entry[1]:
                    break
                point -= entry[1]
            chosen.append(entry[0])
            chance = (
                min(point / entry[1], 0.9999999999) if entry[1] else chance
            )  # what is left of it decides on
            left.remove(entry)
        return chosen + [place for place, _ in left]

    def describe(self, steps: Sequence[Step], number: str) -> str:
        """What was chosen, in words."""
        words = self._words
        if not words:
            shown = "; ".join([" and ".join(map(_shown, step.leaps)) for step in steps])
            words = f"{_WORDS[self._order]}{shown}"
        written = self.called(number)
        return words if written == number else f"{number} becomes {written}; {words}"


def _shown(leap: Leap) -> str:
    text = show_destination(leap.destination)
    return text if leap.price is None else f"{text} at {leap.price:g}"


def _words(order: str, groups: Sequence[_Group]) -> str:
    shown = "; ".join(" and ".join(map(show_destination, group)) for group in groups)
    return f"{_WORDS[order]}{shown}"


def _trunk(destination: Destination) -> str:
    return destination.name if isinstance(destination, ToTrunk) else ""


def _groups(config: RouteConfig) -> list[_Group]:
    groups = [
        (parse_destination(to),) if isinstance(to, str) else tuple(map(parse_destination, to))
        for to in config.to
    ]
    if config.order == "parallel":
        return [tuple(to for group in groups for to in group)]
    return groups


def _statuses(causes: Sequence[str]) -> frozenset[int]:
    """Statuses and classes as a set of statuses."""
    found: set[int] = set()
    for cause in causes:
        found |= set(range(int(cause[0]) * 100, int(cause[0]) * 100 + 100)) if "x" in cause else {int(cause)}
    return frozenset(found)
