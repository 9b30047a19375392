"""New messages: checked, given a place, written down; who sent them hears when that is done."""

from __future__ import annotations

from collections.abc import Container, Sequence

from switchroom.switch.config import SmsConfig
from switchroom.switch.net.limits import Bucket
from switchroom.switch.sms.book import Book
from switchroom.switch.sms.interfaces import (
    BAD_BODY,
    BAD_DESTINATION,
    BAD_EXPIRY,
    BAD_SCHEDULE,
    BAD_SOURCE,
    BLOCKED,
    INTERCEPTED,
    NO_CREDIT,
    OPTED_OUT,
    QUEUE_FULL,
    TEXT,
    Done,
    Refusal,
    State,
    Submission,
)
from switchroom.switch.sms.rules import Rules
from switchroom.switch.sms.stored import Stored
from switchroom.switch.store.sms import Queued
from switchroom.switch.store.sms.pending import Accepted

from .fates import Fates
from .ways import Way

_MAX_ADDRESS = 64
_NOTED = frozenset(refusal.word for refusal in (BAD_SOURCE, BLOCKED, OPTED_OUT, INTERCEPTED, NO_CREDIT))
_LINES_RATE, _LINES_BURST = 0.2, 20.0  # lines a second


class Taking:
    """A batch that is being taken."""

    __slots__ = ("batch", "direct", "done", "has_copies", "known", "messages", "results")

    def __init__(self, batch: Sequence[Submission], done: Done) -> None:
        self.batch, self.done = batch, done
        self.results: list[int | Refusal] = []
        self.messages: list[Stored] = []
        self.has_copies = False  # which are answered for when what they are copies of is on the disk
        self.direct: dict[Way, list[Stored]] = {}  # what may go at once
        self.known: dict[int, int] = {}  # what had been submitted with the same key before: its first id


class Acceptance:
    """The way in."""

    def __init__(self, book: Book, fates: Fates, rules: Rules, config: SmsConfig) -> None:
        self._book, self._fates, self._rules = book, fates, rules
        self._unwritten = 0
        self._lines, self._unlogged = Bucket(_LINES_BURST, book.clock.now()), 0
        self.reconfigure(config)
        self.refused: dict[str, int] = {}

    def reconfigure(self, config: SmsConfig) -> None:
        """Apply new limits."""
        self._config = config

    def submit(self, batch: Sequence[Submission], now: float, done: Done, *, is_free: bool = False) -> None:
        """Take what can be taken; what we write ourselves is free of rules."""
        book = self._book
        taking = Taking(batch, done)
        why_full = self._why_full()
        posix = book.posix(now)
        rows = taking.messages
        keys = []
        for submission in batch:
            result = why_full or self._take(submission, taking, now, posix, is_free)
            if isinstance(result, Refusal):
                self.refused[result.word] = self.refused.get(result.word, 0) + 1
                book.counters["refused"] += 1
                if result.word in _NOTED:
                    self._note(submission, result, now)
                taking.results.append(result)
            elif isinstance(result, int):
                taking.results.append(result)
                taking.has_copies = True
            else:
                taking.results.append(result.id)
                rows.append(result)
                if submission.key:
                    keys.append((submission.inlet, submission.key, result.id, posix))
        if not rows and not taking.has_copies:
            done(batch, taking.results, now)
            return
        self._unwritten += len(rows)
        queued = [Queued(m.lane, m.rank, m.id, m.expires_at) for m in rows if m.state is State.QUEUED]
        timers = [(m.id, m.submission.schedule_at) for m in rows if m.state is State.SCHEDULED]
        ticket = (self._on_written, taking)
        book.store.pending.accept(
            Accepted([m.row() for m in rows], queued, timers, keys, taking.known, ticket)
        )

    def _note(self, submission: Submission, refusal: Refusal, now: float) -> None:
        """Somebody tried what he may not; of a flood some lines are enough."""
        if self._lines.take(_LINES_RATE, _LINES_BURST, now):
            self._book.log.warning(
                "messages.refused",
                inlet=submission.inlet,
                source=submission.source.number,
                destination=submission.destination.number,
                reason=refusal.text or refusal.word,
                unlogged=self._unlogged,
            )
            self._unlogged = 0
        else:
            self._unlogged += 1

    def _why_full(self) -> Refusal | None:
        if self._book.store.is_failing:
            return QUEUE_FULL.saying("the disk cannot be written to")
        if self._unwritten >= self._config.max_unwritten:
            return QUEUE_FULL.saying("too many wait for the disk")
        if self._fates.lanes.count >= self._config.max_waiting:
            return QUEUE_FULL.saying("too many wait")
        return None

    def _take(
        self, submission: Submission, taking: Taking, now: float, posix: float, is_free: bool
    ) -> Stored | Refusal | int:
        """A message, why not, or the id of the one that it is a copy of."""
        fault = self._fault(submission, posix)
        if fault is not None:
            return fault
        rules, fates = self._rules, self._fates
        if not is_free:
            checked = self._checked(submission)
            if isinstance(checked, Refusal):
                return checked
            submission = checked
            copy = rules.copy_of(submission, posix)
            if copy is not None:
                return copy
        plan = fates.routes.plan(submission, posix)
        if isinstance(plan, Refusal):
            return plan
        refusal = None if is_free else rules.charge(submission, plan.price, now, posix)
        if refusal is not None:
            return refusal
        config = self._config
        longest = posix + config.max_validity
        starts_at = max(submission.schedule_at, posix)
        expires_at = min(submission.expires_at or starts_at + config.validity, longest + starts_at - posix)
        message = Stored(self._book.store.next_id(), submission, posix, expires_at)
        message.route, message.source, message.destination = plan.route, plan.source, plan.destination
        message.wish, message.turn = plan.wish, plan.turn
        rules.remember(submission, message.id, posix)
        if submission.schedule_at > posix:
            message.state = State.SCHEDULED
            return message
        lane = fates.lanes.get(",".join(plan.ways))
        message.lane = lane.name
        way = fates.ways.reserve(lane, message, now)
        if way is None:
            lane.count += 1
            self._book.unplaced.add(message.id)
        else:
            message.state, message.outlet = State.SENDING, fates.ways.name_of(way, lane)
            taking.direct.setdefault(way, []).append(message)
        return message

    def _checked(self, submission: Submission) -> Submission | Refusal:
        """By the rules, which know numbers with their country; who submitted it hears of it as it came."""
        normal = self._fates.routes.normalised(submission)
        checked = self._rules.check(normal)
        if isinstance(checked, Refusal) or normal is submission:
            return checked
        return checked._replace(
            source=submission.source if checked.source is normal.source else checked.source,
            destination=(
                submission.destination if checked.destination is normal.destination else checked.destination
            ),
        )

    def _fault(self, s: Submission, posix: float) -> Refusal | None:
        config = self._config
        source, destination = s.source.number, s.destination.number
        if not destination or len(destination) > _MAX_ADDRESS or not destination.isprintable():
            return BAD_DESTINATION.saying(f"destination: {destination!r:.80}")
        if len(source) > _MAX_ADDRESS or not source.isprintable():
            return BAD_SOURCE.saying(f"source: {source!r:.80}")
        if len(s.body) > config.max_size:
            return BAD_BODY.saying(f"body: {len(s.body)} octets: more than {config.max_size}")
        if s.schedule_at and s.schedule_at > posix + config.max_schedule:
            return BAD_SCHEDULE.saying("schedule_at: too far ahead")
        if s.expires_at and s.expires_at <= max(posix, s.schedule_at):
            return BAD_EXPIRY.saying("expires_at: is over already, or before schedule_at")
        if s.coding != TEXT and not 0 <= s.coding <= 0xFF:
            return BAD_BODY.saying(f"coding: {s.coding}")
        return None

    # -- when it is written

    def _on_written(self, is_written: bool, taking: Taking, now: float) -> None:
        self._unwritten -= len(taking.messages)
        if not is_written:
            self._take_back(taking)
            refused = [r if isinstance(r, Refusal) else _UNWRITTEN for r in taking.results]
            taking.done(taking.batch, refused, now)
            return
        known = taking.known
        results = taking.results
        if known:
            results = [r if isinstance(r, Refusal) else known.get(r, r) for r in results]
        taking.done(taking.batch, results, now)
        self._begin(taking, now)

    def _begin(self, taking: Taking, now: float) -> None:
        """What is written goes its way."""
        book, fates = self._book, self._fates
        if taking.known:
            self._take_back(taking, only=taking.known)
        book.counters["accepted"] += len(taking.messages)
        for way, messages in taking.direct.items():
            fates.ways.hand_over(way, messages, now)
        for message in taking.messages:
            book.begin(message)
            if message.state is State.QUEUED:
                fates.inserted(message, now)
            elif message.state is State.SCHEDULED:
                fates.wake_at(message.submission.schedule_at)

    def _take_back(self, taking: Taking, only: Container[int] | None = None) -> None:
        """Something was not written: nobody was told otherwise, or that it is another message."""
        for way, messages in taking.direct.items():
            gone = [message for message in messages if only is None or message.id in only]
            way.reserved -= len(gone)
            messages[:] = [message for message in messages if message not in gone]
        for message in list(taking.messages):
            if only is None or message.id in only:
                taking.messages.remove(message)
                self._rules.forget(message.submission)
                if message.state is State.QUEUED:
                    self._book.unplaced.discard(message.id)
                    self._fates.lanes.get(message.lane).count -= 1


_UNWRITTEN = QUEUE_FULL.saying("the disk could not be written to")
