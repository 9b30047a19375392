"""Disk full, read-only, locked or slow, clocks that jump: nothing acknowledged is lost (THREATS G5 to G7)."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from switchroom.switch.config import SmsConfig, SmsRouteConfig
from switchroom.switch.net import Clock
from switchroom.switch.sms.centre import Centre
from switchroom.switch.sms.interfaces import Address, Outcome, Refusal, State, Submission
from switchroom.switch.sms.routing import Routes
from switchroom.switch.store import StoreError
from switchroom.switch.store.sms import SqliteMessages, commit
from switchroom.switch.store.sms.schema import connect

from .world import Log, Outlet, World

MIB = 1 << 20


class Live:
    """A centre with the threads of its store, driven by this thread."""

    def __init__(self, folder: Path, reserve_size: int = 0, **config: Any) -> None:
        self.path = folder / "messages.db"
        self.store = SqliteMessages(self.path, reserve_size=reserve_size)
        self.store.start()
        self.clock, self.log = Clock(), Log()
        self._woken = threading.Event()
        self.store.on_wake = self._woken.set
        rules = SmsConfig(**config)
        routes = Routes([SmsRouteConfig(name="all", to="trunk:a")], rules)
        self.centre = Centre(rules, routes, self.store, self.clock, self.log)
        self.centre.start(self.clock.now())
        self.results: list[int | Refusal] = []

    def submit(self, *texts: str) -> None:
        batch = [
            Submission("account:acme", Address("+49301"), Address("+491701"), text.encode()) for text in texts
        ]
        self.centre.submit(batch, self.clock.now(), lambda _, results, now: self.results.extend(results))

    def until(self, is_so: Callable[[], object], seconds: float = 15.0) -> None:
        give_up_at = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < give_up_at
            self._woken.wait(0.02)
            self._woken.clear()
            self.centre.drain(self.clock.now())

    def send(self, *texts: str) -> list[int | Refusal]:
        count = len(self.results)
        self.submit(*texts)
        self.until(lambda: len(self.results) == count + len(texts))
        return self.results[count:]

    @property
    def accepted(self) -> list[int]:
        return [result for result in self.results if isinstance(result, int)]

    def rows(self) -> dict[int, State]:
        with closing(sqlite3.connect(self.path)) as other:
            assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return {id: State(state) for id, state in other.execute("SELECT id, state FROM messages")}

    def close(self) -> None:
        self.store.close()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    live = Live(tmp_path)
    yield live
    live.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("a small disk needs root: mount -t tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def take_all(path: Path) -> None:
    """Take what is left of the disk."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def is_refused(result: object) -> bool:
    return isinstance(result, Refusal) and result.word == "queue-full" and result.smpp == 0x14


def test_a_locked_database_refuses_and_recovers(live: Live) -> None:
    a = Outlet("trunk:a")
    live.centre.attach(outlet=a, now=live.clock.now())
    [id] = live.send("before")
    live.until(lambda: a.parts)
    with closing(sqlite3.connect(live.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert is_refused(live.send("while it is locked")[0])
        live.centre.report("trunk:a", [Outcome(a.parts.pop(), "A1")], live.clock.now())  # must not be lost
        assert is_refused(live.send("still")[0])  # at once: it is known by now
        other.execute("COMMIT")
    live.until(lambda: not live.store.is_failing)
    [after] = live.send("after")
    assert live.rows() == {id: State.SENT, after: State.SENDING}
    assert [event for event, _ in live.log.lines] == []


def test_a_full_disk_refuses_keeps_room_for_what_goes_on_and_recovers(small_disk: Path) -> None:
    live = Live(small_disk, reserve_size=2 * MIB)
    a = Outlet("trunk:a", window=1000)
    live.centre.attach(outlet=a, now=live.clock.now())
    live.send(*[f"{n}" for n in range(100)])
    live.until(lambda: len(a.parts) == 100)
    ballast = small_disk / "ballast"
    take_all(ballast)
    size = 0
    while not any(map(is_refused, live.results)):
        live.send(*["x" * 150] * 200)  # what is left in the database's own pages
        size += 1
        assert size < 100
    outcomes = [Outcome(part, f"{n}") for n, part in enumerate(a.parts[:100])]
    live.centre.report("trunk:a", outcomes, live.clock.now())  # into the reserve
    first = [part.message.id for part in a.parts[:100]]
    live.until(lambda: all(live.rows()[id] is State.SENT for id in first))
    assert is_refused(live.send("no")[0])
    ballast.unlink()
    live.until(lambda: not live.store.is_failing, seconds=10)
    assert isinstance(live.send("yes")[0], int)
    assert (small_disk / "messages.reserve").stat().st_size == 2 * MIB
    rows = live.rows()
    assert set(live.accepted) == set(rows)  # lost 0, and what was refused is not there
    live.close()


def test_a_disk_that_becomes_read_only(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    live.send("before")
    with monkeypatch.context() as patched:

        def read_only(path: Path) -> sqlite3.Connection:
            connection = connect(path)
            connection.execute("PRAGMA query_only = ON")  # writing fails as it does there
            return connection

        patched.setattr(commit, "connect", read_only)
        patched.setattr(commit, "PRAGMAS", (*commit.PRAGMAS, "query_only = ON"))
        live.until(lambda: live.store._writer._is_idle)  # its thread, whose connection this is
        live.store._committer.close()
        assert is_refused(live.send("no")[0])
    live.until(lambda: not live.store.is_failing)
    live.send("after")
    assert set(live.accepted) == set(live.rows())


def test_a_slow_disk_bounds_what_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = commit.Committer.commit

    def slowly(self: commit.Committer, pending: Any) -> None:
        time.sleep(0.2)
        at_once(self, pending)

    monkeypatch.setattr(commit.Committer, "commit", slowly)
    live = Live(tmp_path, max_unwritten=100)
    for _ in range(30):
        live.submit(*["x"] * 10)
    refused = sum(map(is_refused, live.results))
    assert refused == 200  # at once; the others when they are written
    live.until(lambda: len(live.results) == 300)
    assert set(live.accepted) == set(live.rows())
    live.close()


def test_a_file_of_the_future_is_refused(tmp_path: Path) -> None:
    live = Live(tmp_path)
    live.close()
    with closing(sqlite3.connect(live.path)) as other:
        other.execute("PRAGMA user_version = 99")
        other.execute("UPDATE state SET value = '99' WHERE key LIKE 'readable%' OR key LIKE '%schema%'")
        other.commit()
    with pytest.raises(StoreError, match="newer Switchroom"):
        SqliteMessages(live.path).start()


# -- clocks that jump


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 30 * 86_400.0])
def test_a_step_of_the_wall_clock_ends_nothing_at_once(tmp_path: Path, jump: float) -> None:
    world = World(tmp_path, {"name": "all", "to": "trunk:a"}, validity=3000)
    [waits] = world.submit("waits")
    [later] = world.submit("later", schedule_at=world.clock.posix(world.now) + 600)
    world.walk(10)
    world.offset += jump
    world.walk(500)
    assert world.state(waits) is State.QUEUED
    assert world.state(later) is State.SCHEDULED
    assert [event for event, _ in world.log.lines] == ["messages.clock_stepped"]
    a = Outlet("trunk:a")
    world.attach(a)
    assert a.bodies == [b"waits"]
    world.walk(100)
    assert a.bodies == [b"waits", b"later"]
    world.close()


def test_a_clock_that_was_put_right_for_good_is_believed(tmp_path: Path) -> None:
    world = World(tmp_path, {"name": "all", "to": "trunk:a"}, validity=86_400)
    [id] = world.submit("x")
    world.offset += 90_000
    world.walk(3000)
    assert world.state(id) is State.QUEUED
    world.walk(1000)
    assert world.state(id) is State.EXPIRED
    world.close()
