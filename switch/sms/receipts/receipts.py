"""Receipts from next hops, matched to what was sent, however their ids are spelled and whenever they come."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

from switchroom.switch.sms.book import Book
from switchroom.switch.sms.interfaces import STATES, Outcome, Outlet, Receipt, State
from switchroom.switch.sms.stored import Stored, restore
from switchroom.switch.store.sms import Expecting, Orphan, Row, part_key, split_part_key

from .marks import mark_of, marks_in_receipt
from .notices import Notices

_HOT = 50_000  # messages that wait for a receipt, in memory; the others are found on the disk
_EARLY = 100_000  # receipts that matched nothing, in memory

Acknowledge = Callable[[Any, float], None]


class _Round:
    """Receipts that came together: they are acknowledged when all of them are on the disk."""

    __slots__ = ("context", "done", "left")

    def __init__(self, left: int, done: Acknowledge, context: Any) -> None:
        self.left, self.done, self.context = left, done, context


class _Early:
    """A receipt that nothing was sent for, yet, and the spellings under which it is looked for."""

    __slots__ = ("at", "id", "marks", "receipt")

    def __init__(self, id: int, receipt: Receipt, marks: Sequence[str], at: float) -> None:
        self.id, self.receipt, self.marks, self.at = id, receipt, marks, at


class Receipts:
    """What is waited for, and what came for nothing that is known."""

    def __init__(
        self,
        book: Book,
        notices: Notices,
        finish: Callable[..., None],
    ) -> None:
        self._book, self._notices, self._finish = book, notices, finish
        self._hot: dict[str, tuple[Stored, int]] = {}
        self._early: dict[str, list[_Early]] = {}
        self.counters = dict.fromkeys(("matched", "early", "unmatched", "late"), 0)

    def load(self, orphans: Iterable[Orphan]) -> None:
        """Take up what matched nothing before the restart."""
        for orphan in orphans:
            receipt = Receipt(**json.loads(orphan.detail))
            octets = bytes.fromhex(str(receipt.network_error))
            receipt = receipt._replace(state=STATES[receipt.state], network_error=octets)
            marks = marks_in_receipt(orphan.outlet, receipt.remote_id)
            self._file(_Early(orphan.id, receipt, marks, orphan.at))

    def _file(self, early: _Early) -> None:
        if len(self._early) < _EARLY:
            for mark in early.marks:
                self._early.setdefault(mark, []).append(early)

    def prune(self, before: float) -> None:
        """Nobody looks for what is older; the store forgets it by itself."""
        for mark, found in list(self._early.items()):
            if found[-1].at < before:
                del self._early[mark]

    # -- what is sent

    def expect(self, message: Stored, outcome: Outcome, now: float) -> None:
        """The next hop has a part: a receipt may come, or has come already."""
        ordinal = outcome.part.ordinal
        is_one = message.progress is None
        if not outcome.remote_id or not message.wish:
            if not is_one:  # which parts have gone must be known after a restart
                self._write(message, ordinal, "", "", now)
            return
        mark = mark_of(message.outlet, outcome.remote_id)
        for one in (message, *message.joined):
            self._write(one, ordinal, mark, outcome.remote_id, now)
        self._hot[mark] = (message, ordinal)
        if len(self._hot) > _HOT:
            for old in list(islice(self._hot, _HOT // 10)):
                del self._hot[old]
        if self._early:
            self._match_early(message, mark, now)

    def _write(self, message: Stored, ordinal: int, mark: str, remote_id: str, now: float) -> None:
        state = message.progress[ordinal] if message.progress else None
        pending = self._book.store.pending
        pending.expecting.append(
            Expecting(
                part_key(message.id, ordinal),
                message.outlet,
                mark,
                remote_id,
                State.SENT if state is None else state,
                self._book.posix(now),
            )
        )
        pending.size += 1

    def _match_early(self, message: Stored, mark: str, now: float) -> None:
        """Receipts that came before the answer to what they are about."""
        pending = self._book.store.pending
        for early in self._early.pop(mark, ()):
            pending.orphans_gone.append(early.id)
            pending.size += 1
            for other in early.marks:
                left = [entry for entry in self._early.get(other, ()) if entry is not early]
                if left:
                    self._early[other] = left
                else:
                    self._early.pop(other, None)
            self.counters["early"] += 1
            hot = self._hot.get(mark)
            if hot is not None:
                self._apply(*hot, early.receipt, now)

    def forget(self, message: Stored) -> None:
        """The message is done with: nothing is waited for."""
        if message.outlet or message.parts > 1:
            first = part_key(message.id, 0)
            self._book.store.pending.unexpecting += range(first, first + message.parts)

    # -- what comes

    def receive(
        self, outlet: Outlet, receipts: Sequence[Receipt], now: float, done: Acknowledge, context: Any
    ) -> None:
        """Match them; ``done`` when all is durable."""
        notation, name = outlet.id_notation, outlet.name
        is_alike = notation in ("auto", "same")
        unknown: list[tuple[Receipt, list[str]]] = []
        for receipt in receipts:
            hot = self._hot.get(mark_of(name, receipt.remote_id)) if is_alike else None
            if hot is None:
                marks = marks_in_receipt(name, receipt.remote_id, notation)
                hot = next((found for mark in marks if (found := self._hot.get(mark)) is not None), None)
                if hot is None:
                    unknown.append((receipt, marks))
                    continue
            self._apply(*hot, receipt, now)
        if not unknown:
            self._book.store.pending.after((self._acknowledge, _Round(1, done, context)))
            return
        waiting = _Round(len(unknown), done, context)
        for receipt, marks in unknown:
            self._book.store.ask("marks", (marks,), self._on_found, (waiting, name, receipt, marks))

    def _on_found(self, found: list[tuple[Expecting, Row]], asked: Any, now: float) -> None:
        waiting, outlet, receipt, marks = asked
        hot = next((known for mark in marks if (known := self._hot.get(mark)) is not None), None)
        if hot is not None:
            self._apply(*hot, receipt, now)
        elif found and found[0][1].parts > 1:
            [(expecting, row), *_] = found
            asked = (waiting, restore(row), split_part_key(expecting.key)[1], receipt)
            self._book.store.ask("parts", (row.id,), self._on_parts, asked)
            return
        elif found:
            for _, row in found:  # several messages that went as one
                if row.id not in self._book.settled:
                    self._apply(restore(row), 0, receipt, now)
        else:
            self._keep(outlet, receipt, marks, now)
        self._book.store.pending.after((self._acknowledge, waiting))

    def _on_parts(self, found: list[Expecting], asked: Any, now: float) -> None:
        waiting, message, ordinal, receipt = asked
        message.progress = progress_of(found, message.parts)
        for expecting in found:
            if expecting.mark:
                self._hot.setdefault(expecting.mark, (message, split_part_key(expecting.key)[1]))
        self._apply(message, ordinal, receipt, now)
        self._book.store.pending.after((self._acknowledge, waiting))

    def _acknowledge(self, is_written: bool, waiting: _Round, now: float) -> None:
        waiting.left -= 1
        if not waiting.left and is_written:
            waiting.done(waiting.context, now)

    def _keep(self, outlet: str, receipt: Receipt, marks: list[str], now: float) -> None:
        """It matches nothing: perhaps the answer to what was sent comes after it."""
        self.counters["unmatched"] += 1
        reason = "no message was sent under this id" if marks else "it has no id"
        detail = {**receipt._asdict(), "context": None, "network_error": receipt.network_error.hex()}
        posix = self._book.posix(now)
        orphan = Orphan(
            self._book.store.next_id(),
            outlet,
            marks[0] if marks else "",
            posix,
            json.dumps(detail),
            reason,
        )
        self._book.store.pending.orphans.append(orphan)
        self._book.store.pending.size += 1
        self._file(_Early(orphan.id, receipt, marks, posix))

    # -- what it says

    def _apply(self, message: Stored, ordinal: int, receipt: Receipt, now: float) -> None:
        self.counters["matched"] += 1
        if message.state.is_final:
            self.counters["late"] += 1
            return
        if receipt.is_intermediate or not receipt.state.is_final:
            self._notices.on_intermediate(message, receipt, now)
            return
        self._book.time_receipt(message, now)
        if message.progress is None:
            self._end(message, receipt.state, receipt, now)
            return
        message.progress[ordinal] = receipt.state
        self._write(message, ordinal, mark_of(message.outlet, receipt.remote_id), receipt.remote_id, now)
        message.error = receipt.error or message.error
        self.review(message, now, receipt)

    def review(self, message: Stored, now: float, receipt: Receipt | None = None) -> None:
        """Whether all parts are done with; then the message is."""
        states = message.progress or []
        if message.state is State.SENDING or not all(
            state is not None and state.is_final for state in states
        ):
            return
        worst = next((state for state in states if state is not State.DELIVERED), State.DELIVERED)
        self._end(message, worst or State.UNKNOWN, receipt or Receipt("", State.UNKNOWN), now)

    def _end(self, message: Stored, state: State, receipt: Receipt, now: float) -> None:
        for joined in message.joined:
            if not joined.state.is_final:
                self._end(joined, state, receipt, now)
        message.network_error = receipt.network_error
        for_reason = "" if state is State.DELIVERED else f"the next hop says: {state.name.lower()}"
        self._finish(message, state, now, error=receipt.error, reason=for_reason)
        if receipt.remote_id:
            self._hot.pop(mark_of(message.outlet, receipt.remote_id), None)


def progress_of(found: Iterable[Expecting], count: int) -> list[State | None]:
    """The states of the parts of a message, None for those that have not gone."""
    progress: list[State | None] = [None] * count
    for expecting in found:
        ordinal = split_part_key(expecting.key)[1]
        if ordinal < count:
            progress[ordinal] = State(expecting.state)
    return progress
