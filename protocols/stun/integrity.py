"""MESSAGE-INTEGRITY with short-term credentials; RFC 8489 §9.1, §14.5."""

from __future__ import annotations

import hmac
import struct
from hashlib import sha1
from zlib import crc32

from ..errors import RemoteProtocolError
from .message import FINGERPRINT, MESSAGE_INTEGRITY, Message

__all__ = ["open_message", "seal"]

_HEADER_SIZE = 20
_SIZE = 20  # of the value
_FINGERPRINT_XOR = 0x5354554E


def seal(message: Message, password: bytes) -> bytes:
    """Write a message with MESSAGE-INTEGRITY and FINGERPRINT at its end."""
    data = bytes(message)
    body = len(data) - _HEADER_SIZE
    signed = data[:2] + struct.pack("!H", body + 4 + _SIZE) + data[4:]
    digest = hmac.digest(password, signed, sha1)
    whole = data[:2] + struct.pack("!H", body + 4 + _SIZE + 8) + data[4:]
    whole += struct.pack("!HH", MESSAGE_INTEGRITY, _SIZE) + digest
    return whole + struct.pack("!HHI", FINGERPRINT, 4, crc32(whole) ^ _FINGERPRINT_XOR)


def open_message(data: bytes, password: bytes) -> Message:
    """Read a message that must carry the proof of this password; what follows the proof is not believed."""
    message = Message.parse(data)
    before: list[tuple[int, bytes]] = []
    offset = _HEADER_SIZE
    for kind, value in message.attributes:
        if kind != MESSAGE_INTEGRITY:
            before.append((kind, value))
            offset += 4 + len(value) + -len(value) % 4
            continue
        signed = data[:2] + struct.pack("!H", offset - _HEADER_SIZE + 4 + _SIZE) + data[4:offset]
        if not hmac.compare_digest(hmac.digest(password, signed, sha1), value):
            raise RemoteProtocolError("wrong MESSAGE-INTEGRITY in a STUN message", status=401)
        return Message(message.message_class, message.transaction_id, message.method, tuple(before))
    raise RemoteProtocolError("STUN message without MESSAGE-INTEGRITY")
