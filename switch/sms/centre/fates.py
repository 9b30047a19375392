"""What becomes of a message: taken by the next hop, tried again, given up; and who hears of it."""

from __future__ import annotations

import random
from collections.abc import Callable

from switchroom.switch.sms.book import Book
from switchroom.switch.sms.interfaces import Fault, Outcome, Refusal, State
from switchroom.switch.sms.receipts.notices import Notices
from switchroom.switch.sms.receipts.receipts import Receipts
from switchroom.switch.sms.routing import Plan, Retry, Routes
from switchroom.switch.sms.stored import Stored, extra_of

from .lanes import Lanes
from .ways import Ways


class Fates:
    """Outcomes in, states out."""

    def __init__(self, book: Book, notices: Notices, draw: Callable[[], float] = random.random) -> None:
        self._book, self._notices, self._draw = book, notices, draw
        self.routes: Routes
        self.lanes: Lanes
        self.ways: Ways
        self.receipts: Receipts
        self.wake_at: Callable[[float], None] = lambda posix: None
        self.expires_at: Callable[[float], None] = lambda posix: None
        self.is_retrying_breaks = True
        self.keep_bodies = 0.0
        self.on_final: list[Callable[[Stored, float], None]] = []

    # -- from outlets

    def report(self, outcome: Outcome, now: float) -> None:
        """One part was answered for."""
        message = outcome.part.message
        assert isinstance(message, Stored)
        if message.state is not State.SENDING:
            return  # it was answered for already
        if message.progress is None:
            self._settle(message, outcome, now)
            return
        ordinal = outcome.part.ordinal
        if message.progress[ordinal] is not None:
            return
        message.outstanding -= 1
        if outcome.fault is None:
            state = State.DELIVERED if outcome.is_delivered else State.SENT
            message.progress[ordinal] = state
            self.receipts.expect(message, outcome, now)
        elif message.worst is None or outcome.fault is Fault.PERMANENT:
            message.worst = outcome
        if message.outstanding <= 0:
            self._end_round(message, outcome, now)

    def _end_round(self, message: Stored, outcome: Outcome, now: float) -> None:
        worst, message.worst = message.worst, None
        if worst is not None:
            self.failed(message, worst, now)
            return
        assert message.progress is not None
        if all(state is State.DELIVERED for state in message.progress):
            self.finish(message, State.DELIVERED, now)
        else:
            self._sent(message, outcome, now)
            self.receipts.review(message, now)
            if not message.wish:
                self.receipts.forget(message)

    def _settle(self, message: Stored, outcome: Outcome, now: float) -> None:
        """A message that went in one part, perhaps with others that are parts of what it is a part of."""
        for one in (message, *message.joined):
            if outcome.fault is not None:
                self.failed(one, outcome, now)
            elif outcome.is_delivered:
                self._book.counters["sent"] += 1
                self.finish(one, State.DELIVERED, now)
            else:
                self._sent(one, outcome, now)
        if outcome.fault is None and not outcome.is_delivered:
            self.receipts.expect(message, outcome, now)

    def _sent(self, message: Stored, outcome: Outcome, now: float) -> None:
        book = self._book
        book.counters["sent"] += 1
        book.count(message.outlet, State.SENT)
        book.answer_times.add(max(0.0, book.posix(now) - message.changed_at))
        note = f"{outcome.remote_id} {outcome.text}" if outcome.text else outcome.remote_id
        book.enter(message, State.SENT, now, note=note)
        if message.turn:
            self.ways.end_turn(message, now)
        self._notices.on_state(message, now)

    # -- failure

    def failed(self, message: Stored, outcome: Outcome, now: float) -> None:
        """A way did not take it: another way, another time, or never."""
        fault, reason = outcome.fault, outcome.text or f"error {outcome.code}"
        error = f"{outcome.code:03d}" if outcome.code else ""
        self._book.count_failure(message.outlet, reason)
        retry = self.routes.retry_of(message)
        if fault is Fault.PERMANENT:
            if not retry.is_passed_on:
                self.finish(message, State.UNDELIVERABLE, now, error=error, reason=reason)
                return
            fault = Fault.ROUTE
        if fault is Fault.UNKNOWN and not self.is_retrying_breaks:
            text = "the connection broke before the answer"
            self.finish(message, State.UNKNOWN, now, error=error, reason=text)
            return
        message.error, message.reason = error, reason
        if fault is Fault.THROTTLED:
            self.defer(message, retry.throttled * (0.5 + self._draw()), now)
            return
        message.attempts += 1
        plan = self.plan_of(message, now)
        if isinstance(plan, Refusal):
            self._wait_for_route(message, plan, now)
            return
        if fault is not Fault.UNKNOWN or message.attempts > 1:  # a connection may break once for no reason
            message.tried = (*message.tried, message.outlet)
        others = [way for way in plan.ways if way not in message.tried and self.ways.get(way)]
        gave_up = self._why_over(message, plan.retry, now)
        if gave_up or (fault is Fault.ROUTE and not others and set(plan.ways) <= set(message.tried)):
            self._give_up(message, gave_up or "every way refused it", now)
        elif others:
            self._book.counters["retried"] += 1
            self.place(message, now)
        else:
            message.tried = ()
            self.defer(message, plan.retry.pause(message.attempts, self._draw()), now)

    def _wait_for_route(self, message: Stored, refusal: Refusal, now: float) -> None:
        """It was taken when a route led somewhere: perhaps one will again."""
        message.reason, message.tried = refusal.text or refusal.word, ()
        message.attempts += 1
        retry = self.routes.retry
        gave_up = self._why_over(message, retry, now)
        if gave_up:
            self._give_up(message, gave_up, now)
        else:
            self.defer(message, retry.pause(message.attempts, self._draw()), now)

    def is_routed(self, message: Stored, now: float) -> bool:
        """Whether a route leads anywhere today."""
        return isinstance(self.plan_of(message, now), Plan)

    def _why_over(self, message: Stored, retry: Retry, now: float) -> str:
        if message.attempts >= retry.max_attempts:
            return f"{message.attempts} attempts"
        if retry.max_age and self._book.posix(now) - message.accepted_at >= retry.max_age:
            return f"older than {retry.max_age:g} s"
        return ""

    def _give_up(self, message: Stored, why: str, now: float) -> None:
        self._book.counters["dead"] += 1
        reason = f"given up ({why}): {message.reason}"
        self.finish(message, State.UNDELIVERABLE, now, error=message.error, reason=reason)

    def defer(self, message: Stored, pause: float, now: float) -> None:
        """Another attempt later."""
        self._book.counters["retried"] += 1
        at = self._book.posix(now) + pause
        if at >= message.expires_at:
            at = message.expires_at
        self._book.enter(message, State.DEFERRED, now, error=message.error, reason=message.reason)
        self.wait(message, at)
        self._notices.on_state(message, now)

    def wait(self, message: Stored, at: float) -> None:
        """Look at it again at that time."""
        pending = self._book.store.pending
        pending.timers[message.id] = at
        pending.after((lambda is_written, at, now: self.wake_at(at), at))

    # -- places

    def plan_of(self, message: Stored, now: float) -> Plan | Refusal:
        """Where it goes by the routes of today; the message is written as they say."""
        plan = self.routes.plan(message.submission, self._book.posix(now))
        if isinstance(plan, Plan):
            message.route, message.source, message.destination = plan.route, plan.source, plan.destination
            message.wish, message.turn = plan.wish, plan.turn
        return plan

    def prepare(self, message: Stored) -> None:
        """Complete what was read from the disk: how its route writes it."""
        if not self.routes.dress(message):
            self.plan_of(message, self._book.clock.now())

    def place(self, message: Stored, now: float) -> None:
        """Send a message that is durable on its way: at once, or into its lane."""
        if message.expires_at <= self._book.posix(now):
            self.expire(message, now)
            return
        plan = self.plan_of(message, now)
        if isinstance(plan, Refusal):
            self._wait_for_route(message, plan, now)
            return
        ways = tuple(way for way in plan.ways if way not in message.tried) or plan.ways
        lane = self.lanes.get(",".join(ways))
        message.lane = lane.name
        way = self.ways.reserve(lane, message, now)
        pending = self._book.store.pending
        if way is not None:
            message.outlet = self.ways.name_of(way, lane)
            self._book.claim(message, now)
            pending.after((self._on_placed_on_way, (way, message)))
            self.lanes.drop(lane)
            return
        lane.count += 1
        message.outlet = ""
        self._book.enter(message, State.QUEUED, now)
        self._book.queue(message)
        self._book.unplaced.add(message.id)
        pending.after((self._on_placed, message))

    def _on_placed_on_way(self, _: bool, placed: tuple[object, Stored], now: float) -> None:
        way, message = placed
        self.ways.hand_over(way, (message,), now)  # type: ignore[arg-type]

    def _on_placed(self, _: bool, message: Stored, now: float) -> None:
        self.inserted(message, now)

    def inserted(self, message: Stored, now: float) -> None:
        """A message that waits in a lane is durable."""
        self._book.unplaced.discard(message.id)
        lane = self.lanes.get(message.lane)
        self.expires_at(message.expires_at)
        lane.insert(message)
        self.ways.pump_lane(lane, now)

    # -- ends

    def expire(self, message: Stored, now: float) -> None:
        """Its validity is over."""
        reason = f"not delivered in time: {message.reason}" if message.reason else "not delivered in time"
        self.finish(message, State.EXPIRED, now, error=message.error, reason=reason)

    def _redact(self, message: Stored) -> None:
        s = message.submission
        self._book.store.pending.bodies[message.id] = (
            *(message.id, b"", s.coding, extra_of(s._replace(tlvs=())), s.wish, message.expires_at, 1),
        )

    def lose(self, message: Stored, now: float) -> None:
        """No receipt came for it in time."""
        self.finish(message, State.UNKNOWN, now, reason="no receipt came")

    def finish(self, message: Stored, state: State, now: float, *, error: str = "", reason: str = "") -> None:
        """The message is done with."""
        book = self._book
        book.counters["delivered" if state is State.DELIVERED else "failed"] += 1
        book.count(message.outlet, state)
        if state is State.DELIVERED:
            book.delivery_times.add(max(0.0, book.posix(now) - message.accepted_at))
        self._book.enter(message, state, now, error=error, reason=reason)
        book.settle(message.id)
        if self.keep_bodies and book.posix(now) - message.accepted_at >= self.keep_bodies:
            self._redact(message)  # the house-keeping has passed it
        self.receipts.forget(message)
        if self.routes.ordered:
            if not message.turn:  # it was read from the disk
                self.routes.dress(message)
            self.ways.end_turn(message, now)
        self._notices.on_state(message, now)
        for told in self.on_final:
            told(message, now)
