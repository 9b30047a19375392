"""Questions without the interpreter's lock: what the sqlite3 module would read, or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from switchroom.switch.store._query import Questions, is_there
from switchroom.switch.store.sms import reader
from switchroom.switch.store.sms.reader import Filter, Reader

from .test_transaction import fill

VALUES = [None, 0, -(2**63), 2**63 - 1, 0.5, "", "text", "Gr\xfc\xdfe \u20ac", "\U0001f600", "a\0b", b"",
          b"\0\xff", "x" * 100_000, "x" * 100_000, b"y" * 100_000]  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "things.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, value ANY) STRICT")
        connection.executemany("INSERT INTO things VALUES (?, ?)", list(enumerate(VALUES)))
        connection.commit()
    return path


@pytest.fixture
def questions(path: Path) -> Iterator[Questions]:
    assert is_there
    made = Questions(str(path), ("query_only = ON", "busy_timeout = 50"))
    yield made
    made.close()


def test_every_kind_of_value(questions: Questions) -> None:
    assert questions.read("SELECT id, value FROM things ORDER BY id", ()) == list(enumerate(VALUES))
    for value in VALUES[1:]:
        found = (
            questions.read("SELECT typeof(?), ?", (value, value)) if not isinstance(value, bytes) else None
        )
        assert found is None or found[0][1] == value
    assert questions.read("SELECT id FROM things WHERE id > 1000", ()) == []


def test_many_rows_and_many_questions(questions: Questions) -> None:
    count = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
    assert questions.read(count + "SELECT i, 'same' FROM n", (10_000,)) == [
        (n, "same") for n in range(1, 10_001)
    ]
    for number in range(200):  # more than it keeps prepared
        assert questions.read(f"SELECT {number}, ?", (number,)) == [(number, number)]


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("no SQL", ()),
        ("SELECT * FROM nothing", ()),
        ("INSERT INTO things VALUES (99, 1)", ()),  # it only reads
        ("SELECT ?", ("\ud800",)),
        ("SELECT ?", (2**63,)),
        ("SELECT ?", (object(),)),
        ("SELECT 1", (1,)),
        ("SELECT CAST(x'ff' AS TEXT)", ()),  # not a text
        ("SELECT zeroblob(100000000)", ()),  # too much
        ("SELECT abs(-9223372036854775808)", ()),  # fails when it runs
    ],
)
def test_what_cannot_be_read_so(questions: Questions, sql: str, values: tuple[Any, ...]) -> None:
    assert questions.read(sql, values) is None
    assert questions.read("SELECT count(*) FROM things", ()) == [(len(VALUES),)]


def test_what_cannot_be_opened(tmp_path: Path, questions: Questions) -> None:
    with pytest.raises(sqlite3.OperationalError):
        Questions(str(tmp_path / "nothing.db"), ())
    questions.close()
    assert questions.read("SELECT 1", ()) is None


def test_the_module_reads_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "messages.db")
    asked: list[tuple[str, tuple[Any, ...]]] = [
        ("heads", ("trunk:a", 3, 0, 10)),
        ("due", (2e9, 10)),
        ("expired", (2e9, 10)),
        ("messages", ([1, 2, 3],)),
        ("history", (1,)),
        ("find", (Filter(number="491", states=(1, 2, 3)),)),
        ("lanes", ()),
        ("values", ("",)),
    ]

    def answers() -> list[Any]:
        with closing(Reader(tmp_path / "messages.db")) as made:
            return [getattr(made, name)(*values) for name, values in asked]

    at_once = answers()
    monkeypatch.setattr(reader, "is_there", False)
    assert answers() == at_once
    assert len(at_once[0]) == 2
