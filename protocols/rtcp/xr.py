"""Extended reports, with what a telephone knows of its own sound; RFC 3611."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TypeAlias

from ..errors import LocalProtocolError, RemoteProtocolError
from .packet import Other

__all__ = ["Block", "ExtendedReport", "LastReports", "OtherBlock", "ReferenceTime", "VoipMetrics"]

XR = 207
REFERENCE_TIME, LAST_REPORTS, VOIP_METRICS = 4, 5, 7
UNAVAILABLE = 127  # of levels, R factors and MOS; §4.7

_BLOCK = struct.Struct("!BBH")
_VOIP = struct.Struct("!I4B4H2b2B4BBxHHH")
_LAST = struct.Struct("!III")


@dataclass(frozen=True, slots=True)
class VoipMetrics:
    """How one source sounds; §4.7. Rates and densities are in 1/256, times in ms, MOS in tenths."""

    ssrc: int
    loss_rate: int = 0
    discard_rate: int = 0
    burst_density: int = 0
    gap_density: int = 0
    burst_duration: int = 0
    gap_duration: int = 0
    round_trip_delay: int = 0
    end_system_delay: int = 0
    signal_level: int = UNAVAILABLE  # dBm0
    noise_level: int = UNAVAILABLE
    residual_echo: int = UNAVAILABLE  # dB
    min_gap: int = 16  # Gmin
    r_factor: int = UNAVAILABLE
    external_r_factor: int = UNAVAILABLE
    mos_lq: int = UNAVAILABLE
    mos_cq: int = UNAVAILABLE
    configuration: int = 0
    nominal_delay: int = 0  # of the jitter buffer
    maximum_delay: int = 0
    absolute_maximum_delay: int = 0

    def __bytes__(self) -> bytes:
        values = (getattr(self, name) for name in self.__dataclass_fields__)
        try:
            return _BLOCK.pack(VOIP_METRICS, 0, _VOIP.size // 4) + _VOIP.pack(*values)
        except struct.error as error:
            raise LocalProtocolError(f"VoIP metrics out of range: {error}") from error


@dataclass(frozen=True, slots=True)
class ReferenceTime:
    """When a receiver that sends nothing wrote its report: 64 bits of NTP time; §4.4."""

    ntp_time: int

    def __bytes__(self) -> bytes:
        return _BLOCK.pack(REFERENCE_TIME, 0, 2) + self.ntp_time.to_bytes(8, "big")


@dataclass(frozen=True, slots=True)
class LastReports:
    """The answer to reference times: (SSRC, last one's middle 32 bits, delay since in 1/65536 s); §4.5."""

    reports: tuple[tuple[int, int, int], ...]

    def __bytes__(self) -> bytes:
        body = b"".join(_LAST.pack(*report) for report in self.reports)
        return _BLOCK.pack(LAST_REPORTS, 0, len(body) // 4) + body


@dataclass(frozen=True, slots=True)
class OtherBlock:
    """A block of another type, as it is."""

    kind: int
    specific: int
    body: bytes

    def __bytes__(self) -> bytes:
        if len(self.body) % 4:
            raise LocalProtocolError("an XR block holds whole words")
        return _BLOCK.pack(self.kind, self.specific, len(self.body) // 4) + self.body


Block: TypeAlias = VoipMetrics | ReferenceTime | LastReports | OtherBlock


@dataclass(frozen=True, slots=True)
class ExtendedReport:
    ssrc: int
    blocks: tuple[Block, ...]

    @classmethod
    def parse(cls, packet: Other) -> ExtendedReport:
        """Read what ``rtcp.parse`` left as it is."""
        body = packet.body
        if packet.payload_type != XR or len(body) < 4:
            raise RemoteProtocolError("no RTCP extended report")
        blocks = []
        at = 4
        while at < len(body):
            if at + _BLOCK.size > len(body):
                raise RemoteProtocolError("RTCP XR block without a header")
            kind, specific, words = _BLOCK.unpack_from(body, at)
            at += _BLOCK.size + 4 * words
            if at > len(body):
                raise RemoteProtocolError("RTCP XR block beyond the end of its packet")
            blocks.append(_parse_block(kind, specific, body[at - 4 * words : at]))
        return cls(int.from_bytes(body[:4], "big"), tuple(blocks))

    def to_packet(self) -> Other:
        """As ``rtcp.to_bytes`` takes it."""
        return Other(XR, 0, self.ssrc.to_bytes(4, "big") + b"".join(map(bytes, self.blocks)))


def _parse_block(kind: int, specific: int, body: bytes) -> Block:
    if kind == VOIP_METRICS and len(body) == _VOIP.size:
        return VoipMetrics(*_VOIP.unpack(body))
    if kind == REFERENCE_TIME and len(body) == 8:
        return ReferenceTime(int.from_bytes(body, "big"))
    if kind == LAST_REPORTS and len(body) % _LAST.size == 0:
        return LastReports(tuple(_LAST.iter_unpack(body)))
    return OtherBlock(kind, specific, body)
