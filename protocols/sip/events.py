"""What the engine has to tell: past tense, drained with ``Endpoint.next_event()``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import ClientTransaction
    from .extensions import SubscriptionState
    from .flow import Flow
    from .message import Request, Response
    from .server import ServerTransaction
    from .session import Session
    from .subscriber import Subscriber
    from .subscription import Subscription


class Event:
    """Something that has happened; it never changes."""

    __slots__ = ()
    __match_args__ = ()
    __hash__ = None  # type: ignore[assignment]  # nobody keeps one

    def context(self) -> Any:
        """What the owner has left with the session, subscription or transaction that it is about."""
        return None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event) or type(self) is not type(other):
            return NotImplemented
        return self._fields() == other._fields()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join([f'{name}={value!r}' for name, value in self._fields()])})"

    def _fields(self) -> list[tuple[str, object]]:
        names: tuple[str, ...] = self.__match_args__
        return [(name, getattr(self, name)) for name in names]


# Outside of dialogs


class RequestReceived(Event):
    """A request outside any dialog; no transaction is made until the owner begins or accepts it."""

    __slots__ = ("flow", "key", "merge", "request")
    __match_args__ = ("request", "flow", "key")

    def __init__(self, request: Request, flow: Flow, key: str) -> None:
        self.request = request
        self.flow = flow
        self.key = key  # of the server transaction that it would have
        self.merge = self.request.merge_key()  # the same, when it comes by another way, too


class ResponseReceived(Event):
    """A response, provisional or final, to a request sent outside any dialog."""

    __slots__ = __match_args__ = ("transaction", "response")

    def __init__(self, transaction: ClientTransaction, response: Response) -> None:
        self.transaction = transaction
        self.response = response

    def context(self) -> Any:
        """What the owner has left with the transaction."""
        return self.transaction.context


class RequestFailed(Event):
    """No final response: "timeout" is to be treated as 408, "transport" as 503 (RFC 3261 §8.1.3.1)."""

    __slots__ = __match_args__ = ("transaction", "reason")

    def __init__(self, transaction: ClientTransaction, reason: str) -> None:
        self.transaction = transaction
        self.reason = reason

    def context(self) -> Any:
        """What the owner has left with the transaction."""
        return self.transaction.context


# Of a session


class SessionEvent(Event):
    """Something that has happened to a session."""

    __slots__ = ("session",)
    __match_args__ = ("session",)

    def __init__(self, session: Session) -> None:
        self.session = session

    def context(self) -> Any:
        """What the owner has left with the session."""
        return self.session.context


class RequestEvent(SessionEvent):
    """Something that a request did which the engine has answered, or which wants no answer."""

    __slots__ = ("request",)
    __match_args__ = ("session", "request")

    def __init__(self, session: Session, request: Request) -> None:
        self.session = session
        self.request = request


class SessionCancelled(RequestEvent):
    """The caller gave up: CANCEL is answered with 200 and the INVITE with 487 already."""

    __slots__ = ()


class SessionAcknowledged(RequestEvent):
    """The ACK to our 2xx, of the first INVITE or of a later one."""

    __slots__ = ()


class QuestionEvent(SessionEvent):
    """A request that the owner has to answer."""

    __slots__ = ("request", "transaction")
    __match_args__ = ("session", "transaction", "request")

    def __init__(self, session: Session, transaction: ServerTransaction, request: Request) -> None:
        self.session = session
        self.transaction = transaction
        self.request = request


class ReinviteReceived(QuestionEvent):
    """A re-INVITE: the owner calls ``session.answer_reinvite(transaction, ...)``."""

    __slots__ = ()


class UpdateReceived(QuestionEvent):
    """An UPDATE with an offer: the owner calls ``transaction.respond(...)``; Contact is added."""

    __slots__ = ()


class SessionRequestReceived(QuestionEvent):
    """Another request inside the dialog: the owner calls ``transaction.respond(...)``."""

    __slots__ = ()


class ProgressAcknowledged(SessionEvent):
    """PRACK to a reliable provisional response of ours: answered already, unless there is a transaction.

    Then it brings an offer, and the owner answers by ``transaction.respond()``; an answer of its to the offer
    in our response is in the request.
    """

    __slots__ = ("request", "transaction")
    __match_args__ = ("session", "transaction", "request")

    def __init__(self, session: Session, transaction: ServerTransaction | None, request: Request) -> None:
        self.session = session
        self.transaction = transaction
        self.request = request


class ResponseEvent(SessionEvent):
    """A response that was no refusal."""

    __slots__ = ("response",)
    __match_args__ = ("session", "response")

    def __init__(self, session: Session, response: Response) -> None:
        self.session = session
        self.response = response


class SessionProgressed(ResponseEvent):
    """A provisional response above 100; its To tag tells the early dialog."""

    __slots__ = ()


class SessionAnswered(ResponseEvent):
    """The first 2xx: the owner calls ``session.acknowledge()``."""

    __slots__ = ()


class ReinviteAnswered(ResponseEvent):
    """2xx to our re-INVITE: the owner calls ``session.acknowledge()``."""

    __slots__ = ()


class UpdateAnswered(ResponseEvent):
    """2xx to our UPDATE."""

    __slots__ = ()


class RefusalEvent(SessionEvent):
    """A change of ours was refused; the session goes on as it was. 491: wait ``session.glare_delay()``."""

    __slots__ = ("response", "status")
    __match_args__ = ("session", "response", "status")

    def __init__(self, session: Session, response: Response | None, status: int) -> None:
        self.session = session
        self.response = response
        self.status = status


class ReinviteRejected(RefusalEvent):
    """Our re-INVITE was refused."""

    __slots__ = ()


class UpdateRejected(RefusalEvent):
    """Our UPDATE was refused."""

    __slots__ = ()


class SessionRejected(SessionEvent):
    """Our INVITE came to nothing: refused, cancelled (487), timed out (408) or undeliverable (503)."""

    __slots__ = ("reason", "response", "status")
    __match_args__ = ("session", "response", "status", "reason")

    def __init__(self, session: Session, response: Response | None, status: int, reason: str) -> None:
        self.session = session
        self.response = response
        self.status = status
        self.reason = reason


class SessionEnded(SessionEvent):
    """The dialog is over by another's doing: "bye", "ack-timeout", "timeout", "unknown", "transport",
    "prack-timeout" (of a call that rings), "expired" (nobody refreshed it), "too-brief" (refused by 422)."""

    __slots__ = ("cause", "request")
    __match_args__ = ("session", "cause", "request")

    def __init__(self, session: Session, cause: str, request: Request | None) -> None:
        self.session = session
        self.cause = cause
        self.request = request


class SessionResponseReceived(SessionEvent):
    """A response to a request that the owner sent inside the dialog."""

    __slots__ = ("response", "transaction")
    __match_args__ = ("session", "transaction", "response")

    def __init__(self, session: Session, transaction: ClientTransaction, response: Response) -> None:
        self.session = session
        self.transaction = transaction
        self.response = response


class SessionRequestFailed(SessionEvent):
    """A request inside the dialog got no final response: "timeout" or "transport"."""

    __slots__ = ("reason", "transaction")
    __match_args__ = ("session", "transaction", "reason")

    def __init__(self, session: Session, transaction: ClientTransaction, reason: str) -> None:
        self.session = session
        self.transaction = transaction
        self.reason = reason


# Of a subscription


class SubscriptionEvent(Event):
    """Something that has happened to a subscription."""

    __slots__ = ("subscription",)
    __match_args__ = ("subscription",)

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription

    def context(self) -> Any:
        """What the owner has left with the subscription."""
        return self.subscription.context


class SubscriptionAnswered(SubscriptionEvent):
    """A 2xx to a SUBSCRIBE of ours, the first or a refresh."""

    __slots__ = ("response",)
    __match_args__ = ("subscription", "response")

    def __init__(self, subscription: Subscriber, response: Response) -> None:
        self.subscription = subscription
        self.response = response


class NotifyReceived(SubscriptionEvent):
    """A NOTIFY, answered already, and how far the subscription is by it."""

    __slots__ = ("request", "state")
    __match_args__ = ("subscription", "request", "state")

    def __init__(self, subscription: Subscriber, request: Request, state: SubscriptionState) -> None:
        self.subscription = subscription
        self.request = request
        self.state = state


class SubscriptionEnded(SubscriptionEvent):
    """The subscription is over by another's doing: "expired", "unsubscribed", "refused", "timeout",
    "transport", or the reason that the notifier gave ("deactivated", "noresource"...)."""

    __slots__ = ("cause", "retry_after", "status")
    __match_args__ = ("subscription", "cause", "status", "retry_after")

    def __init__(self, subscription: Subscription, cause: str, status: int, retry_after: int | None) -> None:
        self.subscription = subscription
        self.cause = cause
        self.status = status  # of the refusal, 0: none
        self.retry_after = retry_after
