"""A face with an owner that answers every request, and the raw sockets that talk to it."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections.abc import Callable
from typing import Any

from switchroom.protocols import sip
from switchroom.protocols.sip import Event, Flow
from switchroom.switch.net import Addresses, Clock, NetLimits, SipFace

TIMEOUT = 20.0  # what is waited for comes at once, a while later under a sanitizer, or the test has failed
_serial = itertools.count(1)

Address = tuple[str, int]


def request(
    method: str = "OPTIONS", *, via: str = "UDP 192.0.2.99:5060", body: bytes = b"", **headers: str
) -> bytes:
    number = next(_serial)
    lines = [
        f"{method} sip:switch@127.0.0.1 SIP/2.0",
        f"Via: SIP/2.0/{via};branch=z9hG4bKtest{number:012d};rport",
        "Max-Forwards: 70",
        "From: <sip:a@192.0.2.99>;tag=one",
        "To: <sip:switch@127.0.0.1>",
        f"Call-ID: call-{number}",
        f"CSeq: {number} {method}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def outgoing(method: str = "OPTIONS", body: bytes = b"") -> sip.Request:
    """A request for the desk to send: the endpoint puts the Via on top."""
    message = sip.parse(request(method, body=body))
    assert isinstance(message, sip.Request)
    message.remove("Via")
    return message


def call_id_of(data: bytes) -> str:
    return sip.parse(data).call_id


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []
        self.written = asyncio.Event()

    def info(self, event: str, /, **fields: object) -> None:
        self.lines.append((event, fields))
        self.written.set()

    warning = exception = info


class Walked(Clock):
    """A clock that stands still until a test walks it."""

    __slots__ = ("at",)

    def __init__(self) -> None:
        self.at = 1000.0
        super().__init__(lambda: self.at)


class Desk:
    """Answers 200 to each request; tells by futures what else happened."""

    def __init__(self, *listen: str, limits: NetLimits | None = None, **options: Any) -> None:
        self.endpoint = sip.Endpoint(timers=sip.Timers(t1=0.5))
        self.events: list[Event] = []
        self.failed: list[tuple[Flow, str]] = []
        self.log = Log()
        self._changed = asyncio.Event()
        self.on_request: Callable[[sip.RequestReceived, float], None] = self.answer
        self.face = SipFace(
            self.endpoint,
            self._on_event,
            listen=listen,
            limits=limits or NetLimits(),
            addresses=Addresses(),
            on_flow_failed=self._on_flow_failed,
            log=self.log,
            **options,
        )

    async def __aenter__(self) -> Desk:
        await self.face.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.face.stop()

    def address(self, index: int = 0) -> Address:
        return self.face.bound[index][1:]

    def answer(self, event: sip.RequestReceived, now: float) -> None:
        self.endpoint.reply(event, 200, now=now)

    def walk(self, clock: Walked, seconds: float) -> None:
        """Let time pass, and the face look at its connections."""
        clock.at += seconds
        self.face._connections._on_sweep()

    def ask(self, flow: Flow, method: str = "OPTIONS", body: bytes = b"") -> sip.ClientTransaction:
        """Send a request."""
        asked = self.endpoint.send_request(outgoing(method, body), flow, time.monotonic())
        self.face.flush()
        return asked

    def _on_event(self, event: Event, now: float) -> None:
        self.events.append(event)
        self._changed.set()
        if isinstance(event, sip.RequestReceived):
            self.on_request(event, now)

    def _on_flow_failed(self, flow: Flow, reason: str, now: float) -> None:
        self.failed.append((flow, reason))
        self._changed.set()

    async def until(self, is_so: Callable[[], object]) -> None:
        """Wait for a state that an event or a failed flow brings."""
        async with asyncio.timeout(TIMEOUT):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()


class Udp:
    """A phone's UDP socket."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind((host, port))
        self.address: Address = self.socket.getsockname()[:2]

    def __enter__(self) -> Udp:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes, to: Address) -> None:
        self.socket.sendto(data, to)

    async def receive(self) -> bytes:
        return (await self.receive_from())[0]

    async def receive_from(self) -> tuple[bytes, Address]:
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self.socket, ready.set)  # uvloop has no sock_recvfrom
        try:
            async with asyncio.timeout(TIMEOUT):
                await ready.wait()
            data, address = self.socket.recvfrom(65536)
            return data, address[:2]
        finally:
            loop.remove_reader(self.socket)


class Tcp:
    """A phone's TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.framer = sip.StreamFramer()

    @classmethod
    async def open(cls, to: Address, source: str | None = None) -> Tcp:
        async with asyncio.timeout(TIMEOUT):
            return cls(*await asyncio.open_connection(*to, local_addr=(source, 0) if source else None))

    @classmethod
    async def is_refused(cls, to: Address, source: str | None = None) -> bool:
        """Whether a new connection is closed without a word."""
        try:
            phone = await cls.open(to, source)
        except ConnectionResetError:
            return True
        async with phone:
            return await phone.closed() == b""

    async def __aenter__(self) -> Tcp:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def receive(self) -> bytes:
        """The next message; ConnectionError when the other side closes."""
        async with asyncio.timeout(TIMEOUT):
            while (message := self.framer.next_message()) is None:
                data = await self.reader.read(65536)
                if not data:
                    raise ConnectionError("closed")
                self.framer.receive_data(data)
            return message

    async def closed(self) -> bytes:
        """Wait for the end; what came before it."""
        async with asyncio.timeout(TIMEOUT):
            try:
                return await self.reader.read(-1)
            except ConnectionError:
                return b""
