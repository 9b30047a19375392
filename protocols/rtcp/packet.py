"""RTCP packets and compounds; RFC 3550 §6. A compound is believed as a whole or not at all (A.2)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from ..errors import LocalProtocolError, RemoteProtocolError

__all__ = [
    "Bye",
    "Other",
    "Packet",
    "ReceiverReport",
    "ReportBlock",
    "SdesChunk",
    "SenderReport",
    "SourceDescription",
    "parse",
    "to_bytes",
]

SR, RR, SDES, BYE = 200, 201, 202, 203
CNAME = 1
MAX_SOURCES = 31  # the count field has five bits

_HEADER = struct.Struct("!BBH")
_SENDER_INFO = struct.Struct("!QIII")
_BLOCK = struct.Struct("!IIIIII")


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """How one source is received; §6.4.1."""

    ssrc: int
    fraction_lost: int  # in 1/256 since the last report
    lost: int  # in all, signed
    highest_sequence_number: int  # extended
    jitter: int  # in timestamp units
    last_sr: int = 0  # the middle 32 bits of that report's NTP time
    delay_since_last_sr: int = 0  # in 1/65536 s


@dataclass(frozen=True, slots=True)
class SenderReport:
    ssrc: int
    ntp_time: int  # 64 bits: seconds since 1900 and their fraction
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    reports: tuple[ReportBlock, ...] = ()
    extension: bytes = b""


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    ssrc: int
    reports: tuple[ReportBlock, ...] = ()
    extension: bytes = b""


@dataclass(frozen=True, slots=True)
class SdesChunk:
    """What one source says about itself: (item type, text as bytes); type 1 is the CNAME; §6.5."""

    ssrc: int
    items: tuple[tuple[int, bytes], ...]

    @property
    def cname(self) -> bytes | None:
        return next((value for kind, value in self.items if kind == CNAME), None)


@dataclass(frozen=True, slots=True)
class SourceDescription:
    chunks: tuple[SdesChunk, ...]


@dataclass(frozen=True, slots=True)
class Bye:
    ssrcs: tuple[int, ...]
    reason: bytes = b""


@dataclass(frozen=True, slots=True)
class Other:
    """A packet of another type (APP, feedback of RFC 4585), as it is."""

    payload_type: int
    count: int
    body: bytes


Packet: TypeAlias = SenderReport | ReceiverReport | SourceDescription | Bye | Other


def parse(data: bytes) -> tuple[Packet, ...]:
    """Read a datagram: a compound, or a reduced-size packet (RFC 5506)."""
    if len(data) < 4 or len(data) % 4:
        raise RemoteProtocolError(f"RTCP of {len(data)} bytes")
    packets: list[Packet] = []
    offset = 0
    while offset < len(data):
        first, payload_type, words = _HEADER.unpack_from(data, offset)
        end = offset + 4 + 4 * words
        if first >> 6 != 2 or end > len(data):
            raise RemoteProtocolError("RTCP packet with a wrong version or beyond the end of its datagram")
        body = data[offset + 4 : end]
        if first & 0x20:
            body = _without_padding(body, is_last=end == len(data))
        packets.append(_parse_one(payload_type, first & 0x1F, body))
        offset = end
    return tuple(packets)


def to_bytes(packets: Iterable[Packet]) -> bytes:
    """Write a compound; §6.1: a report first, and a CNAME in it."""
    packets = tuple(packets)
    if not packets or not isinstance(packets[0], SenderReport | ReceiverReport):
        raise LocalProtocolError("an RTCP compound begins with a report")
    has_cname = any(
        chunk.cname is not None
        for packet in packets
        if isinstance(packet, SourceDescription)
        for chunk in packet.chunks
    )
    if not has_cname:
        raise LocalProtocolError("an RTCP compound carries a CNAME")
    try:
        return b"".join(_write_one(packet) for packet in packets)
    except struct.error as error:
        raise LocalProtocolError(f"RTCP field out of range: {error}") from error


def _without_padding(body: bytes, *, is_last: bool) -> bytes:
    if not is_last or not body or body[-1] % 4 or not 0 < body[-1] <= len(body):
        raise RemoteProtocolError("malformed RTCP padding")
    return body[: -body[-1]]


def _parse_one(payload_type: int, count: int, body: bytes) -> Packet:
    if payload_type == SR:
        if len(body) < 24 + 24 * count:
            raise RemoteProtocolError("RTCP sender report too short for its blocks")
        ntp, timestamp, packets, octets = _SENDER_INFO.unpack_from(body, 4)
        end = 24 + 24 * count
        blocks = _parse_blocks(body[24:end])
        return SenderReport(_ssrc(body), ntp, timestamp, packets, octets, blocks, body[end:])
    if payload_type == RR:
        if len(body) < 4 + 24 * count:
            raise RemoteProtocolError("RTCP receiver report too short for its blocks")
        end = 4 + 24 * count
        return ReceiverReport(_ssrc(body), _parse_blocks(body[4:end]), body[end:])
    if payload_type == SDES:
        return SourceDescription(_parse_chunks(count, body))
    if payload_type == BYE:
        return _parse_bye(count, body)
    return Other(payload_type, count, body)


def _ssrc(body: bytes) -> int:
    return int.from_bytes(body[:4], "big")


def _parse_blocks(data: bytes) -> tuple[ReportBlock, ...]:
    return tuple(
        ReportBlock(ssrc, word >> 24, (word + 0x800000 & 0xFFFFFF) - 0x800000, *rest)
        for ssrc, word, *rest in _BLOCK.iter_unpack(data)
    )


def _parse_chunks(count: int, body: bytes) -> tuple[SdesChunk, ...]:
    chunks = []
    offset = 0
    for _ in range(count):
        if offset + 8 > len(body):  # an SSRC and at least the null item, padded
            raise RemoteProtocolError("RTCP source description too short for its chunks")
        ssrc = _ssrc(body[offset:])
        items, offset = _parse_items(body, offset + 4)
        chunks.append(SdesChunk(ssrc, items))
    return tuple(chunks)


def _parse_items(body: bytes, offset: int) -> tuple[tuple[tuple[int, bytes], ...], int]:
    items = []
    while offset < len(body) and body[offset]:
        size = body[offset + 1] if offset + 1 < len(body) else len(body)
        if offset + 2 + size > len(body):
            raise RemoteProtocolError("RTCP source description item beyond the end")
        items.append((body[offset], body[offset + 2 : offset + 2 + size]))
        offset += 2 + size
    if offset >= len(body):
        raise RemoteProtocolError("RTCP source description without an end of its items")
    return tuple(items), offset + 4 - offset % 4  # one null octet at least, up to the next word


def _parse_bye(count: int, body: bytes) -> Bye:
    end = 4 * count
    if len(body) < end:
        raise RemoteProtocolError("RTCP BYE too short for its sources")
    reason = b""
    if len(body) > end:
        reason = body[end + 1 : end + 1 + body[end]]
        if len(reason) != body[end]:
            raise RemoteProtocolError("RTCP BYE reason beyond the end")
    return Bye(struct.unpack_from(f"!{count}I", body), reason)


def _write_one(packet: Packet) -> bytes:
    match packet:
        case SenderReport():
            info = _SENDER_INFO.pack(
                packet.ntp_time, packet.rtp_timestamp, packet.packet_count, packet.octet_count
            )
            body = struct.pack("!I", packet.ssrc) + info + _write_blocks(packet.reports) + packet.extension
            return _framed(SR, len(packet.reports), body)
        case ReceiverReport():
            body = struct.pack("!I", packet.ssrc) + _write_blocks(packet.reports) + packet.extension
            return _framed(RR, len(packet.reports), body)
        case SourceDescription():
            return _framed(SDES, len(packet.chunks), b"".join(map(_write_chunk, packet.chunks)))
        case Bye():
            return _framed(BYE, len(packet.ssrcs), _write_bye(packet))
    return _framed(packet.payload_type, packet.count, packet.body)


def _framed(payload_type: int, count: int, body: bytes) -> bytes:
    if count > MAX_SOURCES or len(body) % 4:
        raise LocalProtocolError(f"an RTCP packet holds {MAX_SOURCES} sources and whole words")
    return _HEADER.pack(0x80 | count, payload_type, len(body) // 4) + body


def _write_blocks(reports: tuple[ReportBlock, ...]) -> bytes:
    return b"".join(
        _BLOCK.pack(
            report.ssrc,
            report.fraction_lost << 24 | max(-0x800000, min(report.lost, 0x7FFFFF)) & 0xFFFFFF,
            report.highest_sequence_number,
            report.jitter,
            report.last_sr,
            report.delay_since_last_sr,
        )
        for report in reports
    )


def _write_chunk(chunk: SdesChunk) -> bytes:
    items = b"".join(struct.pack("!BB", kind, len(value)) + value for kind, value in chunk.items)
    return struct.pack("!I", chunk.ssrc) + items + bytes(4 - len(items) % 4)


def _write_bye(bye: Bye) -> bytes:
    body = struct.pack(f"!{len(bye.ssrcs)}I", *bye.ssrcs)
    if bye.reason:
        text = struct.pack("!B", len(bye.reason)) + bye.reason
        body += text + bytes(-len(text) % 4)
    return body
