"""The audio of one call: 20 ms packets out, packets in, digits both ways, reports about it."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from switchroom.codecs import CodecError, Decoder, Encoder, Samples
from switchroom.protocols import rtcp, rtp
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError
from switchroom.switch.net import Clock

from .agreement import Agreement
from .playout import Playout
from .sockets import RtpSockets
from .wav import WavWriter

__all__ = ["Audio", "AudioReport"]

RATE = 8000
PACKET_TIME = 0.02
PACKET_SAMPLES = 160
REPORT_INTERVAL = 5.0
MAX_BEHIND = 0.2  # seconds that the sender makes up for; beyond that it leaves a gap

_SILENCE = np.zeros(PACKET_SAMPLES, np.int16)


@dataclass(frozen=True, slots=True)
class AudioReport:
    """What went over the wire, for people and tests."""

    packets_sent: int
    packets_received: int
    lost: int
    jitter_ms: float
    malformed: int
    foreign: int  # from elsewhere than where media was agreed to come from
    round_trip_ms: float | None


class Audio:
    """One stream; nothing is sent before ``direct`` has said where to."""

    def __init__(
        self,
        host: str,
        clock: Clock,
        on_digit: Callable[[str], None],
        *,
        report_interval: float = REPORT_INTERVAL,
    ) -> None:
        self._clock = clock
        self._on_digit = on_digit
        self._report_interval = report_interval
        self._sockets = RtpSockets(host, self._receive_rtp, self._receive_rtcp)
        self.port = self._sockets.port
        self.is_held = False  # by us: nothing is sent
        self._agreement: Agreement | None = None
        self._encoder: Encoder | None = None
        self._decoders: dict[str, Decoder] = {}  # by the name of the codec
        self._source: tuple[str, int] | None = None  # the only one that is listened to
        self._ssrc = secrets.randbits(32)
        self._number = secrets.randbits(16)
        self._timestamp = secrets.randbits(32)
        self._is_talk_start = True
        self._packets_sent = 0
        self._playing: Samples = _SILENCE[:0]
        self._played: asyncio.Future[None] | None = None
        self._digits = rtp.DigitSender(clock_rate=RATE)
        self._dialled: deque[asyncio.Future[None]] = deque()
        self._reporter = rtcp.Reporter(self._ssrc, secrets.token_hex(8))
        self._digit_receiver = rtp.DigitReceiver(clock_rate=RATE)
        self._statistics: rtp.Statistics | None = None
        self._lost_before = 0  # by sources before the present one
        self._received_before = 0
        self._malformed = 0
        self._foreign = 0
        self._round_trip: float | None = None
        self._playout = Playout(RATE)
        self._recorder: WavWriter | None = None
        self._task: asyncio.Task[None] | None = None

    def direct(self, agreement: Agreement) -> None:
        """Talk to where the descriptions say, from now on."""
        if self._agreement is None or agreement.remote != self._agreement.remote:
            self._source = None
        if self._agreement is None or agreement.codec != self._agreement.codec:
            self._encoder = agreement.codec.encoder()
        self._agreement = agreement
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def record(self, path: Path) -> None:
        """Write what is heard into a file."""
        self._recorder = WavWriter(path, RATE)

    async def play(self, samples: Samples) -> None:
        """Send samples; returns when the last one is out."""
        self._playing = samples
        self._played = asyncio.get_running_loop().create_future()
        await self._played

    async def send_digits(self, digits: str) -> None:
        """Send digits; returns when the last one is out."""
        if self._agreement is None or self._agreement.event_type is None:
            raise LocalProtocolError("the other end takes no digits (telephone-event was not agreed on)")
        self._digits.send(digits)
        sent = asyncio.get_running_loop().create_future()
        self._dialled.append(sent)
        await sent

    def close(self) -> AudioReport:
        """Stop, free the ports, finish the recording; whoever waits for the end of something goes on."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._sockets.close()
        for waiting in (self._played, *self._dialled):
            if waiting is not None:
                _finish(waiting)
        if self._recorder is not None:
            self._write(self._playout.flush(self._clock.now()))
            self._recorder.close()
            self._recorder = None
        return self.report()

    def report(self) -> AudioReport:
        """Return the counters."""
        statistics = self._statistics
        return AudioReport(
            packets_sent=self._packets_sent,
            packets_received=self._received_before + (statistics.packets_received if statistics else 0),
            lost=self._lost_before + (max(0, statistics.sequence.lost) if statistics else 0),
            jitter_ms=round(statistics.jitter_ms, 2) if statistics else 0.0,
            malformed=self._malformed,
            foreign=self._foreign,
            round_trip_ms=None if self._round_trip is None else round(1000 * self._round_trip, 1),
        )

    # -- out

    async def _run(self) -> None:
        next_at = self._clock.now()
        report_at = next_at + self._report_interval
        while True:
            now = self._clock.now()
            if now - next_at > MAX_BEHIND:
                missed = int((now - next_at) / PACKET_TIME)
                next_at += missed * PACKET_TIME
                self._timestamp = (self._timestamp + missed * PACKET_SAMPLES) & 0xFFFFFFFF
            while next_at <= now:
                self._send_packet()
                next_at += PACKET_TIME
            if now >= report_at:
                self._send_report(now)
                report_at += self._report_interval
            await asyncio.sleep(next_at - now)

    def _send_packet(self) -> None:
        """Send what the next 20 ms hold."""
        agreement = self._agreement
        assert agreement is not None
        assert self._encoder is not None
        timestamp, self._timestamp = self._timestamp, (self._timestamp + PACKET_SAMPLES) & 0xFFFFFFFF
        if self.is_held or not agreement.can_send:
            self._is_talk_start = True
            return
        if self._digits.is_sending and agreement.event_type is not None:
            self._send_digit(agreement, timestamp, agreement.event_type)
            return
        payload = self._encoder.encode(self._next_samples())
        self._send(agreement, agreement.payload_type, timestamp, payload, marker=self._is_talk_start)
        self._is_talk_start = False

    def _send_digit(self, agreement: Agreement, timestamp: int, payload_type: int) -> None:
        event = self._digits.next_packet(timestamp)
        if event is not None:
            self._send(agreement, payload_type, event.timestamp, event.payload, marker=event.marker)
        self._is_talk_start = True
        if not self._digits.is_sending:
            while self._dialled:
                _finish(self._dialled.popleft())

    def _send(
        self, agreement: Agreement, payload_type: int, timestamp: int, payload: bytes, *, marker: bool
    ) -> None:
        packet = rtp.Packet(payload_type, self._number, timestamp, self._ssrc, payload, marker)
        self._number = (self._number + 1) & 0xFFFF
        if self._sockets.send_rtp(bytes(packet), agreement.remote):
            self._packets_sent += 1
            self._reporter.sent(len(payload))

    def _next_samples(self) -> Samples:
        if self._played is None or self._played.done():
            return _SILENCE  # sent, too: it keeps the way through a NAT open
        samples, self._playing = self._playing[:PACKET_SAMPLES], self._playing[PACKET_SAMPLES:]
        if not len(self._playing):
            _finish(self._played)
        if len(samples) < PACKET_SAMPLES:
            samples = np.concatenate([samples, _SILENCE[len(samples) :]])
        return samples

    def _send_report(self, now: float) -> None:
        assert self._agreement is not None
        utc = self._clock.utc(now).timestamp()
        data = self._reporter.report(self._statistics, now, utc, self._timestamp)
        if not self.is_held and self._agreement.can_send:
            self._sockets.send_rtcp(data, self._agreement.remote_rtcp)

    # -- in

    def _receive_rtp(self, data: bytes, remote: tuple[str, int]) -> None:
        if self._agreement is None:
            return  # media ran ahead of the answer
        if not self._is_from_there(remote):
            self._foreign += 1
            return
        if rtp.is_rtcp(data):
            self._receive_rtcp(data, self._agreement.remote_rtcp)
            return
        try:
            self._receive_packet(rtp.Packet.parse(data), self._agreement, self._clock.now())
        except RemoteProtocolError:
            self._malformed += 1

    def _is_from_there(self, remote: tuple[str, int]) -> bool:
        """Listen to the signalled source, or else to the first one that speaks, and only to that."""
        assert self._agreement is not None
        if self._source is None or remote == self._agreement.remote:
            self._source = remote
        return remote == self._source

    def _receive_packet(self, packet: rtp.Packet, agreement: Agreement, now: float) -> None:
        codec = agreement.codecs.get(packet.payload_type)
        is_event = packet.payload_type in agreement.event_types
        if codec is None and not is_event:
            self._malformed += 1
            return
        self._count(packet, now)
        if not agreement.can_receive:
            return  # held: what is still under way is not listened to
        if is_event:
            received = self._digit_receiver.receive(packet)
            if received is not None:
                self._on_digit(received.digit)
        elif codec is not None and self._recorder is not None:
            decoder = self._decoders.get(codec.format.name) or codec.decoder()
            self._decoders[codec.format.name] = decoder
            try:
                samples = decoder.decode(packet.payload)
            except CodecError:
                self._malformed += 1
                return
            self._write(self._playout.push(packet.ssrc, packet.timestamp, samples, now))

    def _count(self, packet: rtp.Packet, now: float) -> None:
        statistics = self._statistics
        if statistics is None or statistics.ssrc != packet.ssrc:
            if statistics is not None:
                self._lost_before += max(0, statistics.sequence.lost)
                self._received_before += statistics.packets_received
                self._digit_receiver = rtp.DigitReceiver(clock_rate=RATE)
            statistics = self._statistics = rtp.Statistics(packet.ssrc, RATE)
        statistics.receive(packet, now)

    def _write(self, parts: list[Samples]) -> None:
        assert self._recorder is not None
        for samples in parts:
            self._recorder.write(samples)

    def _receive_rtcp(self, data: bytes, remote: tuple[str, int]) -> None:
        if self._agreement is None:
            return
        if remote[0] != self._agreement.remote_rtcp[0]:
            self._foreign += 1
            return
        now = self._clock.now()
        try:
            packets = rtcp.parse(data)
        except RemoteProtocolError:
            self._malformed += 1
            return
        for packet in packets:
            if isinstance(packet, rtcp.SenderReport):
                self._reporter.receive(packet, now)
            if isinstance(packet, rtcp.SenderReport | rtcp.ReceiverReport):
                self._take_reports(packet.reports, now)

    def _take_reports(self, reports: tuple[rtcp.ReportBlock, ...], now: float) -> None:
        for report in reports:
            if report.ssrc == self._ssrc:
                round_trip = rtcp.round_trip(report, self._clock.utc(now).timestamp())
                self._round_trip = self._round_trip if round_trip is None else round_trip


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
