"""What a session tells its owner."""

from __future__ import annotations

from typing import NamedTuple

from .pdu import Bind, BindResp, Outbind, Request, Response

__all__ = [
    "Answer",
    "BindReceived",
    "BindRefused",
    "Bound",
    "Closed",
    "Event",
    "OutbindReceived",
    "RequestRefused",
    "RequestsFailed",
    "RequestsReceived",
    "ResponsesReceived",
    "UnbindReceived",
]

Answer = tuple[
    object, Response, float
]  # the context that the request was sent with, its answer, when it was sent


class BindReceived(NamedTuple):
    """An ESME wants to bind: ``Session.accept`` or ``Session.refuse`` it."""

    request: Bind


class OutbindReceived(NamedTuple):
    """A message centre wants to be bound to: ``Session.bind``, or close the connection."""

    request: Outbind


class Bound(NamedTuple):
    """The message centre has accepted our bind."""

    response: BindResp


class BindRefused(NamedTuple):
    """It has refused our bind, with this command_status; the session is closed."""

    status: int


class RequestsReceived(NamedTuple):
    """What one read brought, in order; each is to be answered, but for alert_notification."""

    requests: list[Request]


class RequestRefused(NamedTuple):
    """A request was answered with an error by the session itself."""

    name: str
    status: int
    reason: str


class ResponsesReceived(NamedTuple):
    """Answers to our requests, in the order in which they came."""

    answers: list[Answer]


class RequestsFailed(NamedTuple):
    """Requests whose fate is not known: no answer came in time, or before the session ended."""

    contexts: list[object]
    reason: str


class UnbindReceived(NamedTuple):
    """The other end wants to end; the session answers when what came before is answered."""


class Closed(NamedTuple):
    """The session has ended: send what is left to send, and close the connection."""

    reason: str


Event = (
    BindReceived
    | OutbindReceived
    | Bound
    | BindRefused
    | RequestsReceived
    | RequestRefused
    | ResponsesReceived
    | RequestsFailed
    | UnbindReceived
    | Closed
)
