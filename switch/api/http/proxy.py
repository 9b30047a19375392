"""The proxy for clients that nobody may change: CONNECT to a name of theirs ends here (RFC 9110 §9.3.6)."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from typing import cast

_MAX_HEAD = 8192
_REQUEST = re.compile(rb"CONNECT ([A-Za-z0-9.-]{1,253}):443 HTTP/1\.[01]\r\n")
_NAME = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+){0,2}\.twilio\.com")


class Proxy(asyncio.Protocol):
    """One connection: reads CONNECT, then is TLS with a certificate of that name, then the API."""

    def __init__(
        self,
        make_protocol: Callable[[], asyncio.Protocol],
        context_for: Callable[[str], ssl.SSLContext],
        *,
        timeout: float,
    ) -> None:
        self._make_protocol, self._context_for, self._timeout = make_protocol, context_for, timeout
        self._head = b""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a head, not for ever."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is of no such class
        self._timer = asyncio.get_running_loop().call_later(self._timeout, self._transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Read the head; what is no CONNECT to a name that we stand in for is refused."""
        assert self._transport is not None
        self._head += data
        if b"\r\n\r\n" not in self._head:
            if len(self._head) > _MAX_HEAD:
                self._transport.abort()
            return
        found = _REQUEST.match(self._head)
        name = found[1].decode().lower() if found else ""
        if not _NAME.fullmatch(name) or not self._head.endswith(b"\r\n\r\n"):
            self._transport.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self._transport.close()
            return
        self._transport.pause_reading()
        self._transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self._task = asyncio.create_task(self._secure(name))

    async def _secure(self, name: str) -> None:
        """Become TLS, and hand the connection on."""
        assert self._transport is not None
        assert self._timer is not None
        early = _Early()
        loop = asyncio.get_running_loop()
        try:
            transport = await loop.start_tls(
                self._transport, early, self._context_for(name), server_side=True
            )
        except (OSError, ssl.SSLError):
            self._transport.abort()
            return
        finally:
            self._timer.cancel()
        if transport is None or early.is_lost:
            return
        protocol = self._make_protocol()
        protocol.connection_made(transport)
        transport.set_protocol(protocol)
        if early.data:
            protocol.data_received(early.data)


class _Early(asyncio.Protocol):
    """What a client sends right behind its handshake, before anybody could be told of the connection."""

    def __init__(self) -> None:
        self.data, self.is_lost = b"", False

    def data_received(self, data: bytes) -> None:
        """Keep it."""
        self.data += data

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over already."""
        self.is_lost = True
