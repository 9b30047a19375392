"""Requests over HTTP that cost next to nothing to make: what the benchmarks of the API load it with.

A program of its own: it reads JSON from its standard input and writes JSON to its output.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import uvloop


def request_of(path: str, proof: str, form: Mapping[str, str]) -> bytes:
    """The octets of a POST."""
    body = urlencode(form).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {proof}\r\nAccept: application/json\r\n"
    )
    head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Client(asyncio.Protocol):
    """One connection with one request at a time."""

    def __init__(self, run: Run) -> None:
        self.run, self.waiting, self.began = run, b"", 0.0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        if self.run.left <= 0:
            self.transport.close()
            return
        self.run.left -= 1
        self.began = time.perf_counter()
        self.transport.write(self.run.requests[self.run.left % len(self.run.requests)])

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        at = self.waiting.find(b"\r\n\r\n")
        if at < 0:
            return
        head = self.waiting[:at].lower()
        size = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(self.waiting) < at + 4 + size:
            return
        self.run.note(int(head[9:12]), time.perf_counter() - self.began)
        self.waiting = self.waiting[at + 4 + size :]
        self.ask()

    def connection_lost(self, error: Exception | None) -> None:
        self.run.open -= 1
        if self.run.open == 0:
            self.run.over.set_result(None)


class Run:
    """All of them."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.requests = [one.encode("latin-1") for one in given["requests"]]
        self.left, self.open = given["count"], given["connections"]
        self.port = given["port"]
        self.statuses: dict[int, int] = {}
        self.latencies: list[float] = []

    def note(self, status: int, seconds: float) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.latencies.append(seconds)

    async def go(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        self.over: asyncio.Future[None] = loop.create_future()
        began = time.perf_counter()
        for _ in range(self.open):
            await loop.create_connection(lambda: Client(self), "127.0.0.1", self.port)
        await self.over
        seconds = time.perf_counter() - began
        found = sorted(self.latencies)
        return {
            "seconds": seconds,
            "statuses": self.statuses,
            "p50_ms": found[len(found) // 2] * 1000,
            "p99_ms": found[len(found) * 99 // 100] * 1000,
        }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(uvloop.run(Run(json.load(sys.stdin)).go())))
