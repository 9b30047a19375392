"""Call records: none lost, none twice, whatever happens to the process or the disk."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from switchroom.switch.ops import records
from switchroom.switch.ops.records import RecordLines
from switchroom.switch.store import Direction, Record, SqliteStore, StoreError, record_id
from switchroom.switch.store.schema import MIGRATIONS

NOW = 1_779_019_200.0  # 2026-05-17 12:00 UTC


def ended(number: int, **fields: object) -> Record:
    record = Record(setup_at=NOW, call_id_a=f"a{number}", caller="1001", callee="1002", from_user="1001")
    record.answer_at, record.end_at = NOW + 1, NOW + 6
    record.duration, record.cause, record.reason, record.ended_by = 5.0, 200, "OK", "caller"
    for name, value in fields.items():
        setattr(record, name, value)
    return record


def open_store(folder: Path, **settings: float) -> SqliteStore:
    return SqliteStore(folder / "switchroom.db", RecordLines(folder / "cdr.jsonl"), **settings)  # type: ignore[arg-type]


def fields(found: list[Record]) -> list[tuple[object, ...]]:
    return [tuple(getattr(record, name) for name in Record.__slots__) for record in found]


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "cdr.jsonl").read_text().splitlines()]


async def test_a_call_from_set_up_to_its_line(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        record = Record(setup_at=NOW, call_id_a="a", caller="1001", callee="1002", from_user="1001")
        store.records.open(record)
        await store.flush()
        record.ring_at = NOW + 1
        record.answer_at, record.call_id_b, record.to_user = NOW + 2, "b", "1002"
        record.codecs = ("PCMU/8000", "telephone-event/8000")
        store.records.answered(record)
        await store.flush()
        assert await store.records.recent() == []
        record.end_at, record.duration = NOW + 7, 5.0
        record.cause, record.reason, record.ended_by = 200, "OK", "callee"
        record.media_a, record.media_b = (
            Direction(250, 43000, 1, 0.51, 4.37, 21.5, "SDES AEAD_AES_128_GCM"),
            Direction(249, 42828, 0, 1.25),
        )
        record.trunk, record.verdict = "acme", "answered after 1 s; ended by the callee"
        record.explanation = ("0 ms: route 1 matches 1002", "1 ms: trunk acme is tried")
        store.records.close(record)
        await store.flush()
        assert fields(await store.records.recent()) == fields([record])
    assert lines(tmp_path) == [
        {
            "id": record.id,
            "call_id_a": "a",
            "call_id_b": "b",
            "caller": "1001",
            "callee": "1002",
            "from_user": "1001",
            "to_user": "1002",
            "trunk": "acme",
            "setup_at": "2026-05-17T12:00:00.000Z",
            "ring_at": "2026-05-17T12:00:01.000Z",
            "answer_at": "2026-05-17T12:00:02.000Z",
            "end_at": "2026-05-17T12:00:07.000Z",
            "duration": 5.0,
            "cause": 200,
            "reason": "OK",
            "ended_by": "callee",
            "verdict": "answered after 1 s; ended by the callee",
            "codecs": ["PCMU/8000", "telephone-event/8000"],
            "a_packets": 250,
            "a_size": 43000,
            "a_lost": 1,
            "a_jitter_ms": 0.51,
            "a_mos": 4.37,
            "a_round_trip_ms": 21.5,
            "a_secured": "SDES AEAD_AES_128_GCM",
            "b_packets": 249,
            "b_size": 42828,
            "b_lost": 0,
            "b_jitter_ms": 1.25,
            "b_mos": 0.0,
            "b_round_trip_ms": 0.0,
            "b_secured": "",
        }
    ]


async def test_what_is_written_is_a_copy(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        record = ended(1)
        store.records.close(record)
        record.reason = "changed later"
        await store.flush()
        (found,) = await store.records.recent()
    assert found.reason == "OK"


async def test_the_newest_comes_first_and_the_limit_holds(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for number in range(150):
            store.records.close(ended(number))
        await store.flush()
        found = await store.records.recent(3)
    assert [record.call_id_a for record in found] == ["a149", "a148", "a147"]


async def test_a_call_is_found_by_how_its_id_begins_however_many_followed(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        first, near = ended(0, id="0190a-1"), ended(1, id="0190a-12")
        for record in (first, near, *(ended(number) for number in range(2, 1500))):
            store.records.close(record)
        await store.flush()

        async def found(id: str) -> list[tuple[object, ...]]:
            return fields(await store.records.beginning(id))

        assert await found("0190a-12") == fields([near])
        assert await found("0190a-1") == await found("0190a") == fields([first, near])
        for nobody in ("0190a-2", "0190_", "%", "0190a-123", "\xe4", "\ud800"):
            assert await found(nobody) == []
        assert (await records.find(store.records, "0190a-12"))["call_id_a"] == "a1"
        for unclear, why in (("0190a", "several begin so"), ("", "there is no such record")):
            with pytest.raises(LookupError, match=why):
                await records.find(store.records, unclear)


async def test_a_record_that_is_closed_twice_is_one(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        record = ended(1)
        for _ in range(3):
            store.records.close(record)
            await store.flush()
        assert len(await store.records.recent()) == 1
    assert len(lines(tmp_path)) == 1


async def test_a_clean_stop_loses_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.start()
    for number in range(1000):
        store.records.close(ended(number))
    store.close()
    assert [line["call_id_a"] for line in lines(tmp_path)] == [f"a{n}" for n in range(1000)]
    with open_store(tmp_path) as again:
        assert again.records.recover(NOW) == 0
        assert len(await again.records.recent(2000)) == 1000
    assert len(lines(tmp_path)) == 1000


async def test_ids_are_unique_and_in_the_order_of_time(tmp_path: Path) -> None:
    made = [record_id() for _ in range(2000)]
    assert len(set(made)) == 2000
    assert [i[:12] for i in made] == sorted(i[:12] for i in made)
    assert {i[14] for i in made} == {"7"}
    assert {i[19] for i in made} <= set("89ab")


def crash(folder: Path, script: str) -> None:
    """Run a piece of program that ends by kill -9."""
    head = f"""
        import asyncio, os, signal, sys
        from pathlib import Path
        from switchroom.switch.ops.records import RecordLines
        from switchroom.switch.store import Record, SqliteStore
        NOW = 1_779_019_200.0  # 2026-05-17 12:00 UTC
        folder = Path({str(folder)!r})
        store = SqliteStore(folder / "switchroom.db", RecordLines(folder / "cdr.jsonl"))
        store.start()
    """
    program = textwrap.dedent(head) + textwrap.dedent(script) + "\nos.kill(os.getpid(), signal.SIGKILL)\n"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert result.returncode == -signal.SIGKILL, result.stderr


async def test_a_crash_closes_what_was_open_at_the_last_heartbeat(tmp_path: Path) -> None:
    crash(
        tmp_path,
        """
        up, ringing, late = (Record(setup_at=NOW, call_id_a=name) for name in ("up", "ringing", "late"))
        store.records.open(ringing)
        up.answer_at = NOW + 2
        store.records.answered(up)
        store.records.heartbeat(NOW + 10)
        asyncio.run(store.flush())
        late.setup_at, late.answer_at = NOW + 11, NOW + 12
        store.records.answered(late)
        asyncio.run(store.flush())
        """,
    )
    with open_store(tmp_path) as store:
        assert store.records.recover(NOW + 300) == 3
        await store.flush()
        found = {record.call_id_a: record for record in await store.records.recent()}
    assert {(r.reason, r.ended_by, r.cause) for r in found.values()} == {("crash", "switch", 500)}
    assert (found["up"].end_at, found["up"].duration) == (NOW + 10, 8.0)
    assert (found["ringing"].end_at, found["ringing"].duration) == (NOW + 10, 0.0)
    assert (found["late"].end_at, found["late"].duration) == (NOW + 12, 0.0)
    assert sorted(str(line["call_id_a"]) for line in lines(tmp_path)) == ["late", "ringing", "up"]
    with open_store(tmp_path) as store:
        assert store.records.recover(NOW + 360) == 0
    assert len(lines(tmp_path)) == 3


def test_what_was_answered_before_kill_9_is_in_the_book_exactly_once(tmp_path: Path) -> None:
    """Twelve lives that end by kill -9 at some moment under load (THREATS G2)."""
    program = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from switchroom.switch.ops.records import RecordLines
        from switchroom.switch.store import Record, SqliteStore
        folder = Path(sys.argv[1])
        store = SqliteStore(folder / "switchroom.db", RecordLines(folder / "cdr.jsonl"))
        store.start()
        store.records.recover(time.time())
        live = []
        for number in range(100_000):
            now = time.time()
            live.append(Record(setup_at=now, answer_at=now))
            store.records.answered(live[-1])
            if len(live) > 50:
                record = live.pop(0)
                record.end_at, record.cause = now, 200
                store.records.close(record)
            if number % 20 == 0:
                import asyncio
                asyncio.run(store.flush())
                for record in live[-20:]:
                    sys.stdout.write(record.id + "\\n")
                sys.stdout.flush()
        """
    )
    promised: set[str] = set()
    for life in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        promised.add(process.stdout.readline().strip())  # it lives
        time.sleep(0.013 * life)
        process.kill()
        promised.update(line for line in process.stdout.read().split("\n") if len(line) == 36)
        process.wait()
        process.stdout.close()
    with open_store(tmp_path) as store:
        assert store.records.recover(NOW) > 0
    with closing(sqlite3.connect(tmp_path / "switchroom.db")) as connection:
        in_book = Counter(i for (i,) in connection.execute("SELECT id FROM calls"))
        assert connection.execute("SELECT count(*) FROM live").fetchone() == (0,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    in_lines = Counter(str(line["id"]) for line in lines(tmp_path))
    assert len(promised) > 200
    assert promised <= set(in_book)
    assert set(in_book.values()) == {1}
    assert in_lines == in_book


async def test_lines_that_a_crash_kept_back_are_written_once(tmp_path: Path) -> None:
    """The commit happened, the line is missing, whole or in part."""
    with open_store(tmp_path) as store:
        for number in range(5):
            store.records.close(ended(number))
        await store.flush()
    path = tmp_path / "cdr.jsonl"
    whole = path.read_bytes()
    with closing(sqlite3.connect(tmp_path / "switchroom.db")) as connection, connection:
        connection.execute("DELETE FROM state WHERE key LIKE 'sink%'")  # the mark was not written yet
    for kept in (whole[: len(whole) // 2], whole[:-1], whole, b""):
        path.write_bytes(kept)
        with open_store(tmp_path) as store:
            store.records.heartbeat(NOW)
            await store.flush()
        assert path.read_bytes() == whole
        with closing(sqlite3.connect(tmp_path / "switchroom.db")) as connection, connection:
            connection.execute("DELETE FROM state WHERE key LIKE 'sink%'")


async def test_lines_written_before_the_mark_are_not_searched(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.records.close(ended(1))
    (tmp_path / "cdr.jsonl").unlink()  # archived by somebody
    with open_store(tmp_path) as store:
        store.records.close(ended(2))
    assert [line["call_id_a"] for line in lines(tmp_path)] == ["a2"]


async def test_a_rotated_file_is_followed(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.records.close(ended(1))
        await store.flush()
        (tmp_path / "cdr.jsonl").rename(tmp_path / "cdr.jsonl.1")
        store.records.close(ended(2))
        await store.flush()
    assert [line["call_id_a"] for line in lines(tmp_path)] == ["a2"]
    assert b'"a1"' in (tmp_path / "cdr.jsonl.1").read_bytes()


async def test_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    before = os.umask(0)
    try:
        with open_store(folder) as store:
            store.records.close(ended(1))
            await store.flush()
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert set(modes) >= {"switchroom.db", "switchroom.db-wal", "cdr.jsonl"}
    assert set(modes.values()) == {0o600}


async def test_one_bad_record_does_not_hurt_the_others(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.records.close(ended(1))
        store.records.close(ended(2, reason="half a surrogate \udcff"))
        store.records.close(ended(3, cause="not a number"))
        store.records.close(ended(4, caller='quotes " and \n lines \x00'))
        await store.flush()
        found = {record.call_id_a: record for record in await store.records.recent()}
        assert set(found) == {"a1", "a2", "a4"}
        assert found["a2"].reason == "half a surrogate ?"
        assert store.counters["lost"] == 1
    assert len(lines(tmp_path)) == 3


async def test_writing_is_cheap_for_the_loop(tmp_path: Path) -> None:
    """At most 10 us of the loop's thread for a whole call; the bound leaves room for a busy machine."""
    with open_store(tmp_path) as store:
        count, best = 2000, 1.0
        for _ in range(5):
            records = [ended(number) for number in range(count)]
            began = time.thread_time()
            for record in records:
                store.records.open(record)
                store.records.answered(record)
                store.records.close(record)
            best = min(best, (time.thread_time() - began) / count)
            await store.flush()
        assert best < 10e-6


async def test_many_share_one_commit(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for number in range(500):
            store.records.close(ended(number))
        await asyncio.gather(*(store.flush() for _ in range(20)))
        assert store.counters["commits"] <= 5


async def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    with open_store(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "switchroom.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("UPDATE state SET value = '99' WHERE key = 'schema.readable_by'")
        connection.commit()
    known = len(MIGRATIONS)
    with pytest.raises(StoreError, match=f"a newer Switchroom: schema 99, this one knows up to {known}"):
        open_store(tmp_path).start()


async def test_the_file_of_another_program_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "switchroom.db")) as connection:
        connection.execute("PRAGMA user_version = 1")
    with pytest.raises(StoreError, match="is the database of another program"):
        open_store(tmp_path).start()


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be looked at" * 20])
async def test_a_broken_file_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "switchroom.db").write_bytes(content)
    with pytest.raises(StoreError) as caught:
        open_store(tmp_path).start()
    assert str(caught.value) == f"{tmp_path / 'switchroom.db'}: file is not a database"


async def test_two_switches_cannot_share_a_file(tmp_path: Path) -> None:
    with open_store(tmp_path), pytest.raises(StoreError, match="another switch that is running uses it"):
        open_store(tmp_path).start()
    with open_store(tmp_path):
        pass  # it is free again
