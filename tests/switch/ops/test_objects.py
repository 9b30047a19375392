"""What is alive, by kind: it grows with calls and comes back when they are over; records for people."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from switchroom.switch.ops import objects, records
from tests.switch.calls.test_calls import ring_and_answer, talk
from tests.switch.calls.world import World


def counted(world: World) -> dict[str, int]:
    """A switch that is made of a world's parts; the world has no connections and nobody's presence."""
    face = SimpleNamespace(counters=SimpleNamespace(connections=0))
    attendance = SimpleNamespace(presence=SimpleNamespace(statuses=()), texts=())
    parts: Any = SimpleNamespace(
        endpoint=world.endpoint,
        exchange=world.exchange,
        media=world.media,
        registrar=world.registrar,
        trunks=world.trunks,
        face=face,
        attendance=attendance,
    )
    return objects.count(parts)


def test_all_comes_back_when_the_call_is_over(tmp_path: Path) -> None:
    world = World(tmp_path)
    try:
        alice, bob, ours, _ = talk(world)
        ours.bye(world.now)
        world.settle()
        world.walk(70)
        bob.events.clear()
        idle = counted(world)
        ours = alice.call("200")
        ring_and_answer(world, bob)
        ours.acknowledge(world.now)
        world.settle()
        up = counted(world)
        assert (up["calls"], up["legs"], up["sessions"], up["dialogs"]) == (1, 2, 2, 2)
        assert (up["media_sessions"], up["media_ports"], up["trunk_calls"]) == (1, 4, 1)
        ours.bye(world.now)
        world.settle()
        world.walk(70)
        after = counted(world)
        for kind in idle.keys() - {"file_descriptors", "sockets"}:  # idle media sockets close a while later
            assert after[kind] == idle[kind], kind
    finally:
        world.close()


def test_records_for_people(tmp_path: Path) -> None:
    world = World(tmp_path)
    try:
        _, _, ours, _ = talk(world)
        world.clock.at += 3
        ours.bye(world.now)
        world.settle()

        async def ask() -> tuple[list[dict[str, Any]], dict[str, Any]]:
            await world.store.flush()
            rows = await records.recent(world.store.records, 5)
            return rows, await records.find(world.store.records, str(rows[0]["id"])[:20])

        [row], record = asyncio.run(ask())
        assert row["verdict"] == record["verdict"] == "user bob answered after 0 ms"
        assert row["seconds"] == 3.0
        assert record["explanation"] == ["200 is the number of bob"]
        with pytest.raises(LookupError, match="there is no such record"):
            asyncio.run(records.find(world.store.records, "nothing"))
    finally:
        world.close()
