"""A subscription: one dialog usage, of which ``notifier`` and ``subscriber`` are the ends (RFC 6665)."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from ..wheel import Timed
from .client import ClientTransaction
from .core import Usage, reply_flow
from .events import SubscriptionEnded
from .inspection import Refusal
from .message import Request, Response
from .server import ServerTransaction

if TYPE_CHECKING:
    from .core import Core, Headers
    from .dialog import Dialog
    from .extensions import EventPackage
    from .flow import Flow

LONG_ENOUGH = 3600  # seconds; nothing this long may be called too brief (RFC 6665 §4.2.1.1)


class Terms(NamedTuple):
    """How long subscriptions may last, and how soon one NOTIFY may follow another; seconds."""

    min_expires: int = 60
    max_expires: int = 3600
    default_expires: int = 3600
    min_interval: float = 0.0

    def refusal(self, request: Request) -> Refusal | None:
        """Why a SUBSCRIBE or PUBLISH for such a time is refused."""
        expires = request.expires
        if expires is None or expires == 0 or expires >= min(self.min_expires, LONG_ENOUGH):
            return None
        return Refusal(423, (("Min-Expires", str(self.min_expires)),))

    def grant(self, request: Request) -> int:
        """The time that a request is given."""
        expires = request.expires
        return min(self.default_expires if expires is None else expires, self.max_expires)


class Clock(Timed):
    """The timer of a subscription."""

    __slots__ = ("_subscription",)

    def __init__(self, subscription: Subscription) -> None:
        super().__init__()
        self._subscription = subscription

    def handle_timer(self, now: float) -> None:
        """Let it react."""
        self._subscription.handle_timer(now)


class Subscription(Usage):
    """What both ends have in common."""

    __slots__ = (
        "_clock",
        "_contact",
        "context",
        "core",
        "dialog",
        "event",
        "expires_at",
        "flow",
        "is_over",
        "local_tag",
    )

    _method = ""  # the one that the other end sends

    def __init__(
        self, core: Core, request: Request, flow: Flow, contact: str, local_tag: str, event: EventPackage
    ) -> None:
        self.core = core
        self.flow = flow  # requests inside the dialog go here
        self.call_id = request.call_id
        self.local_tag = local_tag
        self.event = event
        self.dialog: Dialog | None = None
        self.expires_at = 0.0
        self.is_over = False
        self.context: object = None  # belongs to the owner
        self._clock = Clock(self)
        self._contact = contact
        core.sessions[local_tag] = self
        core.counters.subscriptions += 1

    @property
    def remote_tag(self) -> str:
        """The other end's tag, "" as long as nobody has answered."""
        return "" if self.dialog is None else self.dialog.remote_tag

    # The wire

    def has_remote(self, tag: str | None) -> bool:
        """Whether the other end of this dialog bears the tag."""
        return (tag or "") == self.remote_tag

    def receive_ack(self, request: Request, now: float) -> None:
        """Take an ACK, which belongs to nothing here."""
        self.core.counters.strays += 1

    def receive_request(self, request: Request, flow: Flow, key: str, now: float) -> None:
        """Take a new request inside the dialog."""
        if request.method != self._method:
            self._refuse(request, flow, 405, (("Allow", self._method),))
        elif self.dialog is not None and request.cseq.number <= self.dialog.remote_cseq:
            self._refuse(request, flow, 500)  # RFC 3261 §12.2.2
        elif not self._is_about(request):
            self._refuse(request, flow, 489)
        else:
            self._receive(request, flow, key, now)

    def _is_about(self, request: Request) -> bool:
        event = request.event
        return event is not None and (event.package, event.id) == (self.event.package, self.event.id)

    @abstractmethod
    def _receive(self, request: Request, flow: Flow, key: str, now: float) -> None:
        """Take a request of that method for this event."""

    def _refuse(self, request: Request, flow: Flow, status: int, headers: Headers = ()) -> None:
        self.core.answer(request, reply_flow(request, flow), status, headers=headers)

    def _respond(
        self, request: Request, flow: Flow, key: str, now: float, status: int, headers: Headers = ()
    ) -> None:
        """Answer with the transaction that absorbs repetitions."""
        to = reply_flow(request, flow)
        transaction = ServerTransaction(self.core, key, request, to, now, self.local_tag)
        transaction.respond(status, now, None, headers)

    def _follow(self, request: Request, flow: Flow) -> None:
        """Take what a request says of where its sender is now."""
        assert self.dialog is not None
        self.dialog.remote_cseq = request.cseq.number
        self.dialog.refresh(request)
        if flow.transport == self.flow.transport and flow.remote[0] == self.flow.remote[0]:
            self.flow = flow

    def _send(self, method: str, headers: Headers, now: float, body: bytes = b"") -> ClientTransaction:
        assert self.dialog is not None
        headers = [("Contact", self._contact), ("Event", str(self.event)), *headers]
        if self.core.user_agent:
            headers.append(("User-Agent", self.core.user_agent))
        request = self.dialog.request(method, self.dialog.next_cseq(), headers, body)
        return ClientTransaction(self.core, request, self.flow, now, self)

    # The end

    def _leave(self) -> None:
        """Forget the subscription: what comes for it from now on gets 481."""
        self.is_over = True
        self.core.wheel.disarm(self._clock)
        if self.core.sessions.get(self.local_tag) is self:
            del self.core.sessions[self.local_tag]
            self.core.counters.subscriptions -= 1

    def _end(self, cause: str, status: int = 0, retry_after: int | None = None) -> None:
        """End what the owner believes to be there."""
        was_over = self.is_over
        self._leave()
        if not was_over:
            self.core.emit(SubscriptionEnded(self, cause, status, retry_after))

    @abstractmethod
    def handle_timer(self, now: float) -> None:
        """React to the time that the clock was set to."""

    # Whoever sends requests hears of their responses

    @abstractmethod
    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """React to a response to a request of ours."""

    @abstractmethod
    def on_failure(self, transaction: ClientTransaction, reason: str, now: float) -> None:
        """React to there being none."""
