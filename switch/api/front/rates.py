"""How often somebody may ask: buckets that fill with time, for those who asked last."""

from __future__ import annotations

from collections import OrderedDict

_MAX_BUCKETS = 20_000


class Rates:
    """One bucket for each name; whoever was not seen for long has a full one."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what is in it, when

    def take(self, name: str, now: float) -> float:
        """Take one; 0: it is allowed, else the seconds until the next one is."""
        level = self._level(name, now)
        if level >= 1.0:
            self._keep(name, level - 1.0, now)
            return 0.0
        return (1.0 - level) / self.rate

    def is_empty(self, name: str, now: float) -> bool:
        """Whether nothing is left; nothing is taken."""
        return self._level(name, now) < 1.0

    def _level(self, name: str, now: float) -> float:
        level, at = self._buckets.get(name, (self.burst, now))
        return min(self.burst, level + (now - at) * self.rate)

    def _keep(self, name: str, level: float, now: float) -> None:
        self._buckets[name] = (level, now)
        self._buckets.move_to_end(name)
        if len(self._buckets) > _MAX_BUCKETS:
            self._buckets.popitem(last=False)
