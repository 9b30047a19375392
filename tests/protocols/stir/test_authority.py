"""TNAuthList: octets as certificates have them, what they cover, and all that may be wrong with them."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from switchroom.protocols import stir

from .test_stir import certificate, new_key


def der(tag: int, *parts: bytes) -> bytes:
    value = b"".join(parts)
    size = bytes([len(value)]) if len(value) < 128 else b"\x82" + len(value).to_bytes(2, "big")
    return bytes([tag]) + size + value


def ia5(text: str) -> bytes:
    return der(0x16, text.encode("latin-1"))


def provider(code: str) -> bytes:
    return der(0xA0, ia5(code))


def numbers(first: str, count: int) -> bytes:
    octets = count.to_bytes(count.bit_length() // 8 + 1, "big", signed=True)
    return der(0xA1, der(0x30, ia5(first), der(0x02, octets)))


def one(number: str) -> bytes:
    return der(0xA2, ia5(number))


def listed(*entries: bytes) -> bytes:
    return der(0x30, *entries)


def with_list(octets: bytes) -> x509.Certificate:
    """A certificate with this list."""
    key = new_key()
    return certificate("leaf", key, "leaf", key, numbers=octets)


@pytest.mark.parametrize(
    ("octets", "covered", "others"),
    [
        (bytes.fromhex("3008a00616043730394a"), ["12155551212", ""], []),  # the code 709J, as SHAKEN has it
        (listed(one("12155551212")), ["12155551212"], ["12155551213", "2155551212", ""]),
        (
            listed(numbers("12155551200", 100)),
            ["12155551200", "12155551299"],
            ["12155551199", "12155551300", "2155551250", "sip:a@b", "\uff11" * 11],
        ),
        (listed(one("911"), numbers("004930", 2)), ["911", "004930", "004931"], ["4930", "004932"]),
        (listed(*[one(f"1215555{i:04}") for i in range(300)]), ["12155550299"], ["12155550300"]),
    ],
)
def test_what_a_list_covers(octets: bytes, covered: list[str], others: list[str]) -> None:
    authority = stir.number_authority(with_list(octets))
    assert [n for n in (*covered, *others) if authority.covers(n)] == covered


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x30",
        listed(),  # at least one entry
        listed(one("12155551212"))[:-1],
        listed(one("12155551212")) + b"\x05\x00",
        b"\x30\x80\x00\x00",  # indefinite
        b"\x30\x84\x00\x00\x00\x01\x00",
        listed(der(0xA3, ia5("1"))),
        listed(der(0xA2, der(0x0C, b"1"))),
        listed(one("")),
        listed(one("1" * 16)),
        listed(one("+12155551212")),
        listed(provider("é")),
        listed(numbers("12155551212", 1)),
        listed(numbers("12155551212", -5)),
        listed(numbers("*21#", 10)),
        listed(der(0xA1, der(0x30, ia5("1")))),
        listed(der(0xA1, der(0x30, der(0x02, b"\x05"), ia5("1")))),
    ],
    ids=lambda octets: octets.hex()[:24],
)
def test_what_cannot_be_read(octets: bytes) -> None:
    with pytest.raises(stir.CertificateError, match="list of numbers") as caught:
        stir.read_authority(octets)
    assert caught.value.status == 437


def test_a_certificate_without_a_list() -> None:
    key = new_key()
    with pytest.raises(stir.CertificateError, match="without a list"):
        stir.number_authority(certificate("leaf", key, "leaf", key))


def test_a_certificate_with_broken_extensions() -> None:
    """The list under the name of another extension, authorityInfoAccess, which it is not."""
    octets = with_list(b"\x05\x00").public_bytes(Encoding.DER)
    name = bytes.fromhex("2b060105050701")
    broken = x509.load_der_x509_certificate(octets.replace(name + b"\x1a", name + b"\x01"))
    with pytest.raises(stir.CertificateError, match="cannot be read"):
        stir.number_authority(broken)
