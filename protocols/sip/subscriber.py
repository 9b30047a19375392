"""The end of a subscription that wants to know: sends SUBSCRIBE, answers NOTIFY (RFC 6665 §4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import LocalProtocolError
from ..wheel import NEVER
from .client import ClientTransaction
from .dialog import Dialog, dialog_of_caller
from .events import NotifyReceived, SubscriptionAnswered
from .headers import read_seconds
from .message import Request, Response
from .subscription import Subscription

if TYPE_CHECKING:
    from .authorization import Authorizer
    from .core import Core, Headers
    from .flow import Flow

_MAX_TRIES = 3  # of one SUBSCRIBE: with credentials, with a fresh nonce, for longer
_MARGIN = 60.0  # seconds before the end when a long subscription is refreshed; a short one half-way


class Subscriber(Subscription):
    """Made of a SUBSCRIBE of ours that has all but its Via; refreshes itself until it is given up."""

    __slots__ = ("_asked", "_authorizer", "_cseq", "_is_confirmed", "_notify_by", "_refresh_at",
                 "_subscribing", "_tries", "request")  # fmt: skip

    _method = "NOTIFY"

    def __init__(
        self, core: Core, request: Request, flow: Flow, now: float, authorizer: Authorizer | None = None
    ) -> None:
        tag, contact, kind = request.from_tag, request.get("Contact"), request.event
        if not tag or not contact or kind is None:
            raise LocalProtocolError("a SUBSCRIBE needs a From tag, a Contact and an Event")
        super().__init__(core, request, flow, contact, tag, kind)
        self.request = request.copy()
        self._authorizer = authorizer
        self._asked = 3600 if request.expires is None else request.expires
        self._cseq = request.cseq.number
        self._is_confirmed = False  # a NOTIFY came: it, not the 2xx, says whose dialog it is (§4.4.1)
        self._notify_by = NEVER  # timer N (§4.1.2.4)
        self._refresh_at = NEVER
        self._tries = 1
        self._subscribing: ClientTransaction | None = ClientTransaction(core, request, flow, now, self)

    # What the owner asks

    def refresh(self, now: float, expires: int | None = None, headers: Headers = ()) -> None:
        """Ask for more time, or for another state to be told."""
        if self.is_over or self._subscribing is not None or self.dialog is None:
            return
        if expires is not None:
            self._asked = expires
        self._tries = 1
        self._subscribing = self._send("SUBSCRIBE", [("Expires", str(self._asked)), *headers], now)
        self._cseq = self.dialog.local_cseq

    def unsubscribe(self, now: float) -> None:
        """Ask for the end; the last NOTIFY brings SubscriptionEnded."""
        if self.dialog is None and not self.is_over:
            self._end("unsubscribed")  # a NOTIFY that comes yet gets 481 (§4.1.2.3)
        else:
            self.refresh(now, 0)

    # The wire

    def has_remote(self, tag: str | None) -> bool:
        """Whether the other end bears the tag; the first NOTIFY decides which of several it is."""
        return not self._is_confirmed or super().has_remote(tag)

    def _receive(self, request: Request, flow: Flow, key: str, now: float) -> None:
        told = request.subscription_state
        if told is None or not request.contacts:
            self._refuse(request, flow, 400)
            return
        if not self._is_confirmed:
            self._confirm(request)
            self._notify_by = NEVER
        self._follow(request, flow)
        self._respond(request, flow, key, now, 200)
        self.core.emit(NotifyReceived(self, request, told))
        if told.state == "terminated":
            cause = told.reason if self._asked and told.reason else "unsubscribed"
            self._end(cause, retry_after=told.retry_after)
        elif told.expires is not None and self._asked and self._subscribing is None:
            self._grant(told.expires, now)  # §4.1.3: it is the notifier who knows

    def _confirm(self, request: Request) -> None:
        """Make the dialog of the first NOTIFY (§4.4.1)."""
        self._is_confirmed = True
        self.dialog = Dialog(
            self.call_id,
            self.request.get("From") or "",
            request.get("From") or "",
            (self.local_tag, request.from_tag or ""),
            request.contacts[0].uri,
            request.record_routes,
            (self._cseq, 0),
        )

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """React to the answer to a SUBSCRIBE."""
        status = response.status
        if status < 200 or transaction is not self._subscribing or self.is_over:
            return
        self._subscribing = None
        if status < 300:
            self._on_accepted(response, now)
        elif self._tries < _MAX_TRIES and self._may_repeat(transaction.request, response):
            self._repeat(transaction.request, response, now)
        elif status == 481 or self.expires_at <= now:
            self._end("refused", status)
        else:
            self._arm(now)  # §4.1.2.2: what was granted before goes on until it expires

    def _on_accepted(self, response: Response, now: float) -> None:
        if self.dialog is None:
            self.dialog = dialog_of_caller(response, self.request.uri)
        else:
            self.dialog.refresh(response)
        granted = response.expires
        self.core.emit(SubscriptionAnswered(self, response))
        self._grant(self._asked if granted is None else min(granted, self._asked), now)

    def _may_repeat(self, request: Request, response: Response) -> bool:
        if response.status == 423:
            return read_seconds(response.get("Min-Expires") or "0") > self._asked > 0
        return response.status in (401, 407) and self._authorizer is not None

    def _repeat(self, request: Request, response: Response, now: float) -> None:
        again = request.copy()
        again.remove("Via")
        if response.status == 423:
            self._asked = read_seconds(response.get("Min-Expires") or "0")
            again.set("Expires", str(self._asked))
        elif self._authorizer is None or not self._authorizer.authorize(response, again):
            self._end("refused", response.status)
            return
        self._cseq += 1
        if self.dialog is not None:
            self.dialog.local_cseq = self._cseq
        again.set("CSeq", f"{self._cseq} SUBSCRIBE")
        self._tries += 1
        self._subscribing = ClientTransaction(self.core, again, self.flow, now, self)

    def on_failure(self, transaction: ClientTransaction, reason: str, now: float) -> None:
        """React to nobody answering a SUBSCRIBE."""
        if transaction is not self._subscribing or self.is_over:
            return
        self._subscribing = None
        if self.expires_at <= now:
            self._end(reason, 408 if reason == "timeout" else 503)
        else:
            self._arm(now)

    # The clock

    def _grant(self, expires: int, now: float) -> None:
        if expires:
            self.expires_at = now + expires
            self._refresh_at = now + max(expires / 2, expires - _MARGIN)
        else:
            self._refresh_at = NEVER
            self.expires_at = now + self.core.timers.timeout  # the last NOTIFY is on its way
        if not self._is_confirmed:
            self._notify_by = now + self.core.timers.timeout
        self._arm(now)

    def _arm(self, now: float) -> None:
        self.core.wheel.arm(self._clock, min(self.expires_at, self._refresh_at, self._notify_by), now)

    def handle_timer(self, now: float) -> None:
        """React to it being time to refresh, or too late."""
        if now >= self._notify_by:
            self._end("timeout", 408)
        elif now >= self.expires_at:
            self._end("expired" if self._asked else "unsubscribed")
        else:
            self._refresh_at = NEVER
            self.refresh(now)
            self._arm(now)
