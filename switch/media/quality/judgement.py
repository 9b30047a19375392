"""What a stream is worth to whoever hears it, from its counters and the round trips of both legs."""

from __future__ import annotations

from typing import NamedTuple

from switchroom.switch.media.stream import Detail

from .bursts import Bursts, bursts_of
from .emodel import mos, r_factor

PACKET_MS = 20.0  # what hardly anybody differs from
_BUFFER_MS = 40.0  # of the telephone that hears it, at least
_JITTERS = 2.0  # that a buffer waits for


class Quality(NamedTuple):
    """How what came from one leg sounds on the other, as far as the switch can know."""

    mos: float
    rating: float  # R of the E-model
    loss: float  # share
    bursts: Bursts
    delay_ms: float  # from mouth to ear; what was not measured counts as nothing
    round_trip_ms: float | None  # to the leg that speaks, and back
    remote_mos: float | None  # what that leg thinks of what it hears itself


def judge(codec: str, detail: Detail, jitter_ms: float, other_trip: float | None) -> Quality:
    """``other_trip``: the round trip in seconds to the leg that hears it."""
    own_trip = detail.heard.round_trip
    bursts = bursts_of(detail.runs, PACKET_MS)
    loss = 1 - detail.counted / detail.expected if detail.expected > detail.counted else 0.0
    way = ((own_trip or 0.0) + (other_trip or 0.0)) / 2 * 1000
    delay = way + PACKET_MS + max(_BUFFER_MS, _JITTERS * jitter_ms)
    rating = r_factor(codec, loss, bursts.ratio, delay)
    remote = detail.heard.mos
    return Quality(
        round(mos(rating), 2),
        round(rating, 1),
        loss,
        bursts,
        delay,
        None if own_trip is None else round(own_trip * 1000, 1),
        None if remote is None or remote > 50 else remote / 10,
    )
