"""GSM modems: the dialogue of AT commands, and an engine that keeps a modem at work (TS 27.005, 27.007)."""

from __future__ import annotations

from .dialogue import Command, Completed, Dialogue, Unsolicited
from .events import (
    Garbled,
    Handle,
    MessageReceived,
    ModemConfig,
    ModemEvent,
    ModemState,
    Noise,
    PinRefused,
    PinTried,
    Registration,
    ResetWanted,
    Ringing,
    SimFacts,
    StateChanged,
    StatusReportReceived,
    StorageFull,
    SubmitDoubtful,
    SubmitFailed,
    Submitted,
    UssdAnswered,
)
from .lines import LineReader
from .modem import Modem
from .parameters import fields, integer, supported
from .results import Fault, Result, ResultKind, parse_final

__all__ = [
    "Command",
    "Completed",
    "Dialogue",
    "Fault",
    "Garbled",
    "Handle",
    "LineReader",
    "MessageReceived",
    "Modem",
    "ModemConfig",
    "ModemEvent",
    "ModemState",
    "Noise",
    "PinRefused",
    "PinTried",
    "Registration",
    "ResetWanted",
    "Result",
    "ResultKind",
    "Ringing",
    "SimFacts",
    "StateChanged",
    "StatusReportReceived",
    "StorageFull",
    "SubmitDoubtful",
    "SubmitFailed",
    "Submitted",
    "Unsolicited",
    "UssdAnswered",
    "fields",
    "integer",
    "parse_final",
    "supported",
]
