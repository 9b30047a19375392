"""RTCP (RFC 3550 §6, RFC 3611)."""

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
from .xr import ExtendedReport, LastReports, OtherBlock, ReferenceTime, VoipMetrics

__all__ = [
    "Bye",
    "ExtendedReport",
    "LastReports",
    "Other",
    "OtherBlock",
    "Packet",
    "ReceiverReport",
    "ReferenceTime",
    "ReportBlock",
    "Reporter",
    "SdesChunk",
    "SenderReport",
    "SourceDescription",
    "VoipMetrics",
    "ntp_time",
    "parse",
    "round_trip",
    "to_bytes",
]
