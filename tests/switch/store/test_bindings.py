"""Registered contacts survive a restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from switchroom.switch.store import SqliteStore, StoredBinding
from switchroom.switch.store.schema import MIGRATIONS, connect, migrate

NOW = datetime(2026, 5, 17, 12, 0, 0, tzinfo=UTC).timestamp()
LATER = NOW + 3600


def binding(user: str = "1001", contact: str = "sip:1001@192.0.2.7:5060", **fields: object) -> StoredBinding:
    return StoredBinding(user, contact, **{"expires_at": LATER, **fields})  # type: ignore[arg-type]


async def test_a_binding_comes_back_as_it_was(tmp_path: Path) -> None:
    given = binding(
        q=0.5,
        call_id="c@phone",
        cseq=17,
        transport="TCP",
        local_host="192.0.2.1",
        local_port=5060,
        remote_host="2001:db8::7",
        remote_port=40000,
        user_agent='Phone "é" 1.0',
        instance="<urn:uuid:1>",
        path="<sip:edge1;lr>\n<sip:edge2;lr>",
    )
    with SqliteStore(tmp_path / "s.db") as store:
        store.bindings.save(given)
    with SqliteStore(tmp_path / "s.db") as store:
        assert store.bindings.load(NOW) == [given]


async def test_the_latest_state_wins_in_one_batch_and_across_batches(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "s.db") as store:
        store.bindings.save(binding(cseq=1))
        store.bindings.save(binding(cseq=2))
        store.bindings.remove("1001", "sip:1001@192.0.2.7:5060")
        store.bindings.save(binding(cseq=3))
        store.bindings.save(binding("1002", cseq=1))
        store.bindings.save(binding("1003", cseq=1))
        await store.bindings.flush()
        store.bindings.save(binding(cseq=4))
        store.bindings.remove("1002", "sip:1001@192.0.2.7:5060")
        store.bindings.remove("1003", "sip:another@192.0.2.7")
        await store.bindings.flush()
        assert {(b.user, b.cseq) for b in store.bindings.load(NOW)} == {("1001", 4), ("1003", 1)}


async def test_what_may_wait_is_written_with_what_may_not(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "s.db") as store:
        store.bindings.save(binding(cseq=1))
        await store.bindings.flush()
        store.bindings.renew(binding(cseq=2))
        store.bindings.save(binding("1002"))
        await _until(
            lambda: {(b.user, b.cseq) for b in store.bindings.load(NOW)} == {("1001", 2), ("1002", 0)}
        )
        assert store.counters["commits"] <= 2


async def test_what_may_wait_does_not_wait_for_ever(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "s.db") as store:
        store.bindings.save(binding(cseq=1))
        await store.bindings.flush()
        for cseq in range(2, 12):
            store.bindings.renew(binding(cseq=cseq))
            await asyncio.sleep(0.002)
        await _until(lambda: [b.cseq for b in store.bindings.load(NOW)] == [11])
        store.bindings.renew(binding(cseq=12))
        await store.bindings.flush()  # or until somebody waits for it
        assert [b.cseq for b in store.bindings.load(NOW)] == [12]
        store.bindings.renew(binding(cseq=13))
    with SqliteStore(tmp_path / "s.db") as store:  # or until the end
        assert [b.cseq for b in store.bindings.load(NOW)] == [13]


async def _until(is_true: Callable[[], bool]) -> None:
    """Wait for the writer's thread, which has a clock of its own."""
    give_up_at = time.monotonic() + 15
    while not is_true():
        assert time.monotonic() < give_up_at
        await asyncio.sleep(0.01)


async def test_what_expired_meanwhile_does_not_come_back(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "s.db") as store:
        store.bindings.save(binding("old", expires_at=NOW))
        store.bindings.save(binding("new", expires_at=NOW + 0.001))
    with SqliteStore(tmp_path / "s.db") as store:
        assert [b.user for b in store.bindings.load(NOW)] == ["new"]
        assert [b.user for b in store.bindings.load(NOW - 86_400)] == ["new"]  # it is gone for good


@pytest.mark.parametrize("count", [1, 3, 4, 15, 64, 85, 200])
async def test_any_number_of_rows_makes_one_commit(tmp_path: Path, count: int) -> None:
    with SqliteStore(tmp_path / "s.db") as store:
        for number in range(count):
            store.bindings.save(binding(str(number)))
        await store.flush()
        assert {b.user for b in store.bindings.load(NOW)} == {str(n) for n in range(count)}
        for number in range(count):
            store.bindings.remove(str(number), "sip:1001@192.0.2.7:5060")
        await store.flush()
        assert store.bindings.load(NOW) == []
        assert store.counters["commits"] <= 3


_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.builds(
            StoredBinding,
            user=_texts,
            contact=_texts,
            expires_at=st.integers(1, 2**40).map(lambda ms: ms / 1000),
            q=st.floats(0, 1),
            call_id=_texts,
            cseq=st.integers(0, 2**31),
            local_host=_texts,
            local_port=st.integers(0, 65535),
            remote_host=_texts,
            remote_port=st.integers(0, 65535),
            user_agent=_texts,
            instance=_texts,
            path=_texts,
        ),
        unique_by=lambda row: row[:2],
        max_size=20,
    )
)
def test_rows_go_around(tmp_path: Path, given: list[StoredBinding]) -> None:
    (tmp_path / "s.db").unlink(missing_ok=True)
    with SqliteStore(tmp_path / "s.db") as store:
        for row in given:
            store.bindings.save(row)
    with SqliteStore(tmp_path / "s.db") as store:
        assert sorted(store.bindings.load(0.0)) == sorted(given)


def test_an_older_file_is_brought_up_to_date(tmp_path: Path) -> None:
    connection = connect(tmp_path / "s.db")
    migrate(connection, MIGRATIONS)
    connection.execute("INSERT INTO state VALUES ('alive_at', '1.5')")
    newer = (*MIGRATIONS, "ALTER TABLE bindings ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'")
    migrate(connection, newer)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(newer),)
    assert connection.execute("SELECT value FROM state").fetchone() == ("1.5",)
    assert connection.execute("SELECT count(colour) FROM bindings").fetchone() == (0,)
    migrate(connection, newer)  # and once more changes nothing
    connection.close()
