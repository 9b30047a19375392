"""What somebody hears who waits: a document again and again, or music: that of sound.hold_music."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from switchroom.switch.calls.script import CallEnded, Silence, Tone
from switchroom.switch.media.clips import Sound

from .performer import Performer
from .program import WAITING, Program
from .talk import stop
from .wishes import Place

if TYPE_CHECKING:
    from switchroom.switch.calls.script import Call, Leg

    from .live import Live
    from .means import Means

Params = tuple[tuple[str, str], ...]
_PAUSE = 5.0  # seconds between two documents that say nothing
_LEVEL = -27.0
_CHORDS = ((262, 330, 392), (220, 262, 330), (175, 220, 262), (196, 247, 294))


def _music() -> tuple[Sound, ...]:
    """A few chords, taken apart: of nobody's making, so that anybody may hear them."""
    found: list[Sound] = []
    for chord in _CHORDS:
        for note in (*chord, 2 * chord[0], *chord[:0:-1]):
            found.append(Tone((float(note), float(chord[0])), 0.35, _LEVEL))
        found.append(Silence(0.35))
    return tuple(found)


MUSIC = _music()


def no_params() -> Params:
    """Nothing more than what is told of every call."""
    return ()


class Waiting:
    """Somebody who hears something until it is stopped."""

    def __init__(
        self,
        means: Means,
        live: Live,
        party: Call | Leg,
        place: Place | None,
        *,
        allowed: frozenset[str] = WAITING,
        params: Callable[[], Params] = no_params,
    ) -> None:
        """``place`` None: music; one without an address: nothing. ``params``: for each document anew."""
        self._means, self._live, self._party, self._place = means, live, party, place
        self._allowed, self._params = allowed, params
        self.left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """It hears no more of it."""
        await stop(self._task)

    async def _run(self) -> None:
        try:
            if self._place is None:
                music = self._means.apps.house.media.music.default or MUSIC
                while True:
                    await self._party.play(*music)
            elif self._place.url:
                await self._go_on(self._place)
        except CallEnded:
            return

    async def _go_on(self, place: Place) -> None:
        """The document that leaves makes ``left`` true; any other begins again."""
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            performer = Performer(self._means, self._live, self._party, self._params)
            await performer.run(Program(place, is_answered=True, allowed=self._allowed))
            if performer.has_left:
                self.left.set_result(None)
                return
            if clock() - began < 1.0:
                await asyncio.sleep(_PAUSE)
