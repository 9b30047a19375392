"""What is old goes: texts first, then records; what is not done with stays."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from switchroom.switch.store.sms.schema import connect
from switchroom.switch.store.sms.sweep import Retention, sweep

from .world import Outlet, World

DAY = 86_400.0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, {"name": "all", "to": "trunk:a"})
    world.now, world.offset = 2000.0, time.time() - 2000.0  # ids are of the real clock
    world.restart()
    yield world
    world.close()


def swept(world: World, retention: Retention, after: float, steps: int = 1000) -> None:
    left = iter([True] * steps)
    with closing(connect(world.path)) as connection:
        sweep(connection, retention, time.time() + after, lambda: next(left, False))


def column(world: World, query: str) -> list[object]:
    with closing(sqlite3.connect(world.path)) as connection:
        return [row[0] for row in connection.execute(query)]


def test_texts_go_and_records_stay_until_they_go_too(world: World) -> None:
    a = Outlet("trunk:a", window=1200)
    world.attach(a)
    ids = world.submit(*["done"] * 1200)
    world.answer(a, is_delivered=True)
    waiting = world.submit("later", schedule_at=world.clock.posix(world.now) + 1000)
    retention = Retention(bodies=DAY, records=10 * DAY)
    swept(world, retention, DAY / 2)
    assert column(world, "SELECT count(*) FROM messages WHERE is_redacted") == [0]
    swept(world, retention, 2 * DAY, steps=3)  # it has little time: it goes on the next time
    assert 0 < column(world, "SELECT count(*) FROM messages WHERE is_redacted")[0] < 1200  # type: ignore[operator]
    swept(world, retention, 2 * DAY)
    assert column(world, "SELECT count(*) FROM messages WHERE is_redacted") == [1200]
    assert column(world, "SELECT body FROM messages WHERE NOT is_redacted") == [b"later"]
    swept(world, retention, 11 * DAY)
    assert column(world, "SELECT id FROM messages") == waiting
    assert column(world, "SELECT count(*) FROM history") == [0]
    assert len(ids) == 1200


def test_a_text_that_was_on_its_way_for_long_goes_with_its_end(tmp_path: Path) -> None:
    world = World(tmp_path, {"name": "all", "to": "trunk:a"}, keep_bodies=1000)
    [id] = world.submit("x")
    world.walk(2000)
    a = Outlet("trunk:a")
    world.attach(a)
    world.answer(a, is_delivered=True)
    assert a.bodies == [b"x"]
    assert world.ask("query", id, "").is_redacted
    world.close()


def test_keys_and_orphans_go(world: World) -> None:
    a = Outlet("trunk:a")
    world.attach(a)
    [first] = world.submit("x", key="k")
    world.receipt(a, "nobody")
    retention = Retention(keys=DAY, orphans=DAY)
    swept(world, retention, DAY / 2)
    assert column(world, "SELECT message FROM keys") == [first]
    assert len(column(world, "SELECT id FROM orphans")) == 1
    swept(world, retention, 2 * DAY)
    assert column(world, "SELECT message FROM keys") == []
    assert column(world, "SELECT id FROM orphans") == []


def test_nothing_goes_where_nothing_is_said(world: World) -> None:
    a = Outlet("trunk:a")
    world.attach(a)
    world.submit("x")
    world.answer(a, is_delivered=True)
    swept(world, Retention(), 3650 * DAY)
    assert column(world, "SELECT body FROM messages") == [b"x"]
