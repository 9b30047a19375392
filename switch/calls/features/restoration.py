"""A leg that has agreed to media of a call that came to nothing is told again what it had."""

from __future__ import annotations

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.calls import bridge
from switchroom.switch.calls.leg import Leg, offered, sdp_headers, sdp_of
from switchroom.switch.media import NoPortsLeft


class Restoration:
    """Tells a leg again what it had, when it agreed to media that came to nothing."""

    def __init__(self, leg: Leg, *, is_awaited: bool) -> None:
        """``is_awaited``: the answer to the re-INVITE that is in vain is still to come."""
        self._leg, self._is_awaited = leg, is_awaited

    def begin(self, now: float) -> None:
        """Ask it, or wait until that may be."""
        leg = self._leg
        leg.mover = self
        if self._is_awaited:
            return
        far = bridge.other(leg)
        try:
            body = b"" if far is None else offered(leg.call.media, far, leg, far.media.described)
        except (RemoteProtocolError, NoPortsLeft):
            body = b""
        if body:
            leg.session.reinvite(now, body=body, headers=sdp_headers(body))
        else:
            leg.mover = None

    def on_reinvite_answered(self, leg: Leg, response: sip.Response, now: float) -> None:
        """It took the vain one, or has what it had."""
        leg.session.acknowledge(now)
        if self._is_awaited:
            self._is_awaited = False
            self.begin(now)
            return
        leg.mover = None
        far = bridge.other(leg)
        try:
            if far is not None:
                leg.call.media.answer(leg.media, far.media, sdp_of(response))
        except RemoteProtocolError as error:
            leg.call.exchange.log.info("call.bad_answer", call=leg.call.id, error=str(error))

    def on_reinvite_rejected(self, leg: Leg, response: sip.Response | None, status: int, now: float) -> None:
        """It stays with what it has."""
        leg.mover = None

    def takes(self, leg: Leg) -> bool:
        """It has no other call to go to."""
        return False

    def lost(self, leg: Leg, now: float) -> None:
        """Its call is over."""
