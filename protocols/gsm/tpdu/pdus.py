"""The six TPDUs of the short message service (3GPP TS 23.040 §9.2.2), as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from ...errors import LocalProtocolError
from .address import Address
from .times import Timestamp, Validity, validity_format
from .userdata import UserData

__all__ = [
    "Command",
    "CommandType",
    "Deliver",
    "DeliverReport",
    "ProtocolId",
    "StatusReport",
    "Submit",
    "SubmitReport",
    "Tpdu",
]

_UDHI, _REPORT, _REPLY_PATH = 0x40, 0x20, 0x80
_NO_MORE, _LOOP = 0x04, 0x08
_EMPTY = UserData()
_HAS_PID, _HAS_DCS, _HAS_UD = 0x01, 0x02, 0x04  # TP-PI; §9.2.3.27


class ProtocolId(IntEnum):
    """Values of TP-PID that something follows from; §9.2.3.9."""

    DEFAULT = 0x00
    TYPE_0 = 0x40  # acknowledged and thrown away: the silent message
    REPLACE_1 = 0x41  # of the types 1 to 7: the message of that type from that sender is replaced
    REPLACE_7 = 0x47
    RETURN_CALL = 0x5F
    ANSI_136 = 0x7C
    ME_DOWNLOAD = 0x7D
    ME_DEPERSONALIZATION = 0x7E
    SIM_DOWNLOAD = 0x7F


class CommandType(IntEnum):
    """TP-CT; §9.2.3.19."""

    ENQUIRY = 0
    CANCEL_STATUS_REPORT = 1
    DELETE = 2
    ENABLE_STATUS_REPORT = 3


@dataclass(frozen=True, slots=True)
class Submit:
    """SMS-SUBMIT, from a telephone to the service centre; §9.2.2.2."""

    destination: Address
    user_data: UserData = _EMPTY
    data_coding: int = 0
    protocol_id: int = 0
    validity: Validity | None = None
    message_reference: int = 0
    wants_status_report: bool = False
    rejects_duplicates: bool = False
    has_reply_path: bool = False

    def __bytes__(self) -> bytes:
        first = (
            0x01
            | 0x04 * self.rejects_duplicates
            | validity_format(self.validity) << 3
            | _REPORT * self.wants_status_report
            | _UDHI * (self.user_data.header is not None)
            | _REPLY_PATH * self.has_reply_path
        )
        head = _octets(first, self.message_reference) + bytes(self.destination)
        validity = b"" if self.validity is None else bytes(self.validity)
        return head + _octets(self.protocol_id, self.data_coding) + validity + self._written

    @property
    def _written(self) -> bytes:
        return self.user_data.write(self.data_coding)

    @property
    def text(self) -> str:
        """What it says."""
        return self.user_data.text(self.data_coding)


@dataclass(frozen=True, slots=True)
class Deliver:
    """SMS-DELIVER, from the service centre to a telephone; §9.2.2.1."""

    source: Address
    timestamp: Timestamp
    user_data: UserData = _EMPTY
    data_coding: int = 0
    protocol_id: int = 0
    has_more_to_come: bool = False
    is_looped: bool = False
    has_status_report: bool = False
    has_reply_path: bool = False

    def __bytes__(self) -> bytes:
        first = (
            _NO_MORE * (not self.has_more_to_come)
            | _LOOP * self.is_looped
            | _REPORT * self.has_status_report
            | _UDHI * (self.user_data.header is not None)
            | _REPLY_PATH * self.has_reply_path
        )
        head = _octets(first) + bytes(self.source) + _octets(self.protocol_id, self.data_coding)
        return head + bytes(self.timestamp) + self.user_data.write(self.data_coding)

    @property
    def text(self) -> str:
        """What it says."""
        return self.user_data.text(self.data_coding)


@dataclass(frozen=True, slots=True)
class StatusReport:
    """SMS-STATUS-REPORT: what became of a message that was submitted; §9.2.2.3."""

    message_reference: int
    recipient: Address
    timestamp: Timestamp  # of the message
    discharged: Timestamp  # when what ``status`` says happened
    status: int = 0
    has_more_to_come: bool = False
    is_looped: bool = False
    is_of_command: bool = False
    protocol_id: int | None = None
    data_coding: int | None = None
    user_data: UserData | None = None

    def __bytes__(self) -> bytes:
        first = (
            0x02
            | _NO_MORE * (not self.has_more_to_come)
            | _LOOP * self.is_looped
            | _REPORT * self.is_of_command
            | _UDHI * (self.user_data is not None and self.user_data.header is not None)
        )
        head = _octets(first, self.message_reference) + bytes(self.recipient) + bytes(self.timestamp)
        return head + bytes(self.discharged) + _octets(self.status) + _options(self, is_needed=False)


@dataclass(frozen=True, slots=True)
class DeliverReport:
    """SMS-DELIVER-REPORT: the telephone's answer, an error with a failure cause; §9.2.2.1a."""

    failure_cause: int | None = None
    protocol_id: int | None = None
    data_coding: int | None = None
    user_data: UserData | None = None

    def __bytes__(self) -> bytes:
        first = _UDHI * (self.user_data is not None and self.user_data.header is not None)
        cause = b"" if self.failure_cause is None else _octets(self.failure_cause)
        return _octets(first) + cause + _options(self, is_needed=True)


@dataclass(frozen=True, slots=True)
class SubmitReport:
    """SMS-SUBMIT-REPORT: the service centre's answer to a message; §9.2.2.2a."""

    timestamp: Timestamp
    failure_cause: int | None = None
    protocol_id: int | None = None
    data_coding: int | None = None
    user_data: UserData | None = None

    def __bytes__(self) -> bytes:
        first = 0x01 | _UDHI * (self.user_data is not None and self.user_data.header is not None)
        cause = b"" if self.failure_cause is None else _octets(self.failure_cause)
        options = _options(self, is_needed=True)
        return _octets(first) + cause + options[:1] + bytes(self.timestamp) + options[1:]


@dataclass(frozen=True, slots=True)
class Command:
    """SMS-COMMAND: about a message that was submitted before; §9.2.2.4."""

    command_type: int
    message_number: int
    destination: Address
    data: bytes = b""
    protocol_id: int = 0
    message_reference: int = 0
    wants_status_report: bool = False
    has_header: bool = False

    def __bytes__(self) -> bytes:
        first = 0x02 | _REPORT * self.wants_status_report | _UDHI * self.has_header
        head = _octets(
            first, self.message_reference, self.protocol_id, self.command_type, self.message_number
        )
        if len(self.data) > 156:
            raise LocalProtocolError(f"{len(self.data)} octets of command data")
        return head + bytes(self.destination) + _octets(len(self.data)) + self.data


Tpdu = Submit | Deliver | StatusReport | DeliverReport | SubmitReport | Command


def _octets(*values: int) -> bytes:
    try:
        return bytes(values)
    except ValueError:
        raise LocalProtocolError(f"one of {values} is no octet") from None


def _options(pdu: StatusReport | DeliverReport | SubmitReport, *, is_needed: bool) -> bytes:
    """TP-PI and what it says is there; a report may end before it where nothing is."""
    parts = []
    indicator = 0
    if pdu.protocol_id is not None:
        indicator |= _HAS_PID
        parts.append(_octets(pdu.protocol_id))
    if pdu.data_coding is not None:
        indicator |= _HAS_DCS
        parts.append(_octets(pdu.data_coding))
    if pdu.user_data is not None:
        indicator |= _HAS_UD
        parts.append(pdu.user_data.write(pdu.data_coding or 0))
    return b"".join((_octets(indicator), *parts)) if indicator or is_needed else b""
