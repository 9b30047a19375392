"""Addresses of short messages (3GPP TS 23.040 §9.1.2.5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from ...errors import LocalProtocolError, RemoteProtocolError
from ..text import DEFAULT, pack, unpack
from .octets import Reader, from_semi_octets, to_semi_octets

__all__ = ["Address", "Plan", "TypeOfNumber", "read_address", "read_service_centre", "write_service_centre"]

MAX_DIGITS = 20
MAX_LETTERS = 11


class TypeOfNumber(IntEnum):
    """What kind of number the digits are."""

    UNKNOWN = 0
    INTERNATIONAL = 1
    NATIONAL = 2
    NETWORK_SPECIFIC = 3
    SUBSCRIBER = 4
    ALPHANUMERIC = 5
    ABBREVIATED = 6
    RESERVED = 7


class Plan(IntEnum):
    """Numbering plans that are met; others are kept as numbers."""

    UNKNOWN = 0
    TELEPHONE = 1  # ITU-T E.164
    PRIVATE = 9


@dataclass(frozen=True, slots=True)
class Address:
    """Digits or, for senders only, up to eleven characters of the default alphabet."""

    digits: str
    type_of_number: TypeOfNumber = TypeOfNumber.UNKNOWN
    plan: int = Plan.TELEPHONE

    @classmethod
    def of(cls, number: str) -> Address:
        """What people write: +49…, a number or short code, or a name."""
        if number.startswith("+"):
            return cls(number[1:], TypeOfNumber.INTERNATIONAL)
        if number and all(c in "0123456789*#" for c in number):
            return cls(number)
        return cls(number, TypeOfNumber.ALPHANUMERIC, Plan.UNKNOWN)

    @property
    def number(self) -> str:
        """As people write it."""
        return f"+{self.digits}" if self.type_of_number is TypeOfNumber.INTERNATIONAL else self.digits

    def __bytes__(self) -> bytes:
        """TP-OA, TP-DA or TP-RA: the count of semi-octets, type and plan, and the digits."""
        if self.type_of_number is TypeOfNumber.ALPHANUMERIC:
            septets = DEFAULT.encode(self.digits)
            if len(septets) > MAX_LETTERS:
                raise LocalProtocolError(f"{self.digits!r} takes more than {MAX_LETTERS} septets")
            value, count = pack(septets), -(-len(septets) * 7 // 4)
        else:
            if len(self.digits) > MAX_DIGITS:
                raise LocalProtocolError(f"{self.digits!r} has more than {MAX_DIGITS} digits")
            value, count = to_semi_octets(self.digits), len(self.digits)
        return bytes((count, self._type_octet)) + value

    @property
    def _type_octet(self) -> int:
        if not 0 <= self.plan < 16:
            raise LocalProtocolError(f"numbering plan {self.plan}")
        return 0x80 | self.type_of_number << 4 | self.plan


def read_address(reader: Reader, field: str) -> Address:
    """Read TP-OA, TP-DA or TP-RA."""
    count = reader.octet(field)
    if count > MAX_DIGITS + 2:  # one that is rounded up to whole octets is met, too
        raise RemoteProtocolError(f"{field} of {count} semi-octets")
    kind = reader.octet(field)
    value = reader.take(-(-count // 2), field)
    return _address(kind, value, count)


def _address(kind: int, value: bytes, count: int | None) -> Address:
    type_of_number = TypeOfNumber(kind >> 4 & 0x07)
    if type_of_number is TypeOfNumber.ALPHANUMERIC:
        septets = unpack(value, (len(value) * 2 if count is None else count) * 4 // 7)
        return Address(DEFAULT.decode(septets), type_of_number, kind & 0x0F)
    return Address(from_semi_octets(value, count), type_of_number, kind & 0x0F)


def read_service_centre(reader: Reader) -> Address | None:
    """Read what stands before a TPDU in PDU mode (TS 27.005 §4.1): its count is in octets; 0: none."""
    size = reader.octet("service centre")
    if not size:
        return None
    if size > MAX_DIGITS // 2 + 2:
        raise RemoteProtocolError(f"service centre of {size} octets")
    value = reader.take(size, "service centre")
    return _address(value[0], value[1:], None)


def write_service_centre(address: Address | None) -> bytes:
    """The other way; None: the one that the SIM knows."""
    if address is None:
        return b"\x00"
    value = bytes(address)[1:]
    return bytes((len(value),)) + value
