"""Being told of a socket that may also carry errors."""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable


class Readiness:
    """Calls back while there is anything to read on a socket, datagrams or queued errors.

    The loop gets an epoll that holds the socket: uvloop stops watching, for good, whatever reports an error by
    itself, such as a UDP socket with an ICMP error. An epoll never does.
    """

    def __init__(self, sock: socket.socket, on_ready: Callable[[], object]) -> None:
        self._epoll = select.epoll()
        self._epoll.register(sock, select.EPOLLIN)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), on_ready)

    def close(self) -> None:
        """Stop watching; the socket stays open."""
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
