"""Opus in Ogg (RFC 3533, RFC 7845): one logical stream, read as it stands and written page by page.

A file that breaks off, or has damaged pages in it, is read as far as it can be.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from ..catalog import find
from ..codec import CodecError, Samples

_HEADER = struct.Struct("<4sBBqIIIB")
_POLYNOMIAL = 0x04C11DB7
_MAX_PACKET = 1 << 17  # octets; what is longer is no Opus
_MAX_SECONDS = 3600
_CONTINUED, _FIRST, _LAST = 1, 2, 4
RATE = 48000
_PAGE_PACKETS = 50  # a second of frames of 20 ms: what a crash may cost


def _table() -> list[int]:
    table = []
    for i in range(256):
        value = i << 24
        for _ in range(8):
            value = (value << 1 ^ (_POLYNOMIAL if value & 0x80000000 else 0)) & 0xFFFFFFFF
        table.append(value)
    return table


_TABLE = _table()


def checksum(page: bytes) -> int:
    """The CRC of a page whose own field is zero."""
    value = 0
    for octet in page:
        value = (value << 8 & 0xFFFFFFFF) ^ _TABLE[value >> 24 ^ octet]
    return value


def packets(data: bytes, *, is_checked: bool = False) -> Iterator[bytes]:
    """The packets of the first stream; what is damaged is left out; ``is_checked``: by its CRC too."""
    at, parts, serial = 0, b"", None
    while (at := data.find(b"OggS", at)) >= 0:
        if at + _HEADER.size > len(data):
            return
        _, version, flags, _, number, _, crc, count = _HEADER.unpack_from(data, at)
        sizes = data[at + _HEADER.size : at + _HEADER.size + count]
        end = at + _HEADER.size + count + sum(sizes)
        if version != 0 or len(sizes) < count or end > len(data):
            at += 4
            continue
        page = data[at:end]
        if is_checked and checksum(page[:22] + bytes(4) + page[26:]) != crc:
            at += 4
            continue
        if serial is None:
            serial = number
        if number == serial:
            if not flags & _CONTINUED:
                parts = b""
            place = _HEADER.size + count
            for size in sizes:
                parts += page[place : place + size]
                place += size
                if len(parts) > _MAX_PACKET:
                    raise CodecError("Ogg", f"a packet of more than {_MAX_PACKET} octets")
                if size < 255:
                    yield parts
                    parts = b""
        at = end


def read_opus(data: bytes) -> tuple[Samples, int]:
    """Return the samples, mixed into one channel, and their rate; CodecError: this is no such file."""
    stream = packets(data)
    head = next(stream, b"")
    if len(head) < 19 or not head.startswith(b"OpusHead") or head[8] & 0xF0:
        raise CodecError("Ogg", "no Opus in it")
    channels, skip, _, gain, family = struct.unpack_from("<BHIhB", head, 9)
    if channels not in (1, 2) or family != 0:
        raise CodecError("Ogg", f"{channels} channels of family {family} are not read")
    if not next(stream, b"").startswith(b"OpusTags"):
        raise CodecError("Ogg", "no tags where they have to be")
    codec = find("opus")
    if not codec.is_offered:
        raise CodecError("Ogg", "libopus is not installed")
    decoder = codec.decoder(channels=1, sample_rate=RATE)
    parts, total, loud = [], 0, 10.0 ** (gain / (20 * 256))
    for packet in stream:
        try:
            part = decoder.decode(packet)
        except CodecError:
            continue
        parts.append(part if loud == 1.0 else np.clip(part * loud, -32768, 32767).astype(np.int16))
        total += len(part)
        if total > RATE * _MAX_SECONDS:
            raise CodecError("Ogg", f"more than {_MAX_SECONDS} s")
    return np.concatenate(parts)[skip:] if parts else np.zeros(0, dtype=np.int16), RATE


class OggWriter:
    """Pages of one Opus stream, to be written one after the other."""

    def __init__(self, channels: int, serial: int, *, skip: int = 312) -> None:
        self._serial, self._number, self._position = serial, 0, 0
        self._waiting: list[bytes] = []
        head = b"OpusHead" + struct.pack("<BBHIhB", 1, channels, skip, RATE, 0, 0)
        tags = b"OpusTags" + struct.pack("<I", 10) + b"Switchroom" + struct.pack("<I", 0)
        self.begin = self._page([head], 0, _FIRST) + self._page([tags], 0, 0)
        self._position = skip

    def add(self, packet: bytes, samples: int) -> bytes:
        """Take a packet of so many samples at 48 kHz; returns the page that it has filled, or nothing."""
        lacing = len(packet) // 255 + 1
        made = b""
        if (
            len(self._waiting) >= _PAGE_PACKETS
            or sum(len(p) // 255 + 1 for p in self._waiting) + lacing > 255
        ):
            made = self.flush()
        self._waiting.append(packet)
        self._position += samples
        return made

    def flush(self, *, is_last: bool = False) -> bytes:
        """The page of what waits."""
        if not self._waiting and not is_last:
            return b""
        page = self._page(self._waiting, self._position, _LAST if is_last else 0)
        self._waiting = []
        return page

    def _page(self, contents: list[bytes], position: int, flags: int) -> bytes:
        sizes = b"".join(bytes([255]) * (len(one) // 255) + bytes([len(one) % 255]) for one in contents)
        fields = (b"OggS", 0, flags, position, self._serial, self._number)
        self._number += 1
        body = sizes + b"".join(contents)
        crc = checksum(_HEADER.pack(*fields, 0, len(sizes)) + body)
        return _HEADER.pack(*fields, crc, len(sizes)) + body
