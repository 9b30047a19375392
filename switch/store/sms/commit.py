"""What the writer's thread does with what is pending: one transaction, many rows a statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import structlog

from switchroom.switch.store.rows import clean
from switchroom.switch.store.writer import CommitError

from .pending import Accepted, Pending
from .reserve import Reserve
from .schema import connect, migrate

# Rows a statement. SQLite runs a statement without the interpreter's lock, but each hand-over of the lock may
# wait for the loop's thread: a batch must need few of them, however large it is.
_CHUNKS = (512, 256, 128, 64, 32, 16, 8, 4, 2, 1)
_BAD_ROW = (
    UnicodeError,
    OverflowError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)

_INSERT = ("INSERT OR REPLACE INTO {} VALUES ", "")
_PUT_MESSAGES = ("INSERT INTO messages VALUES ", "")
_PUT_HISTORY = ("INSERT OR IGNORE INTO history VALUES ", "")
_SET_STATES = (
    "UPDATE messages SET state = v.column2, outlet = v.column3, route = v.column4, attempts = v.column5, "
    "changed_at = v.column6, error = v.column7, reason = v.column8, parts = v.column9 FROM (VALUES ",
    ") AS v WHERE messages.id = v.column1",
)
_SET_BODIES = (
    "UPDATE messages SET body = v.column2, coding = v.column3, extra = v.column4, wish = v.column5, "
    "expires_at = v.column6, is_redacted = v.column7 FROM (VALUES ",
    ") AS v WHERE messages.id = v.column1",
)
_FROM_QUEUE = "queue WHERE lane = ? AND rank = ? AND message"
Shape = tuple[str, str]

log = structlog.get_logger("switchroom.store")


def _put(table: str) -> Shape:
    return (_INSERT[0].format(table), "")


_PUT_QUEUE, _PUT_TIMERS, _PUT_KEYS = _put("queue"), _put("timers"), _put("keys")
_PUT_EXPECTING, _PUT_NOTICES = _put("expecting"), _put("notices")
_PUT_ORPHANS, _PUT_STATE = _put("orphans"), _put("state")


class Committer:
    """Owns the connection of the writer's thread."""

    def __init__(self, path: Path, reserve_size: int) -> None:
        self._path = path
        self._reserve = Reserve(path.with_suffix(".reserve"), reserve_size)
        self._connection: sqlite3.Connection | None = None
        self.bad_row_count = 0
        self.is_full = False  # the disk was; the reserve is what there is to write into

    def open(self) -> None:
        """Open the file and bring it up to date."""
        self._connection = connect(self._path)
        migrate(self._connection)
        self._reserve.take()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                connection.close()
            except sqlite3.Error as error:
                log.warning("store.close_failed", reason=str(error))

    def commit(self, pending: Pending) -> None:
        """Write all of it, durably; CommitError: nothing was written."""
        try:
            if self._connection is None:
                self._connection = connect(self._path)
                migrate(self._connection)
            try:
                self._transact(self._connection, pending, _run)
            except _BAD_ROW:
                self._transact(self._connection, pending, self._run_each)
        except sqlite3.Error as error:
            self.close()  # the next attempt starts afresh, whatever happened to the file
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
                self.is_full = True
                self._reserve.release()
            raise CommitError(str(error)) from None

    def regain(self) -> bool:
        """Whether there is room again, after the disk was full: the reserve is back in its place."""
        if self.is_full and self._reserve.take():
            self.is_full = False
        return not self.is_full

    def sweep(self, work: Callable[[sqlite3.Connection, float], None], deadline: float) -> None:
        """House-keeping: ``work`` ends at the deadline, in transactions of its own."""
        try:
            if self._connection is not None:
                work(self._connection, deadline)
        except sqlite3.Error as error:
            self.close()
            log.warning("store.sweep_failed", reason=str(error))

    def _transact(self, connection: sqlite3.Connection, pending: Pending, run: Callable[..., None]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for accepted in pending.accepted:
                if accepted.keys:
                    _drop_known(connection, accepted)
            # First out of the lanes: what is replaced leaves its lane and takes the same place again
            for (lane, rank), messages in pending.unqueued.items():
                for statement, values in _delete(_FROM_QUEUE, (lane, rank), messages):
                    connection.execute(statement, values)
            for shape, rows in _statements(pending):
                if rows:
                    run(connection, shape, rows)
            for statement, values in _removals(pending):
                connection.execute(statement, values)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _run_each(self, connection: sqlite3.Connection, shape: Shape, rows: Iterable[Any]) -> None:
        """One row must not cost the others: leave out what the tables refuse."""
        for row in rows:
            try:
                connection.execute(_sql(shape, len(row), 1), clean(tuple(row)))
            except _BAD_ROW as error:
                self.bad_row_count += 1
                log.error("store.row_refused", row=repr(row[0]), reason=str(error))


def _drop_known(connection: sqlite3.Connection, accepted: Accepted) -> None:
    """Take out of a batch what has been submitted with the same key before, in the batch or earlier."""
    accepted.known.clear()
    first: dict[tuple[str, str], int] = {}
    find = "SELECT message FROM keys WHERE inlet = ? AND key = ?"
    for inlet, key, message, at in accepted.keys:
        found = connection.execute(find, (inlet, key)).fetchone()
        known = first.setdefault((inlet, key), found[0] if found else message)
        if known != message:
            accepted.known[message] = known
        else:
            connection.execute("INSERT INTO keys VALUES (?, ?, ?, ?)", (inlet, key, message, at))


def _fresh(pending: Pending, name: str, at: int) -> list[Any]:
    """The rows of all accepted batches, but for messages that were known already."""
    found: list[Any] = []
    for accepted in pending.accepted:
        rows = getattr(accepted, name)
        found += [row for row in rows if row[at] not in accepted.known] if accepted.known else rows
    return found


def _statements(pending: Pending) -> list[tuple[Shape, Sequence[Any]]]:
    queued = _fresh(pending, "queued", 2) + pending.queued
    timers = _fresh(pending, "timers", 0) + [
        (message, at) for message, at in pending.timers.items() if at is not None
    ]
    return [
        (_PUT_MESSAGES, _fresh(pending, "rows", 0)),
        (_PUT_QUEUE, queued),
        (_PUT_TIMERS, timers),
        (_SET_STATES, list(pending.states.values())),
        (_SET_BODIES, list(pending.bodies.values())),
        (_PUT_HISTORY, pending.history),
        (_PUT_EXPECTING, pending.expecting),
        (_PUT_NOTICES, [(o.inlet, o.id, o.message, o.state, o.at, o.detail) for o in pending.owed]),
        (_PUT_ORPHANS, pending.orphans),
        (_PUT_STATE, list(pending.values.items())),
    ]


def _removals(pending: Pending) -> Iterable[tuple[str, tuple[Any, ...]]]:
    for inlet, notices in pending.paid.items():
        yield from _delete("notices WHERE inlet = ? AND id", (inlet,), notices)
    gone = [message for message, at in pending.timers.items() if at is None]
    yield from _delete("timers WHERE message", (), gone)
    yield from _delete("expecting WHERE key", (), pending.unexpecting)
    yield from _delete("orphans WHERE id", (), pending.orphans_gone)


def _delete(where: str, values: tuple[Any, ...], members: list[int]) -> Iterable[tuple[str, tuple[Any, ...]]]:
    for at, size in _chunks(len(members)):
        yield f"DELETE FROM {where} IN ({_marks(size)})", (*values, *members[at : at + size])


def _run(connection: sqlite3.Connection, shape: Shape, rows: Sequence[Sequence[Any]]) -> None:
    width = len(rows[0])
    for at, size in _chunks(len(rows)):
        values = tuple(chain.from_iterable(rows[at : at + size]))
        connection.execute(_sql(shape, width, size), values)


@lru_cache(maxsize=1024)
def _chunks(count: int) -> tuple[tuple[int, int], ...]:
    """Where the chunks begin, and their sizes: few sizes, so that statements are prepared once."""
    found, at = [], 0
    for size in _CHUNKS:
        while count - at >= size:
            found.append((at, size))
            at += size
    return tuple(found)


@lru_cache(maxsize=16)
def _marks(count: int) -> str:
    return ", ".join("?" * count)


@lru_cache(maxsize=128)
def _sql(shape: Shape, column_count: int, row_count: int) -> str:
    row = f"({_marks(column_count)})"
    return shape[0] + ", ".join([row] * row_count) + shape[1]
