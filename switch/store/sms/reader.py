"""What is asked of the message store; each question is a method, answered in the reader's thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from switchroom.switch.store.beside import Beside

from .interfaces import Expecting, Orphan, Owed, Row, part_key
from .schema import CLAIMED, READ_PRAGMAS, connect

try:
    from switchroom.switch.store._query import Questions, is_there
except ImportError:  # not built: the sqlite3 module does it, slower
    is_there = False

_M = ", ".join(f"m.{name}" for name in Row._fields)
_MAX_SCANNED = 2_000_000  # messages that one search looks at, from the latest on


class Filter(NamedTuple):
    """Which messages somebody wants to see; what is empty does not matter."""

    inlet: str = ""
    outlet: str = ""
    number: str = ""  # source or destination
    states: tuple[int, ...] = ()
    since: float = 0.0
    until: float = 0.0
    before: int = 0  # an id: only older ones
    after: int = 0  # an id: only newer ones
    limit: int = 100


class Reader:
    """Questions to the tables; a connection of its own, used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._at_once = Beside(lambda: Questions(str(path), READ_PRAGMAS))

    def close(self) -> None:
        """Close the connection."""
        self._at_once.close()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _rows(self, query: str, *values: Any) -> list[Any]:
        found = self._read_at_once(query, values) if is_there else None
        return self._each(query, *values).fetchall() if found is None else found

    def _read_at_once(self, query: str, values: tuple[Any, ...]) -> list[Any] | None:
        """Without the interpreter's lock; None: it cannot be."""
        at_once = self._at_once.get()
        return None if at_once is None else at_once.read(query, values)

    def _each(self, query: str, *values: Any) -> sqlite3.Cursor:
        if self._connection is None:
            self._connection = connect(self._path)
            self._connection.execute("PRAGMA query_only = ON")
        return self._connection.execute(query, values)

    # -- for the centre

    def nothing(self) -> None:
        """Questions are answered one after the other: those before this one are."""

    def heads(self, lane: str, rank: int, after: int, limit: int) -> list[tuple[int, Row]]:
        """The next messages of a lane after a place in it: rank and message."""
        found = self._rows(
            f"SELECT q.rank, {_M} FROM queue q JOIN messages m ON m.id = q.message "
            "WHERE q.lane = ? AND (q.rank, q.message) > (?, ?) ORDER BY q.rank, q.message LIMIT ?",
            *(lane, rank, after, limit),
        )
        return [(row[0], Row._make(row[1:])) for row in found]

    def due(self, at: float, limit: int) -> tuple[list[Row], float | None]:
        """Messages whose time has come, and when the next one comes."""
        found = self._rows(
            f"SELECT {_M} FROM timers t JOIN messages m ON m.id = t.message WHERE t.due_at <= ? "
            "ORDER BY t.due_at, t.message LIMIT ?",
            *(at, limit),
        )
        [(next_at,)] = self._rows("SELECT min(due_at) FROM timers WHERE due_at > ?", at)
        return list(map(Row._make, found)), at if len(found) == limit else next_at

    def expired(self, at: float, limit: int) -> tuple[list[tuple[str, int, Row]], float | None]:
        """Messages in lanes that nobody took in time, with lane and rank; and when the next one expires."""
        found = self._rows(
            f"SELECT q.lane, q.rank, {_M} FROM queue q JOIN messages m ON m.id = q.message "
            "WHERE q.expires_at <= ? ORDER BY q.expires_at LIMIT ?",
            *(at, limit),
        )
        [(next_at,)] = self._rows("SELECT min(expires_at) FROM queue WHERE expires_at > ?", at)
        return (
            [(lane, rank, Row._make(row)) for lane, rank, *row in found],
            at if len(found) == limit else next_at,
        )

    def marks(self, marks: Sequence[str]) -> list[tuple[Expecting, Row]]:
        """What next hops have under the first of these marks that anything is known by."""
        query = (
            f"SELECT e.key, e.outlet, e.mark, e.remote_id, e.state, e.at, {_M} "
            "FROM expecting e JOIN messages m ON m.id = e.key >> 8 WHERE e.mark = ?"
        )
        for mark in marks:
            found = self._rows(query, mark)
            if found:
                return [(Expecting._make(row[:6]), Row._make(row[6:])) for row in found]
        return []

    def marks_from(self, prefix: str) -> list[tuple[str, float]]:
        """The next hops' ids whose marks begin so, and when they were written down."""
        query = "SELECT remote_id, at FROM expecting WHERE mark >= ? AND mark < ? ORDER BY at DESC LIMIT 100"
        return self._rows(query, prefix, prefix + "\uffff")

    def overdue(self, at: float, limit: int) -> list[Row]:
        """The oldest messages for which receipts are waited for, those that were sent before a time."""
        found = self._rows(
            f"SELECT DISTINCT {_M} FROM (SELECT key, at FROM expecting ORDER BY key LIMIT ?) e "
            "JOIN messages m ON m.id = e.key >> 8 WHERE e.at <= ?",
            *(limit, at),
        )
        return list(map(Row._make, found))

    def turns(self, routes: Sequence[str], limit: int) -> list[Row]:
        """Messages of some routes that wait for another attempt."""
        marks = ", ".join("?" * len(routes))
        query = f"SELECT {_M} FROM timers t JOIN messages m ON m.id = t.message WHERE m.route IN ({marks})"
        return list(map(Row._make, self._rows(f"{query} ORDER BY m.id LIMIT ?", *routes, limit)))

    def parts(self, message: int) -> list[Expecting]:
        """What next hops have of a message."""
        query = "SELECT key, outlet, mark, remote_id, state, at FROM expecting WHERE key BETWEEN ? AND ?"
        first = part_key(message, 0)
        return list(map(Expecting._make, self._rows(query, first, first | 0xFF)))

    def message(self, id: int) -> Row | None:
        """One message."""
        found = self._rows(f"SELECT {_M} FROM messages m WHERE id = ?", id)
        return Row._make(found[0]) if found else None

    def messages(self, ids: Sequence[int]) -> list[Row]:
        """Some messages, in the order of their ids."""
        marks = ", ".join("?" * len(ids))
        found = self._rows(f"SELECT {_M} FROM messages m WHERE id IN ({marks}) ORDER BY id", *ids)
        return list(map(Row._make, found))

    def keyed(self, inlet: str, prefix: str) -> list[Row]:
        """The messages of an inlet whose keys begin so; as many as one submission can make."""
        query = (
            f"SELECT {_M} FROM keys k JOIN messages m ON m.id = k.message "
            "WHERE k.inlet = ? AND k.key >= ? AND k.key < ? LIMIT 255"
        )
        return list(map(Row._make, self._rows(query, inlet, prefix, prefix + "\uffff")))

    def history(self, id: int) -> list[tuple[float, int, str, str]]:
        """The states of a message: when, which, where, why."""
        return self._rows(
            "SELECT at, state, outlet, note FROM history WHERE message = ? ORDER BY at, state", id
        )

    def notices(self, inlet: str, after: int, limit: int) -> list[tuple[Owed, Row]]:
        """What an inlet has not acknowledged, after a notice."""
        found = self._rows(
            f"SELECT n.id, n.inlet, n.message, n.state, n.at, n.detail, {_M} "
            "FROM notices n JOIN messages m ON m.id = n.message "
            "WHERE n.inlet = ? AND n.id > ? ORDER BY n.id LIMIT ?",
            *(inlet, after, limit),
        )
        return [(Owed._make(row[:6]), Row._make(row[6:])) for row in found]

    def waiting(self, source: str, destination: str, service: str, inlet: str) -> list[tuple[str, int, Row]]:
        """What waits in lanes or for its time, from a source to a destination; lane and rank, or none."""
        where = "m.inlet = ? AND m.source = ? AND m.destination = ?"
        wanted = (inlet, source, destination)
        queued = self._rows(
            f"SELECT q.lane, q.rank, {_M} FROM queue q JOIN messages m ON m.id = q.message WHERE {where}",
            *wanted,
        )
        timed = self._rows(
            f"SELECT '', 0, {_M} FROM timers t JOIN messages m ON m.id = t.message WHERE {where}", *wanted
        )
        rows = [(lane, rank, Row._make(row)) for lane, rank, *row in queued + timed]
        service_of = '"service_type": "' + service + '"'
        return [found for found in rows if not service or (found[2].extra and service_of in found[2].extra)]

    # -- for people

    def find(self, wanted: Filter) -> list[Row]:
        """The latest messages that fit, the newest first; only so many are looked at."""
        tests, values = _tests(wanted)
        where = f"WHERE {' AND '.join(tests)}" if tests else ""
        [(last,)] = self._rows("SELECT max(id) FROM messages")
        if last is None:
            return []
        found = self._rows(
            f"SELECT {_M} FROM messages m {where} ORDER BY id DESC LIMIT ?",
            *values,
            min(wanted.limit, 10_000),
        )
        return list(map(Row._make, found))

    def orphans(self, since: float, limit: int) -> list[Orphan]:
        """Receipts that matched nothing, the newest first."""
        query = "SELECT * FROM orphans WHERE at >= ? ORDER BY id DESC LIMIT ?"
        return list(map(Orphan._make, self._rows(query, since, limit)))

    def values(self, prefix: str) -> dict[str, str]:
        """The small values whose key begins so."""
        query = "SELECT key, value FROM state WHERE substr(key, 1, ?) = ?"
        return dict(self._rows(query, len(prefix), prefix))

    # -- for the start

    def lanes(self) -> dict[str, int]:
        """How many messages wait in each lane."""
        return dict(self._rows("SELECT lane, count(*) FROM queue GROUP BY lane"))

    def owing(self) -> dict[str, int]:
        """How many notices wait for each inlet."""
        return dict(self._rows("SELECT inlet, count(*) FROM notices GROUP BY inlet"))

    def claimed(self, after: int, limit: int) -> list[Row]:
        """Messages that were on their way."""
        query = f"SELECT {_M} FROM messages m WHERE state IN {CLAIMED} AND id > ? ORDER BY id LIMIT ?"
        return list(map(Row._make, self._rows(query, after, limit)))

    def since(self, since: float, limit: int) -> list[Row]:
        """The latest messages, those that were taken since then."""
        found = []
        for row in self._each(f"SELECT {_M} FROM messages m ORDER BY id DESC LIMIT ?", limit):
            message = Row._make(row)
            if message.accepted_at < since:
                break
            found.append(message)
        return found

    def last_id(self) -> int:
        """The highest id that was given."""
        [(last,)] = self._rows("SELECT max(id) FROM messages")
        return last or 0


def _tests(wanted: Filter) -> tuple[list[str], list[Any]]:
    tests: list[str] = []
    values: list[Any] = []
    for test, value in (
        ("m.inlet = ?", wanted.inlet),
        ("m.outlet = ?", wanted.outlet),
        ("m.accepted_at >= ?", wanted.since),
        ("m.accepted_at < ?", wanted.until),
        ("m.id < ?", wanted.before),
        ("m.id > ?", wanted.after),
    ):
        if value:
            tests.append(test)
            values.append(value)
    if wanted.number:
        tests.append("? IN (m.source, m.destination)")
        values.append(wanted.number)
    if wanted.states:
        tests.append(f"m.state IN ({', '.join('?' * len(wanted.states))})")
        values += wanted.states
    return tests, values


def read_once(path: Path, method: str, values: Iterable[Any]) -> Any:
    """Ask one question with a connection of its own."""
    with closing(Reader(path)) as reader:
        return getattr(reader, method)(*values)
