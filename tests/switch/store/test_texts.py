"""Texts that wait: durable when that is said, in order, and there after a restart."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from switchroom.switch.store import SqliteStore, StoredText

NOW = datetime(2026, 5, 17, 12, 0, 0, tzinfo=UTC)


def text(store: SqliteStore, body: bytes = b"hello", **fields: Any) -> StoredText:
    made = StoredText(
        store.texts.next_id(),
        "1001",
        "1002",
        body,
        NOW,
        NOW + timedelta(hours=1),
        "text/plain;charset=UTF-8",
        "+4930123",
        'A "name" é',
        "trunk:acme",
    )
    return replace(made, **fields)


async def test_a_text_comes_back_as_it_was_and_in_order(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "s.db") as store:
        given = [text(store, b"%d\r\n\x00\xff" % i) for i in range(300)]
        for one in given:
            store.texts.save(one)
    with SqliteStore(tmp_path / "s.db") as store:
        assert store.texts.load(NOW) == given
        assert store.texts.next_id() > given[-1].id


async def test_it_is_said_when_a_text_is_durable(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "s.db") as store:
        calls: list[int] = []
        store.texts.on_durable = lambda: calls.append(1)
        one, other = text(store), text(store)
        store.texts.save(one)
        store.texts.save(other)
        store.texts.remove(other.id)  # delivered meanwhile
        await store.flush()
        assert store.texts.take_durable() == [one.id]
        assert calls
        assert store.texts.take_durable() == []
        store.texts.remove(one.id)
        await store.flush()
        assert store.texts.take_durable() == []
        assert store.texts.load(NOW) == []


async def test_what_expired_does_not_come_back(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "s.db") as store:
        store.texts.save(text(store, expires_at=NOW))
        store.texts.save(kept := text(store, expires_at=NOW + timedelta(seconds=1)))
        await store.flush()
        assert store.texts.load(NOW) == [kept]


async def test_each_worker_has_its_own_and_ids_never_meet(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "s.db"):
        pass
    with (
        SqliteStore(tmp_path / "s.db", place=(1, 1)) as one,
        SqliteStore(tmp_path / "s.db", place=(2, 1)) as two,
    ):
        ids = [store.texts.next_id() for _ in range(500) for store in (one, two)]
        assert len(set(ids)) == len(ids)
        one.texts.save(mine := text(one))
        two.texts.save(text(two))
        await one.flush()
        await two.flush()
        assert one.texts.load(NOW) == [mine]
