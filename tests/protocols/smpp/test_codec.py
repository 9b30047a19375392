"""The PDU codec, compiled and plain: the octets of the standard, round trips, refusals, limits, garbage."""

from __future__ import annotations

import re
import struct
from types import ModuleType

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from switchroom.protocols import smpp
from switchroom.protocols.errors import LocalProtocolError
from switchroom.protocols.smpp import (
    BindTransceiver,
    DataSm,
    DeliverSm,
    Destination,
    EnquireLink,
    Malformed,
    Outbind,
    Pdu,
    Status,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    Tag,
    Unsuccessful,
)
from switchroom.protocols.smpp.layout import COMMANDS, LAYOUTS
from tests import twins

from . import samples
from .samples import CLASSES, filled, pdus

HELLO = bytes.fromhex(
    "00000039 00000004 00000000 00000005"  # length, submit_sm, no status, number 5
    "00 01 01 34393137313100 00 01 3439313731323300"  # no service type; 491711 (1, 1); 4917123 (0, 1)
    "40 00 01 00 00 01 00 00 00 05 68656c6c6f"  # UDH, priority 1, receipt wanted, "hello"
    "0204 0002 0102"  # user_message_reference
)


@pytest.fixture(params=twins.VARIANTS)
def codec(request: pytest.FixtureRequest) -> ModuleType:
    return samples.codec(request.param)


def header(size: int, command_id: int, number: int = 9) -> bytes:
    return struct.pack("!IIII", size, command_id, 0, number)


def framed(command_id: int, body: bytes) -> bytes:
    return header(16 + len(body), command_id) + body


def refusal(codec: ModuleType, command_id: int, body: bytes) -> Malformed:
    """What this body is refused with, between two good PDUs that come out untouched."""
    link = codec.pack(EnquireLink(), 1)
    data = link + framed(command_id, body) + link
    (before, found, after), end = codec.parse_pdus(data)
    assert (before, after, end) == (EnquireLink(0, 1), EnquireLink(0, 1), len(data))
    assert isinstance(found, Malformed)
    assert (found.command_id, found.sequence_number, found.is_fatal) == (command_id, 9, False)
    return found


def test_the_compiled_one_is_in_use() -> None:
    assert smpp.pack is samples.codec("compiled").pack
    assert smpp.pack is not samples.codec("plain").pack


def test_octets_of_a_message(codec: ModuleType) -> None:
    message = SubmitSm(
        "", 1, 1, "491711", 0, 1, "4917123", 0x40, 0, 1, registered_delivery=1, short_message=b"hello",
        tlvs=((Tag.USER_MESSAGE_REFERENCE, b"\x01\x02"),), sequence_number=5,
    )  # fmt: skip
    assert codec.pack(message) == HELLO
    assert codec.parse_pdus(HELLO) == ([message], len(HELLO))


@pytest.mark.parametrize("pdu", CLASSES, ids=lambda pdu: pdu.__name__)
def test_each_command_comes_back_as_itself(codec: ModuleType, pdu: type[Pdu]) -> None:
    value = filled(pdu)
    (found,), end = codec.parse_pdus(codec.pack(value))
    assert found == value
    assert end == struct.unpack_from("!I", codec.pack(value))[0]
    assert type(found) is pdu


@pytest.mark.parametrize("tag", Tag, ids=lambda tag: tag.name)
def test_each_optional_parameter_is_kept(codec: ModuleType, tag: Tag) -> None:
    value = DataSm(tlvs=((tag, b""), (tag, bytes(range(256)))))
    assert codec.parse_pdus(codec.pack(value))[0] == [value]


@pytest.mark.parametrize("pdu", CLASSES, ids=lambda pdu: pdu.__name__)
def test_every_cut_of_a_body_is_refused_or_read_the_same(pdu: type[Pdu]) -> None:
    plain, fast = map(samples.codec, twins.VARIANTS)
    octets = plain.pack(filled(pdu))
    for size in range(16, len(octets)):
        cut = header(size, COMMANDS[pdu]) + octets[16:size]
        found, end = fast.parse_pdus(cut)
        assert (found, end) == plain.parse_pdus(cut)
        assert end == size


def test_a_number_given_is_the_one_written(codec: ModuleType) -> None:
    assert codec.pack(EnquireLink(0, 3), 0x7FFFFFFF) == header(16, 0x15, 0x7FFFFFFF)
    assert codec.pack(EnquireLink(0, 3)) == header(16, 0x15, 3)


def test_pieces_wait_for_the_rest(codec: ModuleType) -> None:
    data = HELLO * 3
    buffer, found, at = bytearray(), [], 0
    for octet in data:
        buffer.append(octet)
        new, at = codec.parse_pdus(buffer, at)
        found += new
    assert found == codec.parse_pdus(HELLO)[0] * 3
    assert at == len(data)
    buffer.clear()  # nothing keeps a hold on it


@pytest.mark.parametrize("size", [0, 15, 70_001, 0xFFFFFFFF])
def test_a_length_that_lies_ends_the_stream(codec: ModuleType, size: int) -> None:
    found, end = codec.parse_pdus(HELLO + header(size, 4) + HELLO)
    assert end == len(HELLO)
    assert found[1] == (4, 9, Status.RINVCMDLEN, f"command_length {size} is not 16 to 70000", True)
    assert len(found) == 2


def test_the_limit_of_a_length_is_the_callers(codec: ModuleType) -> None:
    assert codec.parse_pdus(HELLO, 0, len(HELLO))[1] == len(HELLO)
    assert codec.parse_pdus(HELLO, 0, len(HELLO) - 1)[0][0].is_fatal


def test_a_start_before_the_data_is_an_error(codec: ModuleType) -> None:
    with pytest.raises(ValueError, match="start -1 is negative"):
        codec.parse_pdus(HELLO, -1)
    assert codec.parse_pdus(HELLO, len(HELLO) + 5) == ([], len(HELLO) + 5)


def test_a_response_without_a_body_is_read(codec: ModuleType) -> None:
    """An error has none (§4.4.2); some leave it out of a good deliver_sm_resp too."""
    refused = SubmitSmResp(status=Status.RTHROTTLED, sequence_number=4)
    assert codec.pack(refused) == struct.pack("!IIII", 16, 0x80000004, 0x58, 4)
    assert codec.parse_pdus(codec.pack(refused))[0] == [refused]
    assert codec.parse_pdus(header(16, 0x80000005))[0] == [smpp.DeliverSmResp(sequence_number=9)]


def test_an_error_that_says_something_has_a_body(codec: ModuleType) -> None:
    for refused in (
        SubmitSmResp("id", status=8),
        SubmitSmResp(tlvs=((Tag.ADDITIONAL_STATUS_INFO_TEXT, b"why\0"),), status=8),
    ):
        assert codec.parse_pdus(codec.pack(refused))[0] == [refused]


S = Status
NAMED = b"\0" * 3 + b"1\0" + b"\0" * 2 + b"2\0"  # up to destination_addr
REST = b"\0" * 9  # up to sm_length
REFUSALS = [
    (0x00000099, b"", S.RINVCMDID, "command_id 0x00000099 is unknown"),
    (0x80000099, b"x", S.RINVCMDID, "command_id 0x80000099 is unknown"),
    (0x15, b"x", S.RINVCMDLEN, "1 octets too many"),
    (0x04, b"", S.RINVCMDLEN, "service_type has no end"),
    (0x04, b"123456\0", S.RINVSERTYP, "service_type is longer than 5 octets"),
    (0x04, b"\0", S.RINVCMDLEN, "source_addr_ton is missing"),
    (0x04, b"\0\0\0" + b"1" * 21, S.RINVSRCADR, "source_addr is longer than 20 octets"),
    (0x04, b"\0\0\0\0\0\0" + b"1" * 21, S.RINVDSTADR, "destination_addr is longer than 20 octets"),
    (0x04, NAMED + b"\0\0\0" + b"1" * 17, S.RINVSCHED, "schedule_delivery_time is longer than 16 octets"),
    (0x04, NAMED + b"\0\0\0\0" + b"1" * 17, S.RINVEXPIRY, "validity_period is longer than 16 octets"),
    (0x04, NAMED + REST, S.RINVCMDLEN, "number is missing"),
    (0x04, NAMED + REST + b"\2x", S.RINVMSGLEN, "sm_length 2 with 1 octets behind it"),
    (0x04, NAMED + REST + b"\0\x02", S.RINVTLVSTREAM, "1 octets are no optional parameter"),
    (0x04, NAMED + REST + b"\0\x02\4\0\2x", S.RINVTLVLEN, "optional parameter 0x0204 is cut off"),
    (0x04, NAMED + REST + b"\0" + b"\x14\0\0\0" * 65, S.RINVTLVSTREAM, "more than 64 optional parameters"),
    (0x01, b"x" * 16, S.RINVSYSID, "system_id is longer than 15 octets"),
    (0x02, b"\0" + b"x" * 65, S.RINVPASWD, "password is longer than 64 octets"),
    (0x09, b"\0\0" + b"x" * 13, S.RINVSYSTYP, "system_type is longer than 12 octets"),
    (0x03, b"x" * 65, S.RINVMSGID, "message_id is longer than 64 octets"),
    (0x21, b"\0\0\0\0\0", S.RINVNUMDESTS, "0 destinations, not 1 to 255"),
    (0x21, b"\0\0\0\0\1\3", S.RINVDESTFLAG, "dest_flag 3"),
    (0x21, b"\0\0\0\0\1\2" + b"x" * 21, S.RINVDLNAME, "dl_name is longer than 20 octets"),
    (0x21, b"\0\0\0\0\2\2x\0", S.RINVCMDLEN, "dest_flag is missing"),
    (0x80000021, b"\0\1\0\0x\0\0\0\0", S.RINVCMDLEN, "error_status_code is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("command_id", "body", "status", "reason"), REFUSALS)
def test_a_damaged_body_is_refused_by_name(
    codec: ModuleType, command_id: int, body: bytes, status: Status, reason: str
) -> None:
    found = refusal(codec, command_id, body)
    assert (found.status, found.reason.partition(": ")[2] or found.reason) == (status, reason)


def test_the_largest_of_everything_fits(codec: ModuleType) -> None:
    number = Destination(255, 255, "1" * 20)
    for value in (
        SubmitSm(short_message=b"\xff" * 255, tlvs=((Tag.MESSAGE_PAYLOAD, b"x" * 65_535),)),
        SubmitMulti(dest_address=(number,) * 255),
        SubmitMultiResp(unsuccess_sme=(Unsuccessful(1, 1, "2" * 20, 0xFFFFFFFF),) * 255),
        DataSm(source_addr="a" * 64, tlvs=((0x1400, b""),) * 64),
        BindTransceiver("s" * 15, "p" * 64, "t" * 12, address_range="9" * 40),
    ):
        assert codec.parse_pdus(codec.pack(value))[0] == [value]


WRONG: list[tuple[Pdu, str]] = [
    (SubmitSm(data_coding=256), "data_coding 256 does not fit into 1 octets"),
    (SubmitSm(esm_class=-1), "esm_class -1 does not fit into 1 octets"),
    (SubmitSm(source_addr="1" * 21), "source_addr has more than 20 octets, or a NUL"),
    (SubmitSm(source_addr="1\0"), "source_addr has more than 20 octets, or a NUL"),
    (DeliverSm(destination_addr="\u20ac"), "destination_addr '\u20ac' is not Latin-1"),
    (SubmitSm(short_message=b"x" * 256), "short_message has more than 255 octets or items: 256"),
    (SubmitMulti(), "dest_address is empty"),
    (SubmitMulti(dest_address=(Destination(),) * 256), "dest_address has more than 255 octets or items: 256"),
    (SubmitMulti(dest_address=(Destination(dl_name="x" * 21),)), "dl_name has more than 20 octets, or a NUL"),
    (SubmitMulti(dest_address=(Destination(300),)), "dest_addr_ton 300 does not fit into 1 octets"),
    (SubmitMultiResp(unsuccess_sme=(Unsuccessful(1, 1, "2", -1),)), "error_status_code -1 does not fit"),
    (DataSm(tlvs=((0x10000, b""),)), "optional parameter 0x10000 has 0 octets"),
    (DataSm(tlvs=((5, b"x" * 65_536),)), "optional parameter 0x0005 has 65536 octets"),
    (EnquireLink(1 << 32), "status 4294967296 or sequence number 0 has more than 32 bits"),
    (EnquireLink(0, -1), "status 0 or sequence number -1 has more than 32 bits"),
]


@pytest.mark.parametrize(("pdu", "reason"), WRONG)
def test_what_a_field_cannot_hold_is_not_written(codec: ModuleType, pdu: Pdu, reason: str) -> None:
    with pytest.raises(LocalProtocolError, match=re.escape(reason)):
        codec.pack(pdu)


def test_passwords_are_not_shown() -> None:
    for pdu in (BindTransceiver("acme", "geheim"), Outbind("acme", "geheim")):
        assert "acme" in repr(pdu)
        assert "geheim" not in repr(pdu)


def test_layouts_name_the_fields_of_their_pdus() -> None:
    for pdu, command_id in COMMANDS.items():
        layout = LAYOUTS[command_id]
        names = [field.name for field in layout.fields] + ["tlvs"] * layout.has_tlvs
        assert [*names, "status", "sequence_number"] == list(pdu._fields)


def both(data: bytes) -> tuple[list[Pdu | Malformed], int]:
    plain, fast = map(samples.codec, twins.VARIANTS)
    found, end = fast.parse_pdus(data)
    assert (found, end) == plain.parse_pdus(data)
    return found, end


@settings(max_examples=400, deadline=None)
@given(pdus)
def test_any_pdu_comes_back_from_either_twin(pdu: Pdu) -> None:
    plain, fast = map(samples.codec, twins.VARIANTS)
    octets = fast.pack(pdu)
    assert octets == plain.pack(pdu)
    assert both(octets) == ([pdu], len(octets))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(LAYOUTS)), st.binary(max_size=120))
@example(0x04, b"\0" * 17)
@example(0x21, b"\0\0\0\0\xff" + b"\x02x\0" * 255)
def test_twins_read_any_body_the_same_and_write_what_they_read(command_id: int, body: bytes) -> None:
    (found,), end = both(framed(command_id, body))
    assert end == 16 + len(body)
    if not isinstance(found, Malformed):
        assert both(smpp.pack(found))[0] == [found]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_twins_read_any_stream_the_same(data: bytes) -> None:
    both(data)


@settings(max_examples=200, deadline=None)
@given(pdus, st.data())
def test_twins_read_a_damaged_pdu_the_same(pdu: Pdu, data: st.DataObject) -> None:
    octets = bytearray(smpp.pack(pdu))
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    both(bytes(octets))


def test_what_is_asked_of_a_tlv() -> None:
    tlvs = ((Tag.MESSAGE_STATE, b"\x02"), (Tag.MESSAGE_STATE, b"\x05"), (Tag.SAR_MSG_REF_NUM, b"\x01\x00"))
    assert smpp.value_of(tlvs, Tag.MESSAGE_STATE) == b"\x02"
    assert smpp.value_of(tlvs, Tag.MESSAGE_PAYLOAD) is None
    assert smpp.integer(tlvs, Tag.SAR_MSG_REF_NUM) == 256
    assert smpp.integer(((5, b""),), 5) is None
    assert smpp.integer(((5, b"12345"),), 5) is None


def test_every_status_has_a_meaning() -> None:
    meanings = [smpp.meaning(status) for status in Status]
    assert len(set(meanings)) == len(Status)
    assert smpp.meaning(0x58) == "too many messages at once: throttled"
    assert smpp.meaning(0x400) == "vendor's own error 0x00000400"
    assert smpp.meaning(0x30) == "reserved error 0x00000030"
