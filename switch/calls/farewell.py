"""What comes for a leg that has nobody to talk to any more: everybody still gets an answer."""

from __future__ import annotations

from switchroom.protocols import sip


def turn_away(event: sip.Event, now: float, status: int = 481) -> None:
    """Take back what a session offers and refuse what it asks for; 481: there is no such call."""
    if isinstance(event, sip.SessionAnswered):
        event.session.acknowledge(now)
        event.session.bye(now)
    elif isinstance(event, sip.ReinviteReceived):
        event.session.answer_reinvite(event.transaction, status, now)
    elif isinstance(event, sip.ReinviteAnswered):
        event.session.acknowledge(now)
    elif isinstance(event, sip.UpdateReceived | sip.SessionRequestReceived):
        event.transaction.respond(status, now)
    elif isinstance(event, sip.SessionEnded):
        event.session.context = None  # nothing waits for the collector
