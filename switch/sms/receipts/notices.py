"""Receipts for those who asked: owed on the disk until they are acknowledged; each inlet has its line."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from switchroom.switch.sms.book import Book, as_json
from switchroom.switch.sms.interfaces import STATES, Inlet, Notice, Receipt, State, Submission, Wish
from switchroom.switch.sms.stored import Stored, restore
from switchroom.switch.sms.texts import text_of
from switchroom.switch.store.sms import Owed, Row

_HEADS = 1000  # of one inlet in memory
_LOW = 200
_BEGINNING = 20  # characters of the text that a receipt repeats (SMPP 3.4, Appendix B)


class _Line:
    """The notices of one inlet."""

    __slots__ = ("count", "has_more", "heads", "inlet", "is_loading", "name", "sent", "tail")

    def __init__(self, name: str) -> None:
        self.name = name
        self.inlet: Inlet | None = None
        self.heads: deque[Notice] = deque()
        self.sent: dict[int, Notice] = {}  # handed over, not acknowledged
        self.count = 0
        self.has_more = self.is_loading = False
        self.tail = 0


class Notices:
    """What inlets are owed."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._lines: dict[str, _Line] = {}
        self._dirty: dict[str, _Line] = {}
        self.counters = dict.fromkeys(("owed", "heard"), 0)

    def load(self, counts: dict[str, int]) -> None:
        """Begin with what the store has."""
        for inlet, count in counts.items():
            line = self._line(inlet)
            line.count, line.has_more = count, True

    def attach(self, inlet: Inlet, now: float) -> None:
        """Somebody listens, or has room again."""
        line = self._line(inlet.name)
        if line.inlet is not inlet:
            self._give_back(line)
            line.inlet = inlet
        self._fill(line)
        self._dirty[line.name] = line

    def detach(self, name: str) -> None:
        """Nobody listens any more; what was not acknowledged is told again."""
        line = self._lines.get(name)
        if line is not None:
            line.inlet = None
            self._give_back(line)
            self._drop(line)

    def _give_back(self, line: _Line) -> None:
        line.heads.extendleft(reversed(line.sent.values()))
        line.sent.clear()

    # -- what happens

    def on_state(self, message: Stored, now: float) -> None:
        """A message entered a state: owe a notice to whoever wants to know."""
        wish = message.submission.wish
        if wish and _is_wanted(wish, message.state):
            self._owe(message, message.state, message.changed_at, now)

    def on_intermediate(self, message: Stored, receipt: Receipt, now: float) -> None:
        """The next hop says how it is going."""
        if message.submission.wish & Wish.INTERMEDIATE:
            at = receipt.done_at or self._book.posix(now)
            self._owe(message, receipt.state, at, now, is_intermediate=True)

    def _owe(
        self, message: Stored, state: State, at: float, now: float, *, is_intermediate: bool = False
    ) -> None:
        store = self._book.store
        progress = message.progress
        delivered = progress.count(State.DELIVERED) if progress else int(state is State.DELIVERED)
        network_error = message.network_error
        notice = _notice(
            store.next_id(),
            message,
            state,
            at,
            message.error if state is not State.DELIVERED else "",
            network_error,
            delivered,
            is_intermediate,
            message.reason if state is not State.DELIVERED else "",
        )
        detail = ""
        if notice.error or notice.reason or network_error or is_intermediate or message.parts > 1:
            detail = as_json(
                error=notice.error,
                network_error=network_error.hex(),
                delivered=delivered,
                is_intermediate=is_intermediate,
                reason=notice.reason,
            )
        inlet = message.submission.inlet
        store.pending.owed.append(Owed(notice.id, inlet, message.id, state, at, detail))
        self._book.later(self._on_owed, (inlet, notice))
        self._line(inlet).count += 1
        self.counters["owed"] += 1

    def _on_owed(self, _: bool, owed: list[tuple[str, Notice]], now: float) -> None:
        for name, notice in owed:
            self._take(self._line(name), notice)

    def _take(self, line: _Line, notice: Notice) -> None:
        if notice.id <= line.tail:
            return  # it was read from the disk a moment ago
        if line.has_more or line.is_loading or len(line.heads) >= _HEADS or line.inlet is None:
            line.has_more = True
            return
        line.heads.append(notice)
        line.tail = notice.id
        self._dirty[line.name] = line

    # -- handing over

    def flush(self, now: float) -> None:
        """Tell whoever listens."""
        while self._dirty:
            _, line = self._dirty.popitem()
            self._hand_over(line, now)

    def _hand_over(self, line: _Line, now: float) -> None:
        if line.inlet is None:
            return
        count = min(len(line.heads), line.inlet.notice_room(now))
        if count > 0:
            batch = [line.heads.popleft() for _ in range(count)]
            for notice in batch:
                line.sent[notice.id] = notice
            line.inlet.notify(batch, now)
        self._fill(line)

    def noticed(self, name: str, ids: Any, now: float, *, is_heard: bool) -> None:
        """They were acknowledged, or are told again at the next attach."""
        line = self._lines.get(name)
        if line is None:
            return
        paid = []
        for id in ids:
            notice = line.sent.pop(id, None)
            if notice is None:
                continue
            if is_heard:
                line.count -= 1
                self.counters["heard"] += 1
                paid.append(id)
                self._book.store.pending.pay(name, id)
            else:
                line.heads.appendleft(notice)
        if is_heard:
            self._dirty[name] = line
        if paid:
            self._book.settle(*paid)

    def _fill(self, line: _Line) -> None:
        if line.has_more and not line.is_loading and line.inlet is not None and len(line.heads) < _LOW:
            line.is_loading, line.has_more = True, False
            self._book.store.ask("notices", (line.name, line.tail, _HEADS), self._on_loaded, line)

    def _on_loaded(self, found: list[tuple[Owed, Row]], line: _Line, now: float) -> None:
        line.is_loading = False
        line.has_more = line.has_more or len(found) == _HEADS
        for owed, row in found:
            if owed.id > line.tail and owed.id not in self._book.settled:
                line.heads.append(_from_store(owed, row))
                line.tail = owed.id
        self._dirty[line.name] = line

    # -- lines

    def _line(self, name: str) -> _Line:
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = _Line(name)
        return line

    def _drop(self, line: _Line) -> None:
        """Nobody listens: what waits is on the disk, and is read when somebody does."""
        line.heads.clear()
        line.tail, line.has_more, line.is_loading = 0, line.count > 0, False
        if not line.count:
            self._lines.pop(line.name, None)
            self._dirty.pop(line.name, None)

    @property
    def waiting(self) -> dict[str, int]:
        """How many notices wait for each inlet."""
        return {line.name: line.count for line in self._lines.values() if line.count}


def _is_wanted(wish: int, state: State) -> bool:
    if wish & Wish.EACH_STATE:
        return state is not State.DEFERRED
    if not state.is_final:
        return bool(wish & Wish.INTERMEDIATE) and state is State.DEFERRED
    kind = wish & 3
    if kind == Wish.FINAL:
        return True
    return kind == (Wish.SUCCESS if state is State.DELIVERED else Wish.FAILURE) and kind != 0


def _notice(
    id: int,
    message: Stored,
    state: State,
    at: float,
    error: str,
    network_error: bytes,
    delivered: int,
    is_intermediate: bool,
    reason: str,
) -> Notice:
    s = message.submission
    return Notice(
        id,
        message.id,
        state,
        s.wish,
        s.source,
        s.destination,
        s.service_type,
        message.accepted_at,
        at,
        error,
        network_error,
        message.parts,
        delivered,
        *_beginning(s),
        is_intermediate or not state.is_final,
        reason,
        s.key,
    )


def _beginning(s: Submission) -> tuple[bytes, int]:
    if s.coding < 0:
        return (text_of(s) or "")[:_BEGINNING].encode("utf-8", "replace"), s.coding
    return s.body[:_BEGINNING], s.coding


def _from_store(owed: Owed, row: Row) -> Notice:
    detail = json.loads(owed.detail) if owed.detail else {}
    return _notice(
        owed.id,
        restore(row),
        STATES[owed.state],
        owed.at,
        detail.get("error", ""),
        bytes.fromhex(detail.get("network_error", "")),
        detail.get("delivered", int(owed.state == State.DELIVERED)),
        detail.get("is_intermediate", False),
        detail.get("reason", ""),
    )
