"""A timer wheel: what is armed hangs in the ring of its slot, so that arming and disarming make no object.

Re-arming for later writes one number; its entry finds that out when the slot comes. That is soon: far timers
go in hops of a few seconds. Slots are 1/32 s wide (binary, so that arithmetic on them is exact): a timer
fires up to one slot late and never early. Finer slots would wake a busy switch more often, for what can wait:
retransmissions are half a second apart.
"""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf
from typing import Any

NEVER = inf

_NEVER = inf  # compiled, a number of C
_SLOTS_PER_SECOND = 32
_PER_SECOND = 32.0
_HOP = 8.0  # seconds
_COUNT = 512  # slots of the wheel, twice a hop: a power of two
_MASK = _COUNT - 1


class Slots:
    """Items filed under the slot of time in which they come due."""

    __slots__ = ("_items", "_last", "_last_tick", "_per_second", "_ticks")

    def __init__(self, per_second: float = _SLOTS_PER_SECOND) -> None:
        self._per_second = per_second
        self._items: dict[int, list[Any]] = {}
        self._ticks: list[int] = []  # a heap of the slots in use: as many as there are slots, not items
        self._last: list[Any] | None = None  # the slot that was filed in last: mostly it is the next one, too
        self._last_tick = 0

    def add(self, item: Any, at: float) -> float:
        """File an item under ``at`` and return when its slot comes."""
        slot = at * self._per_second
        tick = int(slot)
        if tick < slot:
            tick += 1  # rounded up
        items = self._last
        if items is None or tick != self._last_tick:
            items = self._find(tick)
        items.append(item)
        return tick / self._per_second

    def _find(self, tick: int) -> list[Any]:
        items = self._items.get(tick)
        if items is None:
            items = self._items[tick] = []
            heappush(self._ticks, tick)
        self._last, self._last_tick = items, tick
        return items

    def soonest(self) -> float:
        """When the first slot in use comes due, NEVER when there is none."""
        if not self._ticks:
            return _NEVER
        tick = self._ticks[0]
        return tick / self._per_second

    def next_at(self) -> float | None:
        """When the first slot in use comes due."""
        return self.soonest() if self._ticks else None

    def take(self, now: float) -> tuple[float, list[Any]] | None:
        """Remove the first slot that is due: its time and its items."""
        if not self._ticks:
            return None
        tick = self._ticks[0]
        if tick > now * self._per_second:
            return None
        heappop(self._ticks)
        if tick == self._last_tick:
            self._last = None
        return tick / self._per_second, self._items.pop(tick)


class Timed:
    """Something with one timer; the wheel writes its place, the owner of the wheel calls ``arm``."""

    __slots__ = ("_filed_at", "_next", "_previous", "wake_at")

    def __init__(self) -> None:
        self._rest()

    def _rest(self) -> None:
        """Wait for nothing."""
        self.wake_at = _NEVER
        self._filed_at = _NEVER  # when its slot comes, if it hangs in one
        self._previous: Timed | None = None
        self._next: Timed | None = None

    def handle_timer(self, now: float) -> None:
        """React to the time that was asked for."""
        raise NotImplementedError


class Wheel:
    """Calls ``handle_timer`` of what is armed when its time has come."""

    __slots__ = ("_count", "_first", "_slots")

    def __init__(self) -> None:
        self._slots: list[Timed | None] = [None] * _COUNT  # rings, each with a Timed of nobody as its knot
        self._first = 0  # no slot in use comes before this one
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def arm(self, timed: Timed, at: float, now: float) -> None:
        """Set or move the one timer of ``timed``; NEVER takes it away."""
        timed.wake_at = at
        if at > now + _HOP:
            if at == _NEVER:
                return
            at = now + _HOP
        if at >= timed._filed_at:
            return  # moved to later: its entry finds that out when it comes
        self._remove(timed)
        slot = at * _PER_SECOND
        tick = int(slot)
        if tick < slot:
            tick += 1  # rounded up
        self._file(timed, tick)

    def _file(self, timed: Timed, tick: int) -> None:
        """Hang it into a slot; one that is too far away for the wheel comes sooner, as a hop."""
        if not self._count or tick < self._first:
            self._first = tick
        elif tick - self._first > _MASK:
            tick = self._first + _MASK
        knot = self._slots[tick & _MASK]
        if knot is None:
            knot = self._slots[tick & _MASK] = Timed()
            knot._previous = knot._next = knot
        last = knot._previous
        assert last is not None
        timed._previous, timed._next = last, knot
        last._next = knot._previous = timed
        timed._filed_at = tick / _PER_SECOND
        self._count += 1

    def _remove(self, timed: Timed) -> None:
        before, after = timed._previous, timed._next
        if before is None or after is None:
            return
        before._next, after._previous = after, before
        timed._previous = timed._next = None
        timed._filed_at = _NEVER
        self._count -= 1

    def disarm(self, timed: Timed) -> None:
        """Forget a timer and its owner."""
        self._remove(timed)
        timed.wake_at = _NEVER

    def soonest(self) -> float:
        """When the first slot in use comes, NEVER when nothing is armed."""
        if not self._count:
            return _NEVER
        while True:
            knot = self._slots[self._first & _MASK]
            if knot is not None and knot._next is not knot:
                return self._first / _PER_SECOND
            self._first += 1

    def next_at(self) -> float | None:
        """When to be called again."""
        return self.soonest() if self._count else None

    def handle_timer(self, now: float) -> None:
        """Wake everything that is due."""
        while self._count and self.soonest() <= now:
            knot = self._slots[self._first & _MASK]
            timed = None if knot is None else knot._next
            assert timed is not None
            self._remove(timed)
            if timed.wake_at <= now:
                timed.wake_at = _NEVER
                timed.handle_timer(now)
            else:
                self.arm(timed, timed.wake_at, now)
