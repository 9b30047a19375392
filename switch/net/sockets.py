"""Sockets: how they are opened and tuned, how addresses are written, and being told when one is ready."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import select
import socket
import struct
from collections.abc import Callable

from switchroom.switch.config import join_address

_IP_PKTINFO = 8  # these are not in Python 3.11's socket module
_IP_RECVERR = 11
_IPV6_RECVERR = 25
_SO_RCVBUFFORCE = 33
_IP_FREEBIND = 15
_IPV6_FREEBIND = 78
_BACKLOG = 512
_STREAM_BUFFER = 65536  # octets: what a stranger may make us hold
_KEEP_ALIVE = ((socket.TCP_KEEPIDLE, 120), (socket.TCP_KEEPINTVL, 30), (socket.TCP_KEEPCNT, 3))


class Readiness:
    """Calls back while a socket can be read (datagrams, queued errors) or, with EPOLLOUT, written.

    The loop gets an epoll that holds the socket: uvloop stops watching, for good, whatever reports an error
    by itself, such as a UDP socket with an ICMP error. An epoll never does.
    """

    def __init__(
        self, sock: socket.socket, on_ready: Callable[[], object], events: int = select.EPOLLIN
    ) -> None:
        self._sock, self._events = sock, events
        self._epoll = select.epoll()
        self._epoll.register(sock, events)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), on_ready)

    def pause(self) -> None:
        """Do not call back until ``resume``."""
        self._epoll.unregister(self._sock)

    def resume(self) -> None:
        """Call back again, also for what came meanwhile."""
        self._epoll.register(self._sock, self._events)

    def close(self) -> None:
        """Stop watching; the socket stays open."""
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()


def open_udp(host: str, port: int, receive_buffer_size: int, *, is_shared: bool = False) -> socket.socket:
    """Bind a UDP socket that reports the address it was asked at, and ICMP errors.

    ``is_shared``: others may be bound there that are shared too; the kernel deals out by the remote address.
    """
    is_ipv4 = ipaddress.ip_address(host).version == 4
    sock = socket.socket(
        socket.AF_INET if is_ipv4 else socket.AF_INET6,
        socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC,
    )
    try:
        if is_ipv4:
            sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # no mapped addresses
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        enlarge(sock, receive_buffer_size)
        if is_shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bind(sock, "udp", host, port)
    except OSError:
        sock.close()
        raise
    return sock


def enlarge(sock: socket.socket, size: int) -> None:
    """Make the receive buffer that large, or as large as the system permits."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


def bind(sock: socket.socket, transport: str, host: str, port: int) -> bool:
    """Bind, and say in the error what could not be bound; False: to an address that is yet to come up."""
    try:
        try:
            sock.bind(to_sockaddr((host, port)))
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise
            if sock.family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
            sock.bind(to_sockaddr((host, port)))
            return False
        return True
    except OSError as error:
        text = f"{transport}:{join_address(host, port)}: {error.strerror}"
        raise OSError(error.errno, text) from error


def to_sockaddr(address: tuple[str, int]) -> tuple[str, int] | tuple[str, int, int, int]:
    """Return what Python's sockets want for (host, port); a link-local host says its link after a %."""
    host, _, link = address[0].partition("%")
    if not link:
        return address
    return host, address[1], 0, int(link) if link.isdecimal() else socket.if_nametoindex(link)


def from_sockaddr(address: tuple[str, int] | tuple[str, int, int, int]) -> tuple[str, int]:
    """Return (host, port) of what Python's sockets give."""
    host, port = address[0], address[1]
    if len(address) == 4 and address[3] and "%" not in host:
        return f"{host}%{socket.if_indextoname(address[3])}", port
    return host, port


def open_tcp(host: str) -> socket.socket:
    """Open a TCP socket of the family of an address; what a listener accepts inherits its buffer size."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _STREAM_BUFFER)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return sock


def open_listener(transport: str, host: str, port: int, *, is_shared: bool = False) -> socket.socket:
    """Listen for streams; ``is_shared`` as with UDP."""
    listener = open_tcp(host)
    try:
        listener.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # a restart need not wait for TIME_WAIT
        if is_shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bind(listener, transport.lower(), host, port)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def tune(sock: socket.socket, user_timeout: float) -> None:
    """No delay for small messages, and no waiting for a dead remote end."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(user_timeout * 1000))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEP_ALIVE:
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


def reset(sock: socket.socket) -> None:
    """Close without a trace: a refused connection leaves no TIME_WAIT behind."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def reason_of(error: BaseException) -> str:
    """Return the short text of what went wrong."""
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number else type(error).__name__
