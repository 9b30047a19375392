"""The thread that writes documents: many callers share one durable commit."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import structlog

from ..schema import StoreError, connect, migrate
from .document import COLUMNS
from .schema import MIGRATIONS, READABLE_BY

Row = tuple[Any, ...]

# Rows a statement: each statement hands the interpreter's lock over twice, so a batch must need few of them.
_CHUNKS = (64, 16, 4, 1)
_PUT = f"INSERT INTO documents ({', '.join(COLUMNS)}) VALUES "
_PUT_END = " ON CONFLICT (seq) DO UPDATE SET " + ", ".join(f"{c} = excluded.{c}" for c in COLUMNS[1:])
_EVENT = "INSERT INTO events (id, account, type, subject, at, data) VALUES "
_EVENT_COLUMNS = 6
_MAX_DELAY = 0.002
_RETRY_INTERVAL = 0.5

log = structlog.get_logger("switchroom.store")


class TakenError(Exception):
    """Another document of the kind has the name."""


@dataclass(slots=True)
class Change:
    """What one caller wants written together, and who waits for it."""

    puts: list[Row] = field(default_factory=list)
    drops: list[int] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    done: asyncio.Future[None] | None = None
    purge: tuple[str, tuple[Any, ...]] | None = None


class DocumentWriter:
    """Takes changes in order; those that wait together are one transaction."""

    def __init__(self, path: Path, *, capacity: int = 20_000) -> None:
        self._path, self._capacity = path, capacity
        self._changed = threading.Condition()
        self._pending: list[Change] = []
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="documents", daemon=True)
        self._connection: sqlite3.Connection | None = None
        self.commit_count = self.failure_count = 0
        self.is_failing = False

    def start(self) -> None:
        """Open the file, bring it up to date and begin to write."""
        self._connection = self._open()
        self._thread.start()

    @property
    def is_full(self) -> bool:
        """Whether so much waits that nothing new should be taken."""
        return self.is_failing or len(self._pending) >= self._capacity

    def submit(self, change: Change) -> None:
        """Have a change written; its future is told."""
        with self._changed:
            if self._is_closing:
                raise StoreError("is closed")
            self._pending.append(change)
            if len(self._pending) == 1:
                self._changed.notify()

    def close(self) -> None:
        """Write what waits and end the thread."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        connection = connect(self._path)
        connection.execute("PRAGMA secure_delete = ON")  # a redacted body is gone from the file
        migrate(connection, MIGRATIONS, READABLE_BY)
        return connection

    def _run(self) -> None:
        while (batch := self._take()) is not None:
            while not self._commit(batch):
                with self._changed:
                    if self._is_closing:
                        _fail(batch, StoreError("was closed before everything was written"))
                        break
                    self._changed.wait(_RETRY_INTERVAL)

    def _take(self) -> list[Change] | None:
        with self._changed:
            while not self._pending and not self._is_closing:
                self._changed.wait()
            if not self._pending:
                return None
        time.sleep(_MAX_DELAY)  # others may join: one fsync serves them all
        with self._changed:
            batch, self._pending = self._pending, []
        return batch

    def _commit(self, batch: list[Change]) -> bool:
        try:
            if self._connection is None:
                self._connection = self._open()
            failed = self._write(self._connection, batch)
        except (sqlite3.Error, StoreError) as error:
            self.failure_count += 1
            if not self.is_failing:
                log.error("documents.failed", reason=str(error), waiting=len(batch))
            self.is_failing = True
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            return False
        self.is_failing = False
        self.commit_count += 1
        _tell(batch, failed)
        return True

    def _write(self, connection: sqlite3.Connection, batch: list[Change]) -> dict[int, Exception]:
        try:
            self._transact(connection, batch)
        except (sqlite3.IntegrityError, UnicodeError, OverflowError):
            return self._write_each(connection, batch)
        return {}

    def _transact(self, connection: sqlite3.Connection, batch: list[Change]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            _apply(connection, batch)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _write_each(self, connection: sqlite3.Connection, batch: list[Change]) -> dict[int, Exception]:
        """One change that cannot be must not cost the others."""
        failed: dict[int, Exception] = {}
        connection.execute("BEGIN IMMEDIATE")
        try:
            for i, change in enumerate(batch):
                connection.execute("SAVEPOINT one")
                try:
                    _apply(connection, [change])
                except sqlite3.IntegrityError as error:
                    connection.execute("ROLLBACK TO one")
                    failed[i] = TakenError(str(error))
                except (UnicodeError, OverflowError) as error:
                    connection.execute("ROLLBACK TO one")
                    failed[i] = ValueError(str(error))
                connection.execute("RELEASE one")
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        return failed


def _apply(connection: sqlite3.Connection, batch: list[Change]) -> None:
    """Deletions last of what they follow; of a document that changed twice only its latest state."""
    puts: dict[int, Row] = {}
    events: list[Row] = []
    for change in batch:
        for row in change.puts:
            puts[row[0]] = row
        for seq in change.drops:
            _run(connection, _PUT, list(puts.values()), _PUT_END)
            puts.clear()
            connection.execute("DELETE FROM documents WHERE seq = ?", (seq,))
        events += change.events
        if change.purge is not None:
            connection.execute(*change.purge)
    _run(connection, _PUT, list(puts.values()), _PUT_END)
    _run(connection, _EVENT, events, "")


def _run(connection: sqlite3.Connection, statement: str, rows: Sequence[Row], end: str) -> None:
    at = 0
    for size in _CHUNKS:
        while len(rows) - at >= size:
            chunk = rows[at : at + size]
            connection.execute(_sql(statement, len(chunk[0]), size, end), tuple(chain.from_iterable(chunk)))
            at += size


@lru_cache(maxsize=32)
def _sql(statement: str, column_count: int, row_count: int, end: str) -> str:
    row = f"({', '.join('?' * column_count)})"
    return statement + ", ".join([row] * row_count) + end


def _tell(batch: list[Change], failed: dict[int, Exception]) -> None:
    """Wake the waiting, once for each loop that has some."""
    waiting = [(c.done, failed.get(i)) for i, c in enumerate(batch) if c.done is not None]
    if not waiting:
        return

    def wake() -> None:
        for done, error in waiting:
            if done.done():
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

    try:
        waiting[0][0].get_loop().call_soon_threadsafe(wake)
    except RuntimeError:
        log.debug("documents.waiter_gone")  # its loop was closed meanwhile


def _fail(batch: list[Change], error: Exception) -> None:
    _tell(batch, dict.fromkeys(range(len(batch)), error))
