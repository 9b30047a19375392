"""A call between two telephones that somebody else attends: he hears both; none, one or both hear him.

As long as he only listens, what passes is not touched. While he speaks its sound ends here and is mixed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from switchroom.switch.media import sounding

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call as SipCall
    from switchroom.switch.calls.leg import Leg
    from switchroom.switch.media._sound import Station
    from switchroom.switch.media.leg import MediaLeg

    from .house import House
    from .party import Party
    from .recording import CallRecordings

Manner = Literal["listen", "whisper", "join"]
OnStart = Callable[["Overhearing"], object]
_KEY_MS, _GAP_MS = 120, 80


class Overhearing:
    """Somebody with a call that is not his own."""

    def __init__(self, house: House, recordings: CallRecordings, party: Party, call: SipCall) -> None:
        self.manner: Manner = "listen"
        self._house, self._recordings, self._party, self._call = house, recordings, party, call
        self._room = house.media.sounds.room()
        self._legs: tuple[Leg, ...] = ()
        self._sides: list[Station] = []
        self._inside: tuple[MediaLeg, ...] = ()  # the legs whose sound ends here
        self._coached: Leg | None = None
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # -- what he may do

    def listen(self) -> None:
        """Be heard by nobody."""
        self._change("listen", None)

    def whisper(self, side: Literal["caller", "callee"]) -> None:
        """Be heard by one of the two alone. LookupError: the sound of the call cannot be made here."""
        if not self._over.done():
            self._change("whisper", self._legs[side == "callee"])

    def join(self) -> None:
        """Be heard by both. LookupError: the sound of the call cannot be made here."""
        self._change("join", None)

    def side_of(self, account: str) -> Literal["caller", "callee"] | None:
        """On which side of the call somebody is."""
        found = [leg.account for leg in self._legs]
        return None if account not in found else "caller" if found[0] == account else "callee"

    # -- until one of the calls ends

    async def run(self, on_start: OnStart | None = None) -> None:
        """Attend it until it ends, or his own call. LookupError: as for ``Apps.overhear``."""
        on_call_state = self._house.exchange.on_call_state
        self._attach()
        on_call_state.append(self._on_call)
        try:
            if on_start is not None:
                on_start(self)
            both: set[asyncio.Future[Any]] = {self._over, self._party.ended}
            await asyncio.wait(both, return_when="FIRST_COMPLETED")
        finally:
            on_call_state.remove(self._on_call)
            if not self._over.done():
                self._over.set_result(None)
            self._detach()
            if not self._party.is_over:
                station = self._party.station
                station.join(None)
                station.mute(False)

    def _on_call(self, told: SipCall, now: float) -> None:
        if told is self._call and told.is_over:
            self._detach()
            asyncio.get_running_loop().call_soon(self._give_up)  # a transfer's call is told of at once
        elif self._call.is_over and self._goes_on(told):
            self._call = told
            self._attach()
            kept = [leg for leg in self._legs if self._coached and leg.session is self._coached.session]
            self._change(self.manner if kept or self.manner != "whisper" else "listen", *kept[:1] or (None,))

    def _goes_on(self, told: SipCall) -> bool:
        """Whether somebody of the call that is over is in this one."""
        if told.is_over or told.b is None or told.answered_at is None:
            return False
        sessions = [leg.session for leg in self._legs]
        return told.a.session in sessions or told.b.session in sessions

    def _give_up(self) -> None:
        if self._call.is_over and not self._over.done():
            self._over.set_result(None)

    # -- how the sound goes

    def _change(self, manner: Manner, coached: Leg | None) -> None:
        if self._over.done() or self._call.is_over:
            return
        if (manner != "listen") != bool(self._inside):
            before = self.manner
            self._detach()
            self.manner = manner
            try:
                self._attach()
            except LookupError:
                self.manner = before
                self._attach()
                raise
        self.manner, self._coached = manner, coached
        station = self._party.station
        station.mute(manner == "listen")
        station.coach(self._sides[self._legs.index(coached)] if coached is not None else None)

    def _attach(self) -> None:
        """Hear both, in the way that the manner wants."""
        legs = _legs_of(self._call)
        if self.manner == "listen":
            self._sides = _taps(self._call, legs)
        else:
            one, two = (leg.media for leg in legs)
            self._sides = [*self._house.media.music.entries.enter(self._call.media, one, two)]
            self._inside = one, two
        self._legs = legs
        sounds = self._house.media.sounds
        for side, other in zip(self._sides, reversed(self._sides), strict=True):
            side.join(self._room)
            # The end of a recording does not close what is heard; and keys pass beside the mix
            sounds.listen(side, partial(_press, other) if self._inside else lambda kind, value: None)
        self._party.station.join(self._room)

    def _detach(self) -> None:
        call, sides, inside = self._call, self._sides, self._inside
        self._sides, self._inside = [], ()
        for side in sides:
            self._house.media.sounds.listen(side, None)
            if not side.is_closed:
                side.join(None)
        if inside:
            self._house.media.music.entries.leave(call.media, *inside)
        elif not call.is_over and not self._recordings.of(call.id):
            for leg in _legs_of(call):
                sounding.untap(call.media, leg.media)


def _press(other: Station, kind: str, value: int) -> None:
    if kind == "key-down" and not other.is_closed:
        other.send_keys(chr(value & 0xFF), _KEY_MS, _GAP_MS)


def _legs_of(call: SipCall) -> tuple[Leg, Leg]:
    if call.is_over or call.b is None or call.answered_at is None:
        raise LookupError("the call is not up")
    return call.a, call.b


def _taps(call: SipCall, legs: tuple[Leg, Leg]) -> list[Station]:
    """What each of the two says."""
    if any(leg.media.served is not None for leg in legs):
        raise LookupError("the call is a program's")
    found = [sounding.tap(call.media, leg.media) for leg in legs]
    sides = [side for side in found if side is not None]
    if len(sides) < len(legs):
        raise LookupError("the sound of the call cannot be listened to")
    return sides
