"""RTCP of our own: for sound that is converted, and for a telephone that sends none; RFC 3550 §6, 3611."""

from __future__ import annotations

import secrets

from switchroom.protocols import rtcp
from switchroom.switch.media.stream import Detail

from .judgement import Quality

REPORT_INTERVAL = 5.0


class Spoken:
    """What a leg is sent, as a sender report tells it."""

    __slots__ = ("clock_rate", "octets", "packets", "spoken_at", "ssrc", "timestamp")

    def __init__(
        self, ssrc: int, timestamp: int, spoken_at: float | None, clock_rate: int, packets: int, octets: int
    ) -> None:
        self.ssrc = ssrc
        self.timestamp = timestamp
        self.spoken_at = spoken_at
        self.clock_rate = clock_rate
        self.packets = packets
        self.octets = octets

    def timestamp_at(self, now: float) -> int:
        """The clock of the medium goes on where the last packet was."""
        assert self.spoken_at is not None
        return self.timestamp + round((now - self.spoken_at) * self.clock_rate) & 0xFFFFFFFF


class Reporter:
    """Our reports to one leg, about what it sends and what it is sent."""

    __slots__ = ("_cname", "_counted", "_expected", "_packets", "ssrc")

    def __init__(self) -> None:
        self.ssrc = 0  # the last one; 0: nothing was reported
        self._cname = secrets.token_urlsafe(12).encode()  # RFC 7022: tells nothing
        self._expected = self._counted = self._packets = 0

    def report(self, heard: Detail, spoken: Spoken, now: float, utc: float, quality: Quality | None) -> bytes:
        """A compound: how it is received, what it was sent, and how it sounds if it wants to know."""
        self.ssrc = spoken.ssrc or self.ssrc or secrets.randbits(32)
        blocks = (self._block(heard, now),) if heard.ssrc else ()
        first: rtcp.Packet
        if spoken.spoken_at is not None and spoken.packets > self._packets:
            first = rtcp.SenderReport(
                self.ssrc,
                rtcp.ntp_time(utc),
                spoken.timestamp_at(now),
                spoken.packets & 0xFFFFFFFF,
                spoken.octets & 0xFFFFFFFF,
                blocks,
            )
        else:
            first = rtcp.ReceiverReport(self.ssrc, blocks)
        self._packets = spoken.packets
        packets: list[rtcp.Packet] = [first, self._description()]
        if quality is not None and heard.ssrc:
            packets.append(rtcp.ExtendedReport(self.ssrc, (_metrics(heard, quality),)).to_packet())
        return rtcp.to_bytes(packets)

    def farewell(self) -> bytes:
        """The call is over; §6.6."""
        return rtcp.to_bytes((rtcp.ReceiverReport(self.ssrc), self._description(), rtcp.Bye((self.ssrc,))))

    def _description(self) -> rtcp.SourceDescription:
        return rtcp.SourceDescription((rtcp.SdesChunk(self.ssrc, ((1, self._cname),)),))

    def _block(self, heard: Detail, now: float) -> rtcp.ReportBlock:
        expected, counted = heard.expected - self._expected, heard.counted - self._counted
        self._expected, self._counted = heard.expected, heard.counted
        fraction = min((expected - counted) * 256 // expected, 255) if expected > counted else 0
        sender_at = heard.heard.sender_at
        waited = 0 if sender_at is None else min(round((now - sender_at) * 65536), 0xFFFFFFFF)
        return rtcp.ReportBlock(
            heard.ssrc,
            fraction,
            max(-0x800000, min(heard.expected - heard.counted, 0x7FFFFF)),
            heard.highest - 65536 & 0xFFFFFFFF,  # the engine counts from one cycle on
            heard.jitter & 0xFFFFFFFF,
            heard.heard.sender_middle,
            max(0, waited),
        )


def _metrics(heard: Detail, quality: Quality) -> rtcp.VoipMetrics:
    bursts = quality.bursts
    trip = quality.round_trip_ms
    rating = min(round(quality.rating), 100)
    opinion = round(quality.mos * 10)
    return rtcp.VoipMetrics(
        heard.ssrc,
        loss_rate=min(round(quality.loss * 256), 255),
        burst_density=min(round(bursts.burst_density * 256), 255),
        gap_density=min(round(bursts.gap_density * 256), 255),
        burst_duration=min(round(bursts.burst_ms), 65535),
        gap_duration=min(round(bursts.gap_ms), 65535),
        round_trip_delay=0 if trip is None else min(round(trip), 65535),
        r_factor=rating,
        mos_lq=opinion,
        mos_cq=opinion,
    )
