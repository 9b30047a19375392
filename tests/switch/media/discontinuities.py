"""Streams that break off and go on elsewhere, as THREATS A8 lists them: packets, and when they come."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

FRAME = 0.02
BEFORE, AFTER = 60, 150  # packets of each story
WITHIN = 50  # packets after which sound must be back
SHUFFLED = 25  # packets of 500 ms


class Packet(NamedTuple):
    """One packet: when it comes, and what its header says; ``frame`` of the sound is in it."""

    at: float
    number: int
    timestamp: int  # in frames
    ssrc: int
    frame: int


def _moved(number: int = 0, frames: int = 0, ssrc: int = 0) -> Callable[[int], list[Packet]]:
    """From a packet on everything is elsewhere."""

    def story(first: int) -> list[Packet]:
        packets = []
        for i in range(BEFORE + AFTER):
            by = i >= BEFORE
            header = first + i + by * number, first + i + by * frames, 7 + by * ssrc
            packets.append(Packet(i * FRAME, *header, i))
        return packets

    return story


def _lossy(first: int) -> list[Packet]:
    """A fifth is lost; the last ones are not, so that there is an end to be heard."""
    chance = random.Random(8)
    kept = [one for one in _moved()(first) if not BEFORE < one.frame < BEFORE + 100 or chance.random() >= 0.2]
    assert len(kept) < BEFORE + AFTER - 10
    return kept


def _shuffled(first: int) -> list[Packet]:
    """500 ms come in any order, at the pace of the others."""
    chance = random.Random(8)
    packets = _moved()(first)
    part = packets[BEFORE : BEFORE + SHUFFLED]
    chance.shuffle(part)
    packets[BEFORE : BEFORE + SHUFFLED] = part
    return [one._replace(at=i * FRAME) for i, one in enumerate(packets)]


def _held_up(first: int) -> list[Packet]:
    """500 ms come late and all at once."""
    end = (BEFORE + SHUFFLED) * FRAME
    return [one._replace(at=max(one.at, end)) if one.frame >= BEFORE else one for one in _moved()(first)]


STORIES: dict[str, Callable[[int], list[Packet]]] = {
    **{f"numbers by {by}": _moved(number=by) for by in (1000, -1000, 32768, -32768, 5000)},
    **{f"both by {by}": _moved(number=by, frames=by) for by in (1000, -1000, 32768, -32768)},
    "time by 30 s": _moved(frames=1500),
    "time back by 30 s": _moved(frames=-1500),
    "time anywhere": _moved(frames=10_000_000),
    "another source": _moved(ssrc=1),
    "another source anywhere": _moved(number=-20_000, frames=7_000_000, ssrc=1),
    "a fifth is lost": _lossy,
    "500 ms shuffled": _shuffled,
    "500 ms held up": _held_up,
}


def endless(rounds: int) -> Iterator[Packet]:
    """All stories in a row, again and again, each as another source's."""
    at, ssrc, chance = 0.0, 100, random.Random(88)
    for _ in range(rounds):
        for story in STORIES.values():
            for one in story(chance.randrange(65536)):
                yield one._replace(at=at + one.at, ssrc=ssrc + one.ssrc)
            at, ssrc = at + (BEFORE + AFTER) * FRAME, ssrc + 100
