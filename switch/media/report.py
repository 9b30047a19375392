"""What a call's media did, for its record and for whoever looks at it."""

from __future__ import annotations

from switchroom.switch.store import Direction

from .quality.judgement import Quality, judge
from .stream import NOTHING_CAME, NOTHING_HEARD, Counters, Detail


class StreamReport:
    """What came from one leg in one m-line."""

    __slots__ = ("codec", "counters", "detail", "kind", "leg", "line", "quality", "security")

    def __init__(
        self, leg: int, line: int, kind: str, codec: str, counters: Counters, security: str, detail: Detail
    ) -> None:
        self.leg = leg  # in the order in which the session's legs were made
        self.line = line
        self.kind = kind
        self.codec = codec  # "" when there is none (T.38)
        self.counters = counters
        self.security = security  # how it is protected: SDES or DTLS and the suite; "": in the clear
        self.detail = detail
        self.quality: Quality | None = None  # of sound that came


class MediaReport:
    """All streams, and the two directions summed up; ``a`` is what the first leg sent."""

    __slots__ = ("a", "b", "codecs", "streams", "troubles")

    def __init__(
        self,
        codecs: tuple[str, ...],
        a: Direction,
        b: Direction,
        streams: tuple[StreamReport, ...],
        troubles: tuple[str, ...],
    ) -> None:
        self.codecs = codecs
        self.a = a
        self.b = b
        self.streams = streams
        self.troubles = troubles  # who was not heard, and why


def judge_sound(streams: list[StreamReport]) -> None:
    """Judge what came from each leg by the round trips of both."""
    for one in streams:
        if one.detail is not NOTHING_HEARD and one.kind == "audio" and one.detail.ssrc:
            trip = _round_trip_without(streams, one.leg)
            one.quality = judge(one.codec, one.detail, one.counters.jitter_ms, trip)


def _round_trip_without(streams: list[StreamReport], leg: int) -> float | None:
    """Of another leg."""
    found = None
    for one in streams:
        if one.leg != leg and one.detail.heard.round_trip is not None:
            found = one.detail.heard.round_trip
    return found


def sum_up(streams: list[StreamReport], leg: int) -> Direction:
    """One leg's streams together; jitter, opinion, round trip and protection are those of the worst."""
    packets = size = lost = 0
    jitter_ms = opinion = round_trip_ms = 0.0
    secured: str | None = None
    for stream in streams:
        if stream.leg != leg:
            continue
        if secured is None or not stream.security:
            secured = stream.security
        counters = stream.counters
        if counters is not NOTHING_CAME and counters.packets:
            packets += counters.packets
            size += counters.size
            lost += max(0, counters.lost)
            jitter_ms = max(jitter_ms, counters.jitter_ms)
            if stream.quality is not None:
                opinion = min(opinion or 5.0, stream.quality.mos)
                round_trip_ms = max(round_trip_ms, stream.quality.round_trip_ms or 0.0)
    if not packets and not secured:
        return _SILENCE
    return Direction(packets, size, lost, round(jitter_ms, 3), opinion, round_trip_ms, secured or "")


_SILENCE = Direction()
