"""Packets of the last seconds: of calls that are up, and of those that ended just now."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ._capture import Capture
from .stream import Captured

if TYPE_CHECKING:
    from ._engine import Engine
    from .session import MediaSession

_ENDED = 10_000  # calls that can be found after their end


class Captures:
    """Which packets belong to which call; they are kept for some seconds."""

    def __init__(self, seconds: float, octets: int) -> None:
        self._seconds = seconds
        self._capture = Capture(octets)
        self._ended: deque[tuple[str, int]] = deque(maxlen=_ENDED)

    def begin(self, engine: Engine) -> None:
        """From now on copies are kept; before the engine's thread starts."""
        engine.keep(self._capture)

    def end(self, session: MediaSession) -> None:
        """A call is over; for some seconds it can still be asked for."""
        self._ended.append((session.key, session.number))

    async def packets(
        self, sessions: Iterable[MediaSession], keys: tuple[str, ...], now: float
    ) -> list[Captured]:
        """What passed of the calls whose keys begin with one of these; ``sessions``: those that are up."""
        known = [*self._ended, *((session.key, session.number) for session in sessions)]
        numbers = {number for key, number in known if key.startswith(keys)}
        return await asyncio.to_thread(self._capture.packets, numbers, now - self._seconds)
