"""How late packets come: a histogram of their transit times that forgets, and the play-out delay it asks for.

Transit is arrival minus timestamp, both in ticks of the RTP clock, of an unknown but steady offset. All is
done in integers: the same trace gives the same answers on every machine.
"""

from __future__ import annotations

__all__ = ["DelayHistogram"]

_BINS = 1024
_ONE = 1 << 16  # weight of the first packet; each next one weighs a little more: so old ones are forgotten
_HEAVY = 1 << 32
_LOSS_ONE = 1 << 12  # shares as integers
_WINDOW = 4  # seconds after which the earliest packet is forgotten, at most twice as much
_PRIOR = 3  # packets that the initial guess counts for


class DelayHistogram:
    """Transit times of one stream; ``base`` is the shortest lately, ``mean`` a running average."""

    __slots__ = (
        "_bins",
        "_earlier",
        "_late_cost",
        "_late_loss",
        "_lowest",
        "_memory",
        "_origin",
        "_top",
        "_total",
        "_turn_at",
        "_weight",
        "_width",
        "_window",
        "is_empty",
        "mean",
    )

    def __init__(self, clock_rate: int, *, late_loss: float, late_cost: float, memory: int) -> None:
        """At most the share ``late_loss`` comes late; ``late_cost`` seconds are worth one in a hundred.

        ``memory`` is the number of packets after which one counts 1/e of what the newest does.
        """
        self._width = max(clock_rate // 1000, 1)  # 1 ms
        self._window = _WINDOW * clock_rate
        self._late_loss = int(late_loss * _LOSS_ONE)
        self._late_cost = int(late_cost * 100 * 1000)  # bins of delay worth all packets
        self._memory = memory
        self._bins = [0] * _BINS
        self._origin = 0  # transit of the first bin's lower edge, in bins
        self._weight, self._total = _ONE, 0
        self._lowest = self._earlier = 0
        self._top = 0
        self._turn_at = 0
        self.mean = 0
        self.is_empty = True

    @property
    def base(self) -> int:
        """The shortest transit lately."""
        return min(self._lowest, self._earlier)

    def add(self, transit: int, at: int, guess: int) -> None:
        """Count a packet's transit, seen ``at``; the play-out starts ``guess`` ticks above the first."""
        if self.is_empty:
            self._start(transit, at, guess)
        if at >= self._turn_at:
            self._earlier, self._lowest = self._lowest, transit
            self._turn_at = at + self._window
            self._recentre()
        self._lowest = min(self._lowest, transit)
        self.mean += (transit - self.mean) // 16
        self._put(transit, self._weight)
        self._weight += self._weight // self._memory
        if self._weight > _HEAVY:
            self._lighten()

    def wanted(self) -> int:
        """The transit at which a little more delay costs as much as it saves in late packets, in ticks."""
        allowed = (self._total * self._late_loss) // _LOSS_ONE
        late, best, chosen = 0, -1, 0
        while self._top and not self._bins[self._top]:
            self._top -= 1
        for index in range(self._top, -1, -1):
            cost = index * self._total + self._late_cost * late
            if best < 0 or cost <= best:
                best, chosen = cost, index
            late += self._bins[index]
            if late > allowed:
                break
        return (self._origin + chosen + 1) * self._width

    def _start(self, transit: int, at: int, guess: int) -> None:
        self.is_empty = False
        self._origin = transit // self._width - _BINS // 4
        self._lowest = self._earlier = self.mean = transit
        self._turn_at = at + self._window
        self._put(transit + guess, _PRIOR * self._weight)

    def _put(self, transit: int, weight: int) -> None:
        index = transit // self._width - self._origin
        if index < 0:
            self._shift(index - _BINS // 4)
            index = transit // self._width - self._origin
        index = min(index, _BINS - 1)
        self._bins[index] += weight
        self._top = max(self._top, index)
        self._total += weight

    def _recentre(self) -> None:
        """Follow a clock that drifts, or a path that grew longer: the base goes to a quarter of the bins."""
        index = self.base // self._width - self._origin
        if index > _BINS // 2:
            self._shift(index - _BINS // 4)

    def _shift(self, count: int) -> None:
        """Move the first bin up by ``count``; what falls off at the ends is kept in the outermost bins."""
        old, self._bins = self._bins, [0] * _BINS
        for index, weight in enumerate(old):
            self._bins[min(max(index - count, 0), _BINS - 1)] += weight
        self._origin += count
        self._top = _BINS - 1

    def _lighten(self) -> None:
        self._bins = [weight >> 16 for weight in self._bins]
        self._weight >>= 16
        self._total = sum(self._bins)
