"""Ogg, as far as the tools of Opus and Speex need it: packets out of a file and into one (RFC 3533)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

_HEADER = struct.Struct("<4sBBqIIIB")


def packets(data: bytes) -> Iterator[bytes]:
    """Every packet of the one stream, with the headers."""
    at, parts = 0, b""
    while at < len(data):
        *_, count = _HEADER.unpack_from(data, at)
        sizes = data[at + 27 : at + 27 + count]
        at += 27 + count
        for size in sizes:
            parts += data[at : at + size]
            at += size
            if size < 255:
                yield parts
                parts = b""


def file_of(contents: Iterable[tuple[bytes, int]]) -> bytes:
    """A file with a page for each packet; the numbers are the samples up to its end."""
    pages = list(contents)
    made = b""
    for i, (packet, position) in enumerate(pages):
        flags = 2 * (i == 0) + 4 * (i == len(pages) - 1)
        sizes = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
        page = _HEADER.pack(b"OggS", 0, flags, position, 7, i, 0, len(sizes)) + sizes + packet
        made += page[:22] + struct.pack("<I", _checksum(page)) + page[26:]
    return made


def _checksum(page: bytes) -> int:
    value = 0
    for octet in page:
        value ^= octet << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value
