"""Lines of calls: what is read without the interpreter's lock is what SQLite writes of the view."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchroom.switch.store._transaction import Transactions
from switchroom.switch.store.lines import CHUNK, lines_after, lines_by_view
from switchroom.switch.store.rows import CALL_COLUMNS
from switchroom.switch.store.schema import connect, create_private, migrate

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
MOMENT = st.floats(0, 4e9) | st.integers(0, 4_000_000_000_000).map(lambda n: n / 1000)
NUMBER = st.floats(0, 1e9) | st.integers(0, 10**9).map(lambda n: n / 1000)
COUNT = st.integers(0, 2**63 - 1)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(CALL_COLUMNS, TEXT),
    **dict.fromkeys(("ring_at", "answer_at", "end_at"), st.none() | MOMENT),
    "setup_at": MOMENT,
    "duration": NUMBER,
    "cause": COUNT,
    "codecs": st.lists(TEXT, max_size=3).map(json.dumps),
    **{f"{side}_{name}": NUMBER for side in "ab" for name in ("jitter_ms", "mos", "round_trip_ms")},
    **{f"{side}_{name}": COUNT for side in "ab" for name in ("packets", "size", "lost")},
}
PUT = f"INSERT INTO calls ({', '.join(CALL_COLUMNS)}) VALUES ({', '.join('?' * len(CALL_COLUMNS))})"


class Book:
    """A file with calls."""

    def __init__(self, path: Path) -> None:
        create_private(path)
        self.connection = connect(path)
        migrate(self.connection)
        self.at_once = Transactions(str(path), ())
        self.seq = 0

    def put(self, *rows: tuple[Any, ...]) -> None:
        self.connection.executemany(PUT, rows)

    def lines(self) -> bytes:
        """Those that came since the last time, by both."""
        found = lines_after(self.seq, self.connection, self.at_once)
        assert found == lines_by_view(self.seq, self.connection)
        self.seq = found[1]
        return found[2]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    made = Book(tmp_path_factory.mktemp("lines") / "s.db")
    with closing(made.connection), closing(made.at_once):
        yield made


def row(id: str, **values: Any) -> tuple[Any, ...]:
    nothing = {name: "[]" if name == "codecs" else "" for name in CALL_COLUMNS}
    for name in KINDS:
        if KINDS[name] is not TEXT and name != "codecs":
            nothing[name] = 0  # type: ignore[assignment]
    return tuple({**nothing, "id": id, **values}.values())


@settings(deadline=None, max_examples=100)
@given(st.fixed_dictionaries(KINDS))
def test_both_write_the_same(book: Book, values: dict[str, Any]) -> None:
    book.put(row(**{**values, "id": f"{book.seq}:{values['id']}"}))
    line = json.loads(book.lines())
    assert line["caller"] == values["caller"]
    assert line["codecs"] == json.loads(values["codecs"])


def test_moments_and_numbers_at_their_edges(book: Book) -> None:
    days = (0, 1, 59, 60, 365, 11_016, 11_017, 19_782, 19_783, 20_787, 47_540, 47_541, 2_932_896)
    moments = [86_400 * day + more for day in days for more in (0, 0.0004, 0.0005, 59.9995, 86_399.9994)]
    book.put(*[row(f"at {at}", setup_at=at, end_at=at / 7) for at in moments])
    numbers = [n / 64 for n in range(64)] + [0.0004, 0.9996, 0.99949999, 5e-324, 123_456_789_012.345]
    book.put(*[row(f"of {n}", duration=n, a_mos=n, b_round_trip_ms=n) for n in numbers])
    assert book.lines().count(b"\n") == len(moments) + len(numbers)


def test_what_is_strange_is_left_to_sqlite(book: Book) -> None:
    for at in (-1.0, 1e15, float("inf")):
        book.put(row(f"strange {at}", setup_at=at, duration=at))
        assert book.lines().count(b"\n") == 1


def test_many_come_in_parts(book: Book) -> None:
    book.put(*[row(f"many {n}") for n in range(CHUNK + 1)])
    assert book.lines().count(b"\n") == CHUNK
    assert book.lines().count(b"\n") == 1
    assert book.lines() == b""


def test_without_that_connection_sqlite_writes_them(book: Book) -> None:
    book.put(row("closed"))
    book.at_once.close()
    assert book.lines().count(b"\n") == 1
