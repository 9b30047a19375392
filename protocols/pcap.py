"""Capture files (pcap, magic a1b2c3d4) of messages that were never captured: IP and UDP headers are made up.

Link type RAW (101): each packet begins with its IP header. What went over TCP, TLS or a WebSocket is shown as
UDP between the same addresses and ports, because it was a message and not a stream that was kept.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

_LINKTYPE_RAW = 101
_SNAPLEN = 262144
_UDP = 17
_MAX_PAYLOAD = 65535 - 40 - 8  # octets that the length fields can say

HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, _SNAPLEN, _LINKTYPE_RAW)


def packet(at: float, source: tuple[str, int], destination: tuple[str, int], payload: bytes) -> bytes:
    """One record: the time (seconds since 1970), and the message in made-up headers."""
    octets = _ip(source, destination, payload[:_MAX_PAYLOAD])
    seconds, micro = divmod(round(at * 1_000_000), 1_000_000)
    return struct.pack("<IIII", seconds, micro, len(octets), len(octets)) + octets


def _ip(source: tuple[str, int], destination: tuple[str, int], payload: bytes) -> bytes:
    one, other = _address(source[0]), _address(destination[0])
    if one.version != other.version:
        one, other = _mapped(one), _mapped(other)
    size = 8 + len(payload)
    pseudo = one.packed + other.packed + struct.pack("!II", size, _UDP)
    udp = struct.pack("!HHHH", source[1], destination[1], size, 0)
    check = _checksum(pseudo + udp + payload) or 0xFFFF
    udp = udp[:6] + check.to_bytes(2, "big") + payload
    if one.version == 6:
        return struct.pack("!IHBB", 6 << 28, size, _UDP, 64) + one.packed + other.packed + udp
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, 0, 0x4000, 64, _UDP, 0) + one.packed + other.packed
    return head[:10] + _checksum(head).to_bytes(2, "big") + head[12:] + udp


def _address(text: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return IPv4Address(0)


def _mapped(address: IPv4Address | IPv6Address) -> IPv6Address:
    return IPv6Address(f"::ffff:{address}") if isinstance(address, IPv4Address) else address


def _checksum(octets: bytes) -> int:
    """The sum of RFC 1071."""
    if len(octets) % 2:
        octets += b"\0"
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
