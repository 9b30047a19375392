"""Those whom REST lets in: each worker reads them, at its start and whenever one has changed them.

The worker that serves REST says so over the bus, and waits a moment for the others: whoever was told 201
may register at any of them.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from switchroom.protocols import sip
from switchroom.switch.api.sip.reading import Reader
from switchroom.switch.config import Config, Hosted

if TYPE_CHECKING:
    from pathlib import Path

    from switchroom.switch.api.front.vault import Vault
    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.calls.features.elsewhere import Elsewhere
    from switchroom.switch.calls.rules import Caller
    from switchroom.switch.net.bus import Bus
    from switchroom.switch.net.watchdog import Log

_CHANGED, _TAKEN = "hosted", "hosted.taken"  # topics of the bus
_WAIT = 2.0  # seconds for the other workers
_AWAY = sip.Refusal(503, (("Retry-After", "2"),))


class Hosting:
    """What one worker knows of them."""

    def __init__(self, path: Path, vault: Vault, config: Config, bus: Bus, log: Log) -> None:
        self.hosted = Hosted()
        self.admit: Callable[[], Awaitable[None]] = _nothing  # makes it so in the rooms
        self._is_open = bool(config.api.rest)
        self._reader = Reader(path, vault, config.realm)
        self._bus, self._log = bus, log
        self._lock = asyncio.Lock()
        self._asked = self._done = 0
        # Those that may have read what was there before, and those that are still to begin
        self._others = set() if bus.line is None else set(bus.line.others)
        self._waiting: dict[int, tuple[set[int], asyncio.Event]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        bus.subscribe(_CHANGED, self._on_changed)
        bus.subscribe(_TAKEN, self._on_taken)
        bus.on_found.append(self._others.add)
        bus.on_lost.append(self._on_lost)

    def load(self) -> bool:
        """Read all at the start; whether there is anybody."""
        self.hosted = self._read()
        return bool(self.hosted.users or self.hosted.trunks)

    def join(self, config: Config) -> Config:
        """The configuration with them."""
        return self.hosted.join(config)

    async def refresh(self) -> None:
        """What was written until now is in force when this returns; several changes are one."""
        self._asked += 1
        wanted = self._asked
        async with self._lock:
            if self._done >= wanted:
                return
            self._done = self._asked
            number = self._done
            others = set(self._others)
            self._bus.publish(_CHANGED, number)
            await self._take()
            if others:
                await self._wait(number, others)

    def stop(self) -> None:
        """Read no more."""
        for task in self._tasks:
            task.cancel()

    async def _take(self) -> None:
        hosted = await asyncio.to_thread(self._read)
        if hosted != self.hosted:
            before, self.hosted = self.hosted, hosted
            if (before.users, before.trunks, before.routes) != (hosted.users, hosted.trunks, hosted.routes):
                await self.admit()

    def _read(self) -> Hosted:
        if not self._is_open:
            return Hosted()
        try:
            return self._reader.read()
        except (sqlite3.Error, OSError, ValueError) as error:
            self._log.warning("hosting.not_read", reason=f"{type(error).__name__}: {error}"[:300])
            return self.hosted

    # -- other workers

    async def _wait(self, number: int, others: set[int]) -> None:
        event = asyncio.Event()
        self._waiting[number] = others, event
        try:
            async with asyncio.timeout(_WAIT):
                await event.wait()
        except TimeoutError:
            self._log.warning("hosting.workers_late", workers=sorted(others))
        finally:
            del self._waiting[number]

    def _on_changed(self, number: Any, slot: int) -> None:
        task = asyncio.get_running_loop().create_task(self._follow(number, slot))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, number: int, slot: int) -> None:
        async with self._lock:
            await self._take()
        self._bus.send(slot, _TAKEN, number)

    def _on_taken(self, number: Any, slot: int) -> None:
        others, event = self._waiting.get(number, (set(), None))
        others.discard(slot)
        if event is not None and not others:
            event.set()

    def _on_lost(self, slot: int) -> None:
        self._others.discard(slot)
        for number in list(self._waiting):
            self._on_taken(number, slot)

    # -- calls that are for programs

    def lead_to(self, exchange: Exchange, elsewhere: Elsewhere | None) -> None:
        """Calls that the API answers go to the worker that has it."""
        if elsewhere is None or self._bus.is_leader or not self._is_open:
            return

        def send_on(event: sip.RequestReceived, caller: Caller, number: str, now: float) -> bool:
            if not self._is_for_program(caller, number) or exchange.router.is_emergency(number):
                return False
            if not elsewhere.send_on(event, caller, now, 0):
                exchange.refuse(event, caller, _AWAY, now, number)
            return True

        exchange.features.insert(0, send_on)

    def _is_for_program(self, caller: Caller, number: str) -> bool:
        numbers = self.hosted.numbers
        return caller.account in self.hosted.sources or number in numbers or f"+{number}" in numbers


async def _nothing() -> None:
    return None
