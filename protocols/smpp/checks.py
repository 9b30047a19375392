"""Whether what an ESME submits can be a message: its fields and optional parameters, one by one.

``check`` gives the command_status that a request is to be refused with (SMPP 3.4 §5.2 and §5.3, SMPP 5.0 §4.7
and §4.8). Whether its addresses lead anywhere and who may use them is not asked here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from .broadcast import BroadcastSm, CancelBroadcastSm, QueryBroadcastSm
from .commands import Status
from .pdu import CancelSm, DataSm, QuerySm, ReplaceSm, Request, SubmitMulti, SubmitSm
from .times import parse_time
from .tlv import Tag, Tlvs

__all__ = ["Wrong", "check"]


class Wrong(NamedTuple):
    """What a request is refused with, and why, naming field and value."""

    status: Status
    reason: str


_NUMBERING_PLANS = frozenset((0, 1, 3, 4, 6, 8, 9, 10, 13, 14, 18))  # §5.2.6
_ALPHANUMERIC = 5  # type of number
_INTERNET = (14, 18)  # numbering plans whose addresses are no numbers
_MAX_TON = 6
_NUMBER = re.compile(r"\+?[0-9*#]{1,20}")
_NAME = re.compile(r"[ -~\xa0-\xff]{1,64}")
_SERVICE_TYPE = re.compile(r"[ -~]{0,5}")
_UDHI = 0x40
_MESSAGE_TYPES = (0x00, 0x08, 0x10)  # what an ESME may send: a message, its user's receipts (§5.2.12)
_RESERVED_CODINGS = frozenset((11, 12, 15, *range(0x80, 0xC0)))  # §5.2.19, 3GPP TS 23.038 §4
_CONCATENATION = {0x00: 3, 0x08: 4}  # information elements and their sizes; 3GPP TS 23.040 §9.2.3.24
_SAR = (Tag.SAR_MSG_REF_NUM, Tag.SAR_TOTAL_SEGMENTS, Tag.SAR_SEGMENT_SEQNUM)


def check(pdu: Request, version: int = 0x34) -> Wrong | None:
    """What is wrong with a request in a session of this interface_version; None: nothing."""
    rule = _RULES.get(type(pdu))
    return None if rule is None else rule(pdu, version)


def _check_submit_sm(pdu: SubmitSm, version: int) -> Wrong | None:
    (service_type, ton, npi, source, to_ton, to_npi, to, esm_class, _, priority, schedule, validity,
     registered, replace, coding, default, text, tlvs, _, _) = pdu  # fmt: skip
    return (
        (_check_service_type(service_type) if service_type else None)
        or _check_source(ton, npi, source)
        or _check_destination(to_ton, to_npi, to)
        or _check_flags(esm_class, priority, registered, replace, coding, default, version)
        or ((schedule or validity) and _check_times(schedule, validity))
        or (
            (tlvs or esm_class & _UDHI or len(text) == 255) and _check_message(esm_class, text, tlvs, version)
        )
        or None
    )


def _check_submit_multi(pdu: SubmitMulti, version: int) -> Wrong | None:
    return (
        _check_service_type(pdu.service_type)
        or _check_source(pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr)
        or _check_flags(
            pdu.esm_class,
            pdu.priority_flag,
            pdu.registered_delivery,
            pdu.replace_if_present_flag,
            pdu.data_coding,
            pdu.sm_default_msg_id,
            version,
        )
        or _check_times(pdu.schedule_delivery_time, pdu.validity_period)
        or _check_message(pdu.esm_class, pdu.short_message, pdu.tlvs, version)
    )  # each destination is refused by itself, in unsuccess_sme


def _check_data_sm(pdu: DataSm, version: int) -> Wrong | None:
    return (
        _check_service_type(pdu.service_type)
        or _check_source(pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr)
        or _check_destination(pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr)
        or _check_flags(pdu.esm_class, 0, pdu.registered_delivery, 0, pdu.data_coding, 0, version)
        or _check_message(pdu.esm_class, b"", pdu.tlvs, version)
    )


def _check_replace_sm(pdu: ReplaceSm, version: int) -> Wrong | None:
    return (
        _check_id(pdu.message_id)
        or _check_source(pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr)
        or _check_flags(0, 0, pdu.registered_delivery, 0, 0, pdu.sm_default_msg_id, version)
        or _check_times(pdu.schedule_delivery_time, pdu.validity_period)
        or _check_message(0, pdu.short_message, pdu.tlvs, version)
    )


def _check_query_sm(pdu: QuerySm, version: int) -> Wrong | None:
    return _check_id(pdu.message_id) or _check_source(
        pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr
    )


def _check_cancel_sm(pdu: CancelSm, version: int) -> Wrong | None:
    """Without message_id it means all messages between two addresses (§4.9.1)."""
    return (
        _check_source(pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr)
        or (_check_id(pdu.message_id) if pdu.message_id else None)
        or (
            None
            if pdu.message_id and not pdu.destination_addr
            else _check_destination(pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr)
        )
    )


def _check_broadcast_sm(pdu: BroadcastSm, version: int) -> Wrong | None:
    return (
        _check_service_type(pdu.service_type)
        or _check_source(pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr)
        or _check_flags(
            0,
            pdu.priority_flag,
            0,
            pdu.replace_if_present_flag,
            pdu.data_coding,
            pdu.sm_default_msg_id,
            max(version, 0x50),
        )
        or _check_times(pdu.schedule_delivery_time, pdu.validity_period)
        or _check_message(0, b"", pdu.tlvs, version)
        or _check_present(pdu.tlvs, _BROADCAST)
    )


_BROADCAST = (
    Tag.BROADCAST_AREA_IDENTIFIER,
    Tag.BROADCAST_CONTENT_TYPE,
    Tag.BROADCAST_REP_NUM,
    Tag.BROADCAST_FREQUENCY_INTERVAL,
)  # SMPP 5.0 §4.4.1.1

_RULES: dict[type[Any], Callable[[Any, int], Wrong | None]] = {
    SubmitSm: _check_submit_sm,
    SubmitMulti: _check_submit_multi,
    DataSm: _check_data_sm,
    ReplaceSm: _check_replace_sm,
    QuerySm: _check_query_sm,
    CancelSm: _check_cancel_sm,
    BroadcastSm: _check_broadcast_sm,
    QueryBroadcastSm: _check_query_sm,
    CancelBroadcastSm: _check_query_sm,
}


# -- mandatory fields


def _check_service_type(text: str) -> Wrong | None:
    if _SERVICE_TYPE.fullmatch(text):
        return None
    return Wrong(Status.RINVSERTYP, f"service_type {text!r}")


def _check_id(message_id: str) -> Wrong | None:
    if message_id and message_id.isascii() and message_id.isprintable():
        return None
    return Wrong(Status.RINVMSGID, f"message_id {message_id!r}")


def _check_source(ton: int, npi: int, address: str) -> Wrong | None:
    if ton > _MAX_TON:
        return Wrong(Status.RINVSRCTON, f"source_addr_ton {ton}")
    if npi not in _NUMBERING_PLANS:
        return Wrong(Status.RINVSRCNPI, f"source_addr_npi {npi}")
    if not address or _is_digits(address):  # none: the account's own (§5.2.8)
        return None
    is_number = ton in (1, 2, 3, 4) and npi not in _INTERNET
    if (_NUMBER if is_number else _NAME).fullmatch(address):
        return None
    return Wrong(Status.RINVSRCADR, f"source_addr {address!r}")


def _check_destination(ton: int, npi: int, address: str) -> Wrong | None:
    if ton > _MAX_TON or ton == _ALPHANUMERIC:
        return Wrong(Status.RINVDSTTON, f"dest_addr_ton {ton}")
    if npi not in _NUMBERING_PLANS:
        return Wrong(Status.RINVDSTNPI, f"dest_addr_npi {npi}")
    if _is_digits(address) or (_NAME if npi in _INTERNET else _NUMBER).fullmatch(address):
        return None
    return Wrong(Status.RINVDSTADR, f"destination_addr {address!r}")


def _is_digits(address: str) -> bool:
    return len(address) < 21 and address.isascii() and address.isdigit()


def _check_flags(
    esm_class: int, priority: int, registered: int, replace: int, coding: int, default: int, version: int
) -> Wrong | None:
    if esm_class & 0x3C not in _MESSAGE_TYPES:
        return Wrong(Status.RINVESMCLASS, f"esm_class 0x{esm_class:02X}")
    if priority > (4 if version >= 0x50 else 3):
        return Wrong(Status.RINVPRTFLG, f"priority_flag {priority}")
    if registered & 0xE0 or (registered & 3 == 3 and version < 0x50):
        return Wrong(Status.RINVREGDLVFLG, f"registered_delivery 0x{registered:02X}")
    if replace > 1:
        return Wrong(Status.RINVREPFLAG, f"replace_if_present_flag {replace}")
    if coding in _RESERVED_CODINGS:
        return Wrong(Status.RINVDCS, f"data_coding 0x{coding:02X}")
    if default:  # there are no predefined messages
        return Wrong(Status.RINVDFTMSGID, f"sm_default_msg_id {default}")
    return None


def _check_times(schedule: str, validity: str) -> Wrong | None:
    if schedule and parse_time(schedule) is None:
        return Wrong(Status.RINVSCHED, f"schedule_delivery_time {schedule!r}")
    if validity and parse_time(validity) is None:
        return Wrong(Status.RINVEXPIRY, f"validity_period {validity!r}")
    return None


# -- the message and the optional parameters


def _check_message(esm_class: int, text: bytes, tlvs: Tlvs, version: int) -> Wrong | None:
    if len(text) == 255 and version < 0x50:
        return Wrong(Status.RINVMSGLEN, "sm_length 255")
    values = dict(tlvs)
    if tlvs and (wrong := _check_tlvs(tlvs) or _check_sar(values)):
        return wrong
    payload = values.get(Tag.MESSAGE_PAYLOAD)
    if payload is not None:
        if text:
            return Wrong(Status.RTLVNOTALLWD, "message_payload beside a short_message")
        text = payload
    if esm_class & _UDHI and (reason := _fault_of_header(text)):
        return Wrong(Status.RINVESMCLASS, f"user data header: {reason}")
    return None


def _fault_of_header(text: bytes) -> str:
    """What is wrong with the user data header at the beginning of a message; empty: nothing."""
    if not text or text[0] == 0:
        return "missing"
    end = 1 + text[0]
    if end > len(text):
        return f"length {text[0]} in {len(text)} octets"
    at = 1
    while at < end:
        if at + 2 > end or at + 2 + text[at + 1] > end:
            return "an information element is cut off"
        size = _CONCATENATION.get(text[at])
        if size is not None:
            if text[at + 1] != size:
                return f"concatenation of {text[at + 1]} octets"
            total, number = text[at + size], text[at + size + 1]
            if not 1 <= number <= total:
                return f"part {number} of {total}"
        at += 2 + text[at + 1]
    return ""


def _check_sar(values: dict[int, bytes]) -> Wrong | None:
    found = [values.get(tag) for tag in _SAR]
    _, total, number = found
    if total is None or number is None or found[0] is None:
        if any(value is not None for value in found):
            return Wrong(Status.RMISSINGTLV, "sar_msg_ref_num, sar_total_segments and sar_segment_seqnum")
        return None
    if not 1 <= number[0] <= total[0]:
        return Wrong(Status.RINVTLVVAL, f"sar_segment_seqnum {number[0]} of {total[0]}")
    return None


def _check_tlvs(tlvs: Tlvs) -> Wrong | None:
    seen: set[int] = set()
    for tag, value in tlvs:
        if tag in seen and tag in _ONCE:
            return Wrong(Status.RTLVNOTALLWD, f"{Tag(tag).name.lower()} is there twice")
        seen.add(tag)
        sizes = _SIZES.get(tag)
        if sizes is not None and not sizes[0] <= len(value) <= sizes[1]:
            return Wrong(Status.RINVTLVLEN, f"{Tag(tag).name.lower()} has {len(value)} octets")
        largest = _LARGEST.get(tag)
        if largest is not None and value[0] > largest:
            return Wrong(Status.RINVTLVVAL, f"{Tag(tag).name.lower()} {value[0]}")
        if tag in _NOT_FROM_ESME:
            return Wrong(Status.RTLVNOTALLWD, f"{Tag(tag).name.lower()} from an ESME")
    return None


def _check_present(tlvs: Tlvs, tags: Iterable[Tag]) -> Wrong | None:
    present = {tag for tag, _ in tlvs}
    for tag in tags:
        if tag not in present:
            return Wrong(Status.RMISSINGTLV, tag.name.lower())
    return None


_ONCE = frozenset({Tag.MESSAGE_PAYLOAD, *_SAR})
_NOT_FROM_ESME = frozenset({Tag.SC_INTERFACE_VERSION, Tag.CONGESTION_STATE, Tag.DPF_RESULT})

# SMPP 5.0 §4.8.4: how many octets a value has
_SIZES: dict[int, tuple[int, int]] = {
    Tag.DEST_ADDR_SUBUNIT: (1, 1),
    Tag.DEST_NETWORK_TYPE: (1, 1),
    Tag.DEST_BEARER_TYPE: (1, 1),
    Tag.DEST_TELEMATICS_ID: (2, 2),
    Tag.SOURCE_ADDR_SUBUNIT: (1, 1),
    Tag.SOURCE_NETWORK_TYPE: (1, 1),
    Tag.SOURCE_BEARER_TYPE: (1, 1),
    Tag.SOURCE_TELEMATICS_ID: (1, 2),  # 3.4 says one octet, 5.0 two
    Tag.QOS_TIME_TO_LIVE: (4, 4),
    Tag.PAYLOAD_TYPE: (1, 1),
    Tag.ADDITIONAL_STATUS_INFO_TEXT: (1, 256),
    Tag.RECEIPTED_MESSAGE_ID: (1, 65),
    Tag.MS_MSG_WAIT_FACILITIES: (1, 1),
    Tag.PRIVACY_INDICATOR: (1, 1),
    Tag.SOURCE_SUBADDRESS: (2, 23),
    Tag.DEST_SUBADDRESS: (2, 23),
    Tag.USER_MESSAGE_REFERENCE: (2, 2),
    Tag.USER_RESPONSE_CODE: (1, 1),
    Tag.SOURCE_PORT: (2, 2),
    Tag.DESTINATION_PORT: (2, 2),
    Tag.SAR_MSG_REF_NUM: (2, 2),
    Tag.LANGUAGE_INDICATOR: (1, 1),
    Tag.SAR_TOTAL_SEGMENTS: (1, 1),
    Tag.SAR_SEGMENT_SEQNUM: (1, 1),
    Tag.SC_INTERFACE_VERSION: (1, 1),
    Tag.CALLBACK_NUM_PRES_IND: (1, 1),
    Tag.CALLBACK_NUM_ATAG: (1, 65),
    Tag.NUMBER_OF_MESSAGES: (1, 1),
    Tag.CALLBACK_NUM: (4, 19),
    Tag.DPF_RESULT: (1, 1),
    Tag.SET_DPF: (1, 1),
    Tag.MS_AVAILABILITY_STATUS: (1, 1),
    Tag.NETWORK_ERROR_CODE: (3, 3),
    Tag.DELIVERY_FAILURE_REASON: (1, 1),
    Tag.MORE_MESSAGES_TO_SEND: (1, 1),
    Tag.MESSAGE_STATE: (1, 1),
    Tag.CONGESTION_STATE: (1, 1),
    Tag.USSD_SERVICE_OP: (1, 1),
    Tag.BROADCAST_CHANNEL_INDICATOR: (1, 1),
    Tag.BROADCAST_CONTENT_TYPE: (3, 3),
    Tag.BROADCAST_MESSAGE_CLASS: (1, 1),
    Tag.BROADCAST_REP_NUM: (2, 2),
    Tag.BROADCAST_FREQUENCY_INTERVAL: (3, 3),
    Tag.BROADCAST_AREA_IDENTIFIER: (1, 101),
    Tag.BROADCAST_ERROR_STATUS: (4, 4),
    Tag.BROADCAST_AREA_SUCCESS: (1, 1),
    Tag.BROADCAST_END_TIME: (16, 17),
    Tag.BROADCAST_SERVICE_GROUP: (1, 255),
    Tag.DISPLAY_TIME: (1, 1),
    Tag.SMS_SIGNAL: (2, 2),
    Tag.MS_VALIDITY: (1, 4),
    Tag.ALERT_ON_MESSAGE_DELIVERY: (0, 1),
    Tag.ITS_REPLY_TYPE: (1, 1),
    Tag.ITS_SESSION_INFO: (2, 2),
}
# The largest value of those that list theirs; vendors' own ranges are let through.
_LARGEST: dict[int, int] = {
    Tag.DEST_ADDR_SUBUNIT: 4,
    Tag.SOURCE_ADDR_SUBUNIT: 4,
    Tag.PRIVACY_INDICATOR: 3,
    Tag.CALLBACK_NUM_PRES_IND: 0x0F,
    Tag.SET_DPF: 1,
    Tag.MS_AVAILABILITY_STATUS: 2,
    Tag.MORE_MESSAGES_TO_SEND: 1,
    Tag.DISPLAY_TIME: 2,
    Tag.ITS_REPLY_TYPE: 8,
}
