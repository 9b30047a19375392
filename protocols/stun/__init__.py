"""STUN (RFC 8489): keep-alives beside SIP (RFC 5626 §4.4.2), and connectivity checks (ICE, RFC 8445)."""

from __future__ import annotations

from .agent import Address, Agent, Credentials, Lost, Selected, make_credentials
from .candidate import HOST, PEER_REFLEXIVE, SERVER_REFLEXIVE, Candidate, priority_of
from .integrity import open_message, seal
from .message import Message, MessageClass, is_stun

__all__ = [
    "HOST",
    "PEER_REFLEXIVE",
    "SERVER_REFLEXIVE",
    "Address",
    "Agent",
    "Candidate",
    "Credentials",
    "Lost",
    "Message",
    "MessageClass",
    "Selected",
    "is_stun",
    "make_credentials",
    "open_message",
    "priority_of",
    "seal",
]
