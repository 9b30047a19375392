"""A small HTTP/1.1 listener in the switch's loop for /metrics and /healthz.

It only ever reads a request line and headers, so it is a page of code with hard limits; a server made for
applications would bring its own signal handlers, logs and exit codes into the process of the calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Protocol

import structlog

from ..config import join_address, split_address

_MAX_HEAD = 8192
_MAX_CONNECTIONS = 32
_HEAD_TIMEOUT = 5.0
_SEND_TIMEOUT = 10.0
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
}
_TEXT = "text/plain; charset=utf-8"

log = structlog.get_logger("http")


class Page(Protocol):
    """What has something to show."""

    content_type: str

    def render(self) -> bytes | Awaitable[bytes]:
        """The page as it is now."""


class HttpServer:
    """Serves the metrics at ``/metrics`` and ``ok`` at ``/healthz``; an empty ``listen`` serves nothing."""

    def __init__(self, listen: str, metrics: Page) -> None:
        self._listen, self._metrics = listen, metrics
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """ADDRESS:PORT where it really listens, or nothing."""
        if self._server is None or not self._server.sockets:
            return ""
        host, port = self._server.sockets[0].getsockname()[:2]
        return join_address(host, port)

    async def start(self) -> None:
        """Listen; OSError names the address."""
        if not self._listen:
            return
        host, port = split_address(self._listen)
        try:
            self._server = await asyncio.start_server(self._serve, host, port, limit=_MAX_HEAD)
        except OSError as error:
            raise OSError(error.errno, f"api.listen: {self._listen}: {_reason(error)}") from None

    async def stop(self) -> None:
        """Close everything."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            if len(self._connections) <= _MAX_CONNECTIONS:
                async with asyncio.timeout(_HEAD_TIMEOUT):
                    head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._respond(head))
                async with asyncio.timeout(_SEND_TIMEOUT):
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            log.debug("http.connection_failed")
        except asyncio.CancelledError:
            if self._server is not None:
                raise
        finally:
            self._connections.discard(task)
            writer.close()

    async def _respond(self, head: bytes) -> bytes:
        parts = head.split(b"\r\n", 1)[0].split(b" ")
        if len(parts) != 3 or not parts[2].startswith(b"HTTP/1."):
            return _response(400, b"bad request\n")
        method, target = parts[0], parts[1].split(b"?", 1)[0]
        if method not in (b"GET", b"HEAD"):
            return _response(405, b"only GET\n", extra="Allow: GET, HEAD\r\n")
        has_body = method == b"GET"
        if target == b"/metrics":
            return await self._show_metrics(has_body=has_body)
        if target == b"/healthz":
            return _response(200, b"ok\n", has_body=has_body)
        return _response(404, b"/metrics and /healthz are here\n", has_body=has_body)

    async def _show_metrics(self, *, has_body: bool) -> bytes:
        try:
            page = self._metrics.render()
            body = page if isinstance(page, bytes) else await page
        except Exception:  # a number that cannot be read must not end anything
            log.exception("metrics.failed")
            return _response(500, b"the log says why\n")
        return _response(200, body, self._metrics.content_type, has_body=has_body)


def _response(
    status: int, body: bytes, content_type: str = _TEXT, *, extra: str = "", has_body: bool = True
) -> bytes:
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
        f"Connection: close\r\n{extra}\r\n"
    )
    return head.encode() + (body if has_body else b"")


def _reason(error: OSError) -> str:
    return "address already in use" if error.errno == 98 else (error.strerror or str(error)).lower()
