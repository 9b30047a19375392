"""Watches how late the event loop is: something that blocks it blocks every call."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable
from typing import Protocol

from .clock import Clock

LAG_BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # seconds; the last bucket is open


class Log(Protocol):
    """What net needs of a logger; structlog's have it."""

    def info(self, event: str, /, **fields: object) -> object: ...
    def warning(self, event: str, /, **fields: object) -> object: ...
    def exception(self, event: str, /, **fields: object) -> object: ...


class Watchdog:
    """Asks to be woken every ``interval`` and counts how much later it was."""

    def __init__(
        self,
        log: Log,
        *,
        clock: Clock,
        interval: float = 0.1,
        threshold: float = 0.05,
        on_lag: Callable[[float, float], object] | None = None,
    ) -> None:
        self._log = log
        self._on_lag = on_lag  # told each lag, and when it was seen
        self._clock = clock
        self._interval = interval
        self._threshold = threshold
        self._expected_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.max_lag = 0.0
        self.lag_sum = 0.0
        self.counts = [0] * (len(LAG_BOUNDS) + 1)

    def start(self) -> None:
        """Begin to watch the running loop."""
        self._arm(asyncio.get_running_loop())

    def stop(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def quantile(self, share: float) -> float:
        """Return the bound below which that share of the lags was; the maximum when beyond all."""
        rest = share * sum(self.counts)
        for bound, count in zip(LAG_BOUNDS, self.counts, strict=False):
            rest -= count
            if rest <= 0:
                return bound
        return self.max_lag

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        self._expected_at = self._clock.now() + self._interval
        self._timer = loop.call_later(self._interval, self._on_tick, loop)

    def _on_tick(self, loop: asyncio.AbstractEventLoop) -> None:
        lag = max(self._clock.now() - self._expected_at, 0.0)
        self.counts[bisect_left(LAG_BOUNDS, lag)] += 1
        self.lag_sum += lag
        self.max_lag = max(self.max_lag, lag)
        if self._on_lag is not None:
            self._on_lag(lag, self._clock.now())
        if lag > self._threshold:
            self._log.warning("net.loop_lag", lag_ms=round(lag * 1000, 1))  # at most one line an interval
        self._arm(loop)
