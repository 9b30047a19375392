"""A name server for tests, over UDP and TCP: it counts what it is asked and can fall silent."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from .ports import free_port


class NameServer(asyncio.DatagramProtocol):
    """Answers from lines of a zone file, such as ``pbx.example. 60 IN A 192.0.2.1``."""

    def __init__(self, *lines: str) -> None:
        self.records: dict[tuple[dns.name.Name, int], dns.rrset.RRset] = {}
        self.asked: list[tuple[str, str]] = []
        self.is_silent = False
        self.is_forging = False
        self.rcode = dns.rcode.NOERROR
        self.delay = 0.0
        self.additional: list[str] = []
        self.soa = "example. 60 IN SOA ns.example. root.example. 1 3600 600 86400 60"
        self.host, self.port = "127.0.0.1", free_port()
        self.add(*lines)

    @property
    def address(self) -> str:
        """As the configuration names it."""
        return f"{self.host}:{self.port}"

    def add(self, *lines: str) -> None:
        """Know more."""
        for line in lines:
            name, ttl, kind_class, kind, data = line.split(None, 4)
            rrset = dns.rrset.from_text(name, int(ttl), kind_class, kind, data)
            known = self.records.get((rrset.name, rrset.rdtype))
            if known is None:
                self.records[rrset.name, rrset.rdtype] = rrset
            else:
                known.update(rrset)

    def forget(self) -> None:
        """Know nothing any more."""
        self.records.clear()

    def answer(self, octets: bytes, *, max_size: int) -> bytes:
        """The reply to a query; truncated where it is too long."""
        query = dns.message.from_wire(octets)
        question = query.question[0]
        self.asked.append(
            (question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype))
        )
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA
        reply.set_rcode(self.rcode)
        name, seen = question.name, 0
        while (alias := self.records.get((name, dns.rdatatype.CNAME))) and seen < 20:
            reply.answer.append(alias)
            name, seen = alias[0].target, seen + 1
        found = self.records.get((name, question.rdtype))
        if found is not None:
            reply.answer.append(found)
            for line in self.additional:
                owner, ttl, kind_class, kind, data = line.split(None, 4)
                reply.additional.append(dns.rrset.from_text(owner, int(ttl), kind_class, kind, data))
        elif not seen:
            if not any(owner == name for owner, _ in self.records):
                reply.set_rcode(dns.rcode.NXDOMAIN if self.rcode == dns.rcode.NOERROR else self.rcode)
            if self.soa:
                name, ttl, kind_class, kind, data = self.soa.split(None, 4)
                reply.authority.append(dns.rrset.from_text(name, int(ttl), kind_class, kind, data))
        try:
            return reply.to_wire(max_size=max_size)
        except dns.exception.TooBig:
            short = dns.message.make_response(query)
            short.flags |= dns.flags.TC
            return short.to_wire()

    # -- UDP

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """A query."""
        reply = self.answer(data, max_size=1232)
        if self.is_forging:
            for other in (b"\0\0" + reply[2:], reply[:2], reply[:2] + b"\x81\x80" + b"\xff" * 30, b""):
                self.transport.sendto(other, addr)
        if not self.is_silent:
            asyncio.get_running_loop().call_later(self.delay, self.transport.sendto, reply, addr)

    # -- TCP

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One query a connection."""
        size = int.from_bytes(await reader.readexactly(2), "big")
        reply = self.answer(await reader.readexactly(size), max_size=65535)
        writer.write(len(reply).to_bytes(2, "big") + reply)
        await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def name_server(*lines: str) -> AsyncIterator[NameServer]:
    """A name server that runs for a while."""
    server = NameServer(*lines)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: server, (server.host, server.port))
    stream = await asyncio.start_server(server.serve, server.host, server.port)
    try:
        yield server
    finally:
        transport.close()
        stream.close()
        await stream.wait_closed()


@contextlib.contextmanager
def serving(*lines: str) -> Iterator[NameServer]:
    """A name server in a thread of its own: these tests block their loop."""
    loop = asyncio.new_event_loop()
    started: Future[NameServer] = Future()

    async def serve() -> None:
        async with name_server(*lines) as server:
            started.set_result(server)
            await over.wait()

    over = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    try:
        yield started.result(5)
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(5)
        loop.close()


@contextlib.contextmanager
def names(*lines: str) -> Iterator[str]:
    """The same, by its address."""
    with serving(*lines) as server:
        yield server.address
