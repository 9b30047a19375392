"""A UDP socket: batches in, batches out, and what the network says could not be delivered."""

from __future__ import annotations

import asyncio
import ipaddress
import select
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence

from switchroom.protocols.sip.flow import Flow

from ._batch import BatchSocket
from .limits import NetCounters, NetLimits
from .sockets import Readiness, open_udp

Datagram = tuple[bytes, Flow]
Failure = tuple[Flow, str]

_SO_MEMINFO = 55
_SK_MEMINFO_DROPS = 8
TICK = 0.001  # seconds that a message may wait for others, when they come fast
_FULL_BATCH = 64  # what BatchSocket takes at most: there is more
_MOST = 1024  # datagrams taken at once, when there are many
_RAPID = 8  # wake-ups in a row that are no further apart
_REMEMBERED = 1024  # datagrams sent, to tell genuine ICMP errors from forged ones
_BRANCH = b"branch="
_RANDOM_SIZE = 20  # octets of the branch that a forger would have to guess


class UdpListener:
    """One bound socket; ``on_datagrams`` and ``on_failures`` are called with what a wake-up brought."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        on_datagrams: Callable[[list[Datagram]], None],
        on_failures: Callable[[list[Failure]], None],
        limits: NetLimits,
        counters: NetCounters,
        sock: socket.socket | None = None,
    ) -> None:
        """``sock``: bound there already, by whoever shares the port out among several workers."""
        self._on_datagrams = on_datagrams
        self._on_failures = on_failures
        self._counters = counters
        self._queue_size = limits.send_queue_size
        self.socket = sock or open_udp(host, port, limits.receive_buffer_size)
        self.host, self.port = host, int(self.socket.getsockname()[1])
        self.local = (host, self.port)  # of all its flows, if it is bound to one address
        self.is_wildcard = ipaddress.ip_address(host).is_unspecified
        self._batch: BatchSocket[Flow] = BatchSocket(
            self.socket.fileno(), self.socket.family, self.is_wildcard, self._make_flow
        )
        self.outbox: list[Datagram] = []
        self._waiting: deque[Datagram] = deque()
        self._sent: deque[Datagram] = deque(maxlen=_REMEMBERED)
        self._remember = self._sent.extend
        self._loop = asyncio.get_running_loop()
        self._time = self._loop.time
        self._woken_at = 0.0
        self._rapid_wakes = 0
        self._readable: Readiness | None = None
        self._writable: Readiness | None = None

    def start(self) -> None:
        """Begin to read."""
        self._readable = Readiness(self.socket, self._on_readable)

    def close(self) -> None:
        """Close the socket; what still waits is lost."""
        for readiness in (self._readable, self._writable):
            if readiness is not None:
                readiness.close()
        self._readable = self._writable = None
        self.socket.close()

    @property
    def kernel_drops(self) -> int:
        """Datagrams that came while the receive buffer was full."""
        info = self.socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4 * (_SK_MEMINFO_DROPS + 1))
        return int(struct.unpack_from("=I", info, 4 * _SK_MEMINFO_DROPS)[0])

    def flush(self) -> None:
        """Send the outbox, or queue it behind what waits for the socket."""
        datagrams, self.outbox = self.outbox, []
        if not datagrams:
            return
        if self._waiting:
            self._wait(datagrams)
        elif (done := self._send(datagrams)) < len(datagrams):
            self._wait(datagrams[done:])

    def take_failures(self) -> list[Failure]:
        """Return and forget the flows that could not be reached."""
        failures = []
        for flow, reason, quote in self._batch.take_failures():
            if quote is None or self._has_sent(quote, flow):
                self._counters.failed[reason] += 1
                failures.append((flow, reason))
            else:
                self._counters.dropped["icmp"] += 1
        return failures

    def _make_flow(self, local_host: str | None, remote: tuple[str, int]) -> Flow:
        return Flow("UDP", (local_host, self.port) if local_host else self.local, remote)

    def _on_readable(self) -> None:
        """Take one batch: what else there is wakes the loop again, after others had their turn."""
        self._take()
        now = self._time()
        self._rapid_wakes = self._rapid_wakes + 1 if now - self._woken_at <= TICK else 0
        self._woken_at = now
        if self._rapid_wakes >= _RAPID and self._readable is not None:
            self._readable.pause()
            self._loop.call_later(TICK, self._on_tick)

    def _on_tick(self) -> None:
        """While there is much traffic, take what a tick brought: each wake-up costs what a message does."""
        if self._readable is None:
            return
        count = self._take()
        if count >= _FULL_BATCH:
            self._loop.call_soon(self._on_tick)
        elif count:
            self._loop.call_later(TICK, self._on_tick)
        else:
            self._rapid_wakes = 0
            self._readable.resume()

    def _take(self) -> int:
        datagrams = self._batch.receive()
        count = len(datagrams)
        while count >= _FULL_BATCH and len(datagrams) < _MOST:  # before the kernel has no room for the rest
            more = self._batch.receive()
            datagrams += more
            count = len(more)
        if datagrams:
            self._on_datagrams(datagrams)
        if failures := self.take_failures():
            self._on_failures(failures)
        return len(datagrams)

    def _send(self, datagrams: list[Datagram]) -> int:
        done = self._batch.send(datagrams)
        sent = datagrams if done == len(datagrams) else datagrams[:done]
        self._remember(sent)
        self._counters.datagrams_out += done
        octets = 0
        for data, _ in sent:
            octets += len(data)
        self._counters.octets_out += octets
        return done

    def _wait(self, datagrams: Sequence[Datagram]) -> None:
        room = max(self._queue_size - len(self._waiting), 0)
        self._waiting.extend(datagrams[:room])
        if len(datagrams) > room:  # the newest go: their senders repeat them later than the others
            self._counters.dropped["send_queue"] += len(datagrams) - room
        if self._writable is None and self._waiting:
            self._writable = Readiness(self.socket, self._on_writable, select.EPOLLOUT)

    def _on_writable(self) -> None:
        datagrams = list(self._waiting)
        self._waiting.clear()
        self._waiting.extend(datagrams[self._send(datagrams) :])
        if not self._waiting and self._writable is not None:
            self._writable.close()
            self._writable = None
        if failures := self.take_failures():
            self._on_failures(failures)

    def _has_sent(self, quote: bytes, flow: Flow) -> bool:
        """Whether an ICMP error quotes what we sent, unguessable branch included: anybody can send one."""
        at = quote.find(_BRANCH)
        if at < 0 or len(quote) < at + len(_BRANCH) + _RANDOM_SIZE:
            return False
        return any(data.startswith(quote) and sent.remote == flow.remote for data, sent in self._sent)
