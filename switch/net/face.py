"""The asyncio side of SIP: drives one sans-I/O endpoint over UDP, TCP, TLS and WebSocket.

Each wake-up is one pass: what came in goes through the limits into the endpoint, its events to their owner,
what both have to say out in one batch for each socket; then the one timer is set.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import ParamSpec, Protocol

import structlog

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.sip.endpoint import transaction_key
from switchroom.protocols.sip.flow import Flow
from switchroom.switch.config import join_address, split_listen

from .addresses import Addresses, may_be_local
from .answers import Refusals, answer_keep_alive, is_keep_alive
from .backlog import CROWD, Backlog, branch_of
from .bans import BanList
from .bus import Bus, Frame, Kind, unpack_flow
from .clock import Clock
from .connection import Connection
from .flows import Flows
from .limits import Bucket, Limiter, NetCounters, NetLimits, Recent, Verdict
from .owners import Owners
from .public import PublicAddress
from .tcp import Connections
from .tls import Tls
from .udp import Datagram, Failure, UdpListener
from .watchdog import Log
from .websocket import WebSocketRules

_ROUNDS = 8  # of sending and failing at once; what is left waits for the next pass
_LINES_RATE = 1.0  # log lines a second about faults of our own, whatever flood we stumble over
_LINES_BURST = 10.0
_WORKER_SHIFT = 40  # connections of several workers have numbers of their own
_SIPS_PORT = 5061
_SHORTEST_TIMER = 0.001  # uvloop counts in milliseconds


P = ParamSpec("P")


class TimerOwner(Protocol):
    """Whatever else wants to be woken: engines of the rooms above."""

    def next_timer(self) -> float | None: ...
    def handle_timer(self, now: float) -> object: ...


class SipFace:
    """Listeners, connections and the pass; ``on_event(event, now)`` gets what the endpoint has to tell."""

    def __init__(
        self,
        endpoint: sip.Endpoint,
        on_event: Callable[[sip.Event, float], None],
        *,
        listen: Sequence[str],
        limits: NetLimits,
        addresses: Addresses,
        is_trusted: Callable[[str], bool] = lambda host: False,
        timers: Sequence[TimerOwner] = (),
        on_flow_failed: Callable[[Flow, str, float], None] | None = None,
        trace: Callable[[str, bytes, Flow], None] | None = None,
        clock: Clock | None = None,
        log: Log | None = None,
        tls: Tls | None = None,
        websocket: WebSocketRules | None = None,
        public: PublicAddress | None = None,
        bus: Bus | None = None,
        owners: Owners | None = None,
        sockets: Sequence[socket.socket] = (),
        bans: BanList | None = None,
        is_exempt: Callable[[bytes], bool] = lambda data: False,
    ) -> None:
        """``sockets``, one for each of ``listen``, are there already when several workers share them.

        ``is_exempt``: whether a new request is never refused for want of time, such as an emergency call.
        """
        self._bus = bus or Bus()
        self._owners = owners  # of messages; none: whatever comes is ours
        self._sockets = sockets
        self._adopted: dict[int, list[UdpListener]] = {}  # by the worker that cannot read at present
        self._endpoint = endpoint
        self._on_event = on_event
        self._listen = listen
        self._limits = limits
        self._is_trusted = is_trusted
        self._timers: tuple[TimerOwner, ...] = (endpoint, *timers)
        self._on_flow_failed = on_flow_failed
        self.trace = trace  # called with "in" or "out" for each message, while somebody wants to see them
        self._clock = clock or Clock()
        self.counters = NetCounters()
        self._log: Log = log or structlog.get_logger("net")
        self._guard = Guard(self._log, self._clock, self.counters)
        self.public = public or PublicAddress()
        self._limiter = Limiter(
            limits, is_trusted, self._clock.now(), bans=bans, mark=lambda: endpoint.mint.head[6:].encode()
        )
        self._backlog = Backlog(is_trusted)
        self._refused: Recent[bytes, bool] = Recent(limits.max_sources)  # branches of requests
        self._is_serving = False
        self._is_exempt = is_exempt
        self._refusals = Refusals(limits)
        self._flows = Flows(addresses)
        self._connections = Connections(
            receive=self._on_message,
            refuse=self._refuse,
            finish_turn=self._finish,
            on_failures=self._on_failures,
            is_trusted=is_trusted,
            limits=limits,
            counters=self.counters,
            clock=self._clock,
            tls=tls,
            websocket=websocket,
            first_number=(self._bus.slot << _WORKER_SHIFT) + 1,
        )
        self.bound: list[tuple[str, str, int]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._is_in_pass = False
        self._is_running = False

    # -- life

    async def start(self) -> None:
        """Bind all listeners and begin; OSError says what could not be bound, and then nothing is."""
        try:
            for number, (transport, host, port) in enumerate(map(split_listen, self._listen)):
                self._open(transport, host, port, self._sockets[number] if self._sockets else None)
        except OSError:
            await self.stop()
            raise
        self._is_running = True
        self._bus.on_frames = self._on_frames
        for listener in self._flows.listeners:
            listener.start()
        self._connections.start()
        self.flush()

    async def stop(self) -> None:
        """Close everything; what has been written to connections is still sent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._connections.stop()
        self._is_running = False
        for slot in list(self._adopted):
            self.release(slot)
        self._flows.close()
        self.bound.clear()

    def apply(self, limits: NetLimits) -> None:
        """Go on with other limits; sizes of buffers and messages stay for what is open already."""
        self._limits = limits
        self._limiter.apply(limits)
        self._connections.limits = limits
        self._refusals.limits = limits

    def apply_transports(self, tls: Tls, websocket: WebSocketRules, public: PublicAddress) -> None:
        """Go on with other certificates and rules: for new connections, and for what is sent from now on."""
        self._connections.tls, self._connections.websocket, self.public = tls, websocket, public

    def flow_to(self, host: str, port: int, transport: str = "UDP", name: str = "") -> Flow:
        """Return the flow to a host, an IP address, from the listener that faces it.

        ``name`` is whom a TLS server has to prove to be; without one it has to name the address.
        """
        return self._flows.flow_to(host, port, transport, name)

    def peer_names(self, flow: Flow) -> tuple[str, ...]:
        """Whom the verified certificate at the remote end of a connection names (RFC 5922 §7.1)."""
        return self._connections.peer_names(flow)

    def advertise(self, flow: Flow) -> tuple[str, int]:
        """Where the remote end of a flow finds us: for Via and Contact, on either side of a NAT."""
        local = flow.local
        return self.public.for_host(flow.remote[0], local[0]), local[1]

    @property
    def kernel_drops(self) -> int:
        """Datagrams that the kernel had no room for."""
        return sum(listener.kernel_drops for listener in self._flows.listeners)

    def flush(self) -> None:
        """Send what the owner asked for outside of ``on_event``, and set the timer."""
        if not self._is_in_pass:
            self._finish(self._clock.now())

    def adopt(self, slot: int, sockets: Sequence[socket.socket]) -> None:
        """Read for another worker that is dead, until it is there again; we answer by our own sockets."""
        listeners = []
        for (transport, host, port), sock in zip(map(split_listen, self._listen), sockets, strict=True):
            if transport == "udp":
                listener = self._listener(host, port, sock.dup())
                listener.start()
                listeners.append(listener)
        self._adopted[slot] = listeners

    def release(self, slot: int) -> None:
        """The worker reads for itself again."""
        for listener in self._adopted.pop(slot, ()):
            listener.close()

    def _open(self, transport: str, host: str, port: int, sock: socket.socket | None) -> None:
        if transport != "udp":
            host, port = self._connections.listen(transport.upper(), host, port, sock)
        else:
            listener = self._listener(host, port, sock)
            self._flows.listeners.append(listener)
            port = listener.port
        self._flows.add(transport.upper(), host, port)
        self.bound.append((transport, host, port))
        if not may_be_local(host):  # what stands for any address always is
            self._log.warning("net.address_missing", listener=f"{transport}:{join_address(host, port)}")

    def _listener(self, host: str, port: int, sock: socket.socket | None) -> UdpListener:
        return UdpListener(
            host,
            port,
            on_datagrams=self._on_datagrams,
            on_failures=self._on_failures,
            limits=self._limits,
            counters=self.counters,
            sock=sock,
        )

    # -- in

    def _on_datagrams(self, batch: list[Datagram]) -> None:
        now = self._clock.now()
        self._is_in_pass = True
        self.counters.datagrams_in += len(batch)
        try:
            if len(batch) >= CROWD or self._is_serving:
                batch = self._put_in_order(batch, now)
            self._judge(batch, now)
        finally:
            self._finish(now)

    def _put_in_order(self, batch: list[Datagram], now: float) -> list[Datagram]:
        """There is much: new requests wait until the rest is done; gives the rest."""
        refused_tag = self._refusals.ack_mark
        urgent, new = self._backlog.sort(batch)
        for data, flow in new:
            self.counters.octets_in += len(data)
            verdict = self._limiter.judge(flow.remote[0], data, now)
            if verdict is not Verdict.PASS:
                self._on_excess(verdict, data, flow)
            else:
                self._backlog.put(data, flow, now)
        if new and not self._is_serving:
            self._is_serving = True
            asyncio.get_running_loop().call_soon(self._serve)
        return [datagram for datagram in urgent if not _acknowledges(datagram[0], refused_tag)]

    def _serve(self) -> None:
        """Begin some of the new requests that wait; refuse those that waited too long."""
        now = self._clock.now()
        self._is_in_pass = True
        try:
            taken, late = self._backlog.take(now, self._limits.max_wait)
            for data, flow, _ in taken:
                if self._refused.get(branch_of(data)):  # its sender is told already: this is a repetition
                    self._on_excess(Verdict.OVERLOAD, data, flow)
                else:
                    self._begin(data, flow, now)
            for data, flow, _ in late:
                if self._is_exempt(data):
                    self._begin(data, flow, now)
                elif not self._limiter.may_refuse(now):
                    self._on_excess(Verdict.LATE, data, flow)
                elif self._is_begun(data):
                    self._begin(data, flow, now)
                else:
                    self._on_excess(Verdict.OVERLOAD, data, flow)
        finally:
            self._finish(now)
        self._is_serving = bool(self._backlog) and self._is_running
        if self._is_serving:
            asyncio.get_running_loop().call_soon(self._serve)

    def _is_begun(self, data: bytes) -> bool:
        """Whether a request that waited repeats one that was taken: its call must not be refused now."""
        try:
            message = sip.parse(data, self._endpoint.limits)
            return isinstance(message, sip.Request) and transaction_key(message) in self._endpoint.servers
        except RemoteProtocolError:
            return False

    def _begin(self, data: bytes, flow: Flow, now: float) -> None:
        """Take a new request that has waited; ``_judge`` has the same in line."""
        if len(data) > self._limits.max_message_size:
            self._flows.put(self._refusals.too_large(data, flow))
        elif self._owners is not None and (slot := self._owners.owner_of(data, flow.remote[0])) is not None:
            self._bus.forward(slot, data, flow)
        else:
            if self.trace is not None:
                self._guard.run(self.trace, "in", data, flow)
            self._guard.run(self._endpoint.receive_datagram, data, flow, now)
            self._tell(now)

    def _judge(self, batch: list[Datagram], now: float) -> None:
        counters, judge, owners, guard = self.counters, self._limiter.judge, self._owners, self._guard
        receive, tell, trace = self._endpoint.receive_datagram, self._tell, self.trace
        for data, flow in batch:
            counters.octets_in += len(data)
            verdict = judge(flow.remote[0], data, now)
            if verdict is not Verdict.PASS:
                self._on_excess(verdict, data, flow)
            elif data[:1] < b"@" and is_keep_alive(data):
                self._on_keep_alive(data, flow)
            elif len(data) > self._limits.max_message_size:
                self._flows.put(self._refusals.too_large(data, flow))
            elif owners is not None and (slot := owners.owner_of(data, flow.remote[0])) is not None:
                self._bus.forward(slot, data, flow)
            else:
                if trace is not None:
                    try:
                        trace("in", data, flow)
                    except Exception:  # noqa: BLE001
                        guard.note()
                try:  # as guard.run does, without a call for each message
                    receive(data, flow, now)
                except Exception:  # noqa: BLE001
                    guard.note()
                tell(now)

    def _on_message(self, data: bytes, connection: Connection, now: float) -> float | None:
        """Take a message from a stream; or say how long it must wait for its source's rate."""
        flow = connection.flow
        verdict = self._limiter.judge(flow.remote[0], data, now)
        if verdict is Verdict.OVERLOAD or verdict is Verdict.BANNED:
            self._on_excess(verdict, data, flow)
            return None
        if verdict is not Verdict.PASS:
            return max(1.0 / self._limits.source_rate, _SHORTEST_TIMER)
        self.counters.messages_in += 1
        self.counters.octets_in += len(data)
        if self._owners is not None and (slot := self._owners.owner_of(data, flow.remote[0])) is not None:
            self._bus.forward(slot, data, flow)
            return None
        if self.trace is not None:
            self._guard.run(self.trace, "in", data, flow)
        # Raises: what is no message ends the connection, whose framing is in doubt.
        message = sip.parse(data, self._endpoint.limits)
        self._is_in_pass = True
        if connection.peer_names and isinstance(message, sip.Request):
            self._note_alias(message, connection)
        self._guard.run(self._endpoint.receive_message, message, flow, now)
        self._tell(now)
        return None

    def _note_alias(self, request: sip.Request, connection: Connection) -> None:
        """The sender wants to get requests on its connection too, and has proven who it is (RFC 5923)."""
        try:
            via = request.via
        except RemoteProtocolError:
            return  # it is answered where it is read in full
        if via.param("alias") is not None:
            self._connections.alias(connection, via.port or _SIPS_PORT)

    def _on_excess(self, verdict: Verdict, data: bytes, flow: Flow) -> None:
        self.counters.dropped[verdict] += 1
        if verdict is Verdict.OVERLOAD:
            self._refused.put(branch_of(data), True)
            self._flows.put(self._refusals.overload(data, flow))

    def _on_keep_alive(self, data: bytes, flow: Flow) -> None:
        self.counters.keep_alives += 1
        answer = answer_keep_alive(data, flow.remote)
        if answer is None:
            return
        # An answer larger than its request goes to those only who are not used as a mirror by somebody else.
        if len(answer) <= len(data) or self._is_trusted(flow.remote[0]):
            self._flows.put((answer, flow))

    def _refuse(self, error: RemoteProtocolError, connection: Connection, now: float) -> None:
        """Answer what cannot be cut out of a stream, or is no message."""
        self._guard.run(self._endpoint.receive_malformed, error, connection.flow)
        self._finish(now)

    def _on_failures(self, failures: list[Failure]) -> None:
        """Connections closed, or ICMP errors came."""
        now = self._clock.now()
        for flow, reason in failures:
            if flow.connection:
                self._bus.tell_closed(flow, reason)
        is_nested, self._is_in_pass = self._is_in_pass, True
        self._fail(failures, now)
        if not is_nested:
            self._finish(now)

    # -- of other workers

    def _on_frames(self, frames: list[Frame]) -> None:
        """Messages that are ours, what leaves by our connections, closed connections, and news."""
        now = self._clock.now()
        self._is_in_pass = True
        try:
            for frame in frames:
                self._guard.run(self._take_frame, frame, now)
        finally:
            self._finish(now)

    def _take_frame(self, frame: Frame, now: float) -> None:
        kind, _, first, rest = frame
        if kind == Kind.NEWS:
            self._bus.tell(frame)
        elif kind == Kind.SEND:
            self._flows.for_streams.append((rest, unpack_flow(first)))
        elif kind == Kind.FAILED:
            self._fail([(unpack_flow(first), rest.decode())], now)
        else:
            flow = unpack_flow(first)
            if self.trace is not None:
                self._guard.run(self.trace, "in", rest, flow)
            self._endpoint.receive_datagram(rest, flow, now)
            self._tell(now)

    # -- the rest of a pass

    def _tell(self, now: float) -> None:
        next_event, on_event = self._endpoint.next_event, self._on_event
        while (event := next_event()) is not None:
            try:
                on_event(event, now)
            except Exception:  # noqa: BLE001
                self._guard.note()
                if isinstance(event, sip.RequestReceived):
                    self._give_up(event, now)

    def _give_up(self, event: sip.RequestReceived, now: float) -> None:
        """Answer what our fault left unanswered, or it would be repeated, and fail, for half a minute."""
        if event.key not in self._endpoint.servers:
            self._guard.run(self._endpoint.reply, event, 500, now=now)

    def _fail(self, failures: list[Failure], now: float) -> None:
        for flow, reason in failures:
            self._guard.run(self._endpoint.flow_failed, flow, now, reason)
            if self._on_flow_failed is not None:
                self._guard.run(self._on_flow_failed, flow, reason, now)

    def _finish(self, now: float) -> None:
        """Send what the pass made, tell who could not be reached, and set the timer."""
        self._is_in_pass = True
        try:
            for _ in range(_ROUNDS):
                self._tell(now)
                failures = self._send()
                if not failures:
                    break
                self._fail(failures, now)
            else:
                asyncio.get_running_loop().call_soon(self.flush)
        finally:
            self._is_in_pass = False
            self._bus.flush()
            self._arm()

    def _send(self) -> list[Failure]:
        flows, connections, trace = self._flows, self._connections, self.trace
        put = flows.put
        for item in self._endpoint.datagrams_to_send():
            if trace is not None:
                try:
                    trace("out", item[0], item[1])
                except Exception:  # noqa: BLE001
                    self._guard.note()
            put(item)
        failures = flows.flush()
        if flows.for_streams:
            for data, flow in flows.take_for_streams():
                if not (flow.connection and self._bus.send_over(data, flow)):
                    connections.send(data, flow)
            failures += connections.take_failures()
        return failures

    def _arm(self) -> None:
        """Set the one timer; one that is due too early stays, because waking up for nothing is cheaper."""
        nearest = None
        for owner in self._timers:
            at = owner.next_timer()
            if at is not None and (nearest is None or at < nearest):
                nearest = at
        if nearest is None or not self._is_running:
            return
        if self._timer is not None:
            if self._timer_at <= nearest:
                return
            self._timer.cancel()
        self._timer_at = nearest
        delay = max(nearest - self._clock.now(), 0.0) + _SHORTEST_TIMER
        self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._clock.now()
        self._is_in_pass = True
        for owner in self._timers:
            at = owner.next_timer()
            if at is not None and at <= now:
                self._guard.run(owner.handle_timer, now)
        self._finish(now)


def _acknowledges(data: bytes, mark: bytes) -> bool:
    """Whether an ACK is for a refusal, for which nobody waits."""
    return data.startswith(b"ACK ") and mark in data


class Guard:
    """Runs the engine and its owner; logs what they raise, but not too often."""

    def __init__(self, log: Log, clock: Clock, counters: NetCounters) -> None:
        self._log = log
        self._now = clock.now
        self._counters = counters
        self._lines = Bucket(_LINES_BURST, clock.now())
        self._unlogged = 0

    def run(self, call: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> bool:
        """Call, and say whether it went well."""
        try:
            call(*args, **kwargs)
        except Exception:  # noqa: BLE001 - whatever it is, the other calls go on
            self.note()
            return False
        return True

    def note(self) -> None:
        """Count and log the exception that is being handled."""
        self._counters.faults += 1
        if self._lines.take(_LINES_RATE, _LINES_BURST, self._now()):
            self._log.exception("net.fault", unlogged=self._unlogged)
            self._unlogged = 0
        else:
            self._unlogged += 1
