"""Connections to customers' servers: HTTP/1.1, kept open for a while, never to a fenced off address."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import httptools

from switchroom.switch.net.fence import Fence, ForbiddenError

_MAX_HEAD = 65536  # octets of status and fields
_MAX_OPEN = 256
_MAX_IDLE = 64
_KEPT = 15.0  # seconds for which a connection waits for its next request
_UNSAFE = re.compile("[\x00-\x1f\x7f]")
_TARGET = re.compile(r"[!-~]+")

Headers = Sequence[tuple[str, str]]
Key = tuple[str, str, int]  # scheme, host, port


class AnswerError(Exception):
    """What a server has answered is no HTTP, or too much."""

    def __init__(self, message: str, *, is_large: bool = False) -> None:
        self.is_large = is_large
        super().__init__(message)


class UnreachedError(OSError):
    """No connection in time."""


class LostError(Exception):
    """The connection was lost before the answer was there."""


@dataclass(slots=True)
class Response:
    """A whole answer; the names of fields are in small letters."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


class Connection(asyncio.Protocol):
    """One connection, for one request at a time."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self.is_reused = self.is_closed = False
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Response] | None = None
        self._watch: asyncio.Timeout | None = None
        self._begin(0, 0.0)

    def _begin(self, max_body: int, patience: float) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._response = Response()
        self._parts: list[bytes] = []
        self._size = self._head_size = 0
        self._max_body, self._patience = max_body, patience
        self.has_heard = self._has_head = False

    async def ask(self, request: bytes, max_body: int, patience: float) -> Response:
        """Send a request and wait for the answer, for ``patience`` seconds without an octet of it at most."""
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        self._begin(max_body, patience)
        self._answer = loop.create_future()
        self._transport.write(request)
        try:
            async with asyncio.timeout(patience) as self._watch:
                return await self._answer
        finally:
            self._answer = self._watch = None

    @property
    def may_go_on(self) -> bool:
        """Whether it is good for another request."""
        return not self.is_closed and self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        """No more."""
        self.is_closed = True
        if self._transport is not None:
            self._transport.abort()

    # -- from the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Some of an answer; what nobody has asked for ends it."""
        if self._answer is None or self._answer.done():
            self.close()
            return
        self.has_heard = True
        if self._watch is not None:
            self._watch.reschedule(asyncio.get_running_loop().time() + self._patience)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._fail(cause if isinstance(cause, AnswerError) else AnswerError(str(error)[:200]))
        except AnswerError as error:
            self._fail(error)

    def eof_received(self) -> bool:
        """The end of the connection is the end of an answer that has no other."""
        names = {name for name, _ in self._response.headers}
        if self._has_head and not names & {"content-length", "transfer-encoding"}:
            self.on_message_complete()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone."""
        self.is_closed = True
        self._fail(LostError(str(error) if error is not None else "the connection was closed"))

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self.close()

    # -- from the parser

    def on_message_begin(self) -> None:
        """An answer, or one that nobody has asked for."""
        if self._answer is None or self._answer.done():
            self.is_closed = True

    def on_status(self, status: bytes) -> None:
        """A phrase: of no interest, but it has a size."""
        self._count(len(status))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field."""
        self._count(len(name) + len(value) + 4)
        self._response.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def _count(self, octets: int) -> None:
        self._head_size += octets
        if self._head_size > _MAX_HEAD:
            raise AnswerError(f"its head is larger than {_MAX_HEAD} octets", is_large=True)

    def on_headers_complete(self) -> None:
        """The body is next."""
        self._has_head = True

    def on_body(self, body: bytes) -> None:
        """Some of it."""
        self._size += len(body)
        if self._size > self._max_body:
            raise AnswerError(f"the answer is larger than {self._max_body} octets", is_large=True)
        self._parts.append(body)

    def on_message_complete(self) -> None:
        """All is there; what only says that the answer will come is passed over."""
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            self._response.headers.clear()
            self._has_head = False
            return
        response = self._response
        response.status, response.body = status, b"".join(self._parts)
        if status == 101 or not self._parser.should_keep_alive():
            self.is_closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(response)


class Connections:
    """All of them; a name is looked up once for each connection, and all of its addresses are checked."""

    def __init__(self, fence: Fence, context: ssl.SSLContext) -> None:
        self.fence, self._context = fence, context
        self._idle: dict[Key, list[Connection]] = {}
        self._room = asyncio.Semaphore(_MAX_OPEN)

    async def request(
        self,
        method: str,
        url: str,
        headers: Headers,
        content: bytes | None,
        *,
        max_body: int,
        connect: float,
        read: float,
    ) -> Response:
        """Ask, and read the whole answer. OSError, LookupError, TimeoutError, LostError, AnswerError."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        key = parts.scheme, parts.hostname or "", parts.port or (443 if secure else 80)
        octets = _write(method, url, headers) + (content or b"")
        async with self._room:
            while True:
                connection = self._reuse(key) or await self._open(key, connect)
                try:
                    response = await connection.ask(octets, max_body, read)
                except LostError:
                    if connection.is_reused and not connection.has_heard:
                        continue  # it was closed just before it was asked
                    raise
                except BaseException:
                    connection.close()
                    raise
                self._keep(key, connection)
                return response

    def close(self) -> None:
        """Close those that wait."""
        for waiting in self._idle.values():
            for connection in waiting:
                connection.close()
        self._idle.clear()

    def _reuse(self, key: Key) -> Connection | None:
        oldest = asyncio.get_running_loop().time() - _KEPT
        waiting = self._idle.get(key, [])
        while waiting:
            connection = waiting.pop()
            if connection.may_go_on and connection.idle_since > oldest:
                connection.is_reused = True
                return connection
            connection.close()
        self._idle.pop(key, None)
        return None

    def _keep(self, key: Key, connection: Connection) -> None:
        now = asyncio.get_running_loop().time()
        if not connection.may_go_on:
            connection.close()
            return
        connection.idle_since = now
        self._idle.setdefault(key, []).append(connection)
        if sum(map(len, self._idle.values())) > _MAX_IDLE:
            oldest = min(self._idle, key=lambda one: self._idle[one][0].idle_since)
            self._idle[oldest].pop(0).close()
            if not self._idle[oldest]:
                del self._idle[oldest]

    async def _open(self, key: Key, timeout: float) -> Connection:  # noqa: ASYNC109
        scheme, host, port = key
        try:
            return await self._reach(scheme, host, port, timeout)
        except TimeoutError:
            raise UnreachedError(f"{host}: no connection within {timeout:g} s") from None

    async def _reach(self, scheme: str, host: str, port: int, timeout: float) -> Connection:  # noqa: ASYNC109
        async with asyncio.timeout(timeout):
            addresses = await self._addresses(host, port)
            for address in addresses[:2]:
                try:
                    return await self.connect(address, port, host if scheme == "https" else None)
                except ssl.SSLError:
                    raise
                except OSError as error:
                    failed = error
        raise failed

    async def _addresses(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise LookupError(host) from None
        addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
        for address in addresses:
            if not self.fence.allows(address):
                raise ForbiddenError(f"{host}: {address} is not one that webhooks may reach")
        if not addresses:
            raise LookupError(host)
        return addresses

    async def connect(self, address: str, port: int, secure_name: str | None) -> Connection:
        """To one address; ``secure_name``: for TLS, whose certificate must be for that."""
        context = None if secure_name is None else self._context
        _, made = await asyncio.get_running_loop().create_connection(
            Connection, address, port, ssl=context, server_hostname=secure_name
        )
        return made


def _write(method: str, url: str, headers: Headers) -> bytes:
    """The head of a request. ValueError: something in it cannot be written."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _TARGET.fullmatch(target):
        raise ValueError("the URL has characters that none has")
    lines = [f"{method} {target} HTTP/1.1"]
    for name, value in headers:
        if _UNSAFE.search(name + value):
            raise ValueError(f"{name[:40]}: has characters that no field has")
        lines.append(f"{name}: {value}")
    return "\r\n".join((*lines, "", "")).encode("latin-1")
