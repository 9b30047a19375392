"""Somebody in a conference: waits for its start, is muted, on hold, coaches, and leaves."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from ..waiting import Waiting
from ..wishes import (
    ConferenceWish,
    Place,
)

if TYPE_CHECKING:
    from switchroom.switch.calls.script import Call, Leg
    from switchroom.switch.calls.script.conference import Member

    from ..live import Live
    from ..means import Means
    from .conference import Conference

_STATES = {False: "false", True: "true"}


class Participant:
    """One call in one conference."""

    def __init__(
        self, means: Means, conference: Conference, live: Live, party: Call | Leg, wish: ConferenceWish
    ) -> None:
        self._means, self.conference, self.live, self.party = means, conference, live, party
        self.wish, self.label = wish, wish.label
        self.joined_at = self.changed_at = time.time()
        self.is_muted, self.is_held, self.ends_on_exit = wish.is_muted, False, wish.ends_on_exit
        self.beeps, self.coached = wish.beeps, wish.coached
        self.member: Member | None = None
        self.left: asyncio.Future[str] = asyncio.get_running_loop().create_future()  # why
        self._hold: Waiting | None = None

    @property
    def sid(self) -> str:
        """Of its call."""
        return self.live.sid

    # -- its time in the conference

    async def stay(self) -> None:
        """Until it is put out, or the call is over."""
        await self._wait_for_start()
        if self.left.done() or self.party.is_over:
            return
        self.member = await self.conference.join(self)
        if self.is_held:
            self.member.hold()
        for one in self.conference.participants.values():
            if one is self or one.coached == self.sid:
                one.find_coached()
        await self._wait(self.member.left)

    async def _wait_for_start(self) -> None:
        conference = self.conference
        if conference.started.done():
            return
        music = Waiting(self._means, self.live, self.party, self.wish.wait)
        try:
            await self._wait(conference.started)
        finally:
            await music.stop()

    async def _wait(self, until: asyncio.Future[str] | asyncio.Future[None]) -> None:
        both: set[asyncio.Future[str] | asyncio.Future[None]] = {until, self.left, self.party.ended}
        await asyncio.wait(both, return_when="FIRST_COMPLETED")

    async def go(self) -> None:
        """It is in the conference no more."""
        if self._hold is not None:
            await self._hold.stop()
        if self.member is not None:
            await self.conference.part(self.member)
        if not self.left.done():
            self.left.set_result("participant_hung_up" if self.party.is_over else "participant_left")

    # -- what may be done with it

    def kick(self, reason: str) -> None:
        """Put it out; its call goes on with the next verb."""
        if not self.left.done():
            self.left.set_result(reason)

    def mute(self, is_muted: bool) -> None:
        """Whether nobody hears it."""
        if is_muted == self.is_muted:
            return
        self.is_muted = is_muted
        if self.member is not None:
            self.member.mute(is_muted or self.is_held)
        self._tell("mute" if is_muted else "unmute")

    async def hold(self, is_held: bool, place: Place | None = None) -> None:
        """Whether it hears music, or a document, and nobody hears it."""
        if is_held == self.is_held:
            return
        self.is_held = is_held
        if self.member is not None:
            self.member.is_muted = self.is_muted
            self.member.hold(is_held)
        if self._hold is not None:
            await self._hold.stop()
            self._hold = None
        if is_held and self.conference.started.done():
            self._hold = Waiting(self._means, self.live, self.party, place)
        self._tell("hold" if is_held else "unhold")

    def coach(self, call: str) -> None:
        """Be heard by that participant alone; empty: by all."""
        if call == self.coached:
            return
        self.coached = call
        self.find_coached()
        self._tell("modify")

    def find_coached(self) -> None:
        """Be heard by whom it coaches alone, and by nobody while that one is not there."""
        if self.member is None:
            return
        found = self.conference.participants.get(self.coached)
        coached = None if found is None else found.member
        self.member.coach(coached)
        is_alone = bool(self.coached) and coached is None
        self.party.station.mute(self.is_muted or self.is_held or is_alone)

    def _tell(self, what: str) -> None:
        self.changed_at = time.time()
        self.conference.tell(f"participant-{what}", self)

    def params(self) -> list[tuple[str, str]]:
        """What servers are told of it."""
        return [
            ("CallSid", self.sid),
            ("ParticipantLabel", self.label),
            ("Muted", _STATES[self.is_muted]),
            ("Hold", _STATES[self.is_held]),
            ("Coaching", _STATES[bool(self.coached)]),
            ("EndConferenceOnExit", _STATES[self.ends_on_exit]),
            ("StartConferenceOnEnter", _STATES[self.wish.can_start]),
        ]
