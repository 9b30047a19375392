"""What a call's media did, for its record and for whoever looks at it."""

from __future__ import annotations

from typing import NamedTuple

from switchroom.switch.store import Direction

from .quality.judgement import Quality, judge
from .stream import Counters, Detail


class StreamReport(NamedTuple):
    """What came from one leg in one m-line."""

    leg: int  # in the order in which the session's legs were made
    line: int
    kind: str
    codec: str  # "" when there is none (T.38)
    counters: Counters
    security: str = ""  # how it is protected: SDES or DTLS and the suite; "": in the clear
    detail: Detail = Detail()
    quality: Quality | None = None  # of sound that came


class MediaReport(NamedTuple):
    """All streams, and the two directions summed up; ``a`` is what the first leg sent."""

    codecs: tuple[str, ...] = ()
    a: Direction = Direction()
    b: Direction = Direction()
    streams: tuple[StreamReport, ...] = ()
    troubles: tuple[str, ...] = ()  # who was not heard, and why


def with_quality(streams: list[StreamReport]) -> list[StreamReport]:
    """Judge what came from each leg by the round trips of both."""
    trips = {
        one.leg: one.detail.heard.round_trip for one in streams if one.detail.heard.round_trip is not None
    }
    judged = []
    for one in streams:
        if one.kind == "audio" and one.detail.ssrc:
            other = next((trip for leg, trip in trips.items() if leg != one.leg), None)
            one = one._replace(quality=judge(one.codec, one.detail, one.counters.jitter_ms, other))
        judged.append(one)
    return judged


def sum_up(streams: list[StreamReport], leg: int) -> Direction:
    """One leg's streams together; jitter, opinion, round trip and protection are those of the worst."""
    packets = size = lost = 0
    jitter_ms = opinion = round_trip_ms = 0.0
    for stream in streams:
        if stream.leg == leg and (counters := stream.counters).packets:
            packets += counters.packets
            size += counters.size
            lost += max(0, counters.lost)
            jitter_ms = max(jitter_ms, counters.jitter_ms)
            if (quality := stream.quality) is not None:
                opinion = min(opinion or 5.0, quality.mos)
                round_trip_ms = max(round_trip_ms, quality.round_trip_ms or 0.0)
    secured = min([stream.security for stream in streams if stream.leg == leg], key=bool, default="")
    if not packets and not secured:
        return _SILENCE
    return Direction(packets, size, lost, round(jitter_ms, 3), opinion, round_trip_ms, secured)


_SILENCE = Direction()
