"""STUN (RFC 8489): keep-alives beside SIP (RFC 5626 §4.4.2)."""

from __future__ import annotations

from .message import Message, MessageClass, is_stun

__all__ = ["Message", "MessageClass", "is_stun"]
