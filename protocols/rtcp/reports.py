"""What to report about a stream, and what a report says; RFC 3550 §6.4, A.3, §6.2."""

from __future__ import annotations

from ..rtp import Statistics
from .packet import ReceiverReport, ReportBlock, SdesChunk, SenderReport, SourceDescription, to_bytes

__all__ = ["Reporter", "ntp_time", "round_trip"]

REPORT_INTERVAL = 5.0  # seconds; §6.2's minimum, which two participants never exceed

_NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970


def ntp_time(utc: float) -> int:
    """Turn seconds since 1970 into a 64-bit NTP time; §4."""
    return int((utc + _NTP_EPOCH) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def round_trip(report: ReportBlock, utc: float) -> float | None:
    """Return the round trip in seconds that a report about our stream shows; §6.4.1."""
    if not report.last_sr:
        return None
    units = ((ntp_time(utc) >> 16) - report.last_sr - report.delay_since_last_sr) & 0xFFFFFFFF
    if units >= 1 << 31:
        return None  # clocks or the other end's arithmetic went wrong: negative
    return units / 65536


class Reporter:
    """Writes the compounds of one participant: SR when it sent, RR otherwise, and its CNAME."""

    __slots__ = ("_cname", "_last_sr", "_last_sr_at", "_octets", "_packets", "_reported", "ssrc")

    def __init__(self, ssrc: int, cname: str) -> None:
        self.ssrc = ssrc
        self._cname = cname.encode()[:255]
        self._packets = 0
        self._octets = 0
        self._reported = 0
        self._last_sr = 0
        self._last_sr_at = 0.0

    def sent(self, payload_size: int) -> None:
        """Count an RTP packet that went out."""
        self._packets += 1
        self._octets += payload_size

    def receive(self, report: SenderReport, now: float) -> None:
        """Remember the other end's report, so that it can measure the round trip."""
        self._last_sr = report.ntp_time >> 16 & 0xFFFFFFFF
        self._last_sr_at = now

    def report(self, source: Statistics | None, now: float, utc: float, timestamp: int) -> bytes:
        """Return a compound; ``timestamp`` is the media clock at ``utc``."""
        blocks = () if source is None or not source.sequence.is_valid else (self._block(source, now),)
        first: SenderReport | ReceiverReport
        if self._packets > self._reported:
            first = SenderReport(
                self.ssrc,
                ntp_time(utc),
                timestamp & 0xFFFFFFFF,
                self._packets & 0xFFFFFFFF,
                self._octets & 0xFFFFFFFF,
                blocks,
            )
        else:
            first = ReceiverReport(self.ssrc, blocks)
        self._reported = self._packets
        return to_bytes((first, SourceDescription((SdesChunk(self.ssrc, ((1, self._cname),)),))))

    def _block(self, source: Statistics, now: float) -> ReportBlock:
        expected, lost = source.sequence.interval()
        fraction = min(max(0, lost) * 256 // expected, 255) if expected > 0 else 0
        delay = min(int((now - self._last_sr_at) * 65536), 0xFFFFFFFF) if self._last_sr else 0
        return ReportBlock(
            source.ssrc,
            fraction,
            max(-0x800000, min(source.sequence.lost, 0x7FFFFF)),
            source.sequence.highest & 0xFFFFFFFF,
            source.jitter & 0xFFFFFFFF,
            self._last_sr,
            delay,
        )
