"""Losses as a listener hears them: bursts, and gaps between them; RFC 3611 §4.7.2 and A.2."""

from __future__ import annotations

from typing import NamedTuple

from switchroom.switch.media.stream import Runs


class Bursts(NamedTuple):
    """Densities are shares of packets lost, durations in ms; ratio: 1 for losses at random (G.107 §7.5)."""

    burst_density: float = 0.0
    gap_density: float = 0.0
    burst_ms: float = 0.0
    gap_ms: float = 0.0
    ratio: float = 1.0


def bursts_of(runs: Runs, packet_ms: float) -> Bursts:
    """What the counts of transitions say; a stream without a burst is one gap."""
    c11, c13, c14, c22, c23, c33 = runs
    total = c11 + c14 + 2 * c13 + c22 + 2 * c23 + c33
    lost = c14 + c13 + c23 + c33
    gap_density = c14 / (c11 + c14) if c11 + c14 else 0.0
    if not c13:
        return Bursts(0.0, gap_density, 0.0, total * packet_ms, _ratio(c33, lost, total))
    p23 = c23 / (c22 + c23) if c22 + c23 else 1.0
    leaving = c13 + c23 + c33
    p32 = c23 / leaving if leaving else 0.0
    gap_ms = (c11 + c14 + c13) * packet_ms / c13
    return Bursts(
        p23 / (p23 + p32),
        gap_density,
        max(0.0, total * packet_ms / c13 - gap_ms),
        gap_ms,
        _ratio(c33, lost, total),
    )


def _ratio(c33: int, lost: int, total: int) -> float:
    """How much longer runs of losses are than those of the same share at random."""
    runs = lost - c33
    if not runs or lost >= total:
        return 1.0
    return max(1.0, lost / runs * (1 - lost / total))
