"""Simulated modems on pseudo-terminals, with one network behind them: the engines get a clock and ports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from switchroom.switch.net import Clock

from .device import Sim, SimulatedModem
from .network import Journal, Network
from .terminal import Terminal

__all__ = ["Place", "Stand"]


class Place:
    """A modem and its port."""

    def __init__(self, device: SimulatedModem, stand: Stand, link: str) -> None:
        self.device = device
        self._stand = stand
        self.terminal = Terminal(self._on_open, self._on_data, link)

    def _on_open(self) -> None:
        self.device.open(self._stand.now())
        self._stand.turn()

    def _on_data(self, data: bytes) -> None:
        self.device.receive_data(data, self._stand.now())
        self._stand.turn()


class Stand:
    """All of them. ``on_news`` hears what happens in the network."""

    def __init__(self, *, delay: float = 0.2, seed: int | None = None, clock: Clock | None = None) -> None:
        clock = clock or Clock()
        self.now = clock.now
        self.network = Network(clock.posix, delay=delay, seed=seed)
        self.places: dict[str, Place] = {}
        self.on_news: Callable[[Journal], None] = lambda news: None
        self._seed = seed
        self._timer: asyncio.TimerHandle | None = None

    def add(self, sim: Sim, link: str = "", *, is_text_only: bool = False) -> Place:
        """Another modem with a SIM, plugged in."""
        device = SimulatedModem(sim, self.network, is_text_only=is_text_only, seed=self._seed)
        place = self.places[sim.number.lstrip("+")] = Place(device, self, link)
        place.terminal.plug()
        return place

    def close(self) -> None:
        """Unplug all."""
        if self._timer is not None:
            self._timer.cancel()
        for place in self.places.values():
            place.terminal.unplug()

    def turn(self) -> None:
        """Something happened: write what is to be read, and see when to go on."""
        for place in self.places.values():
            if data := place.device.data_to_send():
                place.terminal.write(data)
        while self.network.journal:
            self.on_news(self.network.journal.popleft())
        if self._timer is not None:
            self._timer.cancel()
        times = [self.network.next_timer(), *(p.device.next_timer() for p in self.places.values())]
        at = min((at for at in times if at is not None), default=None)
        self._timer = None
        if at is not None:
            delay = max(0.0, at - self.now())
            self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        now = self.now()
        for place in self.places.values():
            place.device.handle_timer(now)
        self.network.handle_timer(now)
        self.turn()
