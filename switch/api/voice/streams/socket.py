"""A WebSocket to an application: connects, tells each message at once, sends without waiting."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

from .frames import CLOSE, PING, PONG, TEXT, FrameError, Handshake, Reader, frame
from .messages import MAX_MESSAGE, StreamError

_HIGH_WATER = 256 * 1024  # octets that may wait for an application that does not read
_FAREWELL = 1.0  # seconds in which it may close its side


class Socket(asyncio.Protocol):
    """One connection; ``closed`` comes when it is over, with an error or without."""

    def __init__(self, handshake: Handshake) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.on_text: Callable[[bytes], object] = lambda text: None
        self.is_congested = False  # it does not read what it is sent
        self._handshake: Handshake | None = handshake
        self._reader = Reader(MAX_MESSAGE)
        self._transport: asyncio.Transport | None = None
        self._is_closing = False

    def send(self, text: str) -> None:
        """Send a message; to whoever is gone: nothing."""
        if self._transport is not None and not self._is_closing:
            self._transport.write(frame(TEXT, text.encode()))

    async def close(self) -> None:
        """Say goodbye, and wait a moment for the same."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if not self._is_closing:
            self._is_closing = True
            transport.write(frame(CLOSE, b"\x03\xe8"))
        await asyncio.wait({self.closed}, timeout=_FAREWELL)
        transport.abort()

    # -- from the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with the handshake."""
        assert self._handshake is not None
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(_HIGH_WATER)
        self._transport.write(self._handshake.request)

    def data_received(self, data: bytes) -> None:
        """The answer to it, or messages."""
        try:
            if self._handshake is not None:
                rest = self._handshake.receive_data(data)
                if rest is None:
                    return
                self._handshake, data = None, rest
                if not self.opened.done():
                    self.opened.set_result(None)
            for opcode, payload in self._reader.receive_data(data):
                self._take(opcode, payload)
        except FrameError as error:
            self._fail(StreamError(31924 if self._handshake is None else 31920, str(error)))
        except StreamError as error:
            self._fail(error)

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == PING and self._transport is not None:
            self._transport.write(frame(PONG, payload))
        elif opcode == CLOSE and self._transport is not None:
            if not self._is_closing:
                self._is_closing = True
                self._transport.write(frame(CLOSE, payload[:2]))
            self._transport.close()
        elif opcode not in (PING, PONG, CLOSE):
            self.on_text(payload)

    def _fail(self, error: StreamError) -> None:
        self._is_closing = True
        for future in (self.opened, self.closed):
            if not future.done():
                future.set_exception(error)
                future.exception()  # whoever waits hears of it; nobody else need
        if self._transport is not None:
            self._transport.abort()

    def pause_writing(self) -> None:
        """The application does not read."""
        self.is_congested = True

    def resume_writing(self) -> None:
        """It does again."""
        self.is_congested = False

    def connection_lost(self, error: Exception | None) -> None:
        """It is over."""
        self._is_closing = True
        if not self.opened.done():
            self.opened.set_exception(StreamError(31920, "the connection was closed before it was open"))
            self.opened.exception()
        if not self.closed.done():
            self.closed.set_result(None)


async def open_socket(
    url: str,
    address: tuple[str, int],
    headers: dict[str, str],
    context: ssl.SSLContext,
    timeout: float,  # noqa: ASYNC109
) -> Socket:
    """Connect to an address that a URL's name has. StreamError: that cannot be."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    handshake = Handshake(parts.netloc.rpartition("@")[2], target, headers)
    is_secure = parts.scheme == "wss"
    made = None
    try:
        async with asyncio.timeout(timeout):
            _, made = await asyncio.get_running_loop().create_connection(
                lambda: Socket(handshake),
                *address,
                ssl=context if is_secure else None,
                server_hostname=parts.hostname if is_secure else None,
            )
            await made.opened
            return made
    except TimeoutError:
        if made is not None:
            await made.close()
        raise StreamError(31901, f"{url[:200]}: no answer in time") from None
    except ssl.SSLError as error:
        raise StreamError(31920, f"{url[:200]}: {error}"[:300]) from None
    except OSError as error:
        raise StreamError(31902, f"{url[:200]}: {error}"[:300]) from None
    except StreamError as error:
        raise StreamError(error.code, f"{url[:200]}: {error.message}"[:300]) from None
