"""Who is called when a number is dialled: users by number, then the routes in order. No clock, no sockets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from switchroom.switch.calls.routing.forwarding import (
    REASONS,
    WORDS,
    Overrides,
    Settings,
    Why,
    configured,
    merge,
)
from switchroom.switch.calls.routing.plan import (
    Diversion,
    Inquiry,
    Leap,
    Plan,
    Step,
    ToApp,
    ToUri,
    ToUser,
)
from switchroom.switch.calls.routing.route import Route
from switchroom.switch.calls.routing.search import TOLD, Book, Search
from switchroom.switch.config import (
    Config,
    ConfigError,
    HostedRoute,
    NumbersConfig,
    Residence,
    RouteConfig,
    RoutingConfig,
    UserConfig,
    residences,
)
from switchroom.switch.config.patterns import NumberPattern, match_any, read_patterns
from switchroom.switch.config.schedule import zone
from switchroom.switch.numbering import numbers as dialling
from switchroom.switch.numbering.index import PatternIndex
from switchroom.switch.numbering.rates import Rate, RatesError, RateTable, read_rates


class _Extension:
    """A number of a user, and what there is to say about it."""

    __slots__ = ("is_emergency", "to", "told")

    def __init__(self, to: ToUser, is_emergency: bool, told: tuple[str, ...]) -> None:
        self.to = to
        self.is_emergency = is_emergency
        self.told = told


class _Bars(NamedTuple):
    """What a user may call."""

    allowed: tuple[NumberPattern, ...] | None
    blocked: tuple[NumberPattern, ...]


class Router:
    """Plans calls; a reload makes a new Router with the overrides of the old one."""

    def __init__(
        self,
        users: Iterable[UserConfig] = (),
        routes: Iterable[RouteConfig] = (),
        *,
        numbers: NumbersConfig | None = None,
        routing: RoutingConfig | None = None,
        rates: RateTable | None = None,
        overrides: Overrides | None = None,
        told: int = TOLD,
        guests: Mapping[str, Residence] | None = None,
    ) -> None:
        """``guests``: accounts that keep to a domain of their own."""
        self.overrides: Overrides = {} if overrides is None else overrides
        self.users = {user.name: user for user in users}
        self._plan = NumbersConfig() if numbers is None else numbers
        self._country, self._normalises = self._plan.country, self._plan.normalise
        self._routing = RoutingConfig() if routing is None else routing
        self._rates = rates
        self._guests = {} if guests is None else guests
        routes = list(routes)
        self._shared = {n for route in routes if isinstance(route, HostedRoute) for n in route.numbers}
        self._emergency = None if self._plan.emergency is None else frozenset(self._plan.emergency)
        self._routes = [Route(c, i, self._routing.time_zone) for i, c in enumerate(routes, start=1)]
        self._book = Book(self._routes, self._plan.country, told)
        self._index = PatternIndex([route.patterns for route in self._routes])
        self._extensions = {number: e for u in self.users.values() for number, e in self._numbers_of(u)}
        self._bars = {name: bars for name, user in self.users.items() if (bars := _bars_of(user))}
        self._settings = {
            name: settings
            for name, user in self.users.items()
            if (settings := configured(user)) != Settings(no_answer_after=user.no_answer_after)
        }

    @classmethod
    def of(cls, config: Config, *, overrides: Overrides | None = None, told: int = TOLD) -> Router:
        """The router of a configuration, its rate table read; ConfigError when that is not possible."""
        rates = None
        if config.routing.rates is not None:
            try:
                rates = read_rates(config.routing.rates, zone(config.routing.time_zone))
            except RatesError as error:
                raise ConfigError([str(error)]) from None
        return cls(
            config.users,
            config.routes,
            numbers=config.numbers,
            routing=config.routing,
            rates=rates,
            overrides=overrides,
            told=told,
            guests=residences(config),
        )

    def _numbers_of(self, user: UserConfig) -> Iterator[tuple[str, _Extension]]:
        for number in {user.name, user.dialled}:
            line = (
                f"{number} is user {user.name}"
                if number == user.name
                else f"{number} is the number of {user.name}"
            )
            yield number, _Extension(ToUser(user.name), self.is_emergency(number), (line,))

    @property
    def country(self) -> str:
        """Where the switch is, as DE; empty: nobody knows."""
        return self._plan.country

    # -- plans

    def plan(self, inquiry: Inquiry) -> Plan:
        """Where a call goes, step by step, or with which status it is refused."""
        home = self._guests.get(inquiry.source)
        if home is not None:
            return self._plan_of_guest(inquiry, home)
        return self._plan_of_all(inquiry)

    def _plan_of_guest(self, inquiry: Inquiry, home: Residence) -> Plan:
        """Somebody who is hosted: first those of the same domain, then what is for everybody."""
        called = inquiry.called
        name = called if "@" in called else f"{called}@{home.domain}"
        known = self._extensions.get(name)
        if known is not None and name.endswith(f"@{home.domain}"):
            return _to_extension(known, inquiry, name)
        if home.is_open or self.is_emergency(called) or self._international(inquiry) in self._shared:
            return self._plan_of_all(inquiry)
        line = f"{inquiry.source} may only call within {home.domain}, which has no {called}; refused with 404"
        return Plan(inquiry, (), 404, "Not Found", False, (line,))

    def _plan_of_all(self, inquiry: Inquiry) -> Plan:
        called, source = inquiry.called, inquiry.source
        if source not in self._bars:
            known = self._extensions.get(called)
            if known is not None:
                return _to_extension(known, inquiry, called)
        is_emergency = self.is_emergency(called)
        number = called if is_emergency else self._international(inquiry)
        refusal = "" if is_emergency else self._why_barred(inquiry, number)
        if refusal:
            return Plan(inquiry, (), 403, "Forbidden", False, (refusal,))
        known = self._extensions.get(called)
        if known is not None:
            return _to_extension(known, inquiry, called)
        known = self._extensions.get(number)
        if known is not None:
            return _to_extension(known, inquiry, number)
        search = self._search(inquiry, number, is_emergency)
        if not search.steps:
            return Plan(inquiry, (), 404, "Not Found", is_emergency, (), search)
        return Plan(inquiry, search.steps, 0, "", is_emergency, (), search)

    def is_emergency(self, number: str) -> bool:
        """Whether a number as dialled calls for help."""
        if self._emergency is not None:
            return number in self._emergency
        return len(number) <= 8 and dialling.is_emergency(number, self._country)

    def _international(self, inquiry: Inquiry) -> str:
        """The number as routes see it: what a trunk sends is in the form that its own rules make."""
        if not self._normalises or inquiry.source.startswith("trunk:"):
            return inquiry.called
        return dialling.normalise(inquiry.called, self._country)

    def _why_barred(self, inquiry: Inquiry, number: str) -> str:
        bars = self._bars.get(inquiry.source)
        if bars is None:
            return ""
        called = inquiry.called
        for pattern in bars.blocked:
            if pattern.matches(number) or pattern.matches(called):
                return f"{inquiry.source} may not call {number}: blocked by {pattern.text}; refused with 403"
        is_inside = called in self._extensions or number in self._extensions
        if (
            bars.allowed is None
            or is_inside
            or match_any(bars.allowed, number)
            or match_any(bars.allowed, called)
        ):
            return ""
        return (
            f"{inquiry.source} may not call {number}: it is not among the allowed numbers; refused with 403"
        )

    # -- routes

    def _search(self, inquiry: Inquiry, number: str, is_emergency: bool) -> Search:
        search = Search(self._book, inquiry, number, is_emergency)
        places = self._index.find(number)
        for place in places:
            route = self._routes[place]
            why = route.why_not(inquiry)
            if not why:
                steps = self._steps(route, inquiry, number)
                if steps:
                    search.take(place, steps, not route.falls_through)
                    if not route.falls_through:
                        return search
                    continue
                why = "there is no rate table" if self._rates is None else f"no trunk has a rate for {number}"
            search.pass_over(place, why)
        if is_emergency and places and not search.steps:
            steps = self._steps(self._routes[places[0]], inquiry, number)
            if steps:
                search.force(places[0], steps)
        return search

    def _steps(self, route: Route, inquiry: Inquiry, number: str) -> tuple[Step, ...]:
        rates: Sequence[Rate] = ()
        if route.needs_rates and self._rates is not None:
            rates = self._rates.find(dialling.normalise(route.called(number), self._plan.country), inquiry.at)
        return route.steps(inquiry, number, self._shown_outside(inquiry), rates)

    def _shown_outside(self, inquiry: Inquiry) -> str:
        """The caller's number for trunks and other domains."""
        if inquiry.shown:
            return inquiry.shown
        user = None if inquiry.forwarders else self.users.get(inquiry.source)
        return inquiry.caller if user is None else user.caller_id or inquiry.caller

    # -- forwarding

    def settings(self, user: str) -> Settings:
        """What is in force for a user."""
        known = self.users.get(user)
        found = self._settings.get(user) or (Settings() if known is None else configured(known))
        override = self.overrides.get(user)
        return found if override is None else merge(found, override)

    def ring_time(self, user: str, *, boxes: bool = True) -> float | None:
        """How long a user's phones ring before ``no-answer`` is to be asked; None: nothing is set."""
        if user not in self._settings and user not in self.overrides:
            return None
        settings = self.settings(user)
        return settings.no_answer_after if settings.target("no-answer", boxes=boxes) else None

    def divert(self, user: str, why: Why, inquiry: Inquiry, *, boxes: bool = True) -> Plan | None:
        """Where a user's call goes instead; None: the user has not asked for that.

        ``boxes``: mailboxes may take it. Ask "always" before ringing; ``inquiry`` is that of the plan that
        led to the user. A plan without steps refuses: do-not-disturb, a loop of forwarding, a number that
        the user may not call.
        """
        if user not in self._settings and user not in self.overrides:
            return None
        settings = self.settings(user)
        target = settings.target(why, boxes=boxes)
        is_disturbing = why == "always" and settings.do_not_disturb and not settings.always
        if not target:
            if not is_disturbing:
                return None
            told = (f"{user} does not want to be disturbed",)
            return Plan(inquiry, (), 480, "Do Not Disturb", False, told)
        said = "calls while not to be disturbed" if is_disturbing else WORDS[why]
        line = f"{user} forwards {said} to {target}"
        if user in inquiry.forwarders or len(inquiry.forwarders) >= self._routing.max_forwards:
            lines = (line, _stopped(inquiry.forwarders))
            return Plan(inquiry, (), 480, "Forwarded too often", False, lines)
        onward = inquiry.forwarded(user, target, self._shown_outside(inquiry))
        found = self._forwarded(target, onward)
        known = self.users.get(user)
        number = user if known is None else known.dialled
        found.diversion = Diversion(user, number, "do-not-disturb" if is_disturbing else REASONS[why])
        found.told = (line, *found.told)
        return found

    def _forwarded(self, target: str, onward: Inquiry) -> Plan:
        if target.startswith("user:"):
            user = target.removeprefix("user:")
            known = self.users.get(user)
            called = user if known is None else known.dialled
            return Plan(onward, (Step((Leap(ToUser(user), called, onward.caller),)),))
        if target.startswith("voicemail:"):
            box = ToApp(target.removeprefix("voicemail:"), "voicemail")
            return Plan(onward, (Step((Leap(box, box.name, onward.caller),)),))
        if target.startswith(("sip:", "sips:")):
            called = target.partition(":")[2].partition("@")[0]
            return Plan(onward, (Step((Leap(ToUri(target), called, onward.shown or onward.caller),)),))
        return self.plan(onward)


def _to_extension(known: _Extension, inquiry: Inquiry, number: str) -> Plan:
    leap = Leap(known.to, number.partition("@")[0], inquiry.caller)
    return Plan(inquiry, (Step((leap,)),), 0, "", known.is_emergency, known.told)


def _bars_of(user: UserConfig) -> _Bars | None:
    if user.allowed is None and user.blocked is None:
        return None
    return _Bars(
        None if user.allowed is None else read_patterns(user.allowed),
        () if user.blocked is None else read_patterns(user.blocked),
    )


def _stopped(forwarders: Sequence[str]) -> str:
    return f"the call was forwarded {len(forwarders)} times already, by {', '.join(forwarders)}: not again"
