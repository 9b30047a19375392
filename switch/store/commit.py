"""What the writer's thread does with a batch: one transaction, then the lines of the calls that ended."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path

import structlog

from .beside import Beside
from .interfaces import RecordSink
from .lines import CHUNK, lines_after
from .rows import (
    BINDING_COLUMNS,
    CALL_COLUMNS,
    OPEN_COLUMNS,
    Row,
    clean,
)
from .schema import PRAGMAS, connect, migrate
from .texts import TEXT_COLUMNS
from .writer import Batch, CommitError

try:
    from ._transaction import Transactions, is_there
except ImportError:  # not built: the sqlite3 module does it, slower
    is_there = False

# Rows a statement. SQLite runs a statement without the interpreter's lock, but each hand-over of the lock may
# wait for the loop's thread: a batch must need few of them, however large it is.
_CHUNKS = (64, 16, 4, 1)
_BAD_ROW = (
    UnicodeError,
    OverflowError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
_SINK_SYNC_INTERVAL = 1.0

_PUT_LIVE = f"INSERT OR REPLACE INTO live ({', '.join(OPEN_COLUMNS)}) VALUES "
_PUT_CALL = f"INSERT INTO calls ({', '.join(CALL_COLUMNS)}) VALUES "
_DROP_LIVE = "DELETE FROM live WHERE id IN ("
_PUT_BINDING = f"INSERT OR REPLACE INTO bindings ({', '.join(BINDING_COLUMNS)}) VALUES "
_DROP_BINDING = "DELETE FROM bindings WHERE (user, contact) IN (VALUES "
_PUT_TEXT = f"INSERT OR REPLACE INTO texts ({', '.join(TEXT_COLUMNS)}) VALUES "
_DROP_TEXT = "DELETE FROM texts WHERE id IN ("
_PUT_STATE = "INSERT OR REPLACE INTO state (key, value) VALUES "
_PURGE = "DELETE FROM bindings WHERE expires_at <= "
_ENDINGS = {
    _PUT_CALL: " ON CONFLICT (id) DO NOTHING",
    **dict.fromkeys((_DROP_LIVE, _DROP_BINDING, _DROP_TEXT), ")"),
}

Work = list[tuple[str, list[Row]]]  # beginnings of statements and the rows that they are done for

log = structlog.get_logger("switchroom.store")


class Committer:
    """Owns the connection of the writer's thread."""

    def __init__(self, path: Path, sink: RecordSink | None, slot: int = 0) -> None:
        self._path, self._sink = path, sink
        self._alive_key = alive_key(slot)
        self._connection: sqlite3.Connection | None = None
        self._at_once = Beside(lambda: Transactions(str(path), PRAGMAS))
        self._sunk_seq = self._marked_seq = self._sunk_size = 0
        self._marked_at = 0.0
        self._is_sink_failing = False
        self.has_lines = False  # calls ended that the sink does not have yet
        self.bad_row_count = 0

    def open(self) -> None:
        """Open the file and give the sink what it missed; in the caller's thread, before the writer runs."""
        self._connection = connect(self._path)
        migrate(self._connection)
        state = dict(self._connection.execute("SELECT key, value FROM state"))
        self._sunk_seq = self._marked_seq = int(state.get("sink_seq", 0))
        self._sunk_size = int(state.get("sink_size", 0))
        if self._sink is not None:
            self._skip_known(self._connection, self._sink)
            self.has_lines = True

    def close(self) -> None:
        """Close the connection and the sink; what the sink has is marked."""
        if self._connection is not None:
            try:
                self.has_lines = self._sink is not None  # other workers may have ended calls
                self._feed_sink(self._connection)
                self._mark_sink(self._connection)
            except sqlite3.Error as error:
                log.warning("store.close_failed", reason=str(error))
            self._disconnect()
        if self._sink is not None:
            self._sink.close()

    def commit(self, batch: Batch) -> None:
        """Write all of it, durably; CommitError: nothing was written."""
        try:
            if self._connection is None:
                self._connection = connect(self._path)
                migrate(self._connection)
            self._write(self._connection, batch)
            self.has_lines = self.has_lines or batch.has_lines or bool(batch.ended)
            self._feed_sink(self._connection)
        except sqlite3.Error as error:
            self._disconnect()  # the next attempt starts afresh, whatever happened to the file
            raise CommitError(str(error)) from None

    def _write(self, connection: sqlite3.Connection, batch: Batch) -> None:
        work = [(statement, rows) for statement, rows in _statements(batch, self._alive_key) if rows]
        if self._write_at_once(work):
            return
        try:
            self._transact(connection, work, is_careful=False)
        except _BAD_ROW:
            self._transact(connection, work, is_careful=True)

    def _write_at_once(self, work: Work) -> bool:
        """Without the interpreter's lock; False: nothing was written, and the sqlite3 module says why."""
        if not is_there or (at_once := self._at_once.get()) is None:
            return False
        return at_once.write([(_sql(statement, len(rows[0]), 1), rows) for statement, rows in work])

    def _transact(self, connection: sqlite3.Connection, work: Work, *, is_careful: bool) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement, rows in work:
                if is_careful:
                    self._run_each(connection, statement, rows)
                else:
                    _run(connection, statement, rows)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _run_each(self, connection: sqlite3.Connection, statement: str, rows: Iterable[Row]) -> None:
        """One row must not cost the others: leave out what the tables refuse."""
        for row in rows:
            try:
                connection.execute(_sql(statement, len(row), 1), clean(row))
            except _BAD_ROW as error:
                self.bad_row_count += 1
                log.error("store.row_refused", row=repr(row)[:500], reason=str(error))

    def _disconnect(self) -> None:
        self._at_once.close()
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                connection.close()
            except sqlite3.Error as error:
                log.warning("store.close_failed", reason=str(error))

    # the sink: each ended call once, although a crash may fall between the commit and the line

    def _skip_known(self, connection: sqlite3.Connection, sink: RecordSink) -> None:
        """Since the last mark some lines were written: leave those out."""
        known = sink.ids_after(self._sunk_size)
        rows = connection.execute("SELECT seq, id FROM calls WHERE seq > ? ORDER BY seq", (self._sunk_seq,))
        for seq, id in rows:
            if id not in known:
                break  # lines are written in order: whatever follows is missing too
            self._sunk_seq = seq

    def _feed_sink(self, connection: sqlite3.Connection) -> None:
        if self._sink is None:
            return
        while self.has_lines:
            count, seq, lines = lines_after(self._sunk_seq, connection, self._at_once.get())
            if count:
                try:
                    self._sunk_size = self._sink.append(lines)
                except OSError as error:
                    self._tell_sink(error)
                    return  # the next commit tries again: a heartbeat at the latest
                self._sunk_seq = seq
            self.has_lines = count == CHUNK
        self._is_sink_failing = False
        if self._sunk_seq > self._marked_seq and time.monotonic() >= self._marked_at + _SINK_SYNC_INTERVAL:
            self._mark_sink(connection)

    def _mark_sink(self, connection: sqlite3.Connection) -> None:
        if self._sink is None or self._sunk_seq == self._marked_seq:
            return
        try:
            self._sink.sync()
        except OSError as error:
            self._tell_sink(error)
            return
        _run(connection, _PUT_STATE, [("sink_seq", str(self._sunk_seq)), ("sink_size", str(self._sunk_size))])
        self._marked_seq, self._marked_at = self._sunk_seq, time.monotonic()

    def _tell_sink(self, error: OSError) -> None:
        if not self._is_sink_failing:
            self._is_sink_failing = True
            log.error("records.lines_failed", reason=str(error))


def alive_key(slot: int) -> str:
    """Where the heartbeat of a worker is kept."""
    return f"alive_at.{slot}" if slot else "alive_at"


def _statements(batch: Batch, alive: str) -> Work:
    saved: list[Row] = [binding for binding in batch.bindings.values() if binding is not None]
    removed: list[Row] = [key for key, binding in batch.bindings.items() if binding is None]
    return [
        (_PUT_CALL, list(batch.ended.values())),
        (_DROP_LIVE, list(zip(batch.ended))),
        (_PUT_LIVE, list(batch.live.values())),  # takes the pages that those have left
        (_PUT_BINDING, saved),
        (_DROP_BINDING, removed),
        (_PUT_TEXT, [row for row in batch.texts.values() if row is not None]),
        (_DROP_TEXT, [(id,) for id, row in batch.texts.items() if row is None]),
        (_PUT_STATE, [(alive, str(batch.alive_at))] if batch.alive_at else []),
        (_PUT_STATE, list(batch.settings.items())),
        (_PURGE, [(batch.purge_at,)] if batch.purge_at else []),
    ]


def _run(connection: sqlite3.Connection, statement: str, rows: Sequence[Row]) -> None:
    at = 0
    for size in _CHUNKS:
        while len(rows) - at >= size:
            chunk = rows[at : at + size]
            connection.execute(_sql(statement, len(chunk[0]), size), tuple(chain.from_iterable(chunk)))
            at += size


@lru_cache(maxsize=64)
def _sql(statement: str, column_count: int, row_count: int) -> str:
    row = f"({', '.join('?' * column_count)})"
    return statement + ", ".join([row] * row_count) + _ENDINGS.get(statement, "")
