"""What a receiver knows about one source: loss and interarrival jitter; RFC 3550 §6.4.1, A.3, A.8."""

from __future__ import annotations

from .packet import Packet
from .sequence import Sequence

__all__ = ["Statistics"]


class Statistics:
    """Counters of one incoming stream; ``now`` is the arrival time in seconds."""

    __slots__ = (
        "_jitter",
        "_transit",
        "bytes_received",
        "clock_rate",
        "packets_received",
        "received_at",
        "sequence",
        "ssrc",
    )

    def __init__(self, ssrc: int, clock_rate: int) -> None:
        self.ssrc = ssrc
        self.clock_rate = clock_rate
        self.sequence = Sequence()
        self.packets_received = 0
        self.bytes_received = 0  # of payload
        self.received_at: float | None = None
        self._transit: int | None = None
        self._jitter = 0.0

    @property
    def jitter(self) -> int:
        """Interarrival jitter in timestamp units, as reports carry it."""
        return int(self._jitter)

    @property
    def jitter_ms(self) -> float:
        return 1000 * self._jitter / self.clock_rate

    def receive(self, packet: Packet, now: float) -> bool:
        """Count a packet; False says that its sequence number is not (yet) to be believed."""
        self.packets_received += 1
        self.bytes_received += len(packet.payload)
        self.received_at = now
        self._measure(packet.timestamp, now)
        return self.sequence.update(packet.sequence_number)

    def _measure(self, timestamp: int, now: float) -> None:
        transit = (int(now * self.clock_rate) - timestamp) & 0xFFFFFFFF
        if self._transit is not None:
            difference = (transit - self._transit + 0x80000000 & 0xFFFFFFFF) - 0x80000000  # across the wrap
            self._jitter += (abs(difference) - self._jitter) / 16
        self._transit = transit
