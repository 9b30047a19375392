"""Conferences of several workers: a room is in one of them, and whoever calls it goes there unanswered."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from switchroom.switch.calls.routing import Plan, ToApp

if TYPE_CHECKING:
    from switchroom.protocols import sip
    from switchroom.switch.calls.features.elsewhere import Elsewhere
    from switchroom.switch.calls.rules import Caller
    from switchroom.switch.net.bus import Bus

    from .conference import ConferenceEvent, Conferences

_ROOMS = "rooms"  # topic of the bus


class Rooms:
    """Knows which rooms other workers have, and tells them of ours."""

    def __init__(self, conferences: Conferences, bus: Bus, elsewhere: Elsewhere) -> None:
        self._conferences, self._bus, self._elsewhere = conferences, bus, elsewhere
        self._places: dict[str, int] = {}  # the rooms of others
        conferences.on_event.append(self._on_event)
        conferences.place_of = self._places.get
        bus.subscribe(_ROOMS, self._hear)
        bus.on_found.append(self._meet)
        bus.on_lost.append(self._on_lost)

    def take(self, event: sip.RequestReceived, caller: Caller, plan: Plan, now: float) -> bool:
        """Whether the plan leads to a room of another worker, which has the INVITE now."""
        name = _room(plan)
        if name is None or name in self._conferences.rooms:
            return False
        slot = self._places.get(name)
        if slot is None:
            slot = self._home(name)
        return slot != self._bus.slot and self._elsewhere.send_on(event, caller, now, slot)

    def _home(self, name: str) -> int:
        """Where a room that is not there yet is made: all workers think of the same, whoever asks."""
        slots = {self._bus.slot, *self._elsewhere.others}
        return max(slots, key=lambda slot: zlib.crc32(f"{slot} {name}".encode()))

    def _on_event(self, event: ConferenceEvent) -> None:
        if event.kind == "ended":
            self._bus.publish(_ROOMS, (event.conference, False))
        elif event.kind == "joined" and len(event.member.conference.members if event.member else ()) == 1:
            self._bus.publish(_ROOMS, (event.conference, True))

    def _hear(self, told: Any, worker: int) -> None:
        name, is_there = told
        if is_there:
            self._places[name] = worker
        elif self._places.get(name) == worker:
            del self._places[name]

    def _meet(self, worker: int) -> None:
        for name in self._conferences.rooms:
            self._bus.send(worker, _ROOMS, (name, True))

    def _on_lost(self, worker: int) -> None:
        for name in [name for name, slot in self._places.items() if slot == worker]:
            del self._places[name]


def _room(plan: Plan) -> str | None:
    """The conference that a plan leads to, and to nothing else."""
    leaps = plan.steps[0].leaps if plan.steps else ()
    to = leaps[0].destination if len(leaps) == 1 else None
    return to.name if isinstance(to, ToApp) and to.kind == "conference" else None
