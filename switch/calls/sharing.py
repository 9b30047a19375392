"""What the workers of one switch tell each other: bindings, bans, and the calls of accounts and trunks.

Bindings and bans are told at once. Calls are told four times a second, so a cap that is spread over workers
may be exceeded by what begins within a quarter of a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from switchroom.switch.calls.registration.bindings import Binding
from switchroom.switch.net.bans import Ban
from switchroom.switch.net.bus import Bus

if TYPE_CHECKING:
    from switchroom.switch.calls.access.guard import Guard
    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.calls.registration.registrar import Registrar
    from switchroom.switch.calls.trunks.trunks import Usage

INTERVAL = 0.25
_NOTHING: dict[str, int] = {}


class Sharing:
    """One worker's part; alone it does nothing."""

    def __init__(
        self,
        bus: Bus,
        *,
        exchange: Exchange,
        registrar: Registrar,
        guard: Guard,
        now: Callable[[], float],
        committed: Callable[[], int],
        on_ended: Callable[[], None],
    ) -> None:
        """``committed`` counts our commits; ``on_ended`` is told of others': calls may have ended in them."""
        self._committed = committed
        self._bus, self._exchange, self._registrar, self._guard = bus, exchange, registrar, guard
        self._now, self._on_ended = now, on_ended
        self._calls: dict[int, int] = {}  # of each other worker
        self._told: tuple[dict[str, int], int, int] = (_NOTHING, -1, -1)
        self._used: Usage = {}  # of the trunks, as last told
        self._task: asyncio.Task[None] | None = None
        if bus.is_alone:
            return
        registrar.share(self._tell_bindings)
        bus.subscribe("bindings", self._hear_bindings)
        bus.subscribe("ban", self._hear_ban)
        bus.subscribe("calls", self._hear_calls)
        bus.on_lost.append(self._on_lost)
        bus.on_found.append(self._on_found)

    def start(self) -> None:
        """Begin to tell."""
        if not self._bus.is_alone:
            self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """Tell no more."""
        if self._task is not None:
            self._task.cancel()

    def banned(self, ban: Ban) -> None:
        """We have banned a source."""
        self._bus.publish("ban", tuple(ban))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            self._tell_calls()

    def _tell_calls(self) -> None:
        exchange = self._exchange
        up, count, ended = dict(exchange.caps.up), len(exchange.calls), self._committed()
        used = exchange.trunks.take_usage()
        if (up, count, ended) != self._told or used != self._used:
            began = exchange.caps.take_began()
            self._bus.publish("calls", (up, count, ended != self._told[2], began, used))
            self._told = up, count, ended
            # What began is told once, so the next telling without it is news again
            self._used = {name: (calls, 0) for name, (calls, _) in used.items()}

    def _tell_bindings(self, saved: Sequence[Binding], gone: Sequence[Binding]) -> None:
        self._bus.publish("bindings", ([b.told() for b in saved], [(b.user, b.contact) for b in gone]))

    def _hear_bindings(self, told: Any, slot: int) -> None:
        saved, gone = told
        self._registrar.learn([Binding.heard(one) for one in saved], gone, self._now())

    def _hear_ban(self, told: Any, slot: int) -> None:
        self._guard.learn(Ban(*told), self._now())

    def _hear_calls(self, told: Any, slot: int) -> None:
        up, count, has_ended, began, used = told
        caps = self._exchange.caps
        caps.others[slot] = up
        for account, number in began.items():
            caps.spend(account, number, self._now())
        self._exchange.trunks.hear_usage(slot, used, self._now())
        self._calls[slot] = count
        self._exchange.admission.elsewhere = sum(self._calls.values())
        if has_ended:
            self._on_ended()

    def _on_lost(self, slot: int) -> None:
        self._exchange.caps.others.pop(slot, None)
        self._exchange.trunks.hear_usage(slot, {}, self._now())
        self._calls.pop(slot, None)
        self._exchange.admission.elsewhere = sum(self._calls.values())
        self._registrar.worker_lost(slot, self._now())

    def _on_found(self, slot: int) -> None:
        for ban in self._guard.ban_list.rows(self._now()):
            self._bus.send(slot, "ban", tuple(ban))
        up, count, _ = self._told
        if up or count > 0:
            self._bus.send(slot, "calls", (up, count, False, _NOTHING, self._used))
