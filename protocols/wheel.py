"""A timer wheel whose entries are numbers: a timer that was given up keeps nobody alive.

Re-arming for later writes one number, disarming removes one dictionary entry; what is stale falls out
when its slot comes. That is soon: far timers go in hops of a few seconds. Slots are 1/32 s wide (binary,
so that arithmetic on them is exact): a timer fires up to one slot late and never early. Finer slots would
wake a busy switch more often, for what can wait: retransmissions are half a second apart.
"""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf
from typing import Any

NEVER = inf

_NEVER = inf  # compiled, a number of C
_SLOTS_PER_SECOND = 32
_HOP = 8.0  # seconds


class Slots:
    """Items filed under the slot of time in which they come due."""

    __slots__ = ("_items", "_per_second", "_ticks")

    def __init__(self, per_second: float = _SLOTS_PER_SECOND) -> None:
        self._per_second = per_second
        self._items: dict[int, list[Any]] = {}
        self._ticks: list[int] = []  # a heap of the slots in use: as many as there are slots, not items

    def add(self, item: Any, at: float) -> float:
        """File an item under ``at`` and return when its slot comes."""
        slot = at * self._per_second
        tick = int(slot)
        if tick < slot:
            tick += 1  # rounded up
        items = self._items.get(tick)
        if items is None:
            self._items[tick] = [item]
            heappush(self._ticks, tick)
        else:
            items.append(item)
        return tick / self._per_second

    def next_at(self) -> float | None:
        """When the first slot in use comes due."""
        if not self._ticks:
            return None
        tick = self._ticks[0]
        return tick / self._per_second

    def take(self, now: float) -> tuple[float, list[Any]] | None:
        """Remove the first slot that is due: its time and its items."""
        if not self._ticks:
            return None
        tick = self._ticks[0]
        if tick > now * self._per_second:
            return None
        heappop(self._ticks)
        return tick / self._per_second, self._items.pop(tick)


class Timed:
    """Something with one timer; the wheel writes the slots, the owner of the wheel calls ``arm``."""

    __slots__ = ("_filed_at", "_timer", "wake_at")

    def __init__(self) -> None:
        self._rest()

    def _rest(self) -> None:
        """Wait for nothing."""
        self.wake_at = _NEVER
        self._timer = 0  # its number in the wheel; 0 when the wheel does not know it
        self._filed_at = _NEVER  # the slot whose entry counts; other entries are stale

    def handle_timer(self, now: float) -> None:
        """React to the time that was asked for."""
        raise NotImplementedError


class Wheel:
    """Calls ``handle_timer`` of what is armed when its time has come."""

    __slots__ = ("_armed", "_last", "_slots")

    def __init__(self) -> None:
        self._slots: Slots = Slots()
        self._armed: dict[int, Timed] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._armed)

    def arm(self, timed: Timed, at: float, now: float) -> None:
        """Set or move the one timer of ``timed``; NEVER takes it away."""
        timed.wake_at = at
        if at > now + _HOP:
            if at == _NEVER:
                return
            at = now + _HOP
        if at >= timed._filed_at:
            return  # moved to later: its entry finds that out when it comes
        number = timed._timer
        if not number:
            self._last = timed._timer = number = self._last + 1
            self._armed[number] = timed
        timed._filed_at = self._slots.add(number, at)

    def disarm(self, timed: Timed) -> None:
        """Forget a timer and its owner."""
        if timed._timer:
            del self._armed[timed._timer]
            timed._timer = 0
        timed._filed_at = timed.wake_at = _NEVER

    def next_at(self) -> float | None:
        """When to be called again."""
        return self._slots.next_at()

    def handle_timer(self, now: float) -> None:
        """Wake everything that is due."""
        while (due := self._slots.take(now)) is not None:
            at, numbers = due
            for number in numbers:
                timed = self._armed.get(number)
                if timed is None or timed._filed_at != at:
                    continue  # given up, or filed again for an earlier slot
                timed._filed_at = _NEVER
                if timed.wake_at <= now:
                    timed.wake_at = _NEVER
                    timed.handle_timer(now)
                else:
                    self.arm(timed, timed.wake_at, now)
