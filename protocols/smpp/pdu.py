"""The PDUs of SMPP as frozen values (SMPP 3.4 §4).

Fields have the names of the specification. Text is what a C-octet string holds, one character an octet;
messages are octets. ``status`` and ``sequence_number`` come last: a request is written without them, its
session numbers it.
"""

from __future__ import annotations

from typing import NamedTuple

from .broadcast import (
    BroadcastSm,
    BroadcastSmResp,
    CancelBroadcastSm,
    CancelBroadcastSmResp,
    QueryBroadcastSm,
    QueryBroadcastSmResp,
)
from .commands import Status
from .tlv import Tlvs

__all__ = [
    "AlertNotification",
    "Bind",
    "BindReceiver",
    "BindReceiverResp",
    "BindResp",
    "BindTransceiver",
    "BindTransceiverResp",
    "BindTransmitter",
    "BindTransmitterResp",
    "CancelSm",
    "CancelSmResp",
    "DataSm",
    "DataSmResp",
    "DeliverSm",
    "DeliverSmResp",
    "Destination",
    "EnquireLink",
    "EnquireLinkResp",
    "GenericNack",
    "Malformed",
    "Outbind",
    "Pdu",
    "QuerySm",
    "QuerySmResp",
    "ReplaceSm",
    "ReplaceSmResp",
    "Request",
    "Response",
    "SubmitMulti",
    "SubmitMultiResp",
    "SubmitSm",
    "SubmitSmResp",
    "Unbind",
    "UnbindResp",
    "Unsuccessful",
]


class Destination(NamedTuple):
    """One receiver of submit_multi: a number, or a distribution list when only that is given (§4.5.1.1)."""

    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    dl_name: str = ""


class Unsuccessful(NamedTuple):
    """One receiver that submit_multi could not be accepted for (§4.5.2.1)."""

    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    error_status_code: int = 0


class _Bind(NamedTuple):
    system_id: str = ""
    password: str = ""
    system_type: str = ""
    interface_version: int = 0x34
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""
    status: int = 0
    sequence_number: int = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}(system_id={self.system_id!r}, system_type={self.system_type!r}, ...)"


class _BindResp(NamedTuple):
    system_id: str = ""
    tlvs: Tlvs = ()
    status: int = 0
    sequence_number: int = 0


class BindTransmitter(_Bind):
    """Asks for a session in which the ESME submits (§4.1.1)."""

    __slots__ = ()


class BindTransmitterResp(_BindResp):
    """§4.1.2."""

    __slots__ = ()


class BindReceiver(_Bind):
    """Asks for a session in which the ESME is delivered to (§4.1.3)."""

    __slots__ = ()


class BindReceiverResp(_BindResp):
    """§4.1.4."""

    __slots__ = ()


class BindTransceiver(_Bind):
    """Asks for a session for both (§4.1.5)."""

    __slots__ = ()


class BindTransceiverResp(_BindResp):
    """§4.1.6."""

    __slots__ = ()


class Outbind(NamedTuple):
    """The message centre asks the ESME to bind (§4.1.7)."""

    system_id: str = ""
    password: str = ""
    status: int = 0
    sequence_number: int = 0

    def __repr__(self) -> str:
        return f"Outbind(system_id={self.system_id!r}, ...)"


class _Empty(NamedTuple):
    status: int = 0
    sequence_number: int = 0


class Unbind(_Empty):
    """Asks to end the session (§4.2.1)."""

    __slots__ = ()


class UnbindResp(_Empty):
    """§4.2.2."""

    __slots__ = ()


class GenericNack(_Empty):
    """What came was no PDU, or none that is known (§4.3)."""

    __slots__ = ()


class EnquireLink(_Empty):
    """Asks whether the other end is there (§4.11.1)."""

    __slots__ = ()


class EnquireLinkResp(_Empty):
    """§4.11.2."""

    __slots__ = ()


class _Sm(NamedTuple):
    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    replace_if_present_flag: int = 0
    data_coding: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""
    tlvs: Tlvs = ()
    status: int = 0
    sequence_number: int = 0


class SubmitSm(_Sm):
    """A message from an ESME (§4.4.1)."""

    __slots__ = ()


class DeliverSm(_Sm):
    """A message or a receipt for an ESME (§4.6.1)."""

    __slots__ = ()


class _SmResp(NamedTuple):
    message_id: str = ""
    tlvs: Tlvs = ()
    status: int = 0
    sequence_number: int = 0


class SubmitSmResp(_SmResp):
    """§4.4.2; without a body when the status is an error."""

    __slots__ = ()


class DeliverSmResp(_SmResp):
    """§4.6.2."""

    __slots__ = ()


class DataSmResp(_SmResp):
    """§4.7.2."""

    __slots__ = ()


class SubmitMulti(NamedTuple):
    """A message for several receivers (§4.5.1)."""

    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_address: tuple[Destination, ...] = ()
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    replace_if_present_flag: int = 0
    data_coding: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""
    tlvs: Tlvs = ()
    status: int = 0
    sequence_number: int = 0


class SubmitMultiResp(NamedTuple):
    """§4.5.2."""

    message_id: str = ""
    unsuccess_sme: tuple[Unsuccessful, ...] = ()
    tlvs: Tlvs = ()
    status: int = 0
    sequence_number: int = 0


class DataSm(NamedTuple):
    """A message whose text is in message_payload, either way (§4.7.1)."""

    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    registered_delivery: int = 0
    data_coding: int = 0
    tlvs: Tlvs = ()
    status: int = 0
    sequence_number: int = 0


class QuerySm(NamedTuple):
    """Asks what became of a message (§4.8.1)."""

    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    status: int = 0
    sequence_number: int = 0


class QuerySmResp(NamedTuple):
    """§4.8.2."""

    message_id: str = ""
    final_date: str = ""
    message_state: int = 0
    error_code: int = 0
    tlvs: Tlvs = ()
    status: int = 0
    sequence_number: int = 0


class CancelSm(NamedTuple):
    """Takes back what has not been delivered yet (§4.9.1)."""

    service_type: str = ""
    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    status: int = 0
    sequence_number: int = 0


class CancelSmResp(_Empty):
    """§4.9.2."""

    __slots__ = ()


class ReplaceSm(NamedTuple):
    """Puts another text into what has not been delivered yet (§4.10.1)."""

    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""
    tlvs: Tlvs = ()
    status: int = 0
    sequence_number: int = 0


class ReplaceSmResp(_Empty):
    """§4.10.2."""

    __slots__ = ()


class AlertNotification(NamedTuple):
    """A subscriber can be reached again; nobody answers this (§4.12.1)."""

    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    esme_addr_ton: int = 0
    esme_addr_npi: int = 0
    esme_addr: str = ""
    tlvs: Tlvs = ()
    status: int = 0
    sequence_number: int = 0


class Malformed(NamedTuple):
    """What came in place of a PDU: which one it claims to be, what is wrong, and what to answer."""

    command_id: int
    sequence_number: int
    status: Status
    reason: str
    is_fatal: bool = False  # where the next PDU begins is not known


Bind = BindTransmitter | BindReceiver | BindTransceiver
BindResp = BindTransmitterResp | BindReceiverResp | BindTransceiverResp
Request = (
    Bind | Outbind | Unbind | EnquireLink | SubmitSm | DeliverSm | SubmitMulti | DataSm | QuerySm | CancelSm
    | ReplaceSm | AlertNotification | BroadcastSm | QueryBroadcastSm | CancelBroadcastSm
)  # fmt: skip
Response = (
    BindResp | UnbindResp | EnquireLinkResp | GenericNack | SubmitSmResp | DeliverSmResp | SubmitMultiResp
    | DataSmResp | QuerySmResp | CancelSmResp | ReplaceSmResp | BroadcastSmResp | QueryBroadcastSmResp
    | CancelBroadcastSmResp
)  # fmt: skip
Pdu = Request | Response
