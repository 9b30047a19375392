"""RTP (RFC 3550) and digits in it (RFC 4733)."""

from __future__ import annotations

from .dtmf import DigitReceived, DigitReceiver, DigitSender, Event
from .jitter import JitterBuffer
from .jitter_values import Action, Arrival, Decision, JitterConfig, JitterStatistics
from .packet import Packet, is_rtcp
from .sequence import Sequence, is_newer
from .statistics import Statistics

__all__ = [
    "Action",
    "Arrival",
    "Decision",
    "DigitReceived",
    "DigitReceiver",
    "DigitSender",
    "Event",
    "JitterBuffer",
    "JitterConfig",
    "JitterStatistics",
    "Packet",
    "Sequence",
    "Statistics",
    "is_newer",
    "is_rtcp",
]
