"""STUN messages; RFC 8489. Binding, XOR-MAPPED-ADDRESS, FINGERPRINT; integrity.py has the credentials."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, ip_address
from zlib import crc32

from ..errors import LocalProtocolError, RemoteProtocolError

__all__ = ["Message", "MessageClass", "is_stun"]

MAGIC_COOKIE = 0x2112A442
BINDING = 0x001
MAPPED_ADDRESS = 0x0001
USERNAME = 0x0006
MESSAGE_INTEGRITY = 0x0008
ERROR_CODE = 0x0009
UNKNOWN_ATTRIBUTES = 0x000A
XOR_MAPPED_ADDRESS = 0x0020
PRIORITY = 0x0024  # this and the next three: RFC 8445 §16.1
USE_CANDIDATE = 0x0025
SOFTWARE = 0x8022
FINGERPRINT = 0x8028
ICE_CONTROLLED = 0x8029
ICE_CONTROLLING = 0x802A

_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_MAX_ATTRIBUTES = 64
_FINGERPRINT_XOR = 0x5354554E  # "STUN": keeps it apart from other protocols' CRCs; §14.7
_COOKIE_BYTES = MAGIC_COOKIE.to_bytes(4, "big")
_UNDERSTOOD = frozenset({MAPPED_ADDRESS, ERROR_CODE, UNKNOWN_ATTRIBUTES, XOR_MAPPED_ADDRESS})


class MessageClass(IntEnum):
    """The two class bits of the message type; §5."""

    REQUEST = 0
    INDICATION = 1
    SUCCESS = 2
    ERROR = 3


def is_stun(data: bytes) -> bool:
    """Tell whether a datagram that came where SIP is spoken is STUN; RFC 5626 §4.4.2, RFC 8489 §6.3."""
    return len(data) >= 20 and data[0] < 0x40 and data[4:8] == _COOKIE_BYTES


@dataclass(frozen=True, slots=True)
class Message:
    """A STUN message; FINGERPRINT is checked and dropped by ``parse``, and added by ``to_bytes``."""

    message_class: MessageClass
    transaction_id: bytes
    method: int = BINDING
    attributes: tuple[tuple[int, bytes], ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Message:
        """Read a whole datagram."""
        if not is_stun(data):
            raise RemoteProtocolError("not a STUN message")
        message_type, size, _, transaction_id = _HEADER.unpack_from(data)
        if size % 4 or size != len(data) - 20:
            raise RemoteProtocolError(f"STUN length {size} in a datagram of {len(data)} bytes")
        return cls(
            MessageClass(message_type >> 7 & 2 | message_type >> 4 & 1),
            transaction_id,
            message_type & 0xF | message_type >> 1 & 0x70 | message_type >> 2 & 0xF80,
            _parse_attributes(data),
        )

    def __bytes__(self) -> bytes:
        return self.to_bytes()

    def to_bytes(self, *, has_fingerprint: bool = False) -> bytes:
        """Write the message, with a FINGERPRINT at its end if wanted."""
        if len(self.transaction_id) != 12 or not 0 <= self.method < 0x1000:
            raise LocalProtocolError("a STUN transaction id has 12 bytes, a method 12 bits")
        body = b"".join(_ATTRIBUTE.pack(kind, len(value)) + _padded(value) for kind, value in self.attributes)
        size = len(body) + (8 if has_fingerprint else 0)
        if size > 0xFFFF:
            raise LocalProtocolError("a STUN message holds 65535 bytes")
        data = _HEADER.pack(self._message_type(), size, MAGIC_COOKIE, self.transaction_id) + body
        if has_fingerprint:
            data += struct.pack("!HHI", FINGERPRINT, 4, crc32(data) ^ _FINGERPRINT_XOR)
        return data

    def get(self, kind: int) -> bytes | None:
        """Return the first attribute of that type; later ones are ignored (§14)."""
        for number, value in self.attributes:
            if number == kind:
                return value
        return None

    @property
    def mapped_address(self) -> tuple[str, int] | None:
        """The address that the other end saw: XOR-MAPPED-ADDRESS; §14.2."""
        value = self.get(XOR_MAPPED_ADDRESS)
        if value is None:
            return None
        if (len(value), value[1:2]) not in ((8, b"\x01"), (20, b"\x02")):
            raise RemoteProtocolError("malformed XOR-MAPPED-ADDRESS")
        port = int.from_bytes(value[2:4], "big") ^ MAGIC_COOKIE >> 16
        return str(ip_address(_xor(value[4:], self.transaction_id))), port

    @property
    def unknown_required(self) -> tuple[int, ...]:
        """Types below 0x8000 that must be understood and are not; a request with some gets 420 (§6.3.1)."""
        return tuple(kind for kind, _ in self.attributes if kind < 0x8000 and kind not in _UNDERSTOOD)

    def success(self, remote: tuple[str, int]) -> Message:
        """Return the success response to this request, which came from ``remote``."""
        host, port = remote
        address = ip_address(host)
        family = 1 if isinstance(address, IPv4Address) else 2
        value = struct.pack("!BBH", 0, family, port ^ MAGIC_COOKIE >> 16)
        value += _xor(address.packed, self.transaction_id)
        return Message(MessageClass.SUCCESS, self.transaction_id, self.method, ((XOR_MAPPED_ADDRESS, value),))

    def error(self, code: int, reason: str) -> Message:
        """Return the error response to this request; §14.8."""
        value = struct.pack("!HBB", 0, code // 100, code % 100) + reason.encode()
        attributes = [(ERROR_CODE, value)]
        if code == 420:
            unknown = self.unknown_required
            attributes.append((UNKNOWN_ATTRIBUTES, struct.pack(f"!{len(unknown)}H", *unknown)))
        return Message(MessageClass.ERROR, self.transaction_id, self.method, tuple(attributes))

    def _message_type(self) -> int:
        """Interleave method and class bits; figure 3 of §5."""
        method, bits = self.method, self.message_class
        return method & 0xF | (method & 0x70) << 1 | (method & 0xF80) << 2 | (bits & 1) << 4 | (bits & 2) << 7


def _parse_attributes(data: bytes) -> tuple[tuple[int, bytes], ...]:
    attributes: list[tuple[int, bytes]] = []
    offset = 20
    while offset < len(data):
        kind, size = _ATTRIBUTE.unpack_from(data, offset)
        start, end = offset + 4, offset + 4 + size
        if end > len(data) or len(attributes) >= _MAX_ATTRIBUTES:
            raise RemoteProtocolError("STUN attribute beyond the end of its message, or too many of them")
        if kind == FINGERPRINT:
            _check_fingerprint(data, offset, size)
            break
        attributes.append((kind, data[start:end]))
        offset = end + -size % 4
    return tuple(attributes)


def _check_fingerprint(data: bytes, offset: int, size: int) -> None:
    if size != 4 or offset + 8 != len(data):
        raise RemoteProtocolError("FINGERPRINT that is not the last attribute of a STUN message")
    if int.from_bytes(data[-4:], "big") != crc32(data[:offset]) ^ _FINGERPRINT_XOR:
        raise RemoteProtocolError("wrong FINGERPRINT in a STUN message")


def _padded(value: bytes) -> bytes:
    return value + bytes(-len(value) % 4)


def _xor(address: bytes, transaction_id: bytes) -> bytes:
    mask = _COOKIE_BYTES + transaction_id
    return bytes(octet ^ key for octet, key in zip(address, mask, strict=False))
