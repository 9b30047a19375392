"""All connections that speak SMPP: what they share, and the clock that looks after them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from switchroom.protocols import smpp
from switchroom.switch.config import SmppConfig
from switchroom.switch.net import Clock
from switchroom.switch.net.faults import Faults
from switchroom.switch.net.limits import NetCounters

from .addresses import Numbering
from .line import Line, LineCounters, LineLimits, Owner
from .passes import Passes

__all__ = ["Lines", "Log"]

_SWEEP_INTERVAL = 0.25
_DRAIN_INTERVAL = 0.02


class Log(Protocol):
    """What is needed of a logger."""

    def info(self, event: str, /, **values: object) -> object: ...
    def warning(self, event: str, /, **values: object) -> object: ...
    def exception(self, event: str, /, **values: object) -> object: ...


class Carrier(Protocol):
    """One that customers' questions can be passed on to."""

    @property
    def numbering(self) -> Numbering: ...
    def ask(self, request: smpp.Request, answered: Callable[[Any, float], None], now: float) -> bool:
        """``answered`` hears the response, or None; False: it cannot be asked now."""


class Lines:
    """Makes connections and calls them when something of theirs is due: no timer for each of them."""

    def __init__(self, config: SmppConfig, *, clock: Clock, log: Log) -> None:
        self.config = config
        self.clock, self.log = clock, log
        self.counters = LineCounters()
        self.faults = Faults(log, clock, NetCounters())
        self.on_sweep: list[Callable[[float], None]] = []
        self.on_alert: Callable[[str], None] = lambda whom: None  # a carrier's alert_notification
        self.carrier_of: Callable[[str], Carrier | None] = lambda way: None
        self._lines: set[Line] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._passes = Passes(clock.now, self.faults)

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[Line]:
        return iter(tuple(self._lines))

    def session_config(self, *, window: int = 100) -> smpp.SessionConfig:
        """What a new session goes by, unless its owner knows better."""
        config = self.config
        return smpp.SessionConfig(
            system_id=config.system_id,
            window=window,
            # reading stops long before: this only bounds what one read may bring
            max_unanswered=config.max_unanswered + 100_000,
            max_pdu_size=config.max_pdu_size,
            max_errors=config.max_errors,
            pdu_timeout=config.pdu_timeout,
            bind_timeout=config.bind_timeout,
            response_timeout=config.response_timeout,
            enquire_interval=config.enquire_interval,
        )

    def make(
        self,
        role: smpp.Role,
        config: smpp.SessionConfig,
        owner: Owner,
        remote: tuple[str, int],
        *,
        is_secure: bool,
    ) -> Line:
        """A new connection, for the transport that it is about to get."""
        now = self.clock.now()
        line = Line(
            smpp.Session(role, config, now),
            owner,
            remote,
            limits=LineLimits(self.config.max_unanswered, self.config.write_buffer_size),
            counters=self.counters,
            faults=self.faults,
            now=now,
            clock=self.clock.now,
            passes=self._passes,
            is_secure=is_secure,
        )
        self._lines.add(line)
        return line

    def forget(self, line: Line) -> None:
        """It never came about."""
        self._lines.discard(line)

    def start(self) -> None:
        """Begin to look after them."""
        self._sweep = asyncio.get_running_loop().call_later(_SWEEP_INTERVAL, self._on_sweep)

    async def stop(self) -> None:
        """End all of them in order, as far as the other ends let us."""
        now = self.clock.now()
        for line in self:
            line.unbind(now)
        for _ in range(round(self.config.drain_timeout / _DRAIN_INTERVAL)):
            if all(line.is_over for line in self._lines):
                break
            await asyncio.sleep(_DRAIN_INTERVAL)
        for line in self:
            line.abort("stopped")
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def _on_sweep(self) -> None:
        now = self.clock.now()
        for line in tuple(self._lines):
            if line.is_over:
                self._lines.discard(line)
            else:
                self.faults.run(line.tend, now)
        for call in self.on_sweep:
            self.faults.run(call, now)
        self._sweep = asyncio.get_running_loop().call_later(_SWEEP_INTERVAL, self._on_sweep)
