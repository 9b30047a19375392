"""Somebody whom a program has called."""

from __future__ import annotations

from switchroom.protocols import sip

from .party import Party


class Leg(Party):
    """Somebody whom a program has called in a call."""

    target = ""  # as the program named it

    @property
    def call_id(self) -> str:
        """As its phone knows it."""
        return self._leg.session.call_id

    async def hang_up(self) -> None:
        """End it; the call goes on."""
        if not self.is_over:
            self._leave("hung up", self._house.now)
            self._house.flush()

    def let_go(self) -> None:
        """Its phone has sent the other one elsewhere: it hears that it is done, and its part is over."""
        referral, now = self._referral, self._house.now
        assert referral is not None
        self._forget("referred")
        referral.tell(200, "OK", now)
        referral.leave(now)
        self._house.flush()

    def _on_session_ended(self, event: sip.SessionEnded, now: float) -> bool:
        self._forget(event.cause)
        return True

    def _leave(self, reason: str, now: float) -> None:
        self._leg.session.hang_up(now)
        self._forget(reason)

    def _forget(self, reason: str) -> None:
        call, leg = self._call, self._leg
        if not call.is_over:
            if call.b is leg:
                call.b = None
            call.media.drop(leg.media)
            call.exchange.tell(call, self._house.now)
        leg.forget()
        self._end(reason)
