"""Lies in the fields of a message: each is refused with its own status, and nothing that is usual is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from switchroom.protocols.smpp import (
    BroadcastSm,
    CancelSm,
    DataSm,
    Destination,
    QuerySm,
    ReplaceSm,
    Status,
    SubmitMulti,
    SubmitSm,
    Tag,
    check,
    parse_time,
)

from .samples import pdus

GOOD = SubmitSm("CMT", 1, 1, "491711", 1, 1, "4917123", 0, 0, 0, "", "", 1, 0, 0, 0, b"hello")
SAR = {Tag.SAR_MSG_REF_NUM: b"\0\1", Tag.SAR_TOTAL_SEGMENTS: b"\2", Tag.SAR_SEGMENT_SEQNUM: b"\1"}


def tlvs(**values: bytes) -> tuple[tuple[int, bytes], ...]:
    return tuple((Tag[name.upper()], value) for name, value in values.items())


USUAL: list[dict[str, Any]] = [
    {},
    {"source_addr_ton": 5, "source_addr_npi": 0, "source_addr": "Bank & Co"},
    {"source_addr": ""},
    {"source_addr": "+491711", "destination_addr": "+4917123"},
    {"destination_addr": "*100#", "dest_addr_ton": 0, "dest_addr_npi": 0},
    {"esm_class": 3},
    {"esm_class": 0x43, "short_message": b"\x05\0\3\7\2\1text"},
    {"esm_class": 0x40, "short_message": b"\x06\x08\4\0\7\2\1text"},
    {"esm_class": 0x40, "short_message": b"\x0b\5\4\x0b\x84\x23\xf0\0\3\7\2\2wap"},
    {"esm_class": 0x08},
    {"registered_delivery": 0x1D},
    {"registered_delivery": 2},
    {"data_coding": 8},
    {"data_coding": 4},
    {"data_coding": 0xF0},
    {"data_coding": 0x18},
    {"protocol_id": 0x40},
    {"schedule_delivery_time": "261231235959048+", "validity_period": "000001000000000R"},
    {"short_message": b"", "tlvs": tlvs(message_payload=b"x" * 1000)},
    {"short_message": b""},
    {"short_message": b"x" * 254},
    {"tlvs": tuple(SAR.items())},
    {"tlvs": tlvs(source_port=b"\0\1", destination_port=b"\x15\x83", user_message_reference=b"\0\1")},
    {"tlvs": ((0x1400, b"vendor"), (0x1400, b"again"), (0x3FFF, b""))},
    {"tlvs": ((Tag.CALLBACK_NUM, b"\1\1\0001234"), (Tag.CALLBACK_NUM, b"\1\1\0005678"))},
]
LIES: list[tuple[dict[str, Any], Status]] = [
    ({"service_type": "a\nb"}, Status.RINVSERTYP),
    ({"source_addr_ton": 7}, Status.RINVSRCTON),
    ({"source_addr_npi": 2}, Status.RINVSRCNPI),
    ({"source_addr": "49x711"}, Status.RINVSRCADR),
    ({"source_addr_ton": 5, "source_addr": "B\0nk"}, Status.RINVSRCADR),
    ({"source_addr_ton": 5, "source_addr": "B\x1bnk"}, Status.RINVSRCADR),
    ({"dest_addr_ton": 99}, Status.RINVDSTTON),
    ({"dest_addr_ton": 5, "destination_addr": "BANK"}, Status.RINVDSTTON),
    ({"dest_addr_npi": 99}, Status.RINVDSTNPI),
    ({"destination_addr": ""}, Status.RINVDSTADR),
    ({"destination_addr": "abc"}, Status.RINVDSTADR),
    ({"destination_addr": "+"}, Status.RINVDSTADR),
    ({"destination_addr": "49 171"}, Status.RINVDSTADR),
    ({"destination_addr": "\xb2\xb3"}, Status.RINVDSTADR),
    ({"destination_addr": "1" * 22}, Status.RINVDSTADR),
    ({"esm_class": 0x04}, Status.RINVESMCLASS),  # a receipt is not the ESME's to give
    ({"esm_class": 0x20}, Status.RINVESMCLASS),
    ({"esm_class": 0x3C}, Status.RINVESMCLASS),
    ({"priority_flag": 4}, Status.RINVPRTFLG),
    ({"schedule_delivery_time": "tomorrow"}, Status.RINVSCHED),
    ({"schedule_delivery_time": "261331235959000+"}, Status.RINVSCHED),
    ({"schedule_delivery_time": "260229120000000+"}, Status.RINVSCHED),
    ({"schedule_delivery_time": "261231245959000+"}, Status.RINVSCHED),
    ({"validity_period": "261231235959049+"}, Status.RINVEXPIRY),
    ({"validity_period": "0"}, Status.RINVEXPIRY),
    ({"registered_delivery": 3}, Status.RINVREGDLVFLG),
    ({"registered_delivery": 0xE0}, Status.RINVREGDLVFLG),
    ({"replace_if_present_flag": 2}, Status.RINVREPFLAG),
    ({"data_coding": 0x0B}, Status.RINVDCS),
    ({"data_coding": 0x80}, Status.RINVDCS),
    ({"sm_default_msg_id": 1}, Status.RINVDFTMSGID),
    ({"sm_default_msg_id": 255}, Status.RINVDFTMSGID),
    ({"short_message": b"x" * 255}, Status.RINVMSGLEN),
    ({"esm_class": 0x40, "short_message": b""}, Status.RINVESMCLASS),
    ({"esm_class": 0x40, "short_message": b"\0text"}, Status.RINVESMCLASS),
    ({"esm_class": 0x40, "short_message": b"\x50text"}, Status.RINVESMCLASS),
    ({"esm_class": 0x40, "short_message": b"\x03\0\3\7text"}, Status.RINVESMCLASS),
    ({"esm_class": 0x40, "short_message": b"\x01\0text"}, Status.RINVESMCLASS),
    ({"esm_class": 0x40, "short_message": b"\x05\0\3\7\2\3text"}, Status.RINVESMCLASS),
    ({"esm_class": 0x40, "short_message": b"\x05\0\3\7\2\0text"}, Status.RINVESMCLASS),
    ({"esm_class": 0x40, "short_message": b"\x05\0\3\7\0\0text"}, Status.RINVESMCLASS),
    ({"esm_class": 0x40, "short_message": b"\x04\0\2\7\2text"}, Status.RINVESMCLASS),
    ({"esm_class": 0x40, "short_message": b"", "tlvs": tlvs(message_payload=b"\xfft")}, Status.RINVESMCLASS),
    ({"tlvs": tlvs(message_payload=b"more")}, Status.RTLVNOTALLWD),
    ({"short_message": b"", "tlvs": tlvs(message_payload=b"a") * 2}, Status.RTLVNOTALLWD),
    ({"tlvs": tlvs(congestion_state=b"\1")}, Status.RTLVNOTALLWD),
    ({"tlvs": tlvs(source_port=b"\1")}, Status.RINVTLVLEN),
    ({"tlvs": tlvs(user_message_reference=b"")}, Status.RINVTLVLEN),
    ({"tlvs": tlvs(privacy_indicator=b"\4")}, Status.RINVTLVVAL),
    ({"tlvs": tuple((SAR | {Tag.SAR_SEGMENT_SEQNUM: b"\3"}).items())}, Status.RINVTLVVAL),
    ({"tlvs": tuple((SAR | {Tag.SAR_TOTAL_SEGMENTS: b"\0"}).items())}, Status.RINVTLVVAL),
    ({"tlvs": tlvs(sar_msg_ref_num=b"\0\1")}, Status.RMISSINGTLV),
    ({"tlvs": tlvs(sar_total_segments=b"\2", sar_segment_seqnum=b"\1")}, Status.RMISSINGTLV),
]


@pytest.mark.parametrize("fields", USUAL, ids=str)
def test_what_is_usual_passes(fields: dict[str, Any]) -> None:
    assert check(GOOD._replace(**fields)) is None


@pytest.mark.parametrize(("fields", "status"), LIES, ids=str)
def test_each_lie_has_its_status(fields: dict[str, Any], status: Status) -> None:
    wrong = check(GOOD._replace(**fields))
    assert wrong is not None
    assert wrong.status is status
    assert wrong.reason


@pytest.mark.parametrize(
    "fields", [{"priority_flag": 4}, {"registered_delivery": 3}, {"short_message": b"x" * 255}], ids=str
)
def test_what_smpp_5_allows(fields: dict[str, Any]) -> None:
    assert check(GOOD._replace(**fields), 0x50) is None


@pytest.mark.parametrize(
    ("pdu", "status"),
    [
        (DataSm(destination_addr="123", tlvs=tlvs(message_payload=b"x")), None),
        (DataSm(destination_addr="x"), Status.RINVDSTADR),
        (DataSm(destination_addr="host.example", dest_addr_npi=14), None),
        (DataSm(destination_addr="1", esm_class=0x40, tlvs=tlvs(message_payload=b"\7")), Status.RINVESMCLASS),
        (SubmitMulti(dest_address=(Destination(1, 1, "x"),)), None),  # each destination has its own error
        (SubmitMulti(dest_address=(Destination(1, 1, "1"),), priority_flag=9), Status.RINVPRTFLG),
        (QuerySm("17"), None),
        (QuerySm(""), Status.RINVMSGID),
        (QuerySm("1\n7"), Status.RINVMSGID),
        (CancelSm(message_id="17"), None),
        (CancelSm(source_addr="1", destination_addr="2"), None),
        (CancelSm(source_addr="1"), Status.RINVDSTADR),
        (ReplaceSm("17", short_message=b"new"), None),
        (ReplaceSm("17", validity_period="never"), Status.RINVEXPIRY),
        (BroadcastSm(), Status.RMISSINGTLV),
        (
            BroadcastSm(
                tlvs=tlvs(
                    broadcast_area_identifier=b"\0area",
                    broadcast_content_type=b"\0\0\1",
                    broadcast_rep_num=b"\0\1",
                    broadcast_frequency_interval=b"\x09\0\1",
                )
            ),
            None,
        ),
    ],
)
def test_other_requests(pdu: Any, status: Status | None) -> None:
    wrong = check(pdu)
    assert (wrong and wrong.status) == status


@given(pdus)
def test_any_request_gets_a_verdict(pdu: Any) -> None:
    check(pdu)
    check(pdu, 0x50)


def test_times_are_read_and_written() -> None:
    date = parse_time("240229123456704-")
    assert date is not None
    assert date[:8] == (2024, 2, 29, 12, 34, 56, 7, -4)
    period = parse_time("000002010000000R")
    assert period is not None
    assert (period.day, period.hour, period.is_relative) == (2, 1, True)
    for text in ("240229123456704-", "000002010000000R", "991231000000048+"):
        assert str(parse_time(text)) == text
