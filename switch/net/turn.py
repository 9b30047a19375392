"""One pass of the loop: what came in goes to the endpoint, what came of it leaves, and the timer is set.

A pass is open from ``begin`` to ``finish``: all that is sent meanwhile goes out in one batch for each socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from switchroom.protocols import sip
from switchroom.protocols.sip.flow import Flow

from .bus import Bus
from .clock import Clock
from .faults import Faults
from .flows import Flows
from .tap import Tap
from .tcp import Connections
from .udp import Failure

_ROUNDS = 8  # of sending and failing at once; what is left waits for the next pass
SHORTEST_TIMER = 0.001  # uvloop counts in milliseconds
_SOON = 0.01  # seconds: while the timer that is set is so near, nobody is asked for an earlier one


class TimerOwner(Protocol):
    """Whatever else wants to be woken: engines of the rooms above."""

    def next_timer(self) -> float | None: ...
    def handle_timer(self, now: float) -> object: ...


class Turn:
    """Drives one endpoint; ``on_event(event, now)`` gets what it has to tell."""

    def __init__(
        self,
        endpoint: sip.Endpoint,
        on_event: Callable[[sip.Event, float], None],
        *,
        timers: Sequence[TimerOwner],
        on_flow_failed: Callable[[Flow, str, float], None] | None,
        tap: Tap | None,
        flows: Flows,
        bus: Bus,
        faults: Faults,
        clock: Clock,
    ) -> None:
        self.tap = tap  # while somebody wants to see the messages
        self.is_open = False
        self.is_running = False
        self.connections: Connections  # what leaves by them; set by whoever makes them
        self._endpoint = endpoint
        self._on_event = on_event
        self._timers: tuple[TimerOwner, ...] = (endpoint, *timers)
        self._next_timers = tuple([owner.next_timer for owner in self._timers])  # asked often
        self._on_flow_failed = on_flow_failed
        self._flows = flows
        self._bus = bus
        self._is_alone = bus.is_alone
        self._faults = faults
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def start(self) -> None:
        """From now on there is a timer."""
        self.is_running = True

    def stop(self) -> None:
        """Wait for nothing any more; what is to be sent still is."""
        self.is_running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def begin(self) -> None:
        """Something came."""
        self.is_open = True

    def take(self, data: bytes, flow: Flow, now: float) -> None:
        """A message for the endpoint, alone in its datagram."""
        if self.tap is not None:
            self.show(data, flow, now)
        try:
            self._endpoint.receive_datagram(data, flow, now)
        except Exception:  # noqa: BLE001 - whatever it is, the other calls go on
            self._faults.note()
        self.tell(now)

    def take_message(self, message: sip.Request | sip.Response, flow: Flow, now: float) -> None:
        """A message for the endpoint that is parsed already."""
        try:
            self._endpoint.receive_message(message, flow, now)
        except Exception:  # noqa: BLE001 - whatever it is, the other calls go on
            self._faults.note()
        self.tell(now)

    def show(self, data: bytes, flow: Flow, now: float) -> None:
        """Somebody may want to see what came in."""
        if self.tap is not None:
            try:
                self.tap.came(data, flow, now)
            except Exception:  # noqa: BLE001 - nobody's call depends on it
                self._faults.note()

    def tell(self, now: float) -> None:
        """Give the endpoint's events to their owner."""
        while (event := self._endpoint.next_event()) is not None:
            try:
                self._on_event(event, now)
            except Exception:  # noqa: BLE001 - whatever it is, the other calls go on
                self._faults.note()
                if isinstance(event, sip.RequestReceived):
                    self._give_up(event, now)

    def _give_up(self, event: sip.RequestReceived, now: float) -> None:
        """Answer what our fault left unanswered, or it would be repeated, and fail, for half a minute."""
        try:
            if event.key not in self._endpoint.servers:
                self._endpoint.reply(event, 500, now)
        except Exception:  # noqa: BLE001 - whatever it is, the other calls go on
            self._faults.note()

    def fail(self, failures: list[Failure], now: float) -> None:
        """These flows lead nowhere."""
        for flow, reason in failures:
            self._faults.run(self._endpoint.flow_failed, flow, now, reason)
            if self._on_flow_failed is not None:
                self._faults.run(self._on_flow_failed, flow, reason, now)

    def flush(self) -> None:
        """Send what was asked for outside of a pass, and set the timer."""
        if not self.is_open:
            self.finish(self._clock.now())

    def finish(self, now: float) -> None:
        """Send what the pass made, tell who could not be reached, and set the timer."""
        self.is_open = True
        try:
            for _ in range(_ROUNDS):
                self.tell(now)
                if not self._is_alone:
                    self._bus.flush()  # before the answers: what follows may come to another worker
                failures = self._send(now)
                if not failures:
                    break
                self.fail(failures, now)
            else:
                asyncio.get_running_loop().call_soon(self.flush)
        finally:
            self.is_open = False
            if not self._is_alone:
                self._bus.flush()
            if self._timer is None or self._timer_at > now + _SOON:
                self._arm()

    def _send(self, now: float) -> list[Failure]:
        flows = self._flows
        datagrams = self._endpoint.datagrams_to_send()
        if self.tap is not None and datagrams:
            try:
                self.tap.left(datagrams, now)
            except Exception:  # noqa: BLE001 - nobody's call depends on it
                self._faults.note()
        for item in datagrams:
            flows.put(item)
        failures = flows.flush()
        if flows.for_streams:
            for data, flow in flows.take_for_streams():
                if not (flow.connection and self._bus.send_over(data, flow)):
                    self.connections.send(data, flow)
            failures += self.connections.take_failures()
        return failures

    def _arm(self) -> None:
        """Set the one timer; one that is due too early stays, because waking up for nothing is cheaper."""
        nearest = None
        for next_timer in self._next_timers:
            at = next_timer()
            if at is not None and (nearest is None or at < nearest):
                nearest = at
        if nearest is None or not self.is_running:
            return
        if self._timer is not None:
            if self._timer_at <= nearest:
                return
            self._timer.cancel()
        self._timer_at = nearest
        delay = max(nearest - self._clock.now(), 0.0) + SHORTEST_TIMER
        self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._clock.now()
        self.is_open = True
        for owner in self._timers:
            at = owner.next_timer()
            if at is not None and at <= now:
                self._faults.run(owner.handle_timer, now)
        self.finish(now)
