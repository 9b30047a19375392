"""A pass of the loop does so much for SMPP and no more; the rest comes in the next ones, in order."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from switchroom.switch.net import Clock
from switchroom.switch.net.faults import Faults
from switchroom.switch.net.limits import NetCounters
from switchroom.switch.sms.smpp.passes import Passes


class Work:
    """Stands for a line: each time it goes on it takes 3 ms."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name

    def go_on(self) -> None:
        self.world.now += 0.003
        self.world.done.append(self.name)
        if self.name == "faulty":
            raise RuntimeError("on purpose")

    def turn(self, now: float) -> None:
        self.world.done.append(f"{self.name}'s turn")


class World:
    def __init__(self) -> None:
        self.now = 0.0
        self.done: list[str] = []
        faults = Faults(structlog.get_logger(), Clock(), NetCounters())
        self.passes = Passes(lambda: self.now, faults)

    def work(self, name: str) -> Any:
        return Work(self, name)


async def test_what_there_is_no_time_for_waits_its_turn() -> None:
    world = World()
    passes = world.passes
    assert passes.has_time(world.now)
    world.now += 0.006
    assert not passes.has_time(world.now)
    for name in ("a", "b", "faulty", "d", "e"):
        passes.hold(world.work(name))
    assert world.done == []
    for count in (2, 4, 5):
        await asyncio.sleep(0)  # others, who share the loop
        assert world.done == ["a", "b", "faulty", "d", "e"][:count]
    await asyncio.sleep(0)
    assert passes.has_time(world.now)


async def test_a_line_has_one_turn_a_pass() -> None:
    world = World()
    line = world.work("a")
    for _ in range(3):
        world.passes.turn_later(line)
    await asyncio.sleep(0)
    assert world.done == ["a's turn"]
    world.passes.turn_later(line)
    await asyncio.sleep(0)
    assert world.done == ["a's turn"] * 2
