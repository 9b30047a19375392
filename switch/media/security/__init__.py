"""What protects the media of each leg: SRTP with keys of our own, ICE and DTLS; docs/media-security.md."""

from __future__ import annotations

from .channel import Channel, Mode
from .guard import Guard
from .heard import Heard, undress
from .policy import Policy
from .security import Security

__all__ = ["Channel", "Guard", "Heard", "Mode", "Policy", "Security", "undress"]
