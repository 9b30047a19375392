"""Messages for everybody in an area (SMPP 5.0 §4.4 to §4.6), mostly in optional parameters."""

from __future__ import annotations

from typing import NamedTuple

from .tlv import Tlvs

__all__ = [
    "BroadcastSm",
    "BroadcastSmResp",
    "CancelBroadcastSm",
    "CancelBroadcastSmResp",
    "QueryBroadcastSm",
    "QueryBroadcastSmResp",
]


class BroadcastSm(NamedTuple):
    """A message for everybody in an area (SMPP 5.0 §4.4.1.1)."""

    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    message_id: str = ""
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    replace_if_present_flag: int = 0
    data_coding: int = 0
    sm_default_msg_id: int = 0
    tlvs: Tlvs = ()
    status: int = 0
    sequence_number: int = 0


class BroadcastSmResp(NamedTuple):
    """SMPP 5.0 §4.4.1.2."""

    message_id: str = ""
    tlvs: Tlvs = ()
    status: int = 0
    sequence_number: int = 0


class QueryBroadcastSm(NamedTuple):
    """SMPP 5.0 §4.6.1.1."""

    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    tlvs: Tlvs = ()
    status: int = 0
    sequence_number: int = 0


class QueryBroadcastSmResp(NamedTuple):
    """SMPP 5.0 §4.6.1.3; what it tells is in its optional parameters."""

    message_id: str = ""
    tlvs: Tlvs = ()
    status: int = 0
    sequence_number: int = 0


class CancelBroadcastSm(NamedTuple):
    """SMPP 5.0 §4.6.2.1."""

    service_type: str = ""
    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    tlvs: Tlvs = ()
    status: int = 0
    sequence_number: int = 0


class CancelBroadcastSmResp(NamedTuple):
    """SMPP 5.0 §4.6.2.3."""

    status: int = 0
    sequence_number: int = 0
