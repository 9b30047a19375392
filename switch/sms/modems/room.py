"""All modems of the switch, and what an operator asks about them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress

from switchroom.switch.config import Config, ModemConfig
from switchroom.switch.net import Clock
from switchroom.switch.net.faults import Faults
from switchroom.switch.net.limits import NetCounters
from switchroom.switch.store.sms import SqliteMessages

from ..book import Log
from ..interfaces import Centre
from .arrivals import Arrivals
from .memory import Memory
from .pool import Pool
from .sends import Sends
from .unit import Unit

__all__ = ["ModemRoom"]

_USSD_TIMEOUT = 90.0
_DRAIN_TIMEOUT = 5.0  # seconds; a network answers in two or three


class ModemRoom:
    """Pools of modems, by the names that routes call them."""

    def __init__(
        self,
        config: Config,
        centre: Centre,
        store: SqliteMessages,
        has_stopped: Callable[[str, str], bool],
        *,
        clock: Clock,
        log: Log,
    ) -> None:
        """``has_stopped``: whether a receiver wants no messages from a sender."""
        self._centre, self._clock, self._log = centre, clock, log
        self._has_stopped = has_stopped
        self._memory, self._sends = Memory(store), Sends()
        self._arrivals = Arrivals(centre, self._memory, self._sends, clock, log)
        self._faults = Faults(log, clock, NetCounters())
        self.pools: dict[str, Pool] = {}
        self._wanted = list(config.modems)

    def __iter__(self) -> Iterator[Unit]:
        return (unit for pool in self.pools.values() for unit in pool.units)

    def start(self) -> None:
        """Open the ports."""
        for config in self._wanted:
            self._add(config).start()

    async def stop(self) -> None:
        """Let all of them go, after they have said what became of the messages that are on their way."""
        now = self._clock.now()
        for unit in self:
            unit.drain(now)
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_TIMEOUT):
                for unit in self:
                    await unit.drained.wait()
        now = self._clock.now()
        for pool in self.pools.values():
            pool.stop(now)

    def reconfigure(self, config: Config) -> None:
        """Apply other modems and limits; those that stay as they are are not disturbed."""
        now = self._clock.now()
        left = {unit.name: unit for unit in self}
        new = []
        for wanted in config.modems:
            unit = left.get(wanted.name)
            if unit is not None and _is_alike(unit.config, wanted):
                unit.config = wanted
                del left[wanted.name]
            else:
                new.append(wanted)
        for unit in left.values():
            self._remove(unit, now)
        for wanted in new:
            self._add(wanted).start()

    def _add(self, config: ModemConfig) -> Unit:
        pool = self.pools.get(config.way)
        if pool is None:
            pool = self.pools[config.way] = Pool(config.way, self._centre, self._clock, self._has_stopped)
        unit = Unit(
            config,
            pool,
            self._memory,
            self._sends,
            self._arrivals,
            clock=self._clock,
            log=self._log,
            faults=self._faults,
        )
        pool.units.append(unit)
        return unit

    def _remove(self, unit: Unit, now: float) -> None:
        pool = self.pools[unit.owner.name]
        if pool.units == [unit]:
            pool.stop(now)
            del self.pools[pool.name]
            return
        unit.stop(now)
        pool.units.remove(unit)
        pool.changed(unit, now)

    # -- the operator

    def rows(self) -> list[dict[str, object]]:
        """Each modem: what it is good for, what is in it, what it has done."""
        now = self._clock.now()
        return [_row(unit, self._memory, self._clock.posix(now)) for unit in self]

    async def ask_network(self, name: str, code: str) -> dict[str, object]:
        """The network's answer to a USSD code; LookupError says why there is none."""
        unit = next((unit for unit in self if unit.name == name), None)
        if unit is None:
            raise LookupError(f"modem: {name}: there is no such modem")
        try:
            async with asyncio.timeout(_USSD_TIMEOUT):
                answer = await unit.ask_network(code)
        except TimeoutError:
            raise LookupError(f"modem {name}: no answer") from None
        if answer.error:
            raise LookupError(f"modem {name}: {answer.error}")
        return {"text": answer.text, "is_open": answer.is_open}


def _is_alike(old: ModemConfig, new: ModemConfig) -> bool:
    """Whether a modem can go on: only what it may send is another."""
    changes = {name: getattr(new, name) for name in _LIVE}
    return old.model_copy(update=changes) == new


_LIVE = ("per_minute", "per_day", "number", "max_parts", "long_reference", "transliterate", "reopen_interval")


def _row(unit: Unit, memory: Memory, posix: float) -> dict[str, object]:
    facts, config, counts = unit.modem.facts, unit.config, unit.counts
    sent = memory.allowance(unit.sim)
    return {
        "name": unit.name,
        "way": unit.owner.name,
        "port": config.port,
        "state": "closed" if unit.why_closed else unit.modem.state.value,
        "reason": unit.why_closed or unit.modem.reason,
        "model": f"{facts.manufacturer} {facts.model}".strip(),
        "number": unit.number,
        "operator": facts.operator,
        "network": facts.registration.name.lower().replace("_", " "),
        "signal": "" if facts.signal_dbm is None else f"{facts.signal_dbm} dBm",
        "stored": f"{facts.stored}/{facts.room}" if facts.storage else "",
        "minute": _of(sent.of_minute(posix), config.per_minute),
        "day": _of(sent.of_day(posix), config.per_day),
        "sent": counts["sent"],
        "failed": counts["failed"],
        "received": counts["received"],
        "reports": counts["reports"],
        "resets": counts["resets"],
    }


def _of(count: int, limit: int) -> str:
    return f"{count}/{limit}" if limit else str(count)
