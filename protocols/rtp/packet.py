"""RTP packets; RFC 3550 §5.1. Nothing is believed before its length is checked."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..errors import LocalProtocolError, RemoteProtocolError

__all__ = ["Packet", "is_rtcp"]

HEADER_SIZE = 12
VERSION = 2

_HEADER = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!HH")


def is_rtcp(data: bytes) -> bool:
    """Tell RTCP from RTP where both come to one port; RFC 5761 §4."""
    return len(data) >= 2 and 192 <= data[1] <= 223


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP packet; padding is checked and dropped by ``parse``."""

    payload_type: int
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes = b""
    marker: bool = False
    csrcs: tuple[int, ...] = ()
    extension_profile: int = 0
    extension: bytes | None = None  # None: no header extension; its size is a multiple of four

    @classmethod
    def parse(cls, data: bytes) -> Packet:
        """Read a whole datagram."""
        if len(data) < HEADER_SIZE:
            raise RemoteProtocolError(f"RTP packet of {len(data)} bytes")
        first, second, sequence_number, timestamp, ssrc = _HEADER.unpack_from(data)
        if first >> 6 != VERSION:
            raise RemoteProtocolError(f"RTP version {first >> 6}")
        end = len(data)
        if first & 0x20:
            end -= _padding_size(data)
        if first & 0x1F == 0:  # neither extension nor contributing sources: nearly every packet
            payload = data[HEADER_SIZE:end]
            return cls(second & 0x7F, sequence_number, timestamp, ssrc, payload, second >= 0x80)
        start = HEADER_SIZE + 4 * (first & 0xF)
        if start > end:
            raise RemoteProtocolError("RTP contributing sources beyond the end of the packet")
        csrcs = struct.unpack_from(f"!{first & 0xF}I", data, HEADER_SIZE)
        profile, extension = 0, None
        if first & 0x10:
            profile, extension = _parse_extension(data, start, end)
            start += 4 + len(extension)
        payload = data[start:end]
        marker = second >= 0x80
        return cls(
            second & 0x7F, sequence_number, timestamp, ssrc, payload, marker, csrcs, profile, extension
        )

    def __bytes__(self) -> bytes:
        first = VERSION << 6 | (self.extension is not None) << 4 | len(self.csrcs)
        second = self.marker << 7 | self.payload_type
        if len(self.csrcs) > 15 or not 0 <= self.payload_type < 128:
            raise LocalProtocolError("an RTP packet has up to 15 contributing sources and types up to 127")
        try:
            header = _HEADER.pack(first, second, self.sequence_number, self.timestamp, self.ssrc)
            header += struct.pack(f"!{len(self.csrcs)}I", *self.csrcs)
        except struct.error as error:
            raise LocalProtocolError(f"RTP header field out of range: {error}") from error
        if self.extension is not None:
            header += _pack_extension(self.extension_profile, self.extension)
        return header + self.payload


def _padding_size(data: bytes) -> int:
    size = data[-1]
    if size == 0 or size > len(data) - HEADER_SIZE:
        raise RemoteProtocolError(f"RTP padding of {size} in a packet of {len(data)} bytes")
    return size


def _parse_extension(data: bytes, start: int, end: int) -> tuple[int, bytes]:
    if start + 4 > end:
        raise RemoteProtocolError("RTP header extension beyond the end of the packet")
    profile, words = _EXTENSION.unpack_from(data, start)
    if start + 4 + 4 * words > end:
        raise RemoteProtocolError("RTP header extension beyond the end of the packet")
    return profile, data[start + 4 : start + 4 + 4 * words]


def _pack_extension(profile: int, extension: bytes) -> bytes:
    if len(extension) % 4 or len(extension) > 4 * 0xFFFF or not 0 <= profile <= 0xFFFF:
        raise LocalProtocolError("an RTP header extension has whole words, at most 65535 of them")
    return _EXTENSION.pack(profile, len(extension) // 4) + extension
