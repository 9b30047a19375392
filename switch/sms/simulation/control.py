"""Where the orders for a simulator come from: its standard input, and a socket for programs."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

__all__ = ["Control"]

_MAX_LINE = 10_000


class Orders(Protocol):
    """Who does what a line says; ValueError says what is wrong with it."""

    def execute(self, line: str) -> list[str]: ...


class Control:
    """``say`` writes answers to orders that were typed."""

    def __init__(self, orders: Orders, say: Callable[[str], None]) -> None:
        self._orders, self._say = orders, say
        self._server: asyncio.Server | None = None
        self._typed = bytearray()

    async def listen(self, path: str) -> None:
        """Take orders at a Unix socket: a line each; the answer ends with ok or error: …"""
        sock = _bound(path)
        self._server = await asyncio.start_unix_server(self._on_client, sock=sock, limit=_MAX_LINE)

    def read_from(self, fd: int) -> None:
        """Take orders that are typed, or written into a pipe."""
        with suppress(OSError):  # a file or /dev/null: nobody types there
            asyncio.get_running_loop().add_reader(fd, self._on_typed, fd)

    def close(self) -> None:
        """Take no more."""
        if self._server is not None:
            self._server.close()

    def _answer(self, line: str) -> list[str]:
        try:
            return [*self._orders.execute(line), "ok"]
        except ValueError as error:
            return [f"error: {error}"]

    async def _on_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                answer = self._answer(line.decode("utf-8", "replace"))
                writer.write("".join(f"{said}\n" for said in answer).encode())
                await writer.drain()
        except (OSError, ValueError):
            return  # it went away, or its line has no end
        finally:
            writer.close()

    def _on_typed(self, fd: int) -> None:
        try:
            data = os.read(fd, _MAX_LINE)
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(fd)
            return
        self._typed += data
        while b"\n" in self._typed:
            line, _, rest = self._typed.partition(b"\n")
            self._typed = bytearray(rest)
            for said in self._answer(line.decode("utf-8", "replace")):
                self._say(said)
        del self._typed[:-_MAX_LINE]


def _bound(path: str) -> socket.socket:
    Path(path).unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    Path(path).chmod(0o600)
    return sock
