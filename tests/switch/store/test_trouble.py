"""Disk full, database locked, file gone: calls go on, what they wrote is not lost (THREATS G6, G7)."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from switchroom.switch.ops.records import RecordLines
from switchroom.switch.store import Record, SqliteStore, StoredBinding, StoreError

NOW = 1_779_019_200.0  # 2026-05-17 12:00 UTC


def record(number: int) -> Record:
    return Record(setup_at=NOW, call_id_a=f"a{number}", end_at=NOW, cause=200)


async def until(is_true: Callable[[], object]) -> None:
    """Wait for the writer's thread, which has a clock of its own."""
    give_up_at = time.monotonic() + 15
    while not is_true():
        assert time.monotonic() < give_up_at
        await asyncio.sleep(0.01)


def fill(path: Path) -> None:
    """Take what is left of the disk."""
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


async def test_a_locked_database_is_waited_for(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "s.db", RecordLines(tmp_path / "cdr.jsonl")) as store:
        with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            for number in range(300):
                store.records.close(record(number))
            await until(lambda: store.counters["failures"] >= 1)
            assert store.counters["waiting"] == 300
            store.records.close(record(300))  # and the loop is never stopped by it
            other.execute("COMMIT")
        await store.flush()
        assert store.counters["waiting"] == 0
        assert len(await store.records.recent(1000)) == 301
    assert len((tmp_path / "cdr.jsonl").read_text().splitlines()) == 301


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("a small disk needs root: mount -t tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_is_waited_for(small_disk: Path) -> None:
    with SqliteStore(small_disk / "s.db", RecordLines(small_disk / "cdr.jsonl")) as store:
        store.records.close(record(0))
        await store.flush()
        ballast = small_disk / "ballast"
        with pytest.raises(OSError, match="No space"):
            fill(ballast)
        for number in range(1, 3000):
            store.records.close(record(number))
        await until(lambda: store.counters["failures"] >= 2)
        ballast.unlink()
        await store.flush()
        store.records.heartbeat(NOW)
        await store.flush()
        assert store.counters["lost"] == 0
    with closing(sqlite3.connect(small_disk / "s.db")) as connection:
        assert connection.execute("SELECT count(*), count(DISTINCT call_id_a) FROM calls").fetchone() == (
            3000,
            3000,
        )
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    found = [json.loads(line)["call_id_a"] for line in (small_disk / "cdr.jsonl").read_text().splitlines()]
    assert found == [f"a{n}" for n in range(3000)]


def test_a_line_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """The file may not grow beyond a limit: the second append fits in part only."""
    program = textwrap.dedent(
        """
        import resource, signal, sys
        from pathlib import Path
        from switchroom.switch.ops.records import RecordLines
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        lines = RecordLines(Path(sys.argv[1]))
        line = b'{"id":"x"}' + b" " * 589 + b"\\n"
        assert lines.append(line) == 600
        try:
            lines.append(line)
        except OSError:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            assert lines.append(line) == 1200
            sys.exit(7)
        """
    )
    path = tmp_path / "cdr.jsonl"
    assert subprocess.run([sys.executable, "-c", program, str(path)], timeout=30).returncode == 7
    assert [len(line) for line in path.read_bytes().splitlines(keepends=True)] == [600, 600]


async def test_lines_that_fail_wait_in_the_database(tmp_path: Path) -> None:
    (tmp_path / "lines").mkdir()
    with SqliteStore(tmp_path / "s.db", RecordLines(tmp_path / "lines" / "cdr.jsonl")) as store:
        shutil.rmtree(tmp_path / "lines")
        for number in range(3):
            store.records.close(record(number))
            await store.flush()
        assert store.counters["failures"] == 0  # the book itself is fine
        (tmp_path / "lines").mkdir()
        store.records.heartbeat(NOW)
        await store.flush()
        assert len((tmp_path / "lines" / "cdr.jsonl").read_text().splitlines()) == 3


async def test_a_folder_that_vanishes_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with SqliteStore(folder / "s.db") as store:
        store.records.close(record(0))
        await store.flush()
        folder.rename(tmp_path / "moved")
        store.records.close(record(1))
        await until(lambda: store.counters["failures"] or not store.counters["waiting"])
        (tmp_path / "moved").rename(folder)
        await store.flush()
        assert {r.call_id_a for r in await store.records.recent()} == {"a0", "a1"}


async def test_a_full_queue_keeps_room_for_the_ends_of_calls(tmp_path: Path) -> None:
    with (
        SqliteStore(tmp_path / "s.db", capacity=100) as store,
        closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as other,
    ):
        live = [record(number) for number in range(10)]
        for one in live:
            store.records.open(one)
        await store.flush()
        other.execute("BEGIN EXCLUSIVE")
        for number in range(100):
            store.records.open(record(1000 + number))
        assert store.records.is_full
        assert store.counters["waiting"] == 75
        for one in live:
            store.records.close(one)
        for number in range(100):
            store.bindings.save(StoredBinding(f"u{number}", "sip:x", NOW))
        assert store.counters["waiting"] == 100
        assert store.counters["lost"] == 25 + 85
        other.execute("COMMIT")
        await store.flush()
        assert not store.records.is_full
        assert len(await store.records.recent()) == 10


def test_a_close_gives_up_in_time_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchroom.switch.store.writer._CLOSE_TIMEOUT", 0.1)
    store = SqliteStore(tmp_path / "s.db")
    store.start()
    with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        store.records.close(record(1))
        waiter = threading.Thread(target=store.close)
        waiter.start()
        waiter.join(10)
        assert not waiter.is_alive()
    assert store.counters["lost"] == 1


async def test_who_waits_for_a_store_that_gave_up_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("switchroom.switch.store.writer._CLOSE_TIMEOUT", 0.1)
    store = SqliteStore(tmp_path / "s.db")
    store.start()
    with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        store.records.close(record(1))
        waiting = asyncio.ensure_future(store.flush())
        await until(lambda: store.counters["failures"])
        await asyncio.to_thread(store.close)
        with pytest.raises(StoreError, match="closed before everything was written"):
            await waiting


async def test_a_closed_store_does_not_pretend(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db")
    await store.flush()  # nothing waits
    store.records.close(record(1))
    with pytest.raises(StoreError, match="is not open"):
        await store.flush()
    store.close()  # never started: nothing to do


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/s\.db: (file exists|not a directory)$"):
        SqliteStore(tmp_path / "file" / "s.db").start()


def test_a_store_that_is_closed_leaves_no_file_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with SqliteStore(tmp_path / "s.db", RecordLines(tmp_path / "cdr.jsonl")) as store:
            store.records.close(record(1))
    assert len(os.listdir("/proc/self/fd")) == before
