"""SIP: messages and the engine that speaks them (RFC 3261); bodies stay bytes."""

from __future__ import annotations

from .framing import StreamFramer
from .head import LIMITS, Limits
from .headers import CSeq, NameAddr, Via
from .message import Message, ParseError, Request, Response, parse
from .reasons import REASONS
from .uri import Uri

__all__ = [
    "LIMITS",
    "REASONS",
    "CSeq",
    "Limits",
    "Message",
    "NameAddr",
    "ParseError",
    "Request",
    "Response",
    "StreamFramer",
    "Uri",
    "Via",
    "parse",
]
