"""The subscription that a REFER makes: whoever asked is told by NOTIFY how it goes (RFC 3515 §2.4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchroom.protocols import sip
from switchroom.switch.calls.contact import contact_for
from switchroom.switch.calls.farewell import turn_away
from switchroom.switch.calls.leg import ALLOW

if TYPE_CHECKING:
    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.calls.leg import Leg

CONTENT_TYPE = "message/sipfrag;version=2.0"
_MARGIN = 30  # seconds that it lasts beyond the time in which somebody must have answered
_TERMINATED = sip.State.TERMINATED


class Referral:
    """One REFER that was accepted. One NOTIFY is on its way at a time, so that none overtakes another.

    When what was asked for is done, the transferor's dialog is this one's: it is ended by BYE as soon as the
    last NOTIFY is answered, if the transferor has not ended it before.
    """

    __slots__ = (
        "_event",
        "_exchange",
        "_expires_at",
        "_is_leaving",
        "_last",
        "_next",
        "_sent",
        "is_over",
        "session",
    )

    def __init__(
        self,
        exchange: Exchange,
        leg: Leg,
        request: sip.Request,
        now: float,
        *,
        is_first: bool,
        is_silent: bool,
    ) -> None:
        self.session = leg.session
        self.is_over = is_silent  # RFC 4488: nobody wants to be told
        self._exchange = exchange
        # §2.4.6: of several, each is told apart by the CSeq of its REFER
        self._event = "refer" if is_first else f"refer;id={request.cseq.number}"
        self._expires_at = now + exchange.config.answer_timeout + _MARGIN
        self._last = 0
        self._next: tuple[str, bool] | None = None
        self._sent: sip.ClientTransaction | None = None
        self._is_leaving = False

    def tell(self, status: int, reason: str, now: float, words: str = "") -> None:
        """How far it is: a status line, the last one when it is final; ``words`` of our own go before any."""
        if self.is_over or status == self._last:
            return
        self._last = status
        self._next = (f"SIP/2.0 {status} {words or sip.REASONS.get(status) or reason}", status >= 200)
        self._go_on(now)

    def leave(self, now: float) -> None:
        """The transferor has nobody to talk to any more: end its dialog after the last NOTIFY."""
        self.session.context = self
        self._is_leaving = True
        self._go_on(now)

    def on_response(self, status: int, now: float) -> None:
        """A NOTIFY was answered; who does not want it gets no more."""
        self._sent = None
        if status >= 300:
            self.is_over, self._next = True, None
        self._go_on(now)

    def _go_on(self, now: float) -> None:
        if self._sent is not None:
            return
        if self._next is not None and self.session.state is not _TERMINATED:
            (line, is_last), self._next = self._next, None
            self.is_over = self.is_over or is_last
            self._sent = self._notify(line, is_last, now)
        elif self._is_leaving:
            self._is_leaving = False
            self.session.hang_up(now, headers=(("Reason", 'SIP;cause=200;text="Transferred"'),))
            self.session.context = None  # nothing waits for the collector

    def _notify(self, line: str, is_last: bool, now: float) -> sip.ClientTransaction | None:
        left = max(0, round(self._expires_at - now))
        state = "terminated;reason=noresource" if is_last else f"active;expires={left}"
        headers = (
            ("Event", self._event),
            ("Subscription-State", state),
            ("Contact", contact_for(self.session.flow, self._exchange.endpoint)),
            ("Content-Type", CONTENT_TYPE),
        )
        sent = self.session.send_request("NOTIFY", now, body=f"{line}\r\n".encode(), headers=headers)
        if sent is not None:
            sent.context = self
        return sent

    # -- the transferor's session, when its call is over

    def handle_event(self, event: sip.Event, now: float) -> None:
        """What the session tells; it is only waited for its end."""
        if isinstance(event, sip.SessionResponseReceived):
            if event.transaction is self._sent and event.response.status >= 200:
                self.on_response(event.response.status, now)
        elif isinstance(event, sip.SessionRequestFailed):
            if event.transaction is self._sent:
                self.on_response(408, now)
        elif isinstance(event, sip.SessionRequestReceived) and event.request.method == "OPTIONS":
            event.transaction.respond(200, now, headers=(("Allow", ALLOW),))
        else:
            turn_away(event, now, 480)
