"""The message centre: takes messages, writes them down, sends them on, and tells what became of them.

An engine like those of the wire: the time is an argument, what happens comes from calls, and ``drain`` says
what the disk has done meanwhile. Nothing is acknowledged before it is on the disk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from switchroom.protocols.wheel import NEVER
from switchroom.switch.config import SmsConfig, SmsRuleConfig
from switchroom.switch.net import Clock
from switchroom.switch.sms.book import Book, Follower, Log
from switchroom.switch.sms.interfaces import (
    Answered,
    Done,
    Inlet,
    Outcome,
    Outlet,
    Receipt,
    Refusal,
    State,
    Submission,
)
from switchroom.switch.sms.receipts.notices import Notices
from switchroom.switch.sms.receipts.receipts import Receipts, progress_of
from switchroom.switch.sms.routing import Routes
from switchroom.switch.sms.rules import Rules
from switchroom.switch.sms.stored import Stored, restore, submission_of
from switchroom.switch.store.sms import SqliteMessages

from .acceptance import Acceptance
from .fates import Fates
from .gathering import Gathering
from .lanes import Lane, Lanes
from .orders import Orders
from .timetable import Timetable
from .ways import Ways

_CLAIMED_BATCH = 1000


class Centre:
    """The interface Centre of interfaces.py."""

    def __init__(
        self,
        config: SmsConfig,
        routes: Routes,
        store: SqliteMessages,
        clock: Clock,
        log: Log,
        rules: Sequence[SmsRuleConfig] = (),
    ) -> None:
        self.book = Book(store, clock, log)
        self.notices = Notices(self.book)
        self.fates = Fates(self.book, self.notices)
        self.ways = Ways(self.book, self.fates.failed, self.fates.place, self.fates.expire)
        self.lanes = Lanes(self.book, self.fates.prepare, self.ways.pump_lane)
        self.receipts = Receipts(self.book, self.notices, self.fates.finish)
        self.gathering = Gathering(self.book, self.ways.put, self.fates.finish, self.fates.failed)
        self.timetable = Timetable(
            self.book,
            lambda: self.lanes,
            self.fates.place,
            self.fates.expire,
            self.ways.turns.remove,
            self.fates.lose,
            self._prune,
        )
        self.ways.lanes = self.fates.lanes = self.lanes
        self.ways.gather, self.ways.is_routed = self.gathering.take, self.fates.is_routed
        self.fates.ways, self.fates.receipts, self.fates.routes = self.ways, self.receipts, routes
        self.fates.wake_at, self.fates.expires_at = self.timetable.wake_at, self.timetable.expires_at
        self.rules = Rules(config, rules, lambda key, value: store.pending.put(key, value))
        self.acceptance = Acceptance(self.book, self.fates, self.rules, config)
        self.orders = Orders(self.book, self.fates)
        self._store = store
        # Something happened: what is pending may go to the disk, and the next timer may be another
        self.on_turn: Callable[[], None] = store.wake
        self.reconfigure(config, routes, rules)

    def reconfigure(self, config: SmsConfig, routes: Routes, rules: Sequence[SmsRuleConfig] = ()) -> None:
        """Apply new rules to what goes on from now."""
        self._config = config
        self.rules.reconfigure(config, rules)
        self.fates.routes = routes
        self.ways.is_known = routes.is_known
        self.fates.keep_bodies = float(config.keep_bodies)
        self.fates.is_retrying_breaks = config.after_break == "retry"
        self.acceptance.reconfigure(config)
        self.ways.heal(self.book.clock.now())
        self.timetable.receipt_timeout = float(config.receipt_timeout)
        self.gathering.reconfigure(
            config.gather_timeout, config.max_gathering_per_sender, config.max_gathering
        )

    def start(self, now: float) -> None:
        """Take up what the store has; it blocks."""
        store = self._store
        self.rules.load(store.load_values())
        if self._config.duplicate_window:
            since = self.book.clock.posix(now) - self._config.duplicate_window
            for row in store.load_since(since):
                self.rules.remember(submission_of(row), row.id, row.accepted_at)
        self.lanes.load(store.load_lanes())
        self.notices.load(store.load_owing())
        self.receipts.load(store.load_orphans(self.book.posix(now) - self._config.keep_receipts))
        for row in store.load_turns(self.fates.routes.ordered):
            message = restore(row)
            self.fates.prepare(message)
            self.ways.turns.take(message)
        self.ways.heal(now)
        after = 0
        while rows := store.take_claimed(after, _CLAIMED_BATCH):
            after = rows[-1].id
            for row in rows:
                if row.state == State.SENDING:
                    self.book.counters["maybe_twice"] += 1
                message = restore(row)
                store.ask("parts", (row.id,), self._on_claimed_parts, message)
        if self.book.counters["maybe_twice"]:
            self.book.log.warning("messages.maybe_twice", count=self.book.counters["maybe_twice"])

    def _on_claimed_parts(self, found: Any, message: Stored, now: float) -> None:
        """A message that was on its way when the switch ended: what has not gone, goes again."""
        if found and message.parts > 1:
            message.progress = progress_of(found, message.parts)
        self.fates.place(message, now)

    # -- the interface

    def submit(self, batch: Sequence[Submission], now: float, done: Done) -> None:
        """Take messages; ``done`` hears of them when they are on the disk."""
        if any(submission.is_replacing for submission in batch):
            self.orders.submit(batch, now, done, self.acceptance)
        else:
            self.acceptance.submit(batch, now, done)
        if replies := self.rules.opt_outs.replies:
            answers = list(replies)
            replies.clear()
            self.acceptance.submit(answers, now, lambda batch, results, at: None, is_free=True)
        self._end_turn(now)

    def attach(self, *, inlet: Inlet | None = None, outlet: Outlet | None = None, now: float) -> None:
        """An inlet or outlet is there, or is there with something new: room, after it had none."""
        if outlet is not None:
            self.ways.attach(outlet, now)
        if inlet is not None:
            self.notices.attach(inlet, now)
        self._end_turn(now)

    def detach(self, *, inlet: str = "", outlet: str = "", now: float) -> None:
        """It went away; for what it had in hand outcomes come first."""
        if outlet:
            self.ways.detach(outlet, now)
        if inlet:
            self.notices.detach(inlet)
        self._end_turn(now)

    def report(self, outlet: str, outcomes: Sequence[Outcome], now: float) -> None:
        """What became of parts that were sent."""
        report = self.fates.report
        for outcome in outcomes:
            report(outcome, now)
        way = self.ways.get(outlet)
        if way is not None:
            self.ways.dirty(outlet)
            self.ways.pump(way, now)
        self._end_turn(now)

    def receive_receipts(
        self,
        outlet: Outlet,
        receipts: Sequence[Receipt],
        now: float,
        done: Callable[[Any, float], None],
        context: Any = None,
    ) -> None:
        """Receipts came; ``done(context, now)`` when they are on the disk and may be acknowledged."""
        self.receipts.receive(outlet, receipts, now, done, context)
        self._end_turn(now)

    def noticed(self, inlet: str, ids: Sequence[int], now: float, *, is_heard: bool = True) -> None:
        """These notices were acknowledged, or (not heard) are told again at the next attach."""
        self.notices.noticed(inlet, ids, now, is_heard=is_heard)
        self._end_turn(now)

    def query(self, id: int, inlet: str, now: float, answered: Answered, context: Any = None) -> None:
        """``answered`` hears the Standing, or a Refusal; an empty inlet may ask about any."""
        self.orders.query(id, inlet, answered, context)
        self._end_turn(now)

    def handed(self, id: int, inlet: str, now: float, answered: Answered, context: Any = None) -> None:
        """The same with the next hop's id and the sender that it was told."""
        self.orders.handed(id, inlet, answered, context)
        self._end_turn(now)

    def conclude(self, id: int, inlet: str, state: State, now: float) -> None:
        """The next hop says what became of a message that it has."""
        self.orders.conclude(id, inlet, state)
        self._end_turn(now)

    def cancel(self, id: int, inlet: str, now: float, answered: Answered, context: Any = None) -> None:
        """Take a message back that was not handed over yet."""
        self.orders.cancel(id, inlet, answered, context)
        self._end_turn(now)

    def cancel_all(
        self,
        source: str,
        destination: str,
        service_type: str,
        inlet: str,
        now: float,
        answered: Answered,
        context: Any = None,
    ) -> None:
        """The same for all that wait of a source and a destination: ``answered`` hears their count."""
        self.orders.cancel_all(source, destination, service_type, inlet, answered, context)
        self._end_turn(now)

    def members(self, name: str, inlet: str, now: float, answered: Answered, context: Any = None) -> None:
        """``answered`` hears the Standings of all messages whose keys are the name, a slash and more."""
        self.orders.members(name, inlet, answered, context)
        self._end_turn(now)

    def replace(self, id: int, new: Submission, now: float, answered: Answered, context: Any = None) -> None:
        """Another body, time, validity or wish for one that waits."""
        self.orders.replace(id, new, answered, context)
        self._end_turn(now)

    def redact(self, id: int, inlet: str, now: float, answered: Answered, context: Any = None) -> None:
        """The body goes from the disk, the record stays."""
        self.orders.redact(id, inlet, answered, context)
        self._end_turn(now)

    def requeue(self, id: int, now: float, answered: Answered, context: Any = None) -> None:
        """Try a message again that was given up."""
        self.orders.requeue(id, answered, context)
        self._end_turn(now)

    def follow(self, changes: Follower) -> None:
        """Hear of every change of state from now on, in batches, when it is durable."""
        self.book.followers.append(changes)

    # -- the clock and the disk

    def drain(self, now: float, seconds: float = math.inf) -> bool:
        """The store has done something: go on with it; False: there is more of it when the time is up."""
        is_done = self._store.drain(now, seconds)
        self._end_turn(now)
        return is_done

    def next_timer(self) -> float | None:
        """When to be called again."""
        gather_at = self.gathering.next_timer()
        at = min(self.timetable.next_timer(), NEVER if gather_at is None else gather_at)
        return None if at == NEVER else at

    def handle_timer(self, now: float) -> None:
        """Do what has come due."""
        self.timetable.handle_timer(now)
        self.gathering.handle_timer(now)
        self._end_turn(now)

    def _end_turn(self, now: float) -> None:
        self.ways.flush(now)
        self.notices.flush(now)
        self.on_turn()

    def _prune(self, now: float) -> None:
        self.receipts.prune(self.book.posix(now) - self._config.keep_receipts)

    # -- questions

    @property
    def waiting(self) -> int:
        """Messages that wait in lanes."""
        return self.lanes.count

    def lanes_of(self, way: str) -> list[Lane]:
        """For metrics and tests."""
        return self.lanes.of(way)


__all__ = ["Centre", "Refusal"]
