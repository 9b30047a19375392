"""Between the supervisor and one worker: pickled messages over a socket pair, questions and their answers.

The pair has no name: nobody else can write to it. It lives as long as that life of the worker; its end is how
each side learns that the other is gone.
"""

from __future__ import annotations

import asyncio
import itertools
import pickle
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

_SIZE = struct.Struct("<I")


class Gone(ConnectionError):  # noqa: N818 - what happened
    """The other side is gone."""


class Refused(LookupError):  # noqa: N818 - what happened
    """The other side refused; its words."""


class Channel:
    """One side; ``on_message(name, payload)`` gets what is no question and no answer."""

    def __init__(
        self,
        on_message: Callable[[str, Any], None],
        on_question: Callable[[str, dict[str, Any]], Awaitable[Any]],
    ) -> None:
        self._on_message, self._on_question = on_message, on_question
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self, sock: socket.socket) -> None:
        """Take our end of the pair."""
        sock.setblocking(False)
        self._reader, self._writer = await asyncio.open_unix_connection(sock=sock)

    async def run(self) -> None:
        """Read until the other side is gone."""
        assert self._reader is not None
        assert self._writer is not None
        reader = self._reader
        try:
            while True:
                (size,) = _SIZE.unpack(await reader.readexactly(_SIZE.size))
                self._take(*pickle.loads(await reader.readexactly(size)))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self._writer.close()
            self._writer = None
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(Gone())
            self._waiting.clear()

    def send(self, name: str, payload: Any = None) -> None:
        """Send a message."""
        self._send("message", 0, name, payload)

    async def ask(self, name: str, arguments: dict[str, Any], seconds: float) -> Any:
        """Ask; Refused has the other side's words, Gone and TimeoutError tell that none came."""
        if self._writer is None:
            raise Gone
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._send("ask", number, name, arguments)
        try:
            async with asyncio.timeout(seconds):
                return await future
        finally:
            self._waiting.pop(number, None)

    def _send(self, kind: str, number: int, name: str, payload: Any) -> None:
        if self._writer is not None:
            data = pickle.dumps((kind, number, name, payload), pickle.HIGHEST_PROTOCOL)
            self._writer.write(_SIZE.pack(len(data)) + data)

    def _take(self, kind: str, number: int, name: str, payload: Any) -> None:
        if kind == "message":
            self._on_message(name, payload)
        elif kind == "ask":
            task = asyncio.ensure_future(self._answer(number, name, payload))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif (future := self._waiting.get(number)) is not None and not future.done():
            if kind == "answer":
                future.set_result(payload)
            else:
                future.set_exception(Refused(payload))

    async def _answer(self, number: int, name: str, arguments: dict[str, Any]) -> None:
        try:
            answer = await self._on_question(name, arguments)
        except (LookupError, ValueError, OSError) as error:
            self._send("refuse", number, name, str(error.args[0]) if error.args else str(error))
        else:
            self._send("answer", number, name, answer)
