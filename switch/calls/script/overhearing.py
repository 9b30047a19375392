"""A call between two telephones that somebody else listens to: what passes is not touched; nobody is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from switchroom.switch.media import sounding

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call as SipCall
    from switchroom.switch.media._sound import Station

    from .house import House
    from .party import Party
    from .recording import CallRecordings


async def overhear(house: House, recordings: CallRecordings, party: Party, call: SipCall) -> None:
    """Let somebody hear both sides until that call ends, or his own.

    LookupError: its sound is not known here (it is encrypted from end to end, or in codecs that are not
    here), it is not up, or it is a program's.
    """
    sounds, over = house.media.sounds, asyncio.get_running_loop().create_future()
    room, sides = sounds.room(), _sides(call)

    def on_call(told: SipCall, now: float) -> None:
        if told is call and call.is_over and not over.done():
            over.set_result(None)

    for side in (*sides, party.station):
        side.join(room)
    for side in sides:
        sounds.listen(side, lambda kind, value: None)  # the end of a recording does not close it
    house.exchange.on_call_state.append(on_call)
    both: set[asyncio.Future[Any]] = {over, party.ended}
    try:
        await asyncio.wait(both, return_when="FIRST_COMPLETED")
    finally:
        house.exchange.on_call_state.remove(on_call)
        if not party.is_over:
            party.station.join(None)
        for side in sides:
            sounds.listen(side, None)
            if not side.is_closed:
                side.join(None)
        if not call.is_over and not recordings.of(call.id):
            _untap(call)


def _sides(call: SipCall) -> list[Station]:
    """What each of the two says."""
    if call.is_over or call.b is None or call.answered_at is None:
        raise LookupError("the call is not up")
    legs = [call.a.media, call.b.media]
    if any(leg.served is not None for leg in legs):
        raise LookupError("the call is a program's")
    found = [sounding.tap(call.media, leg) for leg in legs]
    sides = [side for side in found if side is not None]
    if len(sides) < len(legs):
        raise LookupError("the sound of the call cannot be listened to")
    return sides


def _untap(call: SipCall) -> None:
    for leg in (call.a, call.b):
        if leg is not None:
            sounding.untap(call.media, leg.media)
