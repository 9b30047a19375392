"""What is asked about a message that was taken: where it is; to cancel, replace or redact it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from switchroom.switch.sms.book import Book
from switchroom.switch.sms.interfaces import (
    NO_SUCH_MESSAGE,
    NOT_REPLACEABLE,
    TOO_LATE,
    Answered,
    Done,
    Refusal,
    Standing,
    State,
    Submission,
)
from switchroom.switch.sms.stored import Stored, extra_of, restore, submission_of
from switchroom.switch.store.sms import Row

from .acceptance import Acceptance
from .fates import Fates

_WAITING = (State.QUEUED, State.SCHEDULED, State.DEFERRED)
_RANKS = 3


class Orders:
    """Each reads the message first, and does what it says to what it finds."""

    def __init__(self, book: Book, fates: Fates) -> None:
        self._book, self._fates = book, fates

    def query(self, id: int, inlet: str, answered: Answered, context: Any) -> None:
        """Where it is."""
        self._read(id, (self._on_query, inlet, answered, context))

    def handed(self, id: int, inlet: str, answered: Answered, context: Any) -> None:
        """Where it is, and as what: the next hop's id and the sender that it was told."""
        self._read(id, (self._on_handed, inlet, answered, context))

    def conclude(self, id: int, inlet: str, state: State) -> None:
        """The next hop says what became of it."""
        self._read(id, (self._on_conclude, inlet, _ignore, state))

    def cancel(self, id: int, inlet: str, answered: Answered, context: Any) -> None:
        """Take it back."""
        self._read(id, (self._on_cancel, inlet, answered, context))

    def replace(self, id: int, new: Submission, answered: Answered, context: Any) -> None:
        """Change it."""
        self._read(id, (self._on_replace, new.inlet, answered, (new, context)))

    def redact(self, id: int, inlet: str, answered: Answered, context: Any) -> None:
        """Forget what it says."""
        self._read(id, (self._on_redact, inlet, answered, context))

    def cancel_all(
        self, source: str, destination: str, service: str, inlet: str, answered: Answered, context: Any
    ) -> None:
        """Take back all that waits between two numbers."""
        asked = (answered, context)
        self._book.store.ask("waiting", (source, destination, service, inlet), self._on_waiting, asked)

    def members(self, name: str, inlet: str, answered: Answered, context: Any) -> None:
        """Where all messages of one name are."""
        self._book.store.pending.after((self._ask_members, ((inlet, f"{name}/"), (answered, context))))

    def requeue(self, id: int, answered: Answered, context: Any) -> None:
        """Try a message again that was given up."""
        self._read(id, (self._on_requeue, "", answered, context))

    # -- how

    def _read(self, id: int, what: Any) -> None:
        # A change may still be on its way to the disk: what is asked after that, is asked in time
        self._book.store.pending.after((self._ask, (id, what)))

    def _ask(self, _: bool, asked: Any, now: float) -> None:
        self._book.store.ask("message", (asked[0],), self._on_read, asked[1])

    def _on_read(self, row: Row | None, what: Any, now: float) -> None:
        act, inlet, answered, context = what
        if row is None or (inlet and row.inlet != inlet):
            answered(context, NO_SUCH_MESSAGE, now)
            return
        act(row, answered, context, now)

    def _ask_members(self, _: bool, asked: Any, now: float) -> None:
        values, what = asked
        self._book.store.ask("keyed", values, self._on_members, what)

    def _on_members(self, rows: list[Row], what: tuple[Answered, Any], now: float) -> None:
        answered, context = what
        answered(context, [standing_of(row) for row in rows], now)

    def _on_query(self, row: Row, answered: Answered, context: Any, now: float) -> None:
        answered(context, standing_of(row), now)

    def _on_handed(self, row: Row, answered: Answered, context: Any, now: float) -> None:
        self._book.store.ask("history", (row.id,), self._on_history, (row, answered, context))

    def _on_history(self, history: list[tuple[float, int, str, str]], asked: Any, now: float) -> None:
        row, answered, context = asked
        notes = [note for _, state, _, note in history if state == State.SENT]
        message = restore(row)
        self._fates.routes.dress(message)
        answered(
            context, (standing_of(row), notes[-1].partition(" ")[0] if notes else "", message.source), now
        )

    def _on_conclude(self, row: Row, answered: Answered, state: State, now: float) -> None:
        if row.state == State.SENT and row.id not in self._book.settled:
            self._fates.finish(restore(row), state, now)

    def _take_out(self, row: Row, now: float) -> Stored | None:
        """Out of its lane, or of the timetable, before anybody else takes it; None: somebody has."""
        state = State(row.state)
        if state not in _WAITING or row.id in self._book.settled:
            return None
        pending = self._book.store.pending
        if state is not State.QUEUED:
            pending.timers[row.id] = None
            return restore(row)
        lane = self._fates.lanes.get(row.outlet)
        message = self._fates.lanes.take(lane, row.id) or self._fates.ways.turns.remove(row.id)
        if message is None and (row_rank(row), row.id) <= lane.tail:
            return None  # it left the lane a moment ago
        pending.unqueue(lane.name, row_rank(row), row.id)
        lane.count -= 1
        return message or restore(row)

    def _on_cancel(self, row: Row, answered: Answered, context: Any, now: float) -> None:
        message = self._take_out(row, now)
        if message is None:
            answered(context, TOO_LATE.saying(f"it is {State(row.state).name.lower()}"), now)
            return
        self._fates.finish(message, State.DELETED, now, reason="cancelled")
        self._answer(message, answered, context)

    def _on_waiting(self, found: list[tuple[str, int, Row]], asked: Any, now: float) -> None:
        count = 0
        for _, _, row in found:
            message = self._take_out(row, now)
            if message is not None:
                count += 1
                self._fates.finish(message, State.DELETED, now, reason="cancelled")
        answered, context = asked
        self._book.store.pending.after((_tell, (answered, context, count)))

    def _on_replace(self, row: Row, answered: Answered, context: Any, now: float) -> None:
        new, own = context
        message = self._take_out(row, now)
        if message is None:
            answered(own, NOT_REPLACEABLE.saying(f"it is {State(row.state).name.lower()}"), now)
            return
        self._change(message, new, now)
        self._answer(message, answered, own)

    def _change(self, message: Stored, new: Submission, now: float) -> None:
        old = message.submission
        changed = old._replace(
            body=new.body,
            coding=new.coding,
            udh=new.udh,
            message_class=new.message_class,
            schedule_at=new.schedule_at,
            wish=new.wish,
            tlvs=new.tlvs or old.tlvs,
        )
        message.submission = changed
        message.expires_at = new.expires_at or message.expires_at
        self._book.store.pending.bodies[message.id] = (
            *(message.id, changed.body, changed.coding, extra_of(changed), changed.wish),
            *(message.expires_at, 0),
        )
        self._again(message, now)

    def submit(self, batch: Sequence[Submission], now: float, done: Done, acceptance: Acceptance) -> None:
        """Messages of which some take the place of one that waits (replace_if_present)."""
        round_ = _Round(batch, done)
        for place, submission in enumerate(batch):
            if submission.is_replacing:
                s = submission
                values = (s.source.number, s.destination.number, s.service_type, s.inlet)
                self._book.store.ask("waiting", values, self._on_present, (round_, place, acceptance))
            else:
                acceptance.submit([submission], now, partial(round_.hear, place))

    def _on_present(self, found: list[tuple[str, int, Row]], asked: Any, now: float) -> None:
        round_, place, acceptance = asked
        new: Submission = round_.batch[place]
        for _, _, row in reversed(found):
            message = self._take_out(row, now)
            if message is not None:
                self._change(message, new, now)
                hear = partial(round_.hear, place, (new,), (message.id,))
                self._book.store.pending.after((_tell_round, hear))
                return
        acceptance.submit([new], now, partial(round_.hear, place))

    def _again(self, message: Stored, now: float) -> None:
        if message.submission.schedule_at > self._book.posix(now):
            self._book.enter(message, State.SCHEDULED, now, note="replaced")
            self._fates.wait(message, message.submission.schedule_at)
        else:
            self._fates.place(message, now)

    def _on_redact(self, row: Row, answered: Answered, context: Any, now: float) -> None:
        if not State(row.state).is_final:
            answered(context, TOO_LATE.saying("it is not done with: cancel it first"), now)
            return
        extra = json.loads(row.extra) if row.extra else {}
        extra.pop("tlvs", None)
        self._book.store.pending.bodies[row.id] = (
            *(row.id, b"", row.coding, json.dumps(extra) if extra else None, row.wish, row.expires_at, 1),
        )
        self._book.store.pending.size += 1
        redacted = standing_of(row._replace(body=b"", is_redacted=1))
        self._book.store.pending.after((_tell, (answered, context, redacted)))

    def _on_requeue(self, row: Row, answered: Answered, context: Any, now: float) -> None:
        state = State(row.state)
        if not state.is_final or state is State.DELIVERED or row.is_redacted:
            why = "its text is gone" if row.is_redacted else f"it is {state.name.lower()}"
            answered(context, TOO_LATE.saying(why), now)
            return
        message = restore(row)
        message.attempts, message.error, message.reason = 0, "", ""
        posix = self._book.posix(now)
        if message.expires_at <= posix:
            message.expires_at = posix + max(message.expires_at - message.accepted_at, 3600.0)
            s = message.submission
            self._book.store.pending.bodies[message.id] = (
                *(message.id, s.body, s.coding, extra_of(s), s.wish, message.expires_at, 0),
            )
        self._book.enter(message, State.QUEUED, now, note="tried again on request")
        self._fates.place(message, now)
        self._answer(message, answered, context)

    def _answer(self, message: Stored, answered: Answered, context: Any) -> None:
        self._book.store.pending.after((_tell, (answered, context, standing(message))))


class _Round:
    """A batch whose answers come one by one."""

    def __init__(self, batch: Sequence[Submission], done: Done) -> None:
        self.batch, self._done = batch, done
        self._results: list[int | Refusal | None] = [None] * len(batch)

    def hear(self, place: int, _: Sequence[Submission], found: Sequence[int | Refusal], now: float) -> None:
        """One answer; with the last one the batch has its own."""
        self._results[place] = found[0]
        results = [result for result in self._results if result is not None]
        if len(results) == len(self.batch):
            self._done(self.batch, results, now)


def _tell_round(_: bool, hear: Callable[[float], None], now: float) -> None:
    hear(now)


def row_rank(row: Row) -> int:
    """Its rank in a lane."""
    return _RANKS - row.priority


def standing(message: Stored) -> Standing:
    """What there is to tell about a message in memory."""
    m = message
    return Standing(
        *(m.id, m.state, m.submission, m.accepted_at, m.changed_at, m.outlet, m.error, m.reason),
        *(m.parts, m.attempts),
    )


def standing_of(row: Row) -> Standing:
    """The same about one of the store."""
    outlet = "" if row.state == State.QUEUED else row.outlet
    return Standing(
        *(row.id, State(row.state), submission_of(row), row.accepted_at, row.changed_at, outlet),
        *(row.error, row.reason, row.parts, row.attempts, bool(row.is_redacted)),
    )


def _tell(_: bool, told: tuple[Answered, Any, Standing | Refusal | int], now: float) -> None:
    answered, context, answer = told
    answered(context, answer, now)


def _ignore(context: Any, answer: Any, now: float) -> None:
    """Nobody asked."""
