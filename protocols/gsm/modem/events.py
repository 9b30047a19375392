"""What a modem engine is told, knows, and tells."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from ..tpdu import Deliver, StatusReport
from .results import Fault, Result

__all__ = [
    "Garbled",
    "Handle",
    "MessageReceived",
    "ModemConfig",
    "ModemState",
    "Noise",
    "PinRefused",
    "PinTried",
    "Registration",
    "ResetWanted",
    "Ringing",
    "SimFacts",
    "StateChanged",
    "StatusReportReceived",
    "StorageFull",
    "SubmitDoubtful",
    "SubmitFailed",
    "Submitted",
    "UssdAnswered",
]


class ModemState(Enum):
    """What a modem is good for now."""

    CLOSED = "closed"  # no connection
    STARTING = "starting"
    BLOCKED = "blocked"  # a person has to do something: PIN, PUK, another SIM
    SEARCHING = "searching"  # works, but no network has it
    READY = "ready"
    STUCK = "stuck"  # does not answer: it is being reset


class Registration(Enum):
    """<stat> of AT+CREG (TS 27.007 §7.2)."""

    NONE = 0
    HOME = 1
    SEARCHING = 2
    DENIED = 3
    UNKNOWN = 4
    ROAMING = 5
    HOME_SMS_ONLY = 6
    ROAMING_SMS_ONLY = 7
    EMERGENCY = 8

    @property
    def is_registered(self) -> bool:
        """Whether messages can be sent."""
        return self in _REGISTERED


_REGISTERED = frozenset(
    {
        *(Registration.HOME, Registration.ROAMING),
        *(Registration.HOME_SMS_ONLY, Registration.ROAMING_SMS_ONLY),
    }
)


@dataclass(frozen=True, slots=True)
class ModemConfig:
    """How a modem is to be used."""

    pin: str = ""
    service_centre: str = ""  # empty: the one that the SIM knows
    storage: str = ""  # where incoming messages are kept: SM, ME, MT; empty: SM, or what there is
    is_direct: bool = False  # messages come as +CMT and are acknowledged, instead of stored and deleted
    wants_status_reports: bool = True
    rejects_calls: bool = True
    poll_interval: float = 30.0  # seconds between looks at signal, registration and storage
    send_timeout: float = 60.0  # how long a network may take for one message
    doubt_timeout: float = 120.0  # how long a status report may tell what a time-out left open
    search_timeout: float = 600.0  # without a network for so long: it is restarted; 0: never
    init: tuple[str, ...] = ()  # further commands at the start


@dataclass(slots=True)
class SimFacts:
    """What a modem said about itself and its SIM."""

    manufacturer: str = ""
    model: str = ""
    revision: str = ""
    imei: str = ""
    imsi: str = ""
    number: str = ""
    service_centre: str = ""
    operator: str = ""
    registration: Registration = Registration.UNKNOWN
    signal_dbm: int | None = None
    storage: str = ""
    stored: int = 0
    room: int = 0
    is_pdu_mode: bool = True
    has_packed_ussd: bool | None = None  # whether codes are septets in hexadecimal digits; None: not tried
    full_sweeps: int = 0  # one after the other that found no room


@dataclass(frozen=True, slots=True)
class Handle:
    """Where a message is that waits for ``acknowledge``: in a storage, or on its way (no storage)."""

    storage: str
    index: int
    life: int  # of the connection: after a reset another message may be there


# -- news


@dataclass(frozen=True, slots=True)
class StateChanged:
    """A modem is good for something else now."""

    state: ModemState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message came. It is deleted or acknowledged to the network when the owner says that he has it."""

    handle: Handle
    deliver: Deliver
    octets: bytes  # the TPDU as it came: what tells a copy from another message


@dataclass(frozen=True, slots=True)
class StatusReportReceived:
    """A report came; as with messages."""

    handle: Handle
    report: StatusReport
    octets: bytes


@dataclass(frozen=True, slots=True)
class Garbled:
    """What came cannot be read as either; as with messages."""

    handle: Handle
    line: str
    reason: str


@dataclass(frozen=True, slots=True)
class Submitted:
    """The network has a message; ``reference`` is what its status report will name."""

    context: Any
    reference: int


@dataclass(frozen=True, slots=True)
class SubmitFailed:
    """The network does not have it."""

    context: Any
    fault: Fault
    result: Result


@dataclass(frozen=True, slots=True)
class SubmitDoubtful:
    """No answer came, and no status report within the time that was given: it may have been sent."""

    context: Any
    result: Result


@dataclass(frozen=True, slots=True)
class UssdAnswered:
    """What the network says to a code; ``is_open``: it waits for an answer. An error has no text."""

    context: Any
    text: str
    is_open: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class Ringing:
    """A call comes in, told once, perhaps without a number; it is rejected if the configuration says so."""

    number: str


@dataclass(frozen=True, slots=True)
class PinTried:
    """The PIN goes to the SIM now: to be remembered, for it must not go there twice if it is wrong."""

    pin: str


@dataclass(frozen=True, slots=True)
class PinRefused:
    """The SIM did not take the PIN; nothing more is tried with it."""

    pin: str


@dataclass(frozen=True, slots=True)
class StorageFull:
    """Nothing comes in any more: what is stored are messages of others, or nobody takes them."""

    storage: str
    room: int


@dataclass(frozen=True, slots=True)
class ResetWanted:
    """Nothing helps but to close the port and open it again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Noise:
    """A line that means nothing to the engine."""

    line: str


ModemEvent = (
    StateChanged
    | MessageReceived
    | StatusReportReceived
    | Garbled
    | Submitted
    | SubmitFailed
    | SubmitDoubtful
    | UssdAnswered
    | Ringing
    | PinTried
    | PinRefused
    | ResetWanted
    | StorageFull
    | Noise
)
