"""Looks up where names lead: answers are cached, shared and bounded, and a dead DNS stops nothing (RFC 3263).

A search walks through protocols/sip/locating.py until nothing is missing, or its time is over.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from switchroom.protocols.sip.locating import (
    MAX_QUESTIONS,
    Hop,
    Location,
    Means,
    Question,
    Record,
    Srv,
    Target,
    literal_address,
    locate,
)
from switchroom.protocols.sip.uri import Uri
from switchroom.switch.config.dns import DnsConfig
from switchroom.switch.net.clock import Clock
from switchroom.switch.net.watchdog import Log

from .breaker import Breaker
from .cache import Cache
from .lookup import Allowance, Lookup, LookupCounters, Server
from .places import HOSTS, RESOLV_CONF, Places
from .wire import Answer

Done = Callable[[list[Hop], float], object]

_MAX_SEARCHES = 1000  # at once; what is beyond gets what is known
_MAX_WAITING = 1000  # that wait for one search
_LOOK_INTERVAL = 10.0  # seconds between looks whether /etc/hosts or /etc/resolv.conf have changed


@dataclass(slots=True)
class _Search:
    """One location that needs answers."""

    target: Target
    chance: float
    waiting: list[Done]
    allowance: Allowance = field(default_factory=Allowance)
    asked: set[Question] = field(default_factory=set)
    found: dict[Question, tuple[Record, ...]] = field(default_factory=dict)
    answered: int = 0
    timer: asyncio.TimerHandle | None = None
    is_over: bool = False


class Resolver:
    """``locate`` answers within the budget; ``known`` at once, from what is remembered."""

    def __init__(
        self,
        config: DnsConfig,
        *,
        clock: Clock | None = None,
        log: Log | None = None,
        flush: Callable[[], object] = lambda: None,
        means: Callable[[], Means] = Means,
        chance: Callable[[], float] = random.random,
        resolv_conf: Path = RESOLV_CONF,
        hosts: Path = HOSTS,
    ) -> None:
        self._clock = clock or Clock()
        self._log = log or structlog.get_logger("dns")
        self._flush, self._means, self._chance = flush, means, chance
        self._places = Places(config.nameservers, resolv_conf, hosts)
        self._cache = Cache(config)
        self._breaker = Breaker()
        self._config = config
        self._searches: dict[Target, _Search] = {}
        self._lookups: dict[Question, tuple[Lookup, list[_Search]]] = {}
        self._best: Server | None = None  # who answered last
        self._look_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self.counters = LookupCounters()
        self.stale_count = 0  # locations that were made of answers which hold no more
        self.pause_count = 0  # locations of domains that were left alone

    # -- life

    async def start(self) -> None:
        """Read what this machine knows."""
        await asyncio.to_thread(self._places.refresh)
        self._look_at = self._clock.now() + _LOOK_INTERVAL

    async def stop(self) -> None:
        """Give up what is on its way; nobody is called any more."""
        for lookup, _ in self._lookups.values():
            lookup.close()
        for search in self._searches.values():
            search.is_over = True
            if search.timer is not None:
                search.timer.cancel()
        self._lookups.clear()
        self._searches.clear()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def apply(self, config: DnsConfig) -> None:
        """Go on with another configuration; what was remembered is forgotten if it changes."""
        if config != self._config:
            self._config = config
            self._places.given = config.nameservers
            self._cache.apply(config)
            self._breaker.clear()

    @property
    def searches(self) -> int:
        """Locations that wait for answers."""
        return len(self._searches)

    @property
    def cached(self) -> int:
        """Answers that are remembered."""
        return len(self._cache)

    @property
    def paused(self) -> int:
        """Domains that are left alone now."""
        return self._breaker.open_count(self._clock.now())

    # -- questions

    def known(
        self, host: str | Uri, port: int | None = None, transport: str | None = None, is_secure: bool = False
    ) -> list[Hop] | None:
        """Where it leads by what is remembered, and None when it must be asked; that begins, never waits."""
        target, now = _target(host, port, transport, is_secure), self._clock.now()
        location = self._walk(target, self._chance(), lambda q: self._cache.fresh(q, now))
        if not location.missing:
            return list(location.hops)
        if target not in self._searches and self._may_ask(target, now):
            self._begin(_Search(target, self._chance(), []), now)  # to know better next time
        return self._old(target, self._chance(), now)

    def locate(
        self, host: str | Uri, port: int | None, transport: str | None, is_secure: bool, done: Done
    ) -> None:
        """Call ``done(hops, now)``: at once when it is known, else within the budget; no hops: no way.

        Never for a request that nobody has authenticated (THREATS D2).
        """
        target, now = _target(host, port, transport, is_secure), self._clock.now()
        search = self._searches.get(target)
        if search is not None and len(search.waiting) < _MAX_WAITING:
            search.waiting.append(done)
            return
        chance = self._chance()
        location = self._walk(target, chance, lambda q: self._cache.fresh(q, now))
        if not location.missing:
            done(list(location.hops), now)
        elif search is not None or not self._may_ask(target, now):
            done(self._best_guess(target, chance, now), now)
        elif (
            self._breaker.is_suspect(_domain(target)) and (old := self._old(target, chance, now)) is not None
        ):
            done(old, now)
            self._begin(_Search(target, chance, []), now)
        else:
            self._begin(_Search(target, chance, [done]), now)

    def _may_ask(self, target: Target, now: float) -> bool:
        if len(self._searches) >= _MAX_SEARCHES or not self._places.servers:
            return False
        if not self._breaker.admits(_domain(target), now):
            self.pause_count += 1
            return False
        return True

    def _begin(self, search: _Search, now: float) -> None:
        self._look_around(now)
        self._searches[search.target] = search
        loop = asyncio.get_running_loop()
        search.timer = loop.call_later(self._config.budget, self._finish, search)
        self._advance(search)

    def _advance(self, search: _Search) -> None:
        """Ask what is missing; with nothing left to ask the search is over."""
        if search.is_over:
            return
        now = self._clock.now()
        location = self._walk(search.target, search.chance, lambda q: self._answer_for(search, q, now))
        wanted = [question for question in location.missing if question not in search.asked]
        wanted = wanted[: MAX_QUESTIONS - len(search.asked)]
        search.asked.update(wanted)
        for question in wanted:
            self._ask(question, search)
        if not wanted and not (search.asked - search.found.keys()):
            self._finish(search)

    def _ask(self, question: Question, search: _Search) -> None:
        """Ask, or wait for the answer to the same question."""
        running = self._lookups.get(question)
        if running is not None:
            running[1].append(search)
            return
        lookup = Lookup(question, self._servers(), search.allowance, self.counters, self._on_answer)
        self._lookups[question] = (lookup, [search])
        lookup.start(self._config.budget)

    def _servers(self) -> list[Server]:
        """The server that answered last is asked first."""
        return sorted(self._places.servers, key=lambda server: server != self._best)

    def _on_answer(self, question: Question, answer: Answer | None, server: Server | None) -> None:
        _, searches = self._lookups.pop(question)
        now = self._clock.now()
        if answer is None:
            self._best = None
            self._cache.fail(question, now)
            records = self._cache.stale(question, now) or ()
        else:
            self._best = server
            self._cache.put(question, answer.records, answer.ttl, now)
            self._keep_extra(answer, now)
            records = answer.records
        for search in searches:
            search.found[question] = records
            search.answered += answer is not None
            self._advance(search)

    def _keep_extra(self, answer: Answer, now: float) -> None:
        """Remember the addresses that came along, of the hosts that were named and of no others."""
        named = {record.target for record in answer.records if isinstance(record, Srv)}
        for question, records, ttl in answer.extra:
            if question.name in named and self._cache.fresh(question, now) is None:
                self._cache.put(question, records, ttl, now)

    def _finish(self, search: _Search) -> None:
        """Tell those who wait, with what there is."""
        if search.is_over:
            return
        search.is_over = True
        assert search.timer is not None
        search.timer.cancel()
        del self._searches[search.target]
        now = self._clock.now()
        is_good = not search.asked or search.answered > 0
        self._breaker.report(_domain(search.target), now, is_good=is_good)
        known = search.found
        hops = self._best_guess(search.target, search.chance, now, known)
        if not is_good or search.asked - search.found.keys():
            self._log.warning("dns.failed", host=search.target.host, asked=len(search.asked), hops=len(hops))
        for done in search.waiting:
            try:
                done(list(hops), now)
            except Exception:  # noqa: BLE001 - one of many who wait; the others are told too
                self._log.exception("dns.fault", host=search.target.host)
        self._flush()

    # -- what is known

    def _walk(
        self, target: Target, chance: float, answers: Callable[[Question], Sequence[Record] | None]
    ) -> Location:
        def answer(question: Question) -> Sequence[Record] | None:
            found = self._places.find(question)
            return answers(question) if found is None else found

        return locate(target, answer, chance, self._means())

    def _answer_for(self, search: _Search, question: Question, now: float) -> Sequence[Record] | None:
        found = search.found.get(question)
        return self._cache.fresh(question, now) if found is None else found

    def _old(self, target: Target, chance: float, now: float) -> list[Hop] | None:
        """The hops by answers that hold no more, if there are some, and all that it takes."""
        location = self._walk(target, chance, lambda q: self._remembered(q, now))
        if location.missing or not location.hops:
            return None
        self.stale_count += 1
        return list(location.hops)

    def _remembered(self, question: Question, now: float) -> Sequence[Record] | None:
        found = self._cache.fresh(question, now)
        return self._cache.stale(question, now) if found is None else found

    def _best_guess(
        self,
        target: Target,
        chance: float,
        now: float,
        found: dict[Question, tuple[Record, ...]] | None = None,
    ) -> list[Hop]:
        """The hops by what there is, however old; what nobody could say counts as nothing."""
        given, is_stale = found or {}, False

        def answer(question: Question) -> Sequence[Record]:
            nonlocal is_stale
            records = given.get(question)
            if records is None:
                records = self._cache.fresh(question, now)
            if records is None:
                records = self._cache.stale(question, now)
                is_stale = is_stale or bool(records)
            return records or ()

        hops = list(self._walk(target, chance, answer).hops)
        self.stale_count += is_stale
        return hops

    def _look_around(self, now: float) -> None:
        """See, by and by, whether the files of this machine have changed."""
        if now >= self._look_at:
            self._look_at = now + _LOOK_INTERVAL
            task = asyncio.get_running_loop().create_task(asyncio.to_thread(self._places.refresh))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


def _target(host: str | Uri, port: int | None, transport: str | None, is_secure: bool) -> Target:
    if isinstance(host, Uri):
        target = Target.of_uri(host)
        return target._replace(
            port=port or target.port,
            transport=transport or target.transport,
            is_secure=is_secure or target.is_secure,
        )
    return Target(host, port, transport, is_secure)


def _domain(target: Target) -> str:
    return literal_address(target.host) or target.host.lower().removesuffix(".")
