"""What goes into the jitter buffer and comes out: times in seconds, durations in ticks of the RTP clock."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

__all__ = ["SLOTS", "Action", "Arrival", "Decision", "JitterConfig", "JitterStatistics"]

SLOTS: Final = 256  # packets held at most; one's slot is its extended sequence number modulo this
MAX_SECONDS: Final = 5.0  # of delay, as configured


class Arrival(IntEnum):
    """What became of a packet that came."""

    STORED = 0
    DUPLICATE = 1
    LATE = 2
    SUSPECT = 3  # another source or a jump; the next one of its kind is believed


class Action(IntEnum):
    """What to play now."""

    PLAY = 0  # the packet in ``slot``
    CONCEAL = 1  # something is missing
    NOISE = 2  # the sender pauses: comfort noise
    WAIT = 3  # nothing came yet


@dataclass(frozen=True, slots=True)
class JitterConfig:
    """Sizes in ticks of the RTP clock, times in seconds."""

    clock_rate: int = 8000
    frame: int = 160  # how much is asked for at each tick of the play-out
    initial_delay: float = 0.02
    min_delay: float = 0.0
    max_delay: float = 0.5
    late_loss: float = 0.03  # share of packets that may come too late to be played, at most
    late_cost: float = 0.006  # seconds of delay worth bearing to save one packet in a hundred
    memory: int = 500  # packets; older ones are forgotten (by a factor of e)
    hold: float = 0.06  # how long to wait for a late packet with the stream halted before skipping it
    is_fixed: bool = False  # fax, modems: ``initial_delay``, at most ``hold`` more; nothing is stretched

    def __post_init__(self) -> None:
        for name, least, most in (
            ("clock_rate", 1000, 192_000),
            ("frame", 1, 192_000),
            ("initial_delay", 0.0, MAX_SECONDS),
            ("min_delay", 0.0, MAX_SECONDS),
            ("max_delay", self.min_delay, MAX_SECONDS),
            ("late_loss", 0.0, 0.5),
            ("late_cost", 0.0, 0.5),
            ("memory", 10, 10_000),
            ("hold", 0.0, MAX_SECONDS),
        ):
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}, not between {least} and {most}")


@dataclass(frozen=True, slots=True)
class Decision:
    """What to play: ``duration`` ticks, of which the stream's own clock advances by none when ``is_held``."""

    action: Action
    slot: int = -1  # PLAY: where the packet is; CONCEAL: where the one after the missing one is, else -1
    timestamp: int = 0  # the packet's own
    duration: int = 0
    stretch: int = 0  # ticks to make longer (> 0) or shorter (< 0) by, as far as the sound allows
    is_held: bool = False


@dataclass(slots=True)
class JitterStatistics:
    """Counts of packets and, from ``concealed`` on, ticks."""

    received: int = 0
    played: int = 0
    late: int = 0  # came, but after its time
    lost: int = 0  # skipped; it may still come late
    duplicate: int = 0
    suspect: int = 0
    discarded: int = 0  # to keep the delay or the memory within bounds
    resyncs: int = 0  # other sources, jumps of the timestamp
    concealed: int = 0
    paused: int = 0
    stretched: int = 0
    shrunk: int = 0
    current_delay: int = 0  # beyond the fastest packet of the last seconds
    target_delay: int = 0
    jitter: int = 0  # RFC 3550 A.8
