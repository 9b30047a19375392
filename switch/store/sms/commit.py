"""What the writer's thread does with what is pending: one transaction.

It is made without the interpreter's lock where that can be done. Else, and where that fails, by the sqlite3
module: many rows a statement, and row by row where one of them is bad.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import structlog

from switchroom.switch.store.beside import Beside
from switchroom.switch.store.rows import clean
from switchroom.switch.store.writer import CommitError

from .pending import Accepted, Pending
from .reserve import Reserve
from .schema import PRAGMAS, connect, migrate
from .statements import Shape, chunks, departures, removals, sql_of, statements, steps

try:
    from switchroom.switch.store._transaction import Transactions, is_there
except ImportError:  # not built: the sqlite3 module does it, slower
    is_there = False

_BAD_ROW = (
    UnicodeError,
    OverflowError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)

log = structlog.get_logger("switchroom.store")


class Committer:
    """Owns the connection of the writer's thread."""

    def __init__(self, path: Path, reserve_size: int) -> None:
        self._path = path
        self._reserve = Reserve(path.with_suffix(".reserve"), reserve_size)
        self._connection: sqlite3.Connection | None = None
        self._at_once = Beside(lambda: Transactions(str(path), PRAGMAS))
        self.bad_row_count = 0
        self.is_full = False  # the disk was; the reserve is what there is to write into

    def open(self) -> None:
        """Open the file and bring it up to date."""
        self._connection = connect(self._path)
        migrate(self._connection)
        self._reserve.take()

    def close(self) -> None:
        """Close the connection."""
        self._at_once.close()
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
            if self._commit_at_once(pending):
                return
            try:
                self._transact(self._connection, pending, _run)
            except _BAD_ROW:
                self._transact(self._connection, pending, self._run_each)
        except sqlite3.Error as error:
            self.close()  # the next attempt starts afresh, whatever happened to the file
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
                self.is_full = True
                self._reserve.release()
            raise CommitError(f"{error}{self._why()}") from None

    def _why(self) -> str:
        """What the system says of the disk: SQLite says little."""
        probe = self._path.with_suffix(".probe")
        try:
            probe.write_bytes(b"?")
            probe.unlink()
        except OSError as error:
            return f": {(error.strerror or str(error)).lower()}"
        return ""

    def _commit_at_once(self, pending: Pending) -> bool:
        """Without the interpreter's lock, where nothing has to be read; False: nothing was written."""
        if not is_there or any(accepted.keys for accepted in pending.accepted):
            return False
        at_once = self._at_once.get()
        return at_once is not None and at_once.write(steps(pending))

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
            for statement, values in departures(pending):
                connection.execute(statement, values)
            for shape, rows in statements(pending):
                if rows:
                    run(connection, shape, rows)
            for statement, values in removals(pending):
                connection.execute(statement, values)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _run_each(self, connection: sqlite3.Connection, shape: Shape, rows: Iterable[Any]) -> None:
        """One row must not cost the others: leave out what the tables refuse."""
        for row in rows:
            try:
                connection.execute(sql_of(shape, len(row), 1), clean(tuple(row)))
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


def _run(connection: sqlite3.Connection, shape: Shape, rows: Sequence[Sequence[Any]]) -> None:
    width = len(rows[0])
    for at, size in chunks(len(rows)):
        values = tuple(chain.from_iterable(rows[at : at + size]))
        connection.execute(sql_of(shape, width, size), values)
