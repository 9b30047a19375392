"""Times counted in buckets, for metrics."""

from __future__ import annotations

from bisect import bisect_left

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0, 86_400.0)


class Histogram:
    """How many were how long."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def add(self, seconds: float, count: int = 1) -> None:
        """Count one, or several that took the same."""
        self.counts[bisect_left(BOUNDS, seconds)] += count
        self.sum += seconds * count

    def buckets(self) -> list[tuple[str, float]]:
        """Counts up to each bound, as Prometheus wants them."""
        total, found = 0, []
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), self.counts, strict=True):
            total += count
            found.append((bound, float(total)))
        return found
