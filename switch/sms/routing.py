"""Where a message goes: a user's number, a handler's pattern, or the first route that matches. No clock."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from switchroom.switch.config import Config, SmsConfig, SmsRouteConfig
from switchroom.switch.config.patterns import Replacement, match_any, read_patterns, read_replacement
from switchroom.switch.config.schedule import read_schedule, zone
from switchroom.switch.numbering import PatternIndex, RateTable, normalise, read_rates

from .interfaces import NO_ROUTE, Address, Refusal, Submission, Wish
from .stored import Stored
from .texts import is_broadcast, kind_of, text_of

_ALPHANUMERIC = 5  # TON of SMPP 3.4 §5.2.5
_NETWORKS = frozenset({"trunk", "modem", "sip"})
_TOLD = 24


class Retry(NamedTuple):
    """When a message is tried again, and when it is given up."""

    first: float = 30.0
    longest: float = 3600.0
    max_attempts: int = 15
    max_age: float = 0.0  # 0: as long as it is valid
    throttled: float = 1.0  # the wait for a next hop that is too busy
    is_passed_on: bool = False  # a permanent error of one way is none of the others

    def pause(self, attempts: int, chance: float) -> float:
        """How long to wait after so many attempts; ``chance``, 0 to 1, spreads them by a quarter."""
        pause = min(self.first * 2.0 ** min(attempts - 1, 20), self.longest)
        return pause * (0.875 + chance / 4)


class Plan(NamedTuple):
    """The ways for a message, in their order, and how it is written on them."""

    route: str
    ways: tuple[str, ...]
    source: Address
    destination: Address
    wish: int
    retry: Retry
    turn: str = ""
    price: float = 0.0


class Route:
    """One route, ready to be asked."""

    def __init__(self, config: SmsRouteConfig, common: SmsConfig, time_zone: str) -> None:
        self.config, self.name = config, config.name
        self.patterns = read_patterns(config.match)
        self._sources = None if config.sources is None else read_patterns(config.sources)
        self._inlets = frozenset(config.inlets)
        self._content = re.compile(config.content, re.IGNORECASE) if config.content else None
        self._schedule = read_schedule(config.days, config.hours, config.dates, config.except_dates)
        self._zone = zone(time_zone)
        self._replace = read_replacement(*config.replace) if config.replace else None
        self._source_replace = read_replacement(*config.source_replace) if config.source_replace else None
        self._kinds = frozenset(config.kinds)
        self.is_plain = not (self._sources or self._inlets or self._content or self._schedule or self._kinds)
        self._is_rewriting = bool(config.strip or config.prefix or config.replace)
        self._ways = tuple(config.to)
        self.retry = Retry(
            common.retry_first if config.retry_first is None else config.retry_first,
            max(config.retry_longest or common.retry_longest, config.retry_first or 0.0),
            config.max_attempts or common.max_attempts,
            float(config.max_age or 0),
            config.throttled_pause,
            config.after_permanent == "next",
        )

    def why_not(self, submission: Submission, at: float) -> str:
        """Why it does not take a message; empty when it does."""
        inlet = submission.inlet
        if is_broadcast(submission) and "broadcast" not in self._kinds:
            return "broadcast is not among its kinds"
        if self._inlets and not ({inlet, f"{inlet.partition(':')[0]}:*"} & self._inlets):
            return f"{inlet} is not among its inlets"
        if self._sources is not None and not match_any(self._sources, submission.source.number):
            return f"{submission.source.number} is not among its sources"
        if self._schedule:
            why = self._schedule.why_not(datetime.fromtimestamp(at, UTC).astimezone(self._zone))
            if why:
                return why
        if self._kinds and (kind := kind_of(submission)) not in self._kinds:
            return f"{kind} is not among its kinds"
        if self._content is not None:
            text = text_of(submission)
            if text is None or not self._content.search(text):
                return "its content is not there"
        return ""

    def ways(
        self, number: str, rates: RateTable | None, at: float, draw: Callable[[], float]
    ) -> tuple[str, ...]:
        """The ways in the order in which they are tried."""
        if self.config.order == "weight":
            return _by_weight(self._ways, self.config.weights, draw())
        if self.config.order == "cost" and rates is not None:
            prices = {rate.trunk: rate.price for rate in rates.find(number, at)}
            found = [way for way in self._ways if way.partition(":")[2] in prices]
            return tuple(sorted(found, key=lambda way: prices[way.partition(":")[2]]))
        return self._ways

    def called(self, destination: Address) -> Address:
        """The receiver's number as this route writes it."""
        if not self._is_rewriting:
            return destination
        number = self.config.prefix + destination.number[self.config.strip :]
        return destination._replace(number=_rewrite(self._replace, number))

    def shown(self, source: Address) -> Address:
        """The sender as this route writes it."""
        if self.config.source:
            return named(self.config.source)
        if self._source_replace is None:
            return source
        return source._replace(number=_rewrite(self._source_replace, source.number))

    def wish(self, asked: int) -> int:
        """Which receipts the next hop is asked for."""
        if self.config.receipts == "never":
            return 0
        if self.config.receipts == "always":
            return asked & ~3 | Wish.FINAL
        return Wish.FINAL | asked & ~3 if asked & Wish.EACH_STATE else asked


class Routes:
    """All routes; a reload makes new ones."""

    def __init__(
        self,
        routes: Iterable[SmsRouteConfig],
        common: SmsConfig,
        *,
        users: Mapping[str, str] | None = None,
        rates: RateTable | None = None,
        time_zone: str = "UTC",
        country: str = "",
        draw: Callable[[], float] = random.random,
    ) -> None:
        """``users``: the user whom a number reaches; ``draw`` gives chance, 0 to 1."""
        self._routes = [Route(config, common, time_zone) for config in routes]
        self._by_name = {route.name: route for route in self._routes}
        self._index = PatternIndex([route.patterns for route in self._routes])
        self._users, self._rates, self._country = dict(users or {}), rates, country
        self._draw = draw
        self.retry = Retry(common.retry_first, common.retry_longest, common.max_attempts)
        # Whether a handler of a program takes the number: its place as a way.
        self.handlers: Callable[[str], bool] = lambda number: False
        # The same for an account of the API that has the number.
        self.accounts: Callable[[str], bool] = lambda number: False

        named = {way for route in self._routes for way in route.config.to}
        # The routes whose messages go one after the other
        self.ordered = tuple(route.name for route in self._routes if route.config.ordered)
        self._ways = named | {f"user:{user}" for user in self._users.values()} | {"app", "api"}

    def is_known(self, way: str) -> bool:
        """Whether a route may lead to a way."""
        return way in self._ways

    def normal(self, address: Address) -> Address:
        """A number as dialled in our country with its plus; names and short codes as they are."""
        if address.ton == _ALPHANUMERIC or not self._country or address.number[:1] == "+":
            return address
        return address._replace(number=normalise(address.number, self._country))

    def normalised(self, submission: Submission) -> Submission:
        """The same with both numbers as rules know them."""
        if not self._country:
            return submission
        source, destination = self.normal(submission.source), self.normal(submission.destination)
        if source is submission.source and destination is submission.destination:
            return submission
        return submission._replace(source=source, destination=destination)

    def _sender(self, submission: Submission) -> Address:
        """Who sends, so that an answer finds him: what comes from networks may lack its country."""
        if not self._country or submission.inlet.partition(":")[0] not in _NETWORKS:
            return submission.source
        return self.normal(submission.source)

    def plan(self, submission: Submission, at: float) -> Plan | Refusal:
        """Where a message goes, or why nowhere."""
        source, destination = self._sender(submission), self.normal(submission.destination)
        number = destination.number
        is_for_all = bool(submission.tlvs) and is_broadcast(submission)
        user = None if is_for_all else self._users.get(number)
        if user is not None and submission.inlet != f"user:{user}":
            return self._direct(f"user:{user}", submission)
        if not is_for_all and self.handlers(number):
            return self._direct("app", submission)
        if not is_for_all and self.accounts(number):
            return self._direct("api", submission)
        for place in self._index.find(number):
            route = self._routes[place]
            if (route.is_plain and not is_for_all) or not route.why_not(submission, at):
                called = route.called(destination)
                ways = self._resolve(route.ways(called.number, self._rates, at, self._draw), number)
                if ways:
                    return Plan(
                        route.name,
                        ways,
                        route.shown(source),
                        called,
                        route.wish(submission.wish),
                        route.retry,
                        turn_of(route.name, called) if route.config.ordered else "",
                        self._price(ways[0], called.number, at),
                    )
        return NO_ROUTE.saying(f"{number}: no route takes it")

    def retry_of(self, message: Stored) -> Retry:
        """How its route tries a message again."""
        route = self._by_name.get(message.route)
        return self.retry if route is None else route.retry

    def dress(self, message: Stored) -> bool:
        """Write a message as its route does, without looking for one; False: there is none of that name."""
        route = self._by_name.get(message.route)
        s = message.submission
        if route is None:
            message.wish = Wish.FINAL
            message.source = self._sender(s)
            return not message.route
        message.source = route.shown(self._sender(s))
        message.destination = route.called(self.normal(s.destination))
        if route.config.ordered:
            message.turn = turn_of(route.name, message.destination)
        message.wish = route.wish(s.wish)
        return True

    def _direct(self, way: str, submission: Submission) -> Plan:
        sender = self._sender(submission)
        return Plan("", (way,), sender, submission.destination, Wish.FINAL, self.retry)

    def _resolve(self, ways: tuple[str, ...], number: str) -> tuple[str, ...]:
        if "users" not in ways:
            return ways
        user = self._users.get(number)
        found = (f"user:{user}" if way == "users" else way for way in ways if way != "users" or user)
        return tuple(found)

    def _price(self, way: str, number: str, at: float) -> float:
        if self._rates is None:
            return 0.0
        name = way.partition(":")[2]
        return next((rate.price for rate in self._rates.find(number, at) if rate.trunk == name), 0.0)

    def explain(self, submission: Submission, at: float) -> Iterator[str]:
        """The decision in sentences."""
        number = submission.destination.number
        user = self._users.get(number)
        if user is not None:
            yield f"{number} is user {user}"
            return
        if self.handlers(number):
            yield f"{number} is taken by a handler"
            return
        if self.accounts(number):
            yield f"{number} is a number of an account of the API"
            return
        places = set(self._index.find(number))
        for place, route in enumerate(self._routes):
            if place not in places:
                if len(self._routes) <= _TOLD:
                    yield f"route {route.name}: does not match {number}"
                continue
            why = route.why_not(submission, at)
            if why:
                yield f"route {route.name}: matches {number}; {why}: skipped"
                continue
            plan = self.plan(submission, at)
            if isinstance(plan, Plan):
                yield f"route {route.name}: matches {number}; {_told(plan, submission)}"
                return
            yield f"route {route.name}: matches {number}; no way of it has a rate or a user: skipped"
        yield f"no route takes {number}: refused"


def turn_of(route: str, destination: Address) -> str:
    """What messages have in common that go one after the other."""
    return f"{route}|{destination.number}"


def named(text: str) -> Address:
    """A sender as configured: a number, a short code or a name."""
    if text.startswith("+"):
        return Address(text, 1, 1)
    if text.isdigit():
        return Address(text, 3 if len(text) < 8 else 0, 0)  # 3: network specific, as short codes are
    return Address(text, _ALPHANUMERIC, 0)


def _told(plan: Plan, submission: Submission) -> str:
    parts = [f"goes to {', then '.join(plan.ways)}"]
    if plan.destination.number != submission.destination.number:
        parts.append(f"as {plan.destination.number}")
    if plan.source != submission.source:
        parts.append(f"from {plan.source.number}")
    if plan.price:
        parts.append(f"at {plan.price:g}")
    return " ".join(parts)


def _rewrite(replacement: Replacement | None, number: str) -> str:
    return number if replacement is None else replacement.apply(number)


@lru_cache(maxsize=1024)
def _orders(ways: tuple[str, ...], first: int) -> tuple[str, ...]:
    return ways[first : first + 1] + ways[:first] + ways[first + 1 :]


def _by_weight(ways: tuple[str, ...], weights: Sequence[int], chance: float) -> tuple[str, ...]:
    left = chance * sum(weights)
    for place, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return _orders(ways, place)
    return ways


def routes_of(config: Config, rates: RateTable | None = None) -> Routes:
    """The routes of a configuration."""
    users = {user.name: user.name for user in config.users}
    users |= {user.dialled: user.name for user in config.users}
    return Routes(
        config.sms_routes,
        config.sms,
        users=users,
        rates=rates,
        time_zone=config.routing.time_zone,
        country=config.sms.country or config.numbers.country,
    )


def rates_of(config: Config) -> RateTable | None:
    """The rate table that a configuration names, read."""
    path = config.routing.rates
    return None if path is None else read_rates(path, zone(config.routing.time_zone))
