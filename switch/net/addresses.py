"""Which of our addresses faces a remote host: the one to advertise to it, in SIP and in SDP.

The kernel is asked which way it would send: by netlink, or by a socket where that is forbidden.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Protocol

from .clock import Clock
from .interfaces import NLM_F_REQUEST, NLMSG_ERROR, attributes_of, list_addresses
from .limits import Recent
from .sockets import Readiness
from .watchdog import Log

CHANGES = 0x1 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400  # links; addresses, routes and rules of IPv4; of IPv6
_NETLINK_ROUTE = 0
_RTM_GETROUTE = 26
_RTA_DST, _RTA_OIF, _RTA_PREFSRC = 1, 4, 7
# rtnetlink(7): family, prefix lengths of destination and source, tos, table, protocol, scope, type, flags
_ROUTE = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence number, port
_RTN_LOCAL = 2
_DISCARD_PORT = 9  # RFC 863; connecting a UDP socket sends nothing anyway


class Route:
    """Our address on the way to a host, and whether that host is ourselves; it never changes."""

    __slots__ = ("is_local", "source")

    def __init__(self, source: str, is_local: bool) -> None:
        self.source = source
        self.is_local = is_local


class Routes(Protocol):
    """Something that can be asked for a route; raises OSError when there is none."""

    def find(self, host: str) -> Route: ...


def split_scope(host: str) -> tuple[IPv4Address | IPv6Address, str]:
    """Read an address: a mapped one (::ffff:192.0.2.1) as IPv4, a link apart (fe80::1%eth0)."""
    plain, _, link = host.partition("%")
    address = ip_address(plain)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped, ""
    return address, link


def plain_host(host: str) -> str:
    """Return an address as the sockets know it: a mapped one as IPv4."""
    return str(split_scope(host)[0]) if ":" in host and "." in host else host


class NetlinkRoutes:
    """Route look-ups by netlink.

    The kernel answers within send(), so that reading never waits.
    """

    def find(self, host: str) -> Route:
        """Ask which way the kernel would send to a host."""
        address, link = split_scope(host)
        with open_netlink(0) as sock:  # one for each question: no answer can be mistaken, none left open
            sock.send(self._request(address, link))
            data = sock.recv(65536)
        _, kind, _, _, _ = _HEADER.unpack_from(data)
        if kind == NLMSG_ERROR:
            error = -struct.unpack_from("=i", data, _HEADER.size)[0]
            raise OSError(error, os.strerror(error), host)
        type_ = _ROUTE.unpack_from(data, _HEADER.size)[7]
        source = dict(attributes_of(data, _HEADER.size + _ROUTE.size)).get(_RTA_PREFSRC)
        if source is None:  # an old kernel, or a route without any address
            return SocketRoutes().find(host)
        return Route(_on_link(str(ip_address(source)), link), address.is_unspecified or type_ == _RTN_LOCAL)

    def _request(self, address: IPv4Address | IPv6Address, link: str) -> bytes:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        body = _ROUTE.pack(family, address.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
        body += _attribute(_RTA_DST, address.packed)
        if link:
            body += _attribute(_RTA_OIF, struct.pack("=I", socket.if_nametoindex(link)))
        return _HEADER.pack(_HEADER.size + len(body), _RTM_GETROUTE, NLM_F_REQUEST, 0, 0) + body


class SocketRoutes:
    """Route look-ups by connecting and binding sockets: nothing is sent, no right is needed."""

    def find(self, host: str) -> Route:
        """Ask which address a socket gets that is connected to a host."""
        address, link = split_scope(host)
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        scope = (0, socket.if_nametoindex(link)) if link else ()
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((str(address), _DISCARD_PORT, *scope))
            source = _on_link(sock.getsockname()[0], link)
        return Route(source, may_be_local(host))


def may_be_local(host: str) -> bool:
    """Whether a socket can be bound there: the address is ours, or the kernel is told to permit any."""
    address, link = split_scope(host)
    if address.is_multicast:
        return False
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    scope = (0, socket.if_nametoindex(link)) if link else ()
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((str(address), 0, *scope))
        except OSError:
            return False
    return True


def _on_link(source: str, link: str) -> str:
    return f"{source}%{link}" if link and ip_address(source).is_link_local else source


def _attribute(kind: int, value: bytes) -> bytes:
    """An attribute of 4 or 16 octets: none needs padding."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value


def open_netlink(groups: int) -> socket.socket:
    """Open a netlink socket that hears of changes in these groups."""
    sock = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, _NETLINK_ROUTE
    )
    try:
        sock.bind((0, groups))
    except OSError:
        sock.close()
        raise
    return sock


class Addresses:
    """Route look-ups with a cache, which is emptied when the kernel reports a change; that is logged.

    The cache holds hosts, not networks: a host route or a policy rule may treat neighbours differently.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        routes: Routes | None = None,
        max_age: float = 60.0,
        size: int = 4096,
        log: Log | None = None,
    ) -> None:
        self._clock = clock or Clock()
        self._routes = routes or best_routes()
        self._max_age = max_age
        self._cache = Recent(size)
        self._forget_at = 0.0
        self._monitor: socket.socket | None = None
        self._readiness: Readiness | None = None
        self._log = log
        self._present: dict[str, str] = {}  # our addresses, each with its interface
        self.on_change: list[Callable[[frozenset[str], frozenset[str]], object]] = []  # up, down
        self.on_reroute: list[Callable[[], object]] = []  # whatever changed: routes, rules, links, addresses
        self.public = ""  # an address that is ours too, though it is on a NAT
        self.misses = 0

    def local_for(self, remote_host: str) -> str:
        """Return our address on the way to a host; OSError when no way leads there, ValueError for a name."""
        return self._find(remote_host).source

    def is_local(self, host: str) -> bool:
        """Whether this is an address of this machine's; names are not."""
        if host == self.public and host:
            return True
        try:
            # A stranger may ask for any address: what cannot be ours costs little and is not remembered.
            return (self._is_known(host) or may_be_local(host)) and self._find(host).is_local
        except (ValueError, OSError):
            return False

    async def start(self) -> None:
        """Hear of changes from the kernel; without the right to, what is cached still expires."""
        if self._monitor is None:
            try:
                self._monitor = open_netlink(CHANGES)
            except OSError:
                return
            self._present = self._list()
            self._readiness = Readiness(self._monitor, self._on_change)

    async def stop(self) -> None:
        """Close what is open."""
        if self._readiness is not None:
            self._readiness.close()
        if self._monitor is not None:
            self._monitor.close()
        self._readiness = self._monitor = None

    def _is_known(self, host: str) -> bool:
        return self._cache.get(host) is not None

    def _find(self, host: str) -> Route:
        now = self._clock.now()
        if now >= self._forget_at:  # all at once: cheaper than an age for each, and look-ups are quick
            self._cache.clear()
            self._forget_at = now + self._max_age
        route: Route | None = self._cache.get(host)
        if route is None:
            route = self._routes.find(host)
            self._cache.put(host, route)
            self.misses += 1
        return route

    def _on_change(self) -> None:
        assert self._monitor is not None
        self._cache.clear()
        try:
            while self._monitor.recv(65536):
                pass
        except OSError:  # nothing more, or more than the queue held: either way all is asked again
            self._compare()
        for told in self.on_reroute:
            told()

    def _compare(self) -> None:
        """Tell which addresses have come up and which have gone."""
        before, self._present = self._present, self._list()
        up = {host: link for host, link in self._present.items() if host not in before}
        down = {host: link for host, link in before.items() if host not in self._present}
        if self._log is not None:
            for host, link in down.items():
                self._log.warning("net.address_down", address=host, interface=link)
            for host, link in up.items():
                self._log.info("net.address_up", address=host, interface=link)
        if up or down:
            for told in self.on_change:
                told(frozenset(up), frozenset(down))

    def _list(self) -> dict[str, str]:
        try:
            with open_netlink(0) as sock:
                return list_addresses(sock)
        except OSError:
            return self._present


def best_routes() -> Routes:
    """Netlink where it is permitted."""
    try:
        open_netlink(0).close()
    except OSError:
        return SocketRoutes()
    return NetlinkRoutes()
