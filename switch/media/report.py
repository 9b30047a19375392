"""What a call's media did, for its record and for whoever looks at it."""

from __future__ import annotations

from typing import NamedTuple

from switchroom.switch.store import Direction

from .stream import Counters


class StreamReport(NamedTuple):
    """What came from one leg in one m-line."""

    leg: int  # in the order in which the session's legs were made
    line: int
    kind: str
    codec: str  # "" when there is none (T.38)
    counters: Counters
    security: str = ""  # how it is protected: SDES or DTLS and the suite; "": in the clear


class MediaReport(NamedTuple):
    """All streams, and the two directions summed up; ``a`` is what the first leg sent."""

    codecs: tuple[str, ...] = ()
    a: Direction = Direction()
    b: Direction = Direction()
    streams: tuple[StreamReport, ...] = ()


def sum_up(streams: list[StreamReport], leg: int) -> Direction:
    """One leg's streams together; jitter is that of the worst."""
    packets = size = lost = 0
    jitter_ms = 0.0
    for stream in streams:
        if stream.leg == leg and (counters := stream.counters).packets:
            packets += counters.packets
            size += counters.size
            lost += max(0, counters.lost)
            jitter_ms = max(jitter_ms, counters.jitter_ms)
    return Direction(packets, size, lost, round(jitter_ms, 3)) if packets else _SILENCE


_SILENCE = Direction()
