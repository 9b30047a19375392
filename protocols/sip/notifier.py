"""The end of a subscription that has the state: answers SUBSCRIBE, sends NOTIFY (RFC 6665 §4.2).

What a NOTIFY says is asked for when it is sent, and only one is on its way: however often the state changes
meanwhile, the next one tells the latest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..errors import LocalProtocolError
from ..wheel import NEVER
from .dialog import dialog_of_callee
from .events import SubscriptionEnded
from .subscription import Subscription, Terms

if TYPE_CHECKING:
    from .client import ClientTransaction
    from .core import Core
    from .events import RequestReceived
    from .flow import Flow
    from .message import Request, Response

_GONE = frozenset({404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604})  # §4.2.2: for good


class Source(Protocol):
    """Knows the state."""

    def content(self, subscription: Notifier, now: float) -> tuple[str, bytes]:
        """The type and octets of the state as it is now; nothing and nothing if it has no body."""


class Notifier(Subscription):
    """Made of a SUBSCRIBE outside of dialogs: it is answered, and the first NOTIFY sent, at once."""

    __slots__ = (
        "_final",
        "_is_changed",
        "_next_at",
        "_notifying",
        "_source",
        "terms",
        "version",
    )

    _method = "SUBSCRIBE"

    def __init__(
        self, core: Core, event: RequestReceived, now: float, contact: str, source: Source, terms: Terms
    ) -> None:
        request, flow, key = event.request, event.flow, event.key
        kind = request.event
        if kind is None:
            raise LocalProtocolError("a SUBSCRIBE without an Event is refused")
        super().__init__(core, request, flow, contact, core.mint.tag(), kind)
        self.terms = terms
        self.version = 0  # of the next document
        self._source = source
        self._notifying: ClientTransaction | None = None
        self._is_changed = False
        self._next_at = 0.0  # not before this
        self._final = ""  # the Subscription-State that ends it
        self.dialog = dialog_of_callee(request, self.local_tag)
        self._accept(request, flow, key, now)

    # What the owner asks

    def changed(self, now: float) -> None:
        """Tell the new state, as soon as that may be."""
        if not self.is_over:
            self._is_changed = True
            self._tell(now)

    def terminate(self, now: float, reason: str, retry_after: int | None = None) -> None:
        """End it: "deactivated" (come again at once), "rejected", "noresource", "giveup", ... (§4.1.3)."""
        if not self.is_over and not self._final:
            self._final = f"terminated;reason={reason}"
            if retry_after is not None:
                self._final += f";retry-after={retry_after}"
            self._tell(now)

    def drop(self) -> None:
        """Forget it without a word: the other end has."""
        self._leave()

    # The wire

    def _receive(self, request: Request, flow: Flow, key: str, now: float) -> None:
        """Take a refresh, or the end (§4.2.1.4)."""
        refusal = self.terms.refusal(request)
        if self._final:
            self._refuse(request, flow, 481)
        elif refusal is not None:
            self._refuse(request, flow, refusal.status, refusal.headers)
        else:
            self._follow(request, flow)
            self._accept(request, flow, key, now)

    def _accept(self, request: Request, flow: Flow, key: str, now: float) -> None:
        expires = self.terms.grant(request)
        self._respond(request, flow, key, now, 200, [("Expires", str(expires)), ("Contact", self._contact)])
        self.expires_at = now + expires
        self._is_changed = True  # every SUBSCRIBE gets the state, changed or not (§4.2.1.2)
        self._next_at = now
        if expires:
            self._tell(now)
        else:
            self._expire(now, "unsubscribed")

    def _expire(self, now: float, cause: str) -> None:
        if not self._final:
            self.core.emit(SubscriptionEnded(self, cause, 0, None))
        self.terminate(now, "timeout")

    def _fail(self, cause: str, status: int) -> None:
        if self._final:
            self._leave()  # the owner knows that it is over
        else:
            self._end(cause, status)

    # NOTIFY

    def _tell(self, now: float) -> None:
        if self._notifying is not None:
            return  # its answer lets the next one go
        if self._final or (self._is_changed and now >= self._next_at):
            self._notify(now)
        self._arm(now)

    def _notify(self, now: float) -> None:
        kind, body = self._source.content(self, now)
        self.version += 1
        self._is_changed = False
        self._next_at = now + self.terms.min_interval
        state = self._final or f"active;expires={max(0, round(self.expires_at - now))}"
        headers = [("Subscription-State", state), *([("Content-Type", kind)] if body else [])]
        self._notifying = self._send("NOTIFY", headers, now, body)
        if self._final:
            self._leave()

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """React to the answer to a NOTIFY: the subscription lives as long as they are taken (§4.2.2)."""
        status = response.status
        if status < 200:
            return
        self._notifying = None
        if self.is_over:
            return
        retry_after = response.retry_after
        if status >= 300 and (retry_after is None or status in _GONE):
            self._fail("refused", status)
            return
        if retry_after is not None and status >= 300:
            self._is_changed = True
            self._next_at = now + max(1, retry_after)
        self._tell(now)

    def on_failure(self, transaction: ClientTransaction, reason: str, now: float) -> None:
        """React to nobody answering a NOTIFY: nobody is there."""
        self._notifying = None
        self._fail(reason, 408 if reason == "timeout" else 503)

    # The clock

    def _arm(self, now: float) -> None:
        if not self.is_over:
            waits = self._is_changed and self._notifying is None
            self.core.wheel.arm(self._clock, min(self.expires_at, self._next_at if waits else NEVER), now)

    def handle_timer(self, now: float) -> None:
        """React to the end of the time that was granted, or of a pause."""
        if now >= self.expires_at:
            self._expire(now, "expired")
        else:
            self._tell(now)
            self._arm(now)
