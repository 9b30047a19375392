"""Sockets that wait for connections: who is let in is asked before anything is read, or a handshake made."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

from switchroom.switch.config import split_smpp_listen
from switchroom.switch.net.sockets import from_sockaddr, open_listener, reset, tune

from .line import Line

__all__ = ["Listener"]

_ACCEPTED_A_TURN = 64
_PAUSE = 0.2  # seconds without accepting, when there is no descriptor left
_USER_TIMEOUT = 30.0
_HANDSHAKE_TIMEOUT = 8.0
_SHUTDOWN_TIMEOUT = 2.0


class Listener:
    """One listening socket; ``enter`` gives the connection for a remote address, or None: it is refused."""

    def __init__(
        self,
        address: str,
        enter: Callable[[tuple[str, int], bool], Line | None],
        context: Callable[[], ssl.SSLContext | None],
        on_failed: Callable[[Line, str], None],
    ) -> None:
        """OSError: nobody can listen there."""
        scheme, host, port = split_smpp_listen(address)
        self.is_secure = scheme == "smpps"
        self._enter, self._context, self._on_failed = enter, context, on_failed
        self._socket = open_listener(scheme, host, port)
        self._tasks: set[asyncio.Task[object]] = set()

    @property
    def address(self) -> tuple[str, str, int]:
        """Where it listens."""
        host, port = from_sockaddr(self._socket.getsockname())
        return ("smpps" if self.is_secure else "smpp"), host, port

    def start(self) -> None:
        """Begin to accept."""
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().add_reader(self._socket, self._on_acceptable)

    def stop(self) -> None:
        """Accept nobody any more."""
        loop = asyncio.get_running_loop()
        if self._socket.fileno() >= 0:
            loop.remove_reader(self._socket)
            self._socket.close()
        for task in self._tasks:
            task.cancel()

    def _on_acceptable(self) -> None:
        for _ in range(_ACCEPTED_A_TURN):
            try:
                sock, address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no descriptor left: those who wait are served when there is
                loop = asyncio.get_running_loop()
                loop.remove_reader(self._socket)
                loop.call_later(_PAUSE, self.start)
                return
            self._accept(sock, from_sockaddr(address))

    def _accept(self, sock: socket.socket, remote: tuple[str, int]) -> None:
        sock.setblocking(False)
        line = self._enter(remote, self.is_secure)
        if line is None:
            reset(sock)
            return
        try:
            tune(sock, _USER_TIMEOUT)
        except OSError:  # it is gone again
            sock.close()
            self._on_failed(line, "gone")
            return
        task = asyncio.get_running_loop().create_task(self._hand_over(line, sock))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _hand_over(self, line: Line, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            if not self.is_secure:
                await loop.connect_accepted_socket(lambda: line, sock)
                return
            await loop.connect_accepted_socket(
                lambda: line,
                sock,
                ssl=self._context(),
                ssl_handshake_timeout=_HANDSHAKE_TIMEOUT,
                ssl_shutdown_timeout=_SHUTDOWN_TIMEOUT,
            )
        except (OSError, ssl.SSLError, asyncio.CancelledError):
            sock.close()
            self._on_failed(line, "handshake")
