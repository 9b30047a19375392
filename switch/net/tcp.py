"""SIP over streams: connections that we accept and open, how many there may be, and which one leads where."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
import resource
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.sip.flow import Flow
from switchroom.switch.config import TlsConfig

from .clock import Clock
from .connection import Connection
from .limits import Bucket, NetCounters, NetLimits, Recent, source_of
from .sockets import from_sockaddr, open_listener, open_tcp, reason_of, reset, to_sockaddr, tune
from .tls import Tls, TlsError, is_name
from .udp import Failure
from .websocket import WebSocketRules

_ACCEPTED_A_TURN = 64
_STOP_TIMEOUT = 1.0
_PAUSE = 0.5  # seconds without accepting, when not even a spare descriptor can be had
_TRUSTED_FACTOR = 10  # an office with many phones behind one address, once they are known
_SHUTDOWN_TIMEOUT = 2.0  # for the other end's good-bye on TLS
_PLAIN = ("TCP", "WS")
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


Key = tuple[str, tuple[str, int], str]  # transport, remote address, the name that it proved


class Connections:
    """All connections; ``receive``, ``refuse``, ``finish_turn`` and ``on_failures`` are the face's."""

    def __init__(
        self,
        *,
        receive: Callable[[bytes, Connection, float], float | None],
        refuse: Callable[[RemoteProtocolError, Connection, float], None],
        finish_turn: Callable[[float], None],
        on_failures: Callable[[list[Failure]], None],
        is_trusted: Callable[[str], bool],
        limits: NetLimits,
        counters: NetCounters,
        clock: Clock,
        tls: Tls | None = None,
        websocket: WebSocketRules | None = None,
        first_number: int = 1,
    ) -> None:
        self.tls = tls  # for new connections; those that are up keep what they have
        self.websocket = websocket or WebSocketRules()
        self.receive = receive
        self.refuse = refuse
        self.finish_turn = finish_turn
        self.limits = limits
        self.counters = counters
        self.now = clock.now
        self._on_failures = on_failures
        self._is_trusted = is_trusted
        self._numbers = itertools.count(first_number)
        self._listeners: dict[socket.socket, str] = {}  # each with its transport
        self._open: dict[int, Connection] = {}  # until the stream has really ended: it counts so long
        self._by_key: dict[Key, Connection] = {}
        self._per_source: Counter[str] = Counter()
        self._handshakes = Recent(limits.max_sources)  # by source: how many may begin
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[Failure] = []
        self._sweep: asyncio.TimerHandle | None = None
        self._spare: int | None = None
        self._is_stopping = False
        self._all_closed = asyncio.Event()

    # -- listening

    def listen(
        self, transport: str, host: str, port: int, sock: socket.socket | None = None
    ) -> tuple[str, int]:
        """Listen, on a socket that listens there already if one is given; return where."""
        if transport not in _PLAIN and (self.tls is None or self.tls.server is None):
            raise TlsError(f"{transport.lower()}:{host}:{port}: needs tls.certificate")
        listener = sock or open_listener(transport, host, port)
        self._listeners[listener] = transport
        return host, int(listener.getsockname()[1])

    def start(self) -> None:
        """Begin to accept."""
        self._open_spare()
        for listener in self._listeners:
            self._watch(listener)

    async def stop(self) -> None:
        """Close everything; what is written is still sent, for a short while."""
        self._is_stopping = True
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            loop.remove_reader(listener)
            listener.close()
        self._listeners.clear()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in list(self._open.values()):
            connection.close("stopped")
        if not self._open:
            self._all_closed.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_TIMEOUT):
                await self._all_closed.wait()
        for connection in list(self._open.values()):
            connection.abort("stopped")
        if self._sweep is not None:
            self._sweep.cancel()
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None

    def _watch(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            asyncio.get_running_loop().add_reader(listener, self._on_acceptable, listener)

    def _on_acceptable(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTED_A_TURN):
            try:
                sock, address = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._on_exhausted(listener)
                    return
                continue  # that connection has died already; accept(2)
            self._accept(sock, self._listeners[listener], from_sockaddr(address))

    def _accept(self, sock: socket.socket, transport: str, remote: tuple[str, int]) -> None:
        sock.setblocking(False)
        if why := self._why_not(remote[0], transport):
            self.counters.refused[why] += 1
            reset(sock)
            return
        try:
            tune(sock, self.limits.user_timeout)
            local = from_sockaddr(sock.getsockname())
        except OSError:  # it is gone again
            sock.close()
            return
        self.counters.connections_accepted += 1
        connection = self._add(Flow(transport, local, remote, next(self._numbers)))
        self._run(connection, self._hand_over(connection, sock))

    async def _hand_over(self, connection: Connection, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            if connection.flow.transport in _PLAIN:
                await loop.connect_accepted_socket(lambda: connection, sock)
            else:
                assert self.tls is not None
                await loop.connect_accepted_socket(
                    lambda: connection,
                    sock,
                    ssl=self.tls.server,
                    ssl_handshake_timeout=self.limits.handshake_timeout,
                    ssl_shutdown_timeout=_SHUTDOWN_TIMEOUT,
                )
        except BaseException:
            sock.close()
            raise

    def _why_not(self, host: str, transport: str) -> str | None:
        """Say why a new connection from there cannot be had."""
        is_trusted = self._is_trusted(host)
        factor = _TRUSTED_FACTOR if is_trusted else 1
        if transport != "TCP" and not self._may_shake_hands(source_of(host), factor):
            return "handshake_rate"
        if self._per_source[source_of(host)] >= self.limits.max_connections_per_source * factor:
            return "source"
        room = self.max_connections - (0 if is_trusted else self.reserved_connections)
        if len(self._open) >= room and not self._make_room():
            return "total"
        return None

    def _may_shake_hands(self, source: str, factor: int) -> bool:
        """A handshake costs as much as ten calls: nobody makes us do nothing else."""
        rate, burst = self.limits.handshake_rate * factor, self.limits.handshake_burst * factor
        now = self.now()
        bucket: Bucket | None = self._handshakes.get(source)
        if bucket is None:
            bucket = Bucket(burst, now)
            self._handshakes.put(source, bucket)
        return bucket.take(rate, burst, now)

    @property
    def max_connections(self) -> int:
        """What is configured, but at most half of the descriptors that the process may have."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return self.limits.max_connections if soft < 0 else min(self.limits.max_connections, soft // 2)

    @property
    def reserved_connections(self) -> int:
        """Of these, for trusted sources and those we open."""
        return min(self.limits.reserved_connections, self.max_connections // 4)

    def _make_room(self) -> bool:
        """Close the stranger's connection that has been idle for the longest, if any has for long enough."""
        before = self.now() - self.limits.message_timeout
        idle = [c for c in self._open.values() if c.active_at < before and not c.is_closing]
        for connection in sorted(idle, key=lambda c: c.active_at)[:_ACCEPTED_A_TURN]:
            if not self._is_trusted(connection.flow.remote[0]):
                connection.abort("room")
                return True
        return False

    def _on_exhausted(self, listener: socket.socket) -> None:
        """No descriptor left: without the spare one who waits could be neither served nor refused."""
        self.counters.refused["descriptors"] += 1
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
            try:
                sock, _ = listener.accept()
                reset(sock)
            except OSError:
                pass  # somebody was quicker
        if not self._open_spare():
            loop = asyncio.get_running_loop()
            loop.remove_reader(listener)
            loop.call_later(_PAUSE, self._watch, listener)

    def _open_spare(self) -> bool:
        try:
            self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._spare = None
        return self._spare is not None

    # -- sending

    def send(self, data: bytes, flow: Flow) -> None:
        """Write a message to the connection of a flow, or to one that leads to its remote end."""
        if flow.connection:
            connection = self._open.get(flow.connection)
        else:
            key = (flow.transport, flow.remote, flow.name)
            connection = self._by_key.get(key) or self._dial(flow)
        if connection is None:
            self.counters.failed["closed"] += 1
            self._failures.append((flow, "closed"))
            return
        connection.send(data)  # to one that is being closed: its end is about to be told
        self.counters.messages_out += 1
        self.counters.octets_out += len(data)

    def take_failures(self) -> list[Failure]:
        """Return and forget the flows that could not be used."""
        failures, self._failures = self._failures, []
        return failures

    def _dial(self, flow: Flow) -> Connection | None:
        if self._is_stopping or (len(self._open) >= self.max_connections and not self._make_room()):
            return None
        connection = self._add(flow.replace(connection=next(self._numbers)), is_outgoing=True)
        connection.is_used = True
        self._run(connection, self._connect(connection))
        return connection

    async def _connect(self, connection: Connection) -> None:
        flow, loop = connection.flow, asyncio.get_running_loop()
        sock = open_tcp(flow.remote[0])
        try:
            tune(sock, self.limits.user_timeout)
            sock.bind(to_sockaddr((flow.local[0], 0)))
            async with asyncio.timeout(self.limits.connect_timeout):
                await loop.sock_connect(sock, to_sockaddr(flow.remote))
                if flow.transport in _PLAIN:
                    await loop.create_connection(lambda: connection, sock=sock)
                else:
                    await self._secure(connection, sock)
        except BaseException:
            sock.close()
            raise
        self.counters.connections_opened += 1

    async def _secure(self, connection: Connection, sock: socket.socket) -> None:
        """Begin TLS; the server is asked for the name that it has to prove."""
        name = connection.flow.name
        tls = self.tls or Tls(TlsConfig())
        await asyncio.get_running_loop().create_connection(
            lambda: connection,
            sock=sock,
            ssl=tls.client,
            server_hostname=name if is_name(name) else "",
            ssl_handshake_timeout=self.limits.handshake_timeout,
            ssl_shutdown_timeout=_SHUTDOWN_TIMEOUT,
        )

    # -- the table

    def peer_names(self, flow: Flow) -> tuple[str, ...]:
        """Whom the certificate of a connection's remote end names; nobody when it has not been verified."""
        connection = self._open.get(flow.connection)
        return () if connection is None else connection.peer_names

    def alias(self, connection: Connection, port: int) -> None:
        """Use a connection that we accepted for requests too (RFC 5923 §8), to the names that it proved."""
        flow = connection.flow
        for name in connection.peer_names:
            key = (flow.transport, (flow.remote[0], port), name)
            if key not in connection.keys and self._by_key.setdefault(key, connection) is connection:
                connection.keys.append(key)

    def _add(self, flow: Flow, *, is_outgoing: bool = False) -> Connection:
        connection = Connection(self, flow, self.now(), is_outgoing=is_outgoing)
        self._open[flow.connection] = connection
        self._by_key[connection.keys[0]] = connection
        self._per_source[connection.source] += 1
        self.counters.connections = len(self._open)
        if self._sweep is None:
            self._arm_sweep()
        return connection

    def forget(self, connection: Connection) -> None:
        """Use a connection no more, though it is still being closed."""
        for key in connection.keys:
            if self._by_key.get(key) is connection:
                del self._by_key[key]

    def remove(self, connection: Connection) -> None:
        """The connection has ended: whoever used it must know."""
        if self._open.pop(connection.flow.connection, None) is None:
            return
        self.forget(connection)
        connection.is_closing = True
        self._per_source[connection.source] -= 1
        if not self._per_source[connection.source]:
            del self._per_source[connection.source]
        self.counters.connections = len(self._open)
        if self._is_stopping and not self._open:
            self._all_closed.set()
        self.counters.closed[connection.why_closed] += 1
        self._on_failures([(connection.flow, connection.why_closed)])

    def _run(self, connection: Connection, opening: Coroutine[Any, Any, None]) -> None:
        """Open a connection in a task of its own: the only task there is for it."""
        task = asyncio.get_running_loop().create_task(opening)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._on_opened(connection, done))

    def _on_opened(self, connection: Connection, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            connection.why_closed = "stopped"
        elif (error := task.exception()) is not None:
            connection.why_closed = self._why_not_opened(connection, error)
        else:
            return
        self.remove(connection)

    def _why_not_opened(self, connection: Connection, error: BaseException) -> str:
        if connection.flow.is_secure:
            self.counters.handshakes["tls_failed"] += 1
        if isinstance(error, ssl.SSLCertVerificationError):
            return "certificate"
        if isinstance(error, ssl.SSLError) or not connection.is_used:
            return "handshake"  # a stranger's is one kind, however he makes it fail
        return "connect_timeout" if isinstance(error, TimeoutError) else f"connect: {reason_of(error)}"

    # -- deadlines

    def _arm_sweep(self) -> None:
        """Look at all connections every second: cheaper than a timer for each."""
        if self._sweep is not None:
            self._sweep.cancel()
        interval = min(1.0, self.limits.message_timeout / 8)
        self._sweep = asyncio.get_running_loop().call_later(interval, self._on_sweep)

    def _on_sweep(self) -> None:
        self._sweep = None
        now = self.now()
        for connection in list(self._open.values()):
            if why := connection.overdue(now):
                connection.abort(why)
            else:
                connection.keep_alive(now)
        if self._open:
            self._arm_sweep()
