"""Calls of every end leave nothing for the collector: memory goes when they do."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

from tests.switch.calls.conftest import Build
from tests.switch.calls.world import Phone, World

COUNT = 500
SPARE = 200  # one cycle in each call would leave thousands

SDP = (("Content-Type", "application/sdp"),)
Ring = Callable[[World, Phone, Phone, Phone], None]


def answered(world: World, alice: Phone, bob: Phone, carol: Phone) -> None:
    session = alice.call("200")
    bob.accept().answer(world.now, body=bob.sdp, headers=SDP)
    world.settle()
    session.acknowledge(world.now)
    world.settle()
    session.bye(world.now)


def refused(world: World, alice: Phone, bob: Phone, carol: Phone) -> None:
    alice.call("200")
    bob.accept().reject(486, world.now)


def cancelled(world: World, alice: Phone, bob: Phone, carol: Phone) -> None:
    session = alice.call("200")
    bob.accept().ring(180, world.now)
    world.settle()
    session.cancel(world.now)


def forked(world: World, alice: Phone, bob: Phone, carol: Phone) -> None:
    session = alice.call("300")
    bob.accept().ring(180, world.now)
    carol.accept().answer(world.now, body=carol.sdp, headers=SDP)
    world.settle()
    session.acknowledge(world.now)
    world.settle()
    session.bye(world.now)


def forwarded(world: World, alice: Phone, bob: Phone, carol: Phone) -> None:
    session = alice.call("201")
    carol.accept().reject(486, world.now)
    world.settle()
    bob.accept().answer(world.now, body=bob.sdp, headers=SDP)
    world.settle()
    session.acknowledge(world.now)
    world.settle()
    session.bye(world.now)


def nowhere(world: World, alice: Phone, bob: Phone, carol: Phone) -> None:
    alice.call("999")


@pytest.mark.parametrize("ring", [answered, refused, cancelled, forked, forwarded, nowhere])
def test_calls_leave_no_cycles(build: Build, ring: Ring) -> None:
    world = build(
        users={"carol": {"forward_busy": "200"}},
        routes=[("300", ["user:bob", "user:carol"])],
        ports="31000-34999",  # those of an ended call rest for a while
    )
    alice = world.phone("127.0.0.2")
    phones: list[Any] = [alice, world.phone("127.0.0.3", user="bob"), world.phone("127.0.0.4", user="carol")]

    def run(count: int) -> None:
        for _ in range(count):
            ring(world, *phones)
            world.settle()
            world.walk(0.5)  # no account calls too often
            for phone in phones:
                phone.events.clear()
        world.walk(70)  # the last transaction has gone

    run(5)
    # What the phones of the test keep is theirs: only the switch's own objects are counted
    gc.collect()
    gc.disable()
    try:
        run(COUNT)
        assert not world.exchange.calls
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        ours = [one for one in gc.garbage if type(one).__module__.startswith("switchroom.")]
        assert len(ours) < SPARE, sorted({type(one).__name__ for one in ours})
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
