"""Announcements: a document that is heard by one participant, or by all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from switchroom.switch.calls.script import CallEnded, Leg
from switchroom.switch.media.clips import Sound

from ..performer import Performer
from ..program import WAITING, Program
from ..wishes import Place

if TYPE_CHECKING:
    from ..means import Means
    from .conference import Conference
    from .participant import Participant

_RATE = 16000
_MOST_LOOPS = 20


class Loudspeaker:
    """A party that only plays, to all in a room."""

    is_over, is_answered, finished_by = False, True, ""

    def __init__(self, means: Means, conference: Conference) -> None:
        self._means, self._conference = means, conference

    async def play(self, *sounds: Sound, loops: int = 1, stop_on: str = "") -> str:
        """Play them, and wait for as long as that takes."""
        clips = self._means.apps.house.clips
        for _ in range(min(loops or _MOST_LOOPS, _MOST_LOOPS)):
            for sound in sounds:
                await self._conference.play(sound)
                await asyncio.sleep((await clips.load(sound, rate=_RATE)).seconds)
        return ""


async def announce(
    means: Means, conference: Conference, place: Place, one: Participant | None = None
) -> None:
    """Let one hear a document, or all of them, and tell when it is over."""
    live = next(iter(conference.participants.values())).live if one is None else one.live
    # a loudspeaker has what such a document can want: of the others' verbs it has none
    party = cast(Leg, Loudspeaker(means, conference)) if one is None else one.party
    speaker = Performer(means, live, party)
    try:
        await speaker.run(Program(place, is_answered=True, allowed=WAITING))
    except CallEnded:
        return
    told = [("AnnounceUrl", place.url)]
    if speaker.refused:
        told.append(("ReasonAnnouncementFailed", str(speaker.refused)))
    conference.tell("announcement-fail" if speaker.refused else "announcement-end", one, *told)
