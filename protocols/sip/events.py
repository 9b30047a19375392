"""What the engine has to tell: past tense, drained with ``Endpoint.next_event()``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .client import ClientTransaction
    from .extensions import SubscriptionState
    from .flow import Flow
    from .message import Request, Response
    from .server import ServerTransaction
    from .session import Session
    from .subscriber import Subscriber
    from .subscription import Subscription


class RequestReceived(NamedTuple):
    """A request outside any dialog; no transaction is made until the owner begins or accepts it."""

    request: Request
    flow: Flow
    key: str  # of the server transaction that it would have


class ResponseReceived(NamedTuple):
    """A response, provisional or final, to a request sent outside any dialog."""

    transaction: ClientTransaction
    response: Response


class RequestFailed(NamedTuple):
    """No final response: "timeout" is to be treated as 408, "transport" as 503 (RFC 3261 §8.1.3.1)."""

    transaction: ClientTransaction
    reason: str


class SessionProgressed(NamedTuple):
    """A provisional response above 100; its To tag tells the early dialog."""

    session: Session
    response: Response


class ProgressAcknowledged(NamedTuple):
    """PRACK to a reliable provisional response of ours: answered already, unless there is a transaction.

    Then it brings an offer, and the owner answers by ``transaction.respond()``; an answer of its to the offer
    in our response is in the request.
    """

    session: Session
    transaction: ServerTransaction | None
    request: Request


class SessionAnswered(NamedTuple):
    """The first 2xx: the owner calls ``session.acknowledge()``."""

    session: Session
    response: Response


class SessionRejected(NamedTuple):
    """Our INVITE came to nothing: refused, cancelled (487), timed out (408) or undeliverable (503)."""

    session: Session
    response: Response | None
    status: int
    reason: str


class SessionCancelled(NamedTuple):
    """The caller gave up: CANCEL is answered with 200 and the INVITE with 487 already."""

    session: Session
    request: Request


class SessionAcknowledged(NamedTuple):
    """The ACK to our 2xx, of the first INVITE or of a later one."""

    session: Session
    request: Request


class SessionEnded(NamedTuple):
    """The dialog is over by another's doing: "bye", "ack-timeout", "timeout", "unknown", "transport",
    "prack-timeout" (of a call that rings), "expired" (nobody refreshed it), "too-brief" (refused by 422)."""

    session: Session
    cause: str
    request: Request | None


class ReinviteReceived(NamedTuple):
    """A re-INVITE: the owner calls ``session.answer_reinvite(transaction, ...)``."""

    session: Session
    transaction: ServerTransaction
    request: Request


class ReinviteAnswered(NamedTuple):
    """2xx to our re-INVITE: the owner calls ``session.acknowledge()``."""

    session: Session
    response: Response


class ReinviteRejected(NamedTuple):
    """Our re-INVITE was refused; the session goes on as it was. 491: wait ``session.glare_delay()``."""

    session: Session
    response: Response | None
    status: int


class UpdateReceived(NamedTuple):
    """An UPDATE with an offer: the owner calls ``transaction.respond(...)``; Contact is added."""

    session: Session
    transaction: ServerTransaction
    request: Request


class UpdateAnswered(NamedTuple):
    """2xx to our UPDATE."""

    session: Session
    response: Response


class UpdateRejected(NamedTuple):
    """Our UPDATE was refused; all stays as it was. 491: wait ``session.glare_delay()``."""

    session: Session
    response: Response | None
    status: int


class SessionRequestReceived(NamedTuple):
    """Another request inside the dialog: the owner calls ``transaction.respond(...)``."""

    session: Session
    transaction: ServerTransaction
    request: Request


class SessionResponseReceived(NamedTuple):
    """A response to a request that the owner sent inside the dialog."""

    session: Session
    transaction: ClientTransaction
    response: Response


class SessionRequestFailed(NamedTuple):
    """A request inside the dialog got no final response: "timeout" or "transport"."""

    session: Session
    transaction: ClientTransaction
    reason: str


class SubscriptionAnswered(NamedTuple):
    """A 2xx to a SUBSCRIBE of ours, the first or a refresh."""

    subscription: Subscriber
    response: Response


class NotifyReceived(NamedTuple):
    """A NOTIFY, answered already, and how far the subscription is by it."""

    subscription: Subscriber
    request: Request
    state: SubscriptionState


class SubscriptionEnded(NamedTuple):
    """The subscription is over by another's doing: "expired", "unsubscribed", "refused", "timeout",
    "transport", or the reason that the notifier gave ("deactivated", "noresource"...)."""

    subscription: Subscription
    cause: str
    status: int  # of the refusal, 0: none
    retry_after: int | None


Event = (
    RequestReceived
    | ResponseReceived
    | RequestFailed
    | SessionProgressed
    | ProgressAcknowledged
    | SessionAnswered
    | SessionRejected
    | SessionCancelled
    | SessionAcknowledged
    | SessionEnded
    | ReinviteReceived
    | ReinviteAnswered
    | ReinviteRejected
    | UpdateReceived
    | UpdateAnswered
    | UpdateRejected
    | SessionRequestReceived
    | SessionResponseReceived
    | SessionRequestFailed
    | SubscriptionAnswered
    | NotifyReceived
    | SubscriptionEnded
)
