"""Sound that is made and heard by the switch: hears the engine's bell and tells who listens to a station."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from ._engine import Engine
from ._sound import Bell, Room, Station

Heard = Callable[[str, int], object]  # the kind of an event, and its value


class Sounds:
    """Makes stations and rooms, and takes their news to those who asked for them."""

    def __init__(self, engine: Engine) -> None:
        self.bell = Bell()
        self._engine = engine
        self._ears: dict[int, Heard] = {}  # by station, room

    @property
    def count(self) -> int:
        """Stations and rooms that somebody listens to."""
        return len(self._ears)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Listen in a loop."""
        loop.add_reader(self.bell.fd, self._on_bell)

    def stop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Listen no more."""
        loop.remove_reader(self.bell.fd)
        self._ears.clear()

    def station(self, heard: Heard | None = None) -> Station:
        """Our own side of a leg's sound; ``heard`` is told of keys, of what was played, of talk."""
        station = Station(self.bell, self._engine.run)
        if heard is not None:
            self._ears[station.id] = heard
        return station

    def room(self, heard: Heard | None = None) -> Room:
        """A conference; ``heard`` is told who speaks."""
        room = Room(self.bell, self._engine.run)
        if heard is not None:
            self._ears[room.id] = heard
        return room

    def is_heard(self, station: Station) -> bool:
        """Whether somebody is told of what happens there."""
        return station.id in self._ears

    def listen(self, to: Station | Room, heard: Heard | None) -> None:
        """Tell somebody else of it; None: nobody."""
        if heard is None:
            self._ears.pop(to.id, None)
        else:
            self._ears[to.id] = heard

    def _on_bell(self) -> None:
        try:
            os.read(self.bell.fd, 8)
        except BlockingIOError:
            return
        while (ring := self.bell.next()) is not None:
            kind, owner, value = ring
            ear = self._ears.get(owner)
            if ear is not None:
                ear(kind, value)
