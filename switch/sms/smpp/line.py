"""One connection that speaks SMPP: octets to its session and back, and what its owner is told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from switchroom.protocols import smpp
from switchroom.switch.net.faults import Faults

from .passes import Passes

__all__ = ["Line", "LineCounters", "LineLimits", "Owner"]

_LINGER_TIMEOUT = 2.0  # for the other end to read what was said last
_LARGEST = 10  # times write_buffer_size: whoever lets so much wait is cut off


@dataclass(frozen=True, slots=True)
class LineLimits:
    """What one connection may make us hold."""

    max_unanswered: int = 1000  # requests; while there are so many, nothing is read
    write_buffer_size: int = 262_144  # octets; the same


@dataclass(slots=True)
class LineCounters:
    """Plain numbers since the start, of all connections."""

    octets_in: int = 0
    octets_out: int = 0
    errors: dict[tuple[str, int], int] = field(default_factory=dict)  # by request and command_status
    closed: dict[str, int] = field(default_factory=dict)  # by why


class Owner(Protocol):
    """Whose connection it is: it may change while the connection lasts."""

    def opened(self, line: Line, now: float) -> None:
        """The stream is open, with TLS where that is spoken."""

    def hear(self, line: Line, event: smpp.Event, now: float) -> None:
        """The session has news; ``Closed`` is not among them."""

    def lost(self, line: Line, reason: str, now: float) -> None:
        """The connection is used no more."""


class Line(asyncio.Protocol):
    """A connection with its session."""

    def __init__(
        self,
        session: smpp.Session,
        owner: Owner,
        remote: tuple[str, int],
        *,
        limits: LineLimits,
        counters: LineCounters,
        faults: Faults,
        now: float,
        clock: Callable[[], float],
        passes: Passes,
        is_secure: bool = False,
    ) -> None:
        self.session, self.owner, self.remote = session, owner, remote
        self.limits = limits
        self.is_secure = is_secure
        self.is_closing = False
        self.opened_at = now
        self.messages_in = self.messages_out = 0
        self.system_id = ""  # of the other end
        self._counters, self._faults, self._now, self._passes = counters, faults, clock, passes
        self._held: list[bytes] = []  # what came when there was no time for it
        self._transport: asyncio.Transport | None = None
        self._is_reading = True
        self._is_turning = False
        self._is_write_paused = False
        self._linger_at: float | None = None

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The stream is open."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(self.limits.write_buffer_size)
        if self.is_closing:
            self._transport.abort()
            return
        now = self._now()
        self._faults.run(self.owner.opened, self, now)
        self.turn(now)

    def data_received(self, data: bytes) -> None:
        """Octets came."""
        if self.is_closing:
            return
        now = self._now()
        self._counters.octets_in += len(data)
        if self._held or not self._passes.has_time(now):
            self._held.append(data)
            self._regulate()
            self._passes.hold(self)
            return
        self.session.receive_data(data, now)
        self.turn(now)

    def go_on(self) -> None:
        """There is time for what came."""
        now = self._now()
        data, self._held = b"".join(self._held), []
        if not self.is_closing:
            self.session.receive_data(data, now)
            self.turn(now)

    def pause_writing(self) -> None:
        """The other end does not read what it asks for."""
        self._is_write_paused = True
        self._regulate()

    def resume_writing(self) -> None:
        """It does again."""
        self._is_write_paused = False
        self._regulate()

    def connection_lost(self, error: Exception | None) -> None:
        """The stream has ended, by whomever."""
        self._transport = None
        if self._held:
            self.go_on()
        self.session.receive_eof(self._now())
        self.turn(self._now())

    # -- our side

    def turn(self, now: float) -> None:
        """Tell the owner what there is, and send what came of it."""
        if self._is_turning:
            return  # whoever called was told by the turn that goes on
        self._is_turning = True
        try:
            self._take_turn(now)
        finally:
            self._is_turning = False

    def turn_soon(self) -> None:
        """The same when all that happens in this pass of the loop has happened: one write for all of it."""
        self._passes.turn_later(self)

    def _take_turn(self, now: float) -> None:
        next_event = self.session.next_event
        while (event := next_event()) is not None:
            if type(event) is smpp.Closed:
                self.flush()
                self._end(event.reason, now)
                return
            if type(event) is smpp.RequestRefused:
                key = (event.name, event.status)
                self._counters.errors[key] = self._counters.errors.get(key, 0) + 1
            try:
                self.owner.hear(self, event, now)
            except Exception:  # noqa: BLE001 - whatever it is, the other connections go on
                self._faults.note()
                self.session.close("fault")
        self.flush()

    def flush(self) -> None:
        """Write what the session has to say."""
        data = self.session.data_to_send()
        if data and self._transport is not None:
            self._counters.octets_out += len(data)
            self._transport.write(data)
            if self._is_write_paused:
                size = self._transport.get_write_buffer_size()
                if size > _LARGEST * self.limits.write_buffer_size:
                    self.abort("does not read")
        self._regulate()

    def tend(self, now: float) -> None:
        """Do what is due; called every now and then."""
        if self._linger_at is not None:
            if now >= self._linger_at and self._transport is not None:
                self._transport.abort()
            return
        at = self.session.next_timer()
        if at is not None and now >= at:
            self.session.handle_timer(now)
            self.turn(now)

    def unbind(self, now: float) -> None:
        """End in order."""
        self.session.unbind(now)
        self.turn(now)

    def abort(self, reason: str) -> None:
        """End at once; nothing more is sent."""
        self.session.close(reason)
        self.session.data_to_send()
        if self._transport is not None:
            self._transport.abort()
        self.turn(self._now())

    @property
    def socket(self) -> socket.socket | None:
        """What it runs over."""
        found = None if self._transport is None else self._transport.get_extra_info("socket")
        return cast("socket.socket | None", found)

    @property
    def certificate(self) -> Any:
        """What the other end has proven to be, once it was checked."""
        tls = None if self._transport is None else self._transport.get_extra_info("ssl_object")
        return None if tls is None else tls.getpeercert()

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is left."""
        return self.is_closing and self._transport is None

    def _regulate(self) -> None:
        """Read on, or not while too much waits to be answered or to be read by the other end."""
        is_behind = self.session.unanswered >= self.limits.max_unanswered
        may_read = not (self._is_write_paused or self._held or is_behind)
        if may_read == self._is_reading or self._transport is None or self._linger_at is not None:
            return
        self._is_reading = may_read
        if may_read:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _end(self, reason: str, now: float) -> None:
        """Read no further, and let the other end read what was said last."""
        if self.is_closing:
            return
        self.is_closing = True
        self._counters.closed[reason] = self._counters.closed.get(reason, 0) + 1
        self._faults.run(self.owner.lost, self, reason, now)
        if self._transport is None or self._transport.is_closing():
            return
        self._linger_at = now + _LINGER_TIMEOUT
        if not self._is_reading:
            self._transport.resume_reading()  # closing with octets unread would destroy what was said
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()
