"""The timers of RFC 3261 §17 (table 4), RFC 6026 and the bounds we add, in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timers:
    """T1, T2 and T4, and what is derived from them."""

    t1: float = 0.5  # estimate of the round trip
    t2: float = 4.0  # longest interval between retransmissions
    t4: float = 5.0  # longest life of a message in the network
    c: float = 180.0  # INVITE without news since the last provisional response (RFC 3261 §16.6.11)
    invite_lifetime: float = 3600.0  # INVITE without a final answer, however often the phone says 180
    ring_interval: float = 60.0  # a provisional response is repeated (RFC 3261 §13.3.1.1)

    def __post_init__(self) -> None:
        if not 0 < self.t1 <= self.t2 or min(self.t4, self.c, self.invite_lifetime, self.ring_interval) <= 0:
            raise ValueError("timers must be positive, and T1 not longer than T2")

    @property
    def timeout(self) -> float:
        """64*T1: timers B, D, F, H, J, L and M."""
        return 64 * self.t1

    @property
    def d(self) -> float:
        """Timer D: at least 32 s, for the T1 that the other end sends by is not ours (§17.1.1.2)."""
        return max(32.0, 64 * self.t1)
