"""House-keeping: bodies and records go when their time is over; a little at a time, oldest first."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

_CHUNK = 500
_OLD = f"DELETE FROM {{0}} WHERE at IN (SELECT at FROM {{0}} WHERE at < ? ORDER BY at LIMIT {_CHUNK})"
_NEXT = f"SELECT max(id) FROM (SELECT id FROM messages WHERE id > ? AND id < ? ORDER BY id LIMIT {_CHUNK})"
_FINAL = "(4, 5, 6, 7, 8, 9, 13)"  # State.is_final


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is done with stays, in seconds; 0: for ever."""

    records: float = 0.0
    bodies: float = 0.0
    receipts: float = 7 * 86_400.0  # how long a receipt may come after the message
    orphans: float = 86_400.0
    keys: float = 86_400.0


def sweep(
    connection: sqlite3.Connection, retention: Retention, now: float, has_time: Callable[[], bool]
) -> None:
    """Remove what is old; each step is a transaction of its own, so that messages do not wait."""
    for table, age in (("orphans", retention.orphans), ("keys", retention.keys)):
        statement = _OLD.format(table)
        while age and has_time() and connection.execute(statement, (now - age,)).rowcount == _CHUNK:
            continue
    if retention.bodies:
        _walk(connection, "bodies", now - retention.bodies, has_time, _redact)
    if retention.records:
        _walk(connection, "records", now - retention.records, has_time, _forget)


def _walk(
    connection: sqlite3.Connection,
    name: str,
    until: float,
    has_time: Callable[[], bool],
    work: Callable[[sqlite3.Connection, int, int], None],
) -> None:
    """Work through the ids up to an age; where it stopped is kept."""
    key = f"swept.{name}"
    found = connection.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
    done = int(found[0]) if found else 0
    last = int(until * 1e6)  # ids are microseconds
    while has_time():
        [(end,)] = connection.execute(_NEXT, (done, last)).fetchall()
        if end is None:
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            work(connection, done, end)
            connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, str(end)))
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        done = end


def _redact(connection: sqlite3.Connection, after: int, end: int) -> None:
    connection.execute(
        "UPDATE messages SET body = x'', is_redacted = 1 "
        f"WHERE id > ? AND id <= ? AND state IN {_FINAL} AND NOT is_redacted",
        (after, end),
    )


def _forget(connection: sqlite3.Connection, after: int, end: int) -> None:
    which = f"SELECT id FROM messages WHERE id > ? AND id <= ? AND state IN {_FINAL}"
    connection.execute(f"DELETE FROM history WHERE message IN ({which})", (after, end))
    connection.execute(f"DELETE FROM messages WHERE id IN ({which})", (after, end))
