"""When messages come due: scheduled ones, those that are tried again, those whose validity ends."""

from __future__ import annotations

from collections.abc import Callable

from switchroom.protocols.wheel import NEVER
from switchroom.switch.sms.book import Book
from switchroom.switch.sms.interfaces import STATES, State
from switchroom.switch.sms.stored import Stored, restore
from switchroom.switch.store.sms import Row

from .lanes import Lanes

_BATCH = 500
_LONGEST = 30.0  # seconds after which the disk is asked in any case: the wall clock may have been set
_SHORTEST = 0.02
_OVERDUE_INTERVAL = 60.0


class Timetable:
    """Asks the store for what is due. Stored times are of the wall clock: they outlive the process."""

    def __init__(
        self,
        book: Book,
        lanes: Callable[[], Lanes],
        place: Callable[[Stored, float], None],
        expire: Callable[[Stored, float], None],
        set_aside: Callable[[int], Stored | None],
        lose: Callable[[Stored, float], None],
        prune: Callable[[float], None],
    ) -> None:
        """``set_aside`` finds what waits for its turn, ``lose`` ends what no receipt came for."""
        self._book, self._lanes, self._place, self._expire = book, lanes, place, expire
        self._set_aside, self._lose, self._prune = set_aside, lose, prune
        self.receipt_timeout = 0.0
        self._overdue = _Question("overdue", self._on_overdue)
        self._due = _Question("due", self._on_due)
        self._expiry = _Question("expired", self._on_expired)

    def wake_at(self, posix: float) -> None:
        """Something comes due then."""
        self._due.not_after(self._book, posix)

    def expires_at(self, posix: float) -> None:
        """Something that waits expires then."""
        self._expiry.not_after(self._book, posix)

    def next_timer(self) -> float:
        """When to look."""
        return min(self._due.at, self._expiry.at, self._overdue.at)

    def handle_timer(self, now: float) -> None:
        """Ask for what is due."""
        posix = self._book.posix(now)
        for question, at in (
            (self._due, posix),
            (self._expiry, posix),
            (self._overdue, posix - self.receipt_timeout),
        ):
            if now >= question.at and not question.is_asked:
                question.is_asked, question.at = True, NEVER
                self._book.store.ask(question.name, (at, _BATCH), question.reply)

    def _on_overdue(self, found: list[Row], _: object, now: float) -> None:
        self._prune(now)
        for row in found:
            if row.id not in self._book.settled and not STATES[row.state].is_final:
                self._lose(restore(row), now)
        self._overdue.at = now + (_SHORTEST if found else _OVERDUE_INTERVAL)
        self._book.store.pending.after((self._free, self._overdue))

    def _on_due(self, found: tuple[list[Row], float | None], _: object, now: float) -> None:
        rows, next_at = found
        pending = self._book.store.pending
        for row in rows:
            if row.id in self._book.settled:
                continue
            pending.timers[row.id] = None
            self._book.settle(row.id)
            if row.state in (State.DEFERRED, State.SCHEDULED):
                self._place(restore(row), now)
        self._answered(self._due, next_at, bool(rows), now)

    def _on_expired(
        self, found: tuple[list[tuple[str, int, Row]], float | None], _: object, now: float
    ) -> None:
        rows, next_at = found
        for name, rank, row in rows:
            if row.id in self._book.settled:
                continue
            self._book.store.pending.unqueue(name, rank, row.id)
            lane = self._lanes().get(name)
            lane.count -= 1
            message = self._lanes().take(lane, row.id) or self._set_aside(row.id) or restore(row)
            message.lane = name
            self._expire(message, now)
        self._answered(self._expiry, next_at, bool(rows), now)

    def _answered(self, question: _Question, next_at: float | None, is_changed: bool, now: float) -> None:
        wait = _LONGEST if next_at is None else max(next_at - self._book.posix(now), _SHORTEST)
        question.at = min(question.at, now + min(wait, _LONGEST))
        if is_changed:  # what was found is still on the disk until this is written
            self._book.store.pending.after((self._free, question))
        else:
            question.is_asked = False

    def _free(self, _: bool, question: _Question, now: float) -> None:
        question.is_asked = False


class _Question:
    """One of two questions to the store, and when it is asked."""

    __slots__ = ("at", "is_asked", "name", "reply")

    def __init__(self, name: str, reply: Callable[..., None]) -> None:
        self.name, self.reply = name, reply
        self.at = 0.0  # monotonic; at once after the start
        self.is_asked = False

    def not_after(self, book: Book, posix: float) -> None:
        now = book.clock.now()
        self.at = min(self.at, now + max(posix - book.posix(now), 0.0))
