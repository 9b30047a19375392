"""Files of earlier versions come along, with what is in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from switchroom.switch.ops.records import RecordLines
from switchroom.switch.store import Record, SqliteStore
from switchroom.switch.store.schema import MIGRATIONS, StoreError, connect, migrate

NOW = 1_779_019_200.0  # 2026-05-17 12:00 UTC


def first_version(path: Path) -> None:
    """What the first Switchroom left behind: an ended call, one that is up, and a phone."""
    connection = connect(path)
    migrate(connection, MIGRATIONS[:1])
    at = NOW
    connection.execute(
        "INSERT INTO calls VALUES (1, 'old-1', 'a', 'b', '1001', '1002', '1001', '1002', ?, NULL, ?, '[]',"
        " ?, 5, 200, 'OK', 'caller', 1, 2, 3, 0.5, 4, 5, 6, 0.7)",
        (at, at + 1, at + 6),
    )
    connection.execute(
        "INSERT INTO live VALUES ('old-2', 'c', '', '1001', '1003', '1001', '1003', ?, NULL, ?, '[]')",
        (at, at + 1),
    )
    connection.execute(
        "INSERT INTO bindings VALUES ('1001', 'sip:1001@192.0.2.7', ?, 1, 'x', 7, 'UDP',"
        " '192.0.2.1', 5060, '192.0.2.7', 5060, 'Phone', '', '')",
        (at + 3600,),
    )
    connection.execute("INSERT INTO state VALUES ('alive_at', ?)", (str(at + 9),))
    connection.close()


async def test_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    first_version(tmp_path / "switchroom.db")
    with SqliteStore(tmp_path / "switchroom.db", RecordLines(tmp_path / "cdr.jsonl")) as store:
        assert store.records.recover(NOW + 3600) == 1
        await store.flush()
        crashed, ended = await store.records.recent()
        (binding,) = store.bindings.load(NOW)
    assert (ended.id, ended.duration, ended.media_b.packets) == ("old-1", 5.0, 4)
    assert (ended.trunk, ended.verdict, ended.explanation) == ("", "", ())
    assert (crashed.id, crashed.reason, crashed.end_at) == ("old-2", "crash", NOW + 9)
    assert crashed.verdict == "the switch ended without warning while the call was up"
    assert (binding.user, binding.cseq) == ("1001", 7)
    lines = [json.loads(line) for line in (tmp_path / "cdr.jsonl").read_text().splitlines()]
    assert [(line["id"], line["verdict"]) for line in lines] == [("old-1", ""), ("old-2", crashed.verdict)]


async def test_after_an_upgrade_the_older_program_starts_again(tmp_path: Path) -> None:
    """THREATS G10: what a migration only added does not stand in the way of a downgrade."""
    path = tmp_path / "switchroom.db"
    with SqliteStore(path) as store:
        store.records.close(Record(setup_at=NOW, answer_at=NOW, end_at=NOW, call_id_a="before"))
        await store.flush()
    connection = connect(path)
    newer = (*MIGRATIONS, "ALTER TABLE calls ADD COLUMN mos REAL; CREATE TABLE queues (name TEXT) STRICT")
    migrate(connection, newer)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(newer),)
    connection.close()
    with SqliteStore(path) as store:  # the older one: it reads and writes
        store.records.close(Record(setup_at=NOW, answer_at=NOW, end_at=NOW, call_id_a="after"))
        await store.flush()
        assert [record.call_id_a for record in await store.records.recent()] == ["after", "before"]
    connection = connect(path)
    migrate(connection, newer)  # and the newer one once more
    assert connection.execute("SELECT count(*) FROM calls").fetchone() == (2,)
    connection.close()


def test_a_migration_that_takes_away_closes_the_way_back(tmp_path: Path) -> None:
    connection = connect(tmp_path / "s.db")
    newer = (*MIGRATIONS, "DROP TABLE texts")
    migrate(connection, newer, len(newer))
    with pytest.raises(StoreError, match=f"schema {len(newer)}, this one knows up to {len(MIGRATIONS)}"):
        migrate(connection)
    connection.close()


async def test_a_worker_closes_what_its_slot_left_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "switchroom.db"
    for slot in (0, 1):
        with SqliteStore(path, place=(slot, 3)) as store:
            store.records.answered(Record(setup_at=NOW, answer_at=NOW, call_id_a=f"of-{slot}"))
            store.records.heartbeat(NOW + slot)
    with SqliteStore(path, place=(1, 4)) as store:
        assert store.records.recover(NOW + 3600, died_at=NOW + 30) == 1
        await store.flush()
        (crashed,) = await store.records.recent()
        assert (crashed.call_id_a, crashed.duration) == ("of-1", 30.0)
        assert crashed.verdict.endswith("(worker 1, life 3)")
        assert store.records.recover(NOW) == 0
    with SqliteStore(path) as store:  # one process alone: everything is its own
        assert store.records.recover(NOW + 3600) == 1
