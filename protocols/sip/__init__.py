"""SIP: messages and the engine that speaks them (RFC 3261); bodies stay bytes."""

from __future__ import annotations

from .authorization import Authorizer, DigestAuthorizer
from .client import ClientTransaction, InviteClient
from .core import bracketed
from .counters import Counters
from .dialog import Dialog
from .digest import Challenge, Credentials, DigestClient, Nonces
from .endpoint import Endpoint, hops_left
from .events import (
    Event,
    NotifyReceived,
    ProgressAcknowledged,
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
    SessionEvent,
    SessionProgressed,
    SessionRejected,
    SessionRequestFailed,
    SessionRequestReceived,
    SessionResponseReceived,
    SubscriptionAnswered,
    SubscriptionEnded,
    UpdateAnswered,
    UpdateReceived,
    UpdateRejected,
)
from .extensions import EventPackage, RAck, Reason, Replaces, SessionExpires, SubscriptionState
from .flow import Flow
from .framing import StreamFramer
from .head import LIMITS, Limits
from .headers import CSeq, NameAddr, Via
from .identifiers import Mint
from .inspection import METHODS, Refusal, inspect_request
from .message import Message, ParseError, Request, Response, parse
from .multipart import Part, body_parts
from .notifier import Notifier, Source
from .reasons import REASONS
from .refresh import SessionTiming, inspect_timing
from .server import ServerTransaction
from .session import Session, State
from .subscriber import Subscriber
from .subscription import Subscription, Terms
from .survivor import SessionState, export_session
from .timers import Timers
from .uri import Uri, escape_user

__all__ = [
    "LIMITS",
    "METHODS",
    "REASONS",
    "Authorizer",
    "CSeq",
    "Challenge",
    "ClientTransaction",
    "Counters",
    "Credentials",
    "Dialog",
    "DigestAuthorizer",
    "DigestClient",
    "Endpoint",
    "Event",
    "EventPackage",
    "Flow",
    "InviteClient",
    "Limits",
    "Message",
    "Mint",
    "NameAddr",
    "Nonces",
    "Notifier",
    "NotifyReceived",
    "ParseError",
    "Part",
    "ProgressAcknowledged",
    "RAck",
    "Reason",
    "Refusal",
    "ReinviteAnswered",
    "ReinviteReceived",
    "ReinviteRejected",
    "Replaces",
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
    "SessionEvent",
    "SessionExpires",
    "SessionProgressed",
    "SessionRejected",
    "SessionRequestFailed",
    "SessionRequestReceived",
    "SessionResponseReceived",
    "SessionState",
    "SessionTiming",
    "Source",
    "State",
    "StreamFramer",
    "Subscriber",
    "Subscription",
    "SubscriptionAnswered",
    "SubscriptionEnded",
    "SubscriptionState",
    "Terms",
    "Timers",
    "UpdateAnswered",
    "UpdateReceived",
    "UpdateRejected",
    "Uri",
    "Via",
    "body_parts",
    "bracketed",
    "escape_user",
    "export_session",
    "hops_left",
    "inspect_request",
    "inspect_timing",
    "parse",
]
