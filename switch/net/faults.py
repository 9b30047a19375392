"""Faults of our own: whatever the engine or its owner raises, the other calls go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

from .clock import Clock
from .limits import Bucket, NetCounters
from .watchdog import Log

_LINES_RATE = 1.0  # log lines a second, whatever flood we stumble over
_LINES_BURST = 10.0

P = ParamSpec("P")


class Faults:
    """Runs the engine and its owner; logs what they raise, but not too often."""

    def __init__(self, log: Log, clock: Clock, counters: NetCounters) -> None:
        self._log = log
        self._now = clock.now
        self._counters = counters
        self._lines = Bucket(_LINES_BURST, clock.now())
        self._unlogged = 0

    def run(self, call: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Call; what it raises is noted."""
        try:
            call(*args, **kwargs)
        except Exception:  # noqa: BLE001 - whatever it is, the other calls go on
            self.note()

    def note(self) -> None:
        """Count and log the exception that is being handled."""
        self._counters.faults += 1
        if self._lines.take(_LINES_RATE, _LINES_BURST, self._now()):
            self._log.exception("net.fault", unlogged=self._unlogged)
            self._unlogged = 0
        else:
            self._unlogged += 1
