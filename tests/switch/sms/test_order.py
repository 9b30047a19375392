"""One after the other, in the place of another, and messages that nobody hears of again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from switchroom.switch.sms.interfaces import Fault, State

from .world import Inlet, Outlet, World


@pytest.fixture
def ordered(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, {"name": "all", "match": "*", "to": "trunk:a", "ordered": True})
    yield world
    world.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, {"name": "all", "match": "*", "to": "trunk:a"})
    yield world
    world.close()


def test_one_receiver_gets_one_after_the_other(ordered: World) -> None:
    a = Outlet("trunk:a")
    ordered.attach(a)
    ordered.submit("1", "2", "3")
    ordered.submit("other", to="+441")
    assert a.bodies == [b"1", b"other"]
    ordered.answer(a, "x")
    assert a.bodies == [b"1", b"other", b"2"]
    ordered.answer(a, "y")  # of the other receiver
    assert len(a.seen) == 3
    ordered.answer(a, "z")
    assert a.bodies[-1] == b"3"


def test_a_failure_holds_up_those_behind_it_over_a_restart_too(ordered: World) -> None:
    a = Outlet("trunk:a")
    ordered.attach(a)
    ordered.submit("1", "2")
    ordered.answer(a, fault=Fault.TEMPORARY)
    assert a.bodies == [b"1"]
    ordered.restart()
    a = Outlet("trunk:a")
    ordered.attach(a)
    assert a.bodies == []
    ordered.walk(20)
    assert a.bodies == [b"1"]
    ordered.answer(a, fault=Fault.PERMANENT)
    assert a.bodies == [b"1", b"2"]


def test_what_waits_for_its_turn_can_be_cancelled_and_expires(ordered: World) -> None:
    a = Outlet("trunk:a")
    ordered.attach(a)
    [_, second, third, _] = ordered.submit(
        "1", "2", "3", "4", expires_at=ordered.clock.posix(ordered.now) + 50
    )
    assert ordered.ask("cancel", second, "").state is State.DELETED
    ordered.answer(a, "x")
    assert a.bodies == [b"1", b"3"]
    ordered.walk(90)
    assert ordered.centre.waiting == 0
    ordered.answer(a, "y")
    assert a.bodies == [b"1", b"3"]
    assert ordered.state(third) is State.SENT


def test_replace_if_present(world: World) -> None:
    [first] = world.submit("old", service_type="CMT")
    [other] = world.submit("other", to="+441")
    assert world.submit("new", service_type="CMT", is_replacing=True) == [first]
    [fresh] = world.submit("fresh", to="+442", is_replacing=True)
    assert fresh not in (first, other)
    a = Outlet("trunk:a")
    world.attach(a)
    assert a.bodies == [b"new", b"other", b"fresh"]


def test_a_batch_with_replacements_has_one_answer(world: World) -> None:
    [first] = world.submit("old")
    heard: list[object] = []
    batch = [world.message("x", to="+441"), world.message("new", is_replacing=True)]
    world.centre.submit(batch, world.now, lambda _, results, now: heard.extend(results))
    assert heard == []
    world.turn()
    assert len(heard) == 2
    assert heard[1] == first


def test_without_a_receipt_the_end_is_unknown(tmp_path: Path) -> None:
    world = World(tmp_path, {"name": "all", "match": "*", "to": "trunk:a"}, receipt_timeout=3600)
    a, acme = Outlet("trunk:a"), Inlet("account:acme")
    world.attach(a, acme)
    [id, long] = world.submit("x", "y" * 400, wish=1)
    world.answer(a, "1", "2", "3", "4")
    world.receipt(a, "2")
    world.walk(3700)
    assert [world.state(id), world.state(long)] == [State.UNKNOWN, State.UNKNOWN]
    assert [notice.state for notice in acme.notices] == [State.UNKNOWN] * 2
    assert world.store._once("parts", id) == world.store._once("parts", long) == []
    world.close()
