"""Documents of the API: each question is answered by an index, however many there are."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from switchroom.switch.store.documents import Document, Library, Query
from switchroom.switch.store.documents.document import OPEN_STATES

CASES = [
    (Query("message", "AC", equal={"target": "+1"}), "by_target"),
    (Query("message", "AC", equal={"source": "+1"}), "by_source"),
    (Query("media", "AC", parent="SM"), "by_parent"),
    (Query("verification", "AC", parent="VA", equal={"target": "+1"}), "by_"),
    (Query("message", "AC"), "by_account"),
    (Query("message", "AC", before=9), "by_account"),
    (Query("verify_attempt", None, since={"created_at": 1.0}), "by_age"),
    *(
        (Query("message", None, equal={"state": state}, is_ascending=True), "by_state")
        for state in OPEN_STATES
    ),
]


@pytest.mark.parametrize(("query", "index"), CASES)
def test_an_index_answers(query: Query, index: str, tmp_path: Path) -> None:
    library = Library(tmp_path / "api.db")
    library.start()
    library.close()
    statement, bound = query.sql()
    with sqlite3.connect(tmp_path / "api.db") as connection:
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", bound))
    assert f"USING INDEX {index}" in plan, plan


async def test_times_end_a_search_where_they_can(tmp_path: Path) -> None:
    """Lists by time give what there is, and look at no more than they must."""
    library = Library(tmp_path / "api.db")
    library.start()
    day = 86400.0
    docs = [
        Document(library.next_seq(), f"SM{n}", "AC", "message", n * day, n * day + 60, {}, at=n * day + 30)
        for n in range(1, 200)
    ]
    late = docs[100].change(150 * day, at=140 * day)  # was scheduled
    await library.write([*docs[:100], late, *docs[101:]])

    async def found(**more: Any) -> list[int]:
        return [int(doc.sid[2:]) for doc in await library.page(Query("message", "AC", limit=500, **more))]

    assert await found(since={"at": 198 * day}) == [199, 198]
    assert await found(since={"at": 1.0}, until={"at": 2 * day}) == [1]
    assert await found(since={"at": 140 * day}, until={"at": 141 * day}) == [140, 101]
    assert await found(since={"created_at": 5 * day}, until={"created_at": 6 * day}) == [6, 5]
    assert await found(since={"updated_at": 199 * day}) == [199]
    assert await found(since={"at": 500 * day}) == []
    assert await found(until={"created_at": 0.0}) == []
    library.close()
