"""Drives the channels of all legs: what the engine hands up, what they send, their keys and their clocks."""

from __future__ import annotations

import asyncio
import heapq
import os
import time
from typing import TYPE_CHECKING

from switchroom.protocols.srtp import Certificate
from switchroom.protocols.wheel import NEVER

from .._crypto import library
from .certificate import make_certificate
from .channel import Channel

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._engine import Engine
    from ..ports import Pair
    from .keeping import Keeper

_AT_ONCE = 64  # datagrams in one turn of the loop
_RENEW_AFTER = 30 * 86400.0  # seconds: a certificate that nobody stores need not last


class Guard:
    """The only one who gives the engine keys and addresses of secured legs."""

    def __init__(
        self, suites: Callable[[], tuple[str, ...]], *, is_lite: Callable[[], bool] = lambda: False
    ) -> None:
        self.missing = library()[1]  # why there is no SRTP; "": there is
        self._suites = suites
        self._is_lite = is_lite
        self._engine: Engine
        self._loop: asyncio.AbstractEventLoop | None = None
        self.lines: dict[int, tuple[Pair, int, Channel]] = {}  # by the pair's index; its generation
        self._due: list[tuple[float, int]] = []  # a heap: when, the pair's index
        self._planned: dict[int, float] = {}  # what of it counts
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0  # uvloop's handle of what is due at once cannot tell it
        self.keeper: Keeper | None = None  # None: keys end with this process
        self._certificate: Certificate | None = None
        self._renew_at = 0.0

    @property
    def has_srtp(self) -> bool:
        return not self.missing

    def now(self) -> float:
        """The clock of channels."""
        return time.monotonic()

    def start(self, engine: Engine, loop: asyncio.AbstractEventLoop) -> None:
        """From now on handed-up datagrams are read in ``loop``."""
        self._engine, self._loop = engine, loop
        loop.add_reader(engine.handed_fd, self._on_handed)

    def stop(self) -> None:
        """Before the engine is stopped."""
        if self._loop is not None:
            self._loop.remove_reader(self._engine.handed_fd)
        if self._timer is not None:
            self._timer.cancel()
        self._loop = self._timer = None
        if self.keeper is not None:
            self.keeper.stop()
        self.lines.clear()

    # -- for legs

    def channel(self) -> Channel:
        """A new one."""
        now = self.now()
        if self._certificate is None or now >= self._renew_at:
            self._certificate = make_certificate()
            self._renew_at = now + _RENEW_AFTER
        return Channel(self._certificate, self._suites(), is_lite=self._is_lite())

    def install(self, channel: Channel, pair: Pair, target: tuple[str, int] | None) -> None:
        """A pair serves a channel, as the engine was told just now."""
        line = (pair, pair.generation, channel)
        if self.lines.get(pair.index) != line:
            channel.is_installed = False
        self.lines[pair.index] = line
        now = self.now()
        channel.reach(target, now)
        self._push(channel, pair)
        if channel.face is not None and channel.agent is not None:
            self._engine.face(pair.index, pair.generation, channel.face)
        self._turn(channel, pair, now)

    def forget(self, pair: Pair) -> None:
        """A pair serves nobody any more."""
        self.lines.pop(pair.index, None)

    # -- turns

    def _push(self, channel: Channel, pair: Pair) -> None:
        if channel.opener is not None and channel.closer is not None and not channel.is_installed:
            self._engine.secure(pair.index, pair.generation, channel.opener, channel.closer)
            channel.is_installed = True

    def _turn(self, channel: Channel, pair: Pair, now: float) -> None:
        """Do what a channel wants after something has happened to it."""
        self._push(channel, pair)  # before the last flight: sound may come right behind the answer to it
        for data, address in channel.datagrams_to_send():
            self._engine.send(pair.index, pair.generation, address, data)
        at = channel.next_timer()
        if at is not None and at < self._planned.get(pair.index, NEVER):
            self._planned[pair.index] = at
            heapq.heappush(self._due, (at, pair.index))
            self._arm(now)

    def _on_handed(self) -> None:
        try:
            os.read(self._engine.handed_fd, 8)
        except BlockingIOError:
            return
        self._read()

    def _read(self) -> None:
        if self._loop is None:
            return
        now = self.now()
        for _ in range(_AT_ONCE):
            handed = self._engine.next_handed()
            if handed is None:
                return
            found = self.lines.get(handed.end)
            if found is not None and found[1] == handed.generation:
                self._tell(found, handed.data, (handed.host, handed.port), now)
        self._loop.call_soon(self._read)  # others have their turn first

    def _tell(
        self, line: tuple[Pair, int, Channel], data: bytes, source: tuple[str, int], now: float
    ) -> None:
        pair, _, channel = line
        face = channel.face
        channel.receive_datagram(data, source, now)
        self._follow(channel, pair, face)
        self._turn(channel, pair, now)

    def _follow(self, channel: Channel, pair: Pair, before: tuple[str, int] | None) -> None:
        """Checks have found the leg, or lost it: the engine hears it there only."""
        if channel.agent is not None and channel.face != before:
            self._engine.face(pair.index, pair.generation, channel.face)

    # -- the clock

    def _arm(self, now: float) -> None:
        assert self._loop is not None
        at = self._due[0][0]
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_later(max(0.0, at - now), self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        now = self.now()
        while self._due and self._due[0][0] <= now:
            at, index = heapq.heappop(self._due)
            if self._planned.get(index) != at:
                continue
            del self._planned[index]
            found = self.lines.get(index)
            if found is not None:
                self._on_due(found, now)
        if self._due:
            self._arm(now)

    def _on_due(self, line: tuple[Pair, int, Channel], now: float) -> None:
        pair, _, channel = line
        face = channel.face
        at = channel.next_timer()
        if at is not None and at <= now:
            channel.handle_timer(now)
            self._follow(channel, pair, face)
        self._turn(channel, pair, now)
