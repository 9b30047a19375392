"""Packets as networks bring them, by seed, and a play-out in 20 ms ticks that notes what is heard of them."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from switchroom.protocols.rtp.jitter import Action, Decision, JitterBuffer, JitterConfig

RATE = 8000
FRAME = 160  # ticks of each packet
TICK = FRAME / RATE
FIRST_NUMBER = 65_000  # wraps after a few seconds
FIRST_TIMESTAMP = (1 << 32) - 40 * FRAME


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet of a trace; ``arrives_at`` in seconds."""

    index: int
    arrives_at: float
    sent_at: float

    @property
    def sequence_number(self) -> int:
        return (FIRST_NUMBER + self.index) % 65536

    @property
    def timestamp(self) -> int:
        return (FIRST_TIMESTAMP + self.index * FRAME) % (1 << 32)


def trace(delays: Iterable[float | None], ppm: float = 0) -> list[Sent]:
    """Packets sent each 20 ms of a clock that is ``ppm`` fast, in the order of arrival; None is lost."""
    packets = []
    for index, delay in enumerate(delays):
        if delay is not None:
            sent_at = index * TICK / (1 + ppm * 1e-6)
            packets.append(Sent(index, sent_at + delay, sent_at))
    return sorted(packets, key=lambda packet: packet.arrives_at)


def constant(count: int) -> list[float | None]:
    return [0.05] * count


def gaussian(count: int, deviation: float = 0.01, seed: int = 1) -> list[float | None]:
    chance = random.Random(seed)
    return [0.05 + abs(chance.gauss(0, deviation)) for _ in range(count)]


def bursty(count: int, seed: int = 2) -> list[float | None]:
    """A link that stands still now and then and then gives out all it held, in order."""
    chance = random.Random(seed)
    delays: list[float | None] = []
    held_until = 0.0
    for index in range(count):
        sent_at = index * TICK
        if chance.random() < 0.02:
            held_until = sent_at + chance.uniform(0.03, 0.12)
        delays.append(0.03 + max(held_until - sent_at, 0.0))
    return delays


def handover(count: int) -> list[float | None]:
    """In the middle 300 ms in which nothing comes, then all at once, and 40 ms longer from there on."""
    middle = count // 2 * TICK
    delays: list[float | None] = []
    for index in range(count):
        sent_at = index * TICK
        late = max(middle + 0.3 - sent_at, 0.0) if sent_at >= middle else 0.0
        delays.append(0.04 + max(late, 0.04 if sent_at >= middle else 0.0))
    return delays


def lossy(count: int, share: float = 0.1, seed: int = 3) -> list[float | None]:
    chance = random.Random(seed)
    return [None if chance.random() < share else 0.04 for _ in range(count)]


@dataclass(slots=True)
class Heard:
    """What the ear got: indices played, the delay of each from sending to the ear, the decisions."""

    buffer: JitterBuffer
    played: list[int] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    most_waiting: int = 0
    concealed: int = 0  # ticks, until the last packet came
    moved: int = 0  # milliseconds by which ticks were moved, all together

    @property
    def mean_delay(self) -> float:
        return sum(self.delays) / len(self.delays)

    def loss(self, count: int) -> float:
        return 1 - len(set(self.played)) / count


def play(
    packets: list[Sent],
    config: JitterConfig | None = None,
    *,
    can_stretch: bool = True,
    can_move: bool = False,
    begins_at: float = 0.013,  # not in step with the sender
) -> Heard:
    """Play a trace; a stretch is done in steps of at most 5 ms a frame, as by waveform.

    Ticks that can move do so by 1 ms a frame, as those of the media engine.
    """
    buffer = JitterBuffer(config or JitterConfig())
    buffer.is_followed = can_move
    heard, slots = Heard(buffer), dict[int, Sent]()
    end = packets[-1].arrives_at + 1.0
    buffered, now, coming = 0, begins_at, iter(packets)
    packet = next(coming, None)
    while now < end:
        while packet is not None and packet.arrives_at <= now:
            _, slot = buffer.put(packet.sequence_number, packet.timestamp, 7, FRAME, packet.arrives_at)
            if slot >= 0:
                slots[slot] = packet
            packet = next(coming, None)
            heard.concealed = buffer.statistics.concealed
        heard.most_waiting = max(heard.most_waiting, buffer.waiting)
        while buffered < FRAME:
            decision = buffer.get(now, buffered)
            heard.decisions.append(decision)
            if decision.action is Action.PLAY:
                one = slots[decision.slot]
                assert one.timestamp == decision.timestamp
                heard.played.append(one.index)
                heard.delays.append(now + buffered / RATE - one.sent_at)
            stretch = max(-40, min(40, decision.stretch)) if can_stretch else 0
            buffer.stretched(stretch)
            buffered += decision.duration + stretch
        buffered -= FRAME
        moved = max(-1, min(1, int(buffer.offset * 1000 / RATE))) if can_move else 0
        heard.moved += abs(moved)
        now += TICK + moved / 1000
    return heard
