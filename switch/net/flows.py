"""Which socket a message leaves by, and which of our addresses a host is to know us by."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from switchroom.protocols.sip.flow import Flow

from .addresses import Addresses, plain_host
from .limits import Recent
from .udp import Datagram, Failure, UdpListener

_REMEMBERED = 4096
_SECURE = ("TLS", "WSS")


class NoListenerError(LookupError):
    """No listener of that transport faces the host."""


class Bound(NamedTuple):
    """Where we listen."""

    transport: str
    host: str
    port: int
    is_wildcard: bool


class Flows:
    """The table of listeners, read in both directions."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._bound: list[Bound] = []
        self._asked = Recent(_REMEMBERED)  # transport and our address: both as flows have them, and the port
        self._listener_of: dict[tuple[str, int], UdpListener] = {}
        self._latest: UdpListener | None = None  # nearly always it is the same one
        self._latest_local: tuple[str, int] | None = None
        self._failures: list[Failure] = []
        self.listeners: list[UdpListener] = []
        self.for_streams: list[Datagram] = []

    def add(self, transport: str, host: str, port: int) -> None:
        """Know of a listener."""
        self._bound.append(Bound(transport, host, port, ipaddress.ip_address(host).is_unspecified))

    def close(self) -> None:
        """Close the UDP listeners."""
        for listener in self.listeners:
            listener.close()
        self.listeners.clear()
        self._bound.clear()
        self._asked.clear()
        self._listener_of.clear()
        self._latest = self._latest_local = None

    def flow_to(self, host: str, port: int, transport: str, name: str = "") -> Flow:
        """Return the flow to a host; ValueError for a name, OSError without a route."""
        if not 0 < port < 65536:
            raise ValueError(f"not a port: {port}")
        transport, host = transport.upper(), plain_host(host)
        local_host = self._addresses.local_for(host)
        known = self._asked.get((transport, local_host))
        if known is None:
            known = self._local_end(transport, local_host)
            self._asked.put((transport, local_host), known)
        return Flow(known[0], known[1], (host, port), 0, name if known[0] in _SECURE else "")

    def _local_end(self, transport: str, local_host: str) -> tuple[str, tuple[str, int]]:
        """The transport and the local end of flows, which are the same objects in all of them."""
        bound = self._facing(transport, local_host)
        local = (local_host if bound.is_wildcard else bound.host, bound.port)
        listener = self._find_listener(local) if bound.transport == "UDP" else None
        if listener is not None and listener.local == local:
            local = listener.local
        return bound.transport, local

    def _facing(self, transport: str, local_host: str) -> Bound:
        """Find the listener: at that very address, at all, or where the same networks are reached from."""
        address = ipaddress.ip_address(local_host)
        same = [bound for bound in self._bound if bound.transport == transport]
        for bound in same:
            if bound.host == local_host:
                return bound
        for bound in same:
            own = ipaddress.ip_address(bound.host)
            if own.version == address.version and (
                bound.is_wildcard or own.is_loopback == address.is_loopback
            ):
                return bound
        raise NoListenerError(f"no {transport} listener faces what is reached from {local_host}")

    # -- out

    def put(self, item: Datagram | None) -> None:
        """Put a message into the outbox of the socket that it leaves by."""
        if item is None:
            return
        flow = item[1]
        if flow.transport != "UDP":
            self.for_streams.append(item)
            return
        listener = self._latest
        if listener is None or flow.local is not self._latest_local:
            listener = self._listener_at(flow.local)
            if listener is None:
                self._failures.append((flow, "no listener"))
                return
            self._latest, self._latest_local = listener, flow.local
        listener.outbox.append(item)

    def flush(self) -> list[Failure]:
        """Send all datagrams; return the flows that could not be reached."""
        failures, self._failures = self._failures, []
        for listener in self.listeners:
            if listener.outbox:
                listener.flush()
                failures += listener.take_failures()
        return failures

    def take_for_streams(self) -> list[Datagram]:
        """Return and forget what leaves by a connection."""
        items, self.for_streams = self.for_streams, []
        return items

    def _listener_at(self, local: tuple[str, int]) -> UdpListener | None:
        listener = self._listener_of.get(local)
        return self._find_listener(local) if listener is None else listener

    def _find_listener(self, local: tuple[str, int]) -> UdpListener | None:
        is_ipv6 = ":" in local[0]
        for listener in self.listeners:
            is_ours = listener.host == local[0] or (
                listener.is_wildcard and (":" in listener.host) == is_ipv6
            )
            if is_ours and listener.port == local[1]:
                if len(self._listener_of) >= _REMEMBERED:
                    self._listener_of.clear()
                self._listener_of[local] = listener
                return listener
        return None
