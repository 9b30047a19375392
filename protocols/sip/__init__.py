"""SIP: messages and the engine that speaks them (RFC 3261); bodies stay bytes."""

from __future__ import annotations

from .framing import StreamFramer
from .head import LIMITS, Limits
from .headers import CSeq, NameAddr, Via
from .inspection import METHODS, Refusal, inspect_request
from .message import Message, ParseError, Request, Response, parse
from .multipart import Part, body_parts
from .reasons import REASONS
from .uri import Uri

__all__ = [
    "LIMITS",
    "METHODS",
    "REASONS",
    "CSeq",
    "Limits",
    "Message",
    "NameAddr",
    "ParseError",
    "Part",
    "Refusal",
    "Request",
    "Response",
    "StreamFramer",
    "Uri",
    "Via",
    "body_parts",
    "inspect_request",
    "parse",
]
