"""What a leg's session tells, and who deals with it: the dialling until it is answered, then the bridge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from switchroom.protocols import sip
from switchroom.protocols.sip.events import (
    SessionAcknowledged,
    SessionAnswered,
    SessionEnded,
    SessionProgressed,
)
from switchroom.switch.calls import bridge, early, updates
from switchroom.switch.calls.leg import Leg


def hear(leg: Leg, event: sip.Event, now: float) -> None:
    """One event of a leg's session; what a leg does not hear is of no use to a call."""
    if leg.server is not None and (type(event) not in HEARING or leg.server.hear(leg, event, now)):
        return
    # What each call has; the rest is looked up
    if isinstance(event, SessionProgressed):
        _on_progress(leg, event, now)
    elif isinstance(event, SessionAnswered):
        _on_answer(leg, event, now)
    elif isinstance(event, SessionAcknowledged):
        _on_acknowledged(leg, event, now)
    elif isinstance(event, SessionEnded):
        _on_ended(leg, event, now)
    else:
        deal = HEARING.get(type(event))
        if deal is not None:
            deal(leg, event, now)


def _on_rejected(leg: Leg, event: sip.SessionRejected, now: float) -> None:
    dialling = leg.dialling
    if dialling is not None:
        dialling.on_rejected(leg, event.response, event.status, event.reason, now)


def _on_answer(leg: Leg, event: sip.SessionAnswered, now: float) -> None:
    dialling = leg.dialling
    if dialling is not None:
        dialling.on_answer(leg, event.response, now)


def _on_progress(leg: Leg, event: sip.SessionProgressed, now: float) -> None:
    dialling = leg.dialling
    if dialling is not None:
        dialling.on_progress(leg, event.response, now)


def _on_ended(leg: Leg, event: sip.SessionEnded, now: float) -> None:
    bridge.on_ended(leg, event.cause, event.request, now)


# After these three the legs may have agreed to something else, and the leg may be another call's


def _on_acknowledged(leg: Leg, event: sip.SessionAcknowledged, now: float) -> None:
    bridge.on_acknowledged(leg, event.request, now)
    call = leg.call
    call.keep_changes()


def _on_reinvite_answered(leg: Leg, event: sip.ReinviteAnswered, now: float) -> None:
    bridge.on_reinvite_answered(leg, event.response, now)
    leg.call.keep_changes()


def _on_update_answered(leg: Leg, event: sip.UpdateAnswered, now: float) -> None:
    updates.on_answered(leg, event.response, now)
    leg.call.keep_changes()


HEARING: dict[type, Callable[[Leg, Any, float], None]] = {
    sip.SessionProgressed: _on_progress,
    sip.SessionAnswered: _on_answer,
    sip.SessionRejected: _on_rejected,
    sip.SessionCancelled: lambda leg, e, now: leg.call.on_cancelled(e.request, now),
    sip.SessionAcknowledged: _on_acknowledged,
    sip.SessionEnded: _on_ended,
    sip.ProgressAcknowledged: lambda leg, e, now: early.on_acknowledged(
        leg.call, leg, e.transaction, e.request, now
    ),
    sip.UpdateReceived: lambda leg, e, now: updates.on_received(leg, e.transaction, e.request, now),
    sip.UpdateAnswered: _on_update_answered,
    sip.UpdateRejected: lambda leg, e, now: updates.on_rejected(leg, e.response, e.status, now),
    sip.ReinviteReceived: lambda leg, e, now: bridge.on_reinvite(leg, e.transaction, e.request, now),
    sip.ReinviteAnswered: _on_reinvite_answered,
    sip.ReinviteRejected: lambda leg, e, now: bridge.on_reinvite_rejected(leg, e.response, e.status, now),
    sip.SessionRequestReceived: lambda leg, e, now: bridge.on_request(leg, e.transaction, e.request, now),
    sip.SessionResponseReceived: lambda leg, e, now: bridge.on_response(
        e.transaction, e.response.status, now, e.response
    ),
    sip.SessionRequestFailed: lambda leg, e, now: bridge.on_response(e.transaction, 408, now),
}
