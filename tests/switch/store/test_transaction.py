"""Transactions without the interpreter's lock: all or nothing, and what the sqlite3 module would write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from switchroom.switch.sms.interfaces import State
from switchroom.switch.store._transaction import Transactions, is_there
from switchroom.switch.store.sms import Expecting, Owed, Queued, Row, SqliteMessages, commit
from switchroom.switch.store.sms.pending import Accepted

PUT = "INSERT INTO things VALUES (?, ?)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a file with spaces and \xfc.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, value ANY) STRICT")
    return path


@pytest.fixture
def transactions(path: Path) -> Iterator[Transactions]:
    assert is_there
    made = Transactions(str(path), ("synchronous = FULL", "busy_timeout = 50"))
    yield made
    made.close()


def rows(path: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT id, value FROM things ORDER BY id").fetchall()


def test_every_kind_of_value(path: Path, transactions: Transactions) -> None:
    values = [None, 0, -(2**63), 2**63 - 1, True, State.SENT, 0.5, "", "text", "Gr\xfc\xdfe \u20ac",
              "\U0001f600", "a\0b", b"", b"\0\xff", "x" * 100_000]  # fmt: skip
    assert transactions.write([(PUT, list(enumerate(values))), ("DELETE FROM things WHERE id = ?", [])])
    assert rows(path) == list(enumerate(values))
    assert transactions.write([("DELETE FROM things WHERE id = ?", [(n,) for n in range(1, 20)])])
    assert rows(path) == [(0, None)]


@pytest.mark.parametrize(
    "bad",
    [
        [(PUT, [(2, "b"), (1, "twice")])],
        [(PUT, [(2, "b"), (3, 2**63)])],
        [(PUT, [(2, "b"), (3, "\ud800")])],
        [(PUT, [(2, "b"), (3, object())])],
        [(PUT, [(2, "b"), (3,)])],
        [(PUT, [(2, "b")]), ("INSERT INTO nothing VALUES (?)", [(1,)])],
        [(PUT, [(2, "b")]), ("no SQL", [(1,)])],
    ],
)
def test_all_or_nothing(path: Path, transactions: Transactions, bad: list[Any]) -> None:
    assert transactions.write([(PUT, [(1, "a")])])
    assert not transactions.write(bad)
    assert transactions.write([(PUT, [(4, "after")])])
    assert rows(path) == [(1, "a"), (4, "after")]


def test_somebody_else_writes(path: Path, transactions: Transactions) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not transactions.write([(PUT, [(1, "a")])])  # after busy_timeout
        other.execute("COMMIT")
    assert transactions.write([(PUT, [(1, "a")])])


def test_what_cannot_be_opened(tmp_path: Path, transactions: Transactions) -> None:
    with pytest.raises(sqlite3.OperationalError):
        Transactions(str(tmp_path / "nothing.db"), ())
    transactions.close()
    assert not transactions.write([(PUT, [(1, "a")])])
    transactions.close()


def fill(path: Path) -> list[list[tuple[Any, ...]]]:
    """What a store has of one of everything."""
    store = SqliteMessages(path, reserve_size=0)
    store.start(has_threads=False)
    now = 1_800_000_000.0
    made = [
        Row(*(id, "account:acme", "ACME", 5, "491", 257, b"hello", 0, None, 1, 1, now + 60, now),
            *(State.QUEUED, "", "all", 0, now, "", "", 1))
        for id in (1, 2, 3)
    ]  # fmt: skip
    queued = [Queued("trunk:a", 3, row.id, row.expires_at) for row in made]
    pending = store.pending
    pending.accept(Accepted(made, queued, [(3, now + 5)], [], {}, (lambda *_: None, None)))
    store.step(0.0)
    pending = store.pending
    pending.unqueue("trunk:a", 3, 1)
    pending.change((1, State.SENT, "trunk:a", "all", 1, now, "", "", 1), "0815")
    pending.bodies[2] = (2, b"", 0, None, 0, now, 1)
    pending.timers[3] = None
    pending.expecting.append(Expecting(1 << 8, "trunk:a", "mark", "0815", State.SENT, now))
    pending.owed.append(Owed("account:acme", 7, 1, State.SENT, now, "{}"))
    pending.put("key", "value")
    pending.size += 5
    store.step(0.0)
    store.pending.pay("account:acme", 7)
    store.pending.unexpecting.append(1 << 8)
    store.pending.size += 2
    store.step(0.0)
    store.close()
    tables = ("messages", "queue", "timers", "history", "expecting", "notices", "state")
    with closing(sqlite3.connect(path)) as connection:
        return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]


def test_the_module_writes_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = fill(tmp_path / "at_once.db")
    monkeypatch.setattr(commit, "is_there", False)
    assert fill(tmp_path / "module.db") == at_once
    assert [len(rows) for rows in at_once[:3]] == [3, 2, 0]
