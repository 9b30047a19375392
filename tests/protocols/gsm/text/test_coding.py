"""Data coding schemes, character sets and user data headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols import gsm
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError
from switchroom.protocols.gsm import Charset, DataCoding, MessageClass, Waiting, WaitingKind


@pytest.mark.parametrize(
    ("octet", "coding"),
    [
        (0x00, DataCoding()),
        (0x04, DataCoding(Charset.BINARY)),
        (0x08, DataCoding(Charset.UCS2)),
        (0x10, DataCoding(message_class=MessageClass.FLASH)),
        (0x18, DataCoding(Charset.UCS2, MessageClass.FLASH)),
        (0x20, DataCoding(is_compressed=True)),
        (0x40, DataCoding(is_deleted_automatically=True)),
        (0x59, DataCoding(Charset.UCS2, MessageClass.ME, is_deleted_automatically=True)),
        (0xC8, DataCoding(waiting=Waiting(WaitingKind.VOICEMAIL, True, False))),
        (0xD1, DataCoding(waiting=Waiting(WaitingKind.FAX, False, True))),
        (0xEB, DataCoding(Charset.UCS2, waiting=Waiting(WaitingKind.OTHER, True, True))),
    ],
)
def test_data_coding_schemes(octet: int, coding: DataCoding) -> None:
    assert DataCoding.parse(octet) == coding
    assert int(coding) == octet


def test_data_coding_schemes_with_two_forms_and_none() -> None:
    assert DataCoding.parse(0xF0) == DataCoding(message_class=MessageClass.FLASH)
    assert DataCoding.parse(0xF0).is_flash
    assert DataCoding.parse(0xF6) == DataCoding(Charset.BINARY, MessageClass.SIM)
    for reserved in (0x0C, 0x80, 0xBF):
        assert DataCoding.parse(reserved) == DataCoding()
    waiting = Waiting(WaitingKind.EMAIL, True, False)
    for wrong in (
        DataCoding(Charset.LATIN1),
        DataCoding(Charset.UCS2, waiting=waiting),
        DataCoding(Charset.GSM7, MessageClass.ME, waiting),
    ):
        with pytest.raises(LocalProtocolError):
            int(wrong)


@given(st.integers(0, 255))
def test_any_data_coding_scheme_can_be_read_and_said_again(octet: int) -> None:
    coding = DataCoding.parse(octet)
    assert DataCoding.parse(int(coding)) == coding


@given(st.text(), st.sampled_from(Charset))
def test_texts_come_back(text: str, charset: Charset) -> None:
    if charset is Charset.BINARY:
        return
    try:
        octets = gsm.encode(text, charset)
    except LocalProtocolError:
        assert charset is not Charset.UCS2
        return
    assert gsm.decode(octets, charset) == text


@given(st.binary(max_size=200), st.sampled_from(Charset))
def test_any_octets_are_some_text(octets: bytes, charset: Charset) -> None:
    assert len(gsm.decode(octets, charset)) <= len(octets)


def test_lone_surrogates() -> None:
    assert gsm.encode("a\ud83d\ude00b\ud83d", Charset.UCS2) == "a😀b\ufffd".encode("utf-16-be")
    assert gsm.decode(b"\xd8\x3d\x00a\x00", Charset.UCS2) == "\ufffda\ufffd"
    assert Charset.GSM7.unit == "septets"
    assert Charset.LATIN1.unit == "octets"


def test_headers() -> None:
    header, rest = gsm.UserDataHeader.parse(bytes.fromhex("0b0003a70201 0504158a0000 40".replace(" ", "")))
    assert header.concatenation == gsm.Concatenation(0xA7, 2, 1)
    assert header.ports == gsm.Ports(5514, 0)
    assert rest == b"@"
    assert len(header) == len(bytes(header)) == 12
    wide = gsm.UserDataHeader.of(
        concatenation=gsm.Concatenation(0x1234, 255, 255, True),
        ports=gsm.Ports(1, 2, is_wide=False),
        alphabet=gsm.alphabet(3, 1),
    )
    again, _ = gsm.UserDataHeader.parse(bytes(wide))
    assert again == wide
    assert (again.concatenation, again.ports) == (
        gsm.Concatenation(0x1234, 255, 255, True),
        gsm.Ports(1, 2, is_wide=False),
    )
    assert again.alphabet is gsm.alphabet(3, 1)
    assert again.without(0x08).concatenation is None


def test_headers_that_make_no_sense() -> None:
    for data in (b"", b"\x05\x00\x03", b"\x03\x00\x03\x01", b"\x01\x00"):
        with pytest.raises(RemoteProtocolError):
            gsm.UserDataHeader.parse(data)
    for element in (b"\x01\x02\x00", b"\x01\x02\x03", b"\x01\x00\x00", b"\x01\x02"):
        assert gsm.UserDataHeader(((0x00, element),)).concatenation is None
    twice = gsm.UserDataHeader(((0x00, b"\x01\x02\x01"), (0x08, b"\x00\x09\x03\x02")))
    assert twice.concatenation == gsm.Concatenation(9, 3, 2, True)  # the last one counts
    assert gsm.UserDataHeader(((0x05, b"\x01"), (0x04, b"\x01\x02"))).ports == gsm.Ports(1, 2, is_wide=False)
    for make in (
        lambda: gsm.Concatenation(1, 2, 3),
        lambda: gsm.Concatenation(256, 2, 1),
        lambda: gsm.Ports(256, 0, is_wide=False),
        lambda: bytes(gsm.UserDataHeader(((0x70, bytes(139)),))),
    ):
        with pytest.raises(LocalProtocolError):
            make()


@given(st.binary(max_size=160))
def test_any_octets_are_a_header_or_are_refused(data: bytes) -> None:
    try:
        header, rest = gsm.UserDataHeader.parse(data)
    except RemoteProtocolError:
        return
    _ = header.concatenation, header.ports, header.alphabet
    if len(header) < 141:
        assert (bytes(header) + rest)[1 if not header.elements else 0 :] == data[
            1 if not header.elements else 0 :
        ]
