"""The timers of RFC 3261 §17 (table 4), RFC 6026 and the bounds we add, in seconds."""

from __future__ import annotations


class Timers:
    """T1, T2 and T4, and what is derived from them; it never changes."""

    __slots__ = ("c", "d", "invite_lifetime", "ring_interval", "t1", "t2", "t4", "timeout")

    def __init__(
        self,
        t1: float = 0.5,
        t2: float = 4.0,
        t4: float = 5.0,
        c: float = 180.0,
        invite_lifetime: float = 3600.0,
        ring_interval: float = 60.0,
    ) -> None:
        if not 0 < t1 <= t2 or min(t4, c, invite_lifetime, ring_interval) <= 0:
            raise ValueError("timers must be positive, and T1 not longer than T2")
        self.t1 = t1  # estimate of the round trip
        self.t2 = t2  # longest interval between retransmissions
        self.t4 = t4  # longest life of a message in the network
        self.c = c  # INVITE without news since the last provisional response (RFC 3261 §16.6.11)
        self.invite_lifetime = invite_lifetime  # INVITE without a final answer, however often it says 180
        self.ring_interval = ring_interval  # a provisional response is repeated (RFC 3261 §13.3.1.1)
        self.timeout = 64 * t1  # timers B, D, F, H, J, L and M
        # Timer D: at least 32 s, for the T1 that the other end sends by is not ours (§17.1.1.2)
        self.d = max(32.0, 64 * t1)
