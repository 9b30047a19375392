"""SIP: messages and the engine that speaks them (RFC 3261); bodies stay bytes."""

from __future__ import annotations

from .client import ClientTransaction, InviteClient
from .core import Counters, bracketed
from .dialog import Dialog
from .digest import Challenge, Credentials, DigestClient, Nonces
from .endpoint import Endpoint, hops_left
from .events import (
    Event,
    ReinviteAnswered,
    ReinviteReceived,
    ReinviteRejected,
    RequestFailed,
    RequestReceived,
    ResponseReceived,
    SessionAcknowledged,
    SessionAnswered,
    SessionCancelled,
    SessionEnded,
    SessionProgressed,
    SessionRejected,
    SessionRequestFailed,
    SessionRequestReceived,
    SessionResponseReceived,
)
from .flow import Flow
from .framing import StreamFramer
from .head import LIMITS, Limits
from .headers import CSeq, NameAddr, Via
from .identifiers import Mint
from .inspection import METHODS, Refusal, inspect_request
from .message import Message, ParseError, Request, Response, parse
from .multipart import Part, body_parts
from .reasons import REASONS
from .server import ServerTransaction
from .session import Session, State
from .timers import Timers
from .uri import Uri, escape_user

__all__ = [
    "LIMITS",
    "METHODS",
    "REASONS",
    "CSeq",
    "Challenge",
    "ClientTransaction",
    "Counters",
    "Credentials",
    "Dialog",
    "DigestClient",
    "Endpoint",
    "Event",
    "Flow",
    "InviteClient",
    "Limits",
    "Message",
    "Mint",
    "NameAddr",
    "Nonces",
    "ParseError",
    "Part",
    "Refusal",
    "ReinviteAnswered",
    "ReinviteReceived",
    "ReinviteRejected",
    "Request",
    "RequestFailed",
    "RequestReceived",
    "Response",
    "ResponseReceived",
    "ServerTransaction",
    "Session",
    "SessionAcknowledged",
    "SessionAnswered",
    "SessionCancelled",
    "SessionEnded",
    "SessionProgressed",
    "SessionRejected",
    "SessionRequestFailed",
    "SessionRequestReceived",
    "SessionResponseReceived",
    "State",
    "StreamFramer",
    "Timers",
    "Uri",
    "Via",
    "body_parts",
    "bracketed",
    "escape_user",
    "hops_left",
    "inspect_request",
    "parse",
]
