"""HEP version 3: a copy of a SIP message for a collector such as Homer, heplify-server or sngrep.

After "HEP3" and the total length come chunks: vendor (0: generic), type, length with this head, value.
"""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import NamedTuple

_MAGIC = b"HEP3"
_PROTOCOLS = {"UDP": 17}  # all others are TCP, 6
_SIP = 1
_MAX_PAYLOAD = 65000  # octets: all must fit into one datagram and its length field


class Capture(NamedTuple):
    """What is told about one message; ``at`` is in seconds since 1970."""

    at: float
    transport: str
    source: tuple[str, int]
    destination: tuple[str, int]
    payload: bytes
    correlation: str = ""  # an id that all legs of a call have in common


def encode(capture: Capture, capture_id: int, password: str = "") -> bytes:
    """One HEP packet."""
    source, destination = (ip_address(c[0].partition("%")[0]) for c in (capture.source, capture.destination))
    is_ipv6 = source.version == 6 and destination.version == 6
    seconds, micro = divmod(round(capture.at * 1_000_000), 1_000_000)
    first = 5 if is_ipv6 else 3
    chunks = [
        _chunk(1, bytes((10 if is_ipv6 else 2,))),  # the family, as AF_INET6 and AF_INET
        _chunk(2, bytes((_PROTOCOLS.get(capture.transport, 6),))),
        _chunk(first, source.packed),
        _chunk(first + 1, destination.packed),
        _chunk(7, capture.source[1].to_bytes(2, "big")),
        _chunk(8, capture.destination[1].to_bytes(2, "big")),
        _chunk(9, struct.pack("!I", seconds)),
        _chunk(10, struct.pack("!I", micro)),
        _chunk(11, bytes((_SIP,))),
        _chunk(12, struct.pack("!I", capture_id)),
    ]
    if password:
        chunks.append(_chunk(14, password.encode()))
    if capture.correlation:
        chunks.append(_chunk(17, capture.correlation.encode()))
    chunks.append(_chunk(15, capture.payload[:_MAX_PAYLOAD]))
    body = b"".join(chunks)
    return _MAGIC + struct.pack("!H", 6 + len(body)) + body


def _chunk(kind: int, value: bytes) -> bytes:
    return struct.pack("!HHH", 0, kind, 6 + len(value)) + value
