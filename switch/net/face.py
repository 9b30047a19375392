"""The asyncio side of SIP: drives one sans-I/O endpoint over UDP, TCP, TLS and WebSocket.

Each wake-up is one pass: what came in goes through the limits into the endpoint (``entrance``), its events to
their owner, what both have to say out in one batch for each socket, and the one timer is set (``turn``).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

import structlog

from switchroom.protocols import sip
from switchroom.protocols.sip.flow import Flow
from switchroom.switch.config import join_address, split_listen

from .addresses import Addresses, may_be_local
from .bans import BanList
from .bus import Bus
from .clock import Clock
from .entrance import Entrance
from .faults import Faults
from .flows import Flows
from .limits import NetCounters, NetLimits
from .owners import Owners
from .public import PublicAddress
from .tap import Tap
from .tcp import Connections
from .tls import Tls
from .turn import TimerOwner, Turn
from .udp import UdpListener
from .watchdog import Log
from .websocket import WebSocketRules

_WORKER_SHIFT = 40  # connections of several workers have numbers of their own


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
        tap: Tap | None = None,
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
        self._sockets = sockets
        self._adopted: dict[int, list[UdpListener]] = {}  # by the worker that cannot read at present
        self._listen = listen
        self._limits = limits
        self._clock = clock or Clock()
        self._log: Log = log or structlog.get_logger("net")
        self.counters = NetCounters()
        self.public = public or PublicAddress()
        self.bound: list[tuple[str, str, int]] = []
        faults = Faults(self._log, self._clock, self.counters)
        self._flows = Flows(addresses)
        self._turn = Turn(
            endpoint,
            on_event,
            timers=timers,
            on_flow_failed=on_flow_failed,
            tap=tap,
            flows=self._flows,
            bus=self._bus,
            faults=faults,
            clock=self._clock,
        )
        self._entrance = Entrance(
            endpoint,
            self._turn,
            flows=self._flows,
            bus=self._bus,
            owners=owners,
            limits=limits,
            counters=self.counters,
            clock=self._clock,
            faults=faults,
            is_trusted=is_trusted,
            is_exempt=is_exempt,
            bans=bans,
        )
        self._connections = self._turn.connections = Connections(
            receive=self._entrance.receive_message,
            refuse=self._entrance.refuse,
            finish_turn=self._turn.finish,
            on_failures=self._entrance.receive_failures,
            is_trusted=is_trusted,
            limits=limits,
            counters=self.counters,
            clock=self._clock,
            tls=tls,
            websocket=websocket,
            first_number=(self._bus.slot << _WORKER_SHIFT) + 1,
        )

    @property
    def tap(self) -> Tap | None:
        """Is shown each message, while somebody wants to see them."""
        return self._turn.tap

    @tap.setter
    def tap(self, tap: Tap | None) -> None:
        self._turn.tap = tap

    # -- life

    async def start(self) -> None:
        """Bind all listeners and begin; OSError says what could not be bound, and then nothing is."""
        try:
            for number, (transport, host, port) in enumerate(map(split_listen, self._listen)):
                self._open(transport, host, port, self._sockets[number] if self._sockets else None)
        except OSError:
            await self.stop()
            raise
        self._turn.start()
        self._bus.on_frames = self._entrance.receive_frames
        for listener in self._flows.listeners:
            listener.start()
        self._connections.start()
        self.flush()

    async def stop(self) -> None:
        """Close everything; what has been written to connections is still sent."""
        self._turn.stop()
        await self._connections.stop()
        for slot in list(self._adopted):
            self.release(slot)
        self._flows.close()
        self.bound.clear()

    def apply(self, limits: NetLimits) -> None:
        """Go on with other limits; sizes of buffers and messages stay for what is open already."""
        self._limits = self._connections.limits = limits
        self._entrance.apply(limits)

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
        self._turn.flush()

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
            on_datagrams=self._entrance.receive_datagrams,
            on_failures=self._entrance.receive_failures,
            limits=self._limits,
            counters=self.counters,
            sock=sock,
        )
