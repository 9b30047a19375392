"""The timer wheel: never early, one slot late at most, and it keeps nobody alive."""

from __future__ import annotations

import gc
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols.wheel import NEVER, Slots, Timed, Wheel

SLOT = 1 / 32


class Bell(Timed):
    """Notes when it was rung, and may want to be rung again."""

    __slots__ = ("__weakref__", "again", "rung", "wheel")

    def __init__(self, wheel: Wheel, again: float | None = None) -> None:
        super().__init__()
        self.wheel = wheel
        self.rung: list[float] = []
        self.again = again

    def handle_timer(self, now: float) -> None:
        self.rung.append(now)
        if self.again is not None:
            self.wheel.arm(self, now + self.again, now)


def walk(wheel: Wheel, until: float = NEVER) -> None:
    while (at := wheel.next_at()) is not None and at <= until:
        wheel.handle_timer(at)


def test_rings_at_its_time() -> None:
    wheel = Wheel()
    bell = Bell(wheel)
    wheel.arm(bell, 10.5, 10.0)
    assert wheel.next_at() == 10.5
    wheel.handle_timer(10.49)
    assert bell.rung == []
    wheel.handle_timer(10.5)
    assert bell.rung == [10.5]
    assert wheel.next_at() is None


def test_far_times_are_reached_in_hops() -> None:
    wheel = Wheel()
    bell = Bell(wheel)
    wheel.arm(bell, 100.0, 0.0)
    at = wheel.next_at()
    assert at is not None
    assert at <= 8.0
    walk(wheel)
    assert bell.rung == [100.0]


def test_moving_to_later_files_nothing() -> None:
    wheel = Wheel()
    bell = Bell(wheel)
    wheel.arm(bell, 1.0, 0.0)
    for at in (2.0, 3.0, 4.0):
        wheel.arm(bell, at, 0.0)
    assert wheel.next_at() == 1.0
    walk(wheel)
    assert bell.rung == [4.0]


def test_moving_to_earlier_rings_once() -> None:
    wheel = Wheel()
    bell = Bell(wheel)
    wheel.arm(bell, 4.0, 0.0)
    wheel.arm(bell, 1.0, 0.0)
    walk(wheel)
    assert bell.rung == [1.0]


def test_earlier_then_later_rings_at_the_last_time_asked() -> None:
    wheel = Wheel()
    bell = Bell(wheel)
    wheel.arm(bell, 4.0, 0.0)
    wheel.arm(bell, 1.0, 0.0)
    wheel.arm(bell, 3.0, 0.0)
    walk(wheel)
    assert bell.rung == [3.0]


def test_never_takes_the_timer_away() -> None:
    wheel = Wheel()
    bell = Bell(wheel)
    wheel.arm(bell, NEVER, 0.0)
    assert wheel.next_at() is None
    wheel.arm(bell, 1.0, 0.0)
    wheel.arm(bell, NEVER, 0.0)
    walk(wheel)
    assert bell.rung == []


def test_what_is_disarmed_is_not_kept_alive() -> None:
    wheel = Wheel()
    bell = Bell(wheel)
    wheel.arm(bell, 1.0, 0.0)
    alive = weakref.ref(bell)
    wheel.disarm(bell)
    wheel.disarm(bell)
    del bell
    gc.collect()
    assert alive() is None
    assert len(wheel) == 0
    wheel.handle_timer(2.0)  # the stale entry falls out
    assert wheel.next_at() is None


def test_a_disarmed_timer_can_be_armed_again() -> None:
    wheel = Wheel()
    bell = Bell(wheel)
    wheel.arm(bell, 1.0, 0.0)
    wheel.disarm(bell)
    wheel.arm(bell, 2.0, 0.0)
    walk(wheel)
    assert bell.rung == [2.0]


def test_a_bell_that_rings_again_is_rung_again_in_a_late_call() -> None:
    wheel = Wheel()
    bell = Bell(wheel, again=1.0)
    wheel.arm(bell, 1.0, 0.0)
    wheel.handle_timer(5.0)
    assert bell.rung == [5.0]  # late by our caller's doing: once, not once for each second missed
    assert wheel.next_at() == 6.0


def test_one_may_disarm_another_in_the_same_slot() -> None:
    wheel = Wheel()
    other = Bell(wheel)

    class Killer(Bell):
        __slots__ = ()

        def handle_timer(self, now: float) -> None:
            self.wheel.disarm(other)

    killer = Killer(wheel)
    wheel.arm(killer, 1.0, 0.0)
    wheel.arm(other, 1.0, 0.0)
    walk(wheel)
    assert other.rung == []


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 50)), max_size=60))
def test_never_early_and_one_slot_late_at_most(orders: list[tuple[int, float]]) -> None:
    wheel = Wheel()
    bells = [Bell(wheel) for _ in range(10)]
    wanted: dict[int, float] = {}
    for index, at in orders:
        wheel.arm(bells[index], at, 0.0)
        wanted[index] = at
    walk(wheel)
    for index, bell in enumerate(bells):
        if index in wanted:
            (rung,) = bell.rung
            assert wanted[index] <= rung <= wanted[index] + SLOT
        else:
            assert bell.rung == []


def test_slots_hold_items_until_due() -> None:
    slots: Slots = Slots(1)
    slots.add("b", 2.5)
    slots.add("a", 0.5)
    slots.add("c", 2.1)
    assert slots.next_at() == 1.0
    assert slots.take(0.9) is None
    assert slots.take(1.0) == (1.0, ["a"])
    assert slots.take(9.0) == (3.0, ["b", "c"])
    assert slots.take(9.0) is None
    assert slots.next_at() is None


def test_timed_has_to_say_what_it_does() -> None:
    class Idle(Timed):
        __slots__ = ()

    wheel = Wheel()
    wheel.arm(Idle(), 1.0, 0.0)
    with pytest.raises(NotImplementedError):
        wheel.handle_timer(1.0)
