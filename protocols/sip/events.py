"""What the engine has to tell: past tense, drained with ``Endpoint.next_event()``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .client import ClientTransaction
    from .flow import Flow
    from .message import Request, Response
    from .server import ServerTransaction
    from .session import Session


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
    """The dialog is over by another's doing: "bye", "ack-timeout", "timeout", "unknown", "transport"."""

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


Event = (
    RequestReceived
    | ResponseReceived
    | RequestFailed
    | SessionProgressed
    | SessionAnswered
    | SessionRejected
    | SessionCancelled
    | SessionAcknowledged
    | SessionEnded
    | ReinviteReceived
    | ReinviteAnswered
    | ReinviteRejected
    | SessionRequestReceived
    | SessionResponseReceived
    | SessionRequestFailed
)
