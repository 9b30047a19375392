"""The simulated message centre on sockets: who binds, who is asked to bind, and what it is told to do."""

from __future__ import annotations

import asyncio
import hmac
import ssl
from collections.abc import Iterator

from switchroom.protocols import smpp
from switchroom.protocols.smpp import Status
from switchroom.switch.config import SmppAddress, SmppConfig
from switchroom.switch.net import Clock

from ..line import Line
from ..lines import Lines, Log
from ..listener import Listener
from .conduct import Conduct
from .smsc import Smsc

__all__ = ["Office"]

_MAX_CONNECTIONS = 2000
_LATEST = 60.0  # seconds, until it looks again whether something is due


class Office:
    """Connections of one simulator."""

    def __init__(
        self,
        conduct: Conduct,
        listen: list[str],
        *,
        log: Log,
        tls: ssl.SSLContext | None = None,
        seed: int | None = None,
        window: int = 100,
    ) -> None:
        self.clock = Clock()
        config = SmppConfig(listen=listen, system_id="simulator", drain_timeout=1.0)
        self.lines = Lines(config, clock=self.clock, log=log)
        self.smsc = Smsc(conduct, self.clock.posix, seed=seed)
        self._tls, self._window = tls, window
        self._listeners: list[Listener] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    @property
    def bound(self) -> Iterator[str]:
        """Where it listens."""
        return (f"{s}:{h}:{p}" for s, h, p in (listener.address for listener in self._listeners))

    def start(self) -> None:
        """Listen; OSError: not there."""
        self.lines.start()
        for address in self.lines.config.listen:
            listener = Listener(address, self._enter, lambda: self._tls, Line.abort)
            self._listeners.append(listener)
            listener.start()

    async def stop(self) -> None:
        """Unbind everybody and be gone."""
        for listener in self._listeners:
            listener.stop()
        if self._timer is not None:
            self._timer.cancel()
        await self.lines.stop()

    async def outbind(self, address: SmppAddress, system_id: str, password: str) -> None:
        """Connect to somebody and ask for the bind; OSError: nobody is there."""
        line = self._make((address.host, address.port), is_secure=False)
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: line, address.host, address.port)
        except OSError:
            self.lines.forget(line)
            raise
        line.session.outbind(smpp.Outbind(system_id, password), self.clock.now())
        line.turn(self.clock.now())

    def disconnect(self, system_id: str = "") -> int:
        """Lose the connections of one who has bound, or of all: how many."""
        lines = [line for line in self.lines if system_id in ("", line.system_id)]
        for line in lines:
            line.abort("by order")
        return len(lines)

    def turn(self) -> None:
        """Do what is due, and be called when the next is."""
        now = self.clock.now()
        self.smsc.handle_timer(now)
        at = self.smsc.next_timer()
        at = now + _LATEST if at is None else min(at, now + _LATEST)
        if self._timer is not None:
            if now < self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = asyncio.get_running_loop().call_later(max(0.0, at - now), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.turn()

    # -- connections

    def _enter(self, remote: tuple[str, int], is_secure: bool) -> Line | None:
        return self._make(remote, is_secure=is_secure) if len(self.lines) < _MAX_CONNECTIONS else None

    def _make(self, remote: tuple[str, int], *, is_secure: bool) -> Line:
        config = self.lines.session_config(window=self._window)
        return self.lines.make(smpp.Role.MC, config, self, remote, is_secure=is_secure)

    def opened(self, line: Line, now: float) -> None:
        """It is the other end that speaks first."""

    def hear(self, line: Line, event: smpp.Event, now: float) -> None:
        """One read of one connection."""
        if isinstance(event, smpp.RequestsReceived):
            for request in event.requests:
                self.smsc.take(line, request, now)
        elif isinstance(event, smpp.ResponsesReceived):
            self.smsc.hear(line, event.answers, now)
        elif isinstance(event, smpp.RequestsFailed):
            self.smsc.lost(line, event.contexts, now)
        elif isinstance(event, smpp.BindReceived):
            self._judge(line, event.request, now)
        self.turn()

    def _judge(self, line: Line, request: smpp.Bind, now: float) -> None:
        password = self.smsc.conduct.password
        if password and not hmac.compare_digest(password.encode(), request.password.encode("latin-1")):
            line.session.refuse(Status.RBINDFAIL)
            return
        line.system_id = request.system_id
        line.session.accept(now)
        line.flush()
        self.smsc.add(line, now)
        self.lines.log.info("bound", system_id=request.system_id, source=line.remote[0])

    def lost(self, line: Line, reason: str, now: float) -> None:
        """That one is over."""
        if line.system_id:
            self.smsc.remove(line)
            self.lines.log.info("unbound", system_id=line.system_id, reason=reason)
