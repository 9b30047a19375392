"""A customer's server for the benchmarks of calls: documents over HTTP, and Media Streams over WebSocket.

    python bench/voice_app.py PORT DOCUMENTS

DOCUMENTS is JSON: TwiML by path. Whatever comes to /stream becomes a WebSocket: it sends 20 ms of a tone 50
times a second to each stream, and counts what comes: /counts has that. It costs a few microseconds a message.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import signal
import sys
from typing import Any

import numpy as np
import uvloop

from switchroom.codecs import find
from switchroom.codecs.files import write_header

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TONE = find("PCMU").encoder().encode((8000 * np.sin(np.arange(160) * 2 * np.pi / 8)).astype(np.int16))
SOUND = write_header(8000, 1, 16000) + b"\x00\x10" * 8000


def frame(text: str) -> bytes:
    """A message of a server, of 126 to 65535 octets."""
    data = text.encode()
    return b"\x81\x7e" + len(data).to_bytes(2, "big") + data


MEDIA = frame(
    json.dumps(
        {
            "event": "media",
            "streamSid": "MZ" + "0" * 32,
            "media": {"payload": base64.b64encode(TONE).decode()},
        }
    )
)


class Visitor(asyncio.Protocol):
    """One connection: requests of HTTP, or a stream."""

    def __init__(self, app: App) -> None:
        self.app, self.waiting, self.is_stream = app, b"", False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.is_stream:
            self.count(data)
            return
        self.waiting += data
        while (at := self.waiting.find(b"\r\n\r\n")) >= 0:
            head = self.waiting[:at]
            size = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            end = at + 4 + int(size or 0)
            if len(self.waiting) < end:
                return
            self.waiting = self.waiting[end:]
            self.answer(head)

    def answer(self, head: bytes) -> None:
        path = head.split(b" ", 2)[1].decode()
        if path.startswith("/stream"):
            self.shake_hands(head)
            return
        if path == "/counts":
            self.reply(json.dumps(self.app.counts()).encode(), b"application/json")
            return
        if path == "/tone.wav":
            self.reply(SOUND, b"audio/wav")
            return
        self.app.requests += 1
        body = self.app.documents.get(path, "").encode()
        self.reply(body, b"text/xml")

    def reply(self, body: bytes, kind: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
        self.transport.write(head % (kind, len(body)) + body)

    def shake_hands(self, head: bytes) -> None:
        lines = (line.partition(b": ") for line in head.split(b"\r\n")[1:])
        key = next(value for name, _, value in lines if name.lower() == b"sec-websocket-key")
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self.is_stream = True
        self.app.streams.append(self)

    def count(self, data: bytes) -> None:
        """Whole messages: their text is masked, their sizes are not."""
        data = self.waiting + data
        at = 0
        while len(data) - at >= 8:
            size = data[at + 1] & 0x7F
            more = 0
            if size == 126:
                size, more = int.from_bytes(data[at + 2 : at + 4], "big"), 2
            if len(data) - at < 6 + more + size:
                break
            at += 6 + more + size
            self.app.messages += 1
        self.waiting = data[at:]

    def connection_lost(self, error: Exception | None) -> None:
        if self in self.app.streams:
            self.app.streams.remove(self)


class App:
    """All of it."""

    def __init__(self, documents: dict[str, str]) -> None:
        self.documents = documents
        self.streams: list[Visitor] = []
        self.requests = self.messages = self.sent = 0

    async def run(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, over.set)
        await loop.create_server(lambda: Visitor(self), "127.0.0.1", port, backlog=1000)
        speaking = asyncio.create_task(self.speak())
        await over.wait()
        speaking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await speaking

    def counts(self) -> dict[str, int]:
        return {"requests": self.requests, "messages": self.messages, "sent": self.sent}

    async def speak(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            for stream in self.streams:
                stream.transport.write(MEDIA)
            self.sent += len(self.streams)
            due = max(due + 0.02, loop.time() - 0.2)
            await asyncio.sleep(max(due - loop.time(), 0))


if __name__ == "__main__":
    uvloop.run(App(json.loads(sys.argv[2])).run(int(sys.argv[1])))
