"""RTCP (RFC 3550 §6)."""

from __future__ import annotations

from .packet import (
    Bye,
    Other,
    Packet,
    ReceiverReport,
    ReportBlock,
    SdesChunk,
    SenderReport,
    SourceDescription,
    parse,
    to_bytes,
)
from .reports import Reporter, ntp_time, round_trip

__all__ = [
    "Bye",
    "Other",
    "Packet",
    "ReceiverReport",
    "ReportBlock",
    "Reporter",
    "SdesChunk",
    "SenderReport",
    "SourceDescription",
    "ntp_time",
    "parse",
    "round_trip",
    "to_bytes",
]
