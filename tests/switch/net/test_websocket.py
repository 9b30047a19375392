"""SIP over WebSocket with real sockets: RFC 7118, and what a rude client may cost."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from switchroom.protocols import sip
from switchroom.switch.net import NetLimits, WebSocketRules

from .certificates import Authority
from .desk import TIMEOUT, Address, Desk, Tcp, Walked, call_id_of, request
from .test_tls import NAME, client_context, make_tls

LISTEN = "ws:127.0.0.1:0"
VIA = "WS df7jal23ls0d.invalid"
SIP = [Subprotocol("sip")]
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: switch\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: sip\r\n\r\n"
)


@asynccontextmanager
async def browser(
    to: Address, path: str = "/", origin: str | None = None, protocols: list[Subprotocol] = SIP
) -> AsyncIterator[ClientConnection]:
    url = f"ws://{to[0]}:{to[1]}{path}"
    async with asyncio.timeout(TIMEOUT):
        found = await connect(
            url,
            subprotocols=protocols or None,
            origin=None if origin is None else Origin(origin),
            proxy=None,
            ping_interval=None,
        )
    try:
        yield found
    finally:
        await found.close()


def frame(opcode: int, data: bytes, *, is_last: bool = True, size: int | None = None) -> bytes:
    """A masked frame, as a client sends it; its size may be a lie."""
    size = len(data) if size is None else size
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65536:
        length = b"\xfe" + struct.pack("!H", size)
    else:
        length = b"\xff" + struct.pack("!Q", size)
    return bytes([is_last << 7 | opcode]) + length + bytes(4) + data


async def open_raw(to: Address) -> Tcp:
    """A connection after the handshake, for frames that no library would send."""
    phone = await Tcp.open(to)
    phone.send(HANDSHAKE)
    async with asyncio.timeout(TIMEOUT):
        answer = await phone.reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"\r\nSec-WebSocket-Protocol: sip\r\n" in answer
    return phone


@pytest.mark.parametrize("is_text", [True, False])
async def test_each_message_is_one_of_sip(is_text: bool) -> None:
    async with Desk(LISTEN) as desk, browser(desk.address()) as phone:
        for _ in range(20):
            data = request("MESSAGE", via=VIA, body=b"hello")
            await phone.send(data.decode() if is_text else data)
            answer = await asyncio.wait_for(phone.recv(), TIMEOUT)
            assert isinstance(answer, str)
            message = sip.parse(answer.encode())
            assert (message.status, message.call_id) == (200, call_id_of(data))
        flow = next(e.flow for e in desk.events if isinstance(e, sip.RequestReceived))
        assert flow.transport == "WS"
        assert desk.face.counters.handshakes == {"ws": 1}
        desk.ask(flow)  # the connection is the only way to a browser
        asked = await asyncio.wait_for(phone.recv(), TIMEOUT)
        assert str(asked).startswith("OPTIONS ")
    await desk.until(lambda: desk.failed)


async def test_secure_websocket(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with Desk("wss:127.0.0.1:0", tls=make_tls(authority)) as desk:
        host, port = desk.address()
        async with connect(
            f"wss://{host}:{port}/ws",
            ssl=client_context(authority),
            server_hostname=NAME,
            subprotocols=SIP,
            proxy=None,
        ) as phone:
            await phone.send(request(via="WSS x.invalid"))
            assert sip.parse(str(await phone.recv()).encode()).status == 200
        assert desk.face.counters.handshakes == {"wss": 1}


async def test_we_connect_to_another_switch(tmp_path: Path) -> None:
    tls = make_tls(Authority(tmp_path))
    both = [LISTEN, "wss:127.0.0.1:0"]
    rules = WebSocketRules(path="/sip")
    async with (
        Desk(*both, tls=tls, websocket=rules) as server,
        Desk(*both, tls=tls, websocket=rules) as client,
    ):
        for index, transport in enumerate(("WS", "WSS")):
            flow = client.face.flow_to(*server.address(index), transport, NAME)
            for _ in range(2):
                count = len(client.events)
                client.ask(flow)
                await client.until(lambda: len(client.events) > count)  # noqa: B023
                assert isinstance(client.events[-1], sip.ResponseReceived)
        assert client.face.counters.connections_opened == 2


async def test_a_server_that_knows_no_sip_is_a_failed_flow() -> None:
    async with Desk(LISTEN, websocket=WebSocketRules(path="/other")) as server, Desk(LISTEN) as client:
        client.ask(client.face.flow_to(*server.address(), "WS"))
        await client.until(lambda: client.events)
        assert isinstance(client.events[0], sip.RequestFailed)
        assert client.face.counters.handshakes == {"ws_failed": 1}


@pytest.mark.parametrize(
    ("path", "origin", "protocols", "status"),
    [
        ("/ws", "https://phone.example.com", SIP, 101),
        ("/ws?x=y", None, SIP, 101),  # a program, not a page
        ("/", "https://phone.example.com", SIP, 404),
        ("/ws", "https://evil.example.com", SIP, 403),
        ("/ws", None, [], 400),
        ("/ws", None, [Subprotocol("chat")], 400),
    ],
)
async def test_who_may_connect(
    path: str, origin: str | None, protocols: list[Subprotocol], status: int
) -> None:
    rules = WebSocketRules(path="/ws", origins=("https://phone.example.com",))
    async with Desk(LISTEN, websocket=rules) as desk:
        if status == 101:
            async with browser(desk.address(), path, origin, protocols) as phone:
                await phone.send(request(via=VIA))
                await phone.recv()
            return
        with pytest.raises(InvalidStatus) as refused:
            async with browser(desk.address(), path, origin, protocols):
                pass
        assert refused.value.response.status_code == status
        await desk.until(lambda: desk.failed)
        assert desk.face.counters.handshakes == {"ws_failed": 1}


async def test_a_message_may_come_in_fragments_with_pings_in_between() -> None:
    async with Desk(LISTEN) as desk, await open_raw(desk.address()) as phone:
        data = request("MESSAGE", via=VIA, body=b"hello")
        phone.send(
            frame(1, data[:30], is_last=False) + frame(9, b"here?") + frame(0, data[30:60], is_last=False)
        )
        assert await phone.reader.readexactly(7) == b"\x8a\x05here?"
        phone.send(frame(0, data[60:]))
        assert b"SIP/2.0 200 OK" in await asyncio.wait_for(phone.reader.read(2000), TIMEOUT)


async def test_line_ends_are_a_keep_alive() -> None:
    async with Desk(LISTEN) as desk, browser(desk.address()) as phone:
        await phone.send("\r\n\r\n")
        assert await asyncio.wait_for(phone.recv(), TIMEOUT) == "\r\n"
        assert desk.face.counters.keep_alives == 1


@pytest.mark.parametrize("size", [70_000, 1 << 31, (1 << 63) - 1])
async def test_a_frame_that_is_too_large_is_refused_before_it_comes(size: int) -> None:
    """THREATS B8: nothing is kept for what a header promises."""
    async with Desk(LISTEN) as desk, await open_raw(desk.address()) as phone:
        phone.send(frame(2, b"x" * 100, size=size))
        said = await asyncio.wait_for(phone.reader.read(100), 1.0)
        assert said[:1] == b"\x88"
        assert struct.unpack("!H", said[2:4]) == (1009,)
        assert await phone.closed() == b""
        assert not desk.events


async def test_fragments_together_are_no_larger_than_a_message() -> None:
    async with Desk(LISTEN) as desk, await open_raw(desk.address()) as phone:
        phone.send(frame(2, b"x" * 40_000, is_last=False) + frame(0, b"x" * 40_000))
        said = await phone.closed()
        assert struct.unpack("!H", said[2:4]) == (1009,)
        assert not desk.events


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(9, b"") * 2000, 1008),  # pings without end
        (frame(0, b"") * 10, 1002),  # the rest of nothing
        (b"\x81\x05hello", 1002),  # not masked
        (b"\xf1\x80\0\0\0\0", 1002),  # reserved bits
        (frame(1, b"no SIP at all"), 1002),
        (frame(8, b"\x03\xe8"), 1000),
    ],
)
async def test_what_breaks_the_rules_is_closed(data: bytes, code: int) -> None:
    async with Desk(LISTEN) as desk, await open_raw(desk.address()) as phone:
        phone.send(data)
        said = await phone.closed()
        at = said.rfind(b"\x88")
        assert at >= 0
        assert struct.unpack("!H", said[at + 2 : at + 4]) == (code,)
        phone.writer.transport.abort()
        await desk.until(lambda: desk.failed)
        assert desk.face.counters.connections == 0
        assert not [e for e in desk.events if isinstance(e, sip.RequestReceived)]


@pytest.mark.parametrize(
    "data",
    [
        b"OPTIONS sip:x SIP/2.0\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"Cookie: " + b"x" * 9000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000,
        b"GET / HTTP/1.1\r\nHost: switch\r\n\r\n",
        b"\0" * 20_000,
    ],
)
async def test_what_is_no_handshake_is_closed(data: bytes) -> None:
    async with Desk(LISTEN) as desk, await Tcp.open(desk.address()) as phone:
        phone.send(data)
        await phone.closed()
        phone.writer.transport.abort()
        await desk.until(lambda: desk.failed)
        assert desk.face.counters.handshakes == {"ws_failed": 1}


async def test_a_handshake_has_a_deadline() -> None:
    clock = Walked()
    async with Desk(LISTEN, clock=clock) as desk, await Tcp.open(desk.address()) as slow:
        slow.send(HANDSHAKE[:-2])
        async with asyncio.timeout(TIMEOUT):
            while not desk.face.counters.connections_accepted:  # noqa: ASYNC110 - nothing else tells
                await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        desk.walk(clock, 7.9)
        assert desk.face.counters.connections == 1
        desk.walk(clock, 0.2)
        assert await slow.closed() == b""
        assert desk.face.counters.closed == {"handshake_timeout": 1}


async def test_a_dribbled_frame_has_the_time_of_a_message() -> None:
    clock = Walked()
    async with Desk(LISTEN, clock=clock) as desk, await open_raw(desk.address()) as slow:
        whole = frame(1, request(via=VIA))
        for i in range(4):
            slow.send(whole[i : i + 1])
            await asyncio.sleep(0.02)
            desk.walk(clock, 10.0)
        await slow.closed()
        assert desk.face.counters.closed == {"message_timeout": 1}


async def test_silence_is_pinged_and_no_answer_is_the_end() -> None:
    clock = Walked()
    rules = WebSocketRules(ping_interval=25.0)
    async with Desk(LISTEN, clock=clock, websocket=rules) as desk:
        async with await open_raw(desk.address()) as phone:
            phone.send(frame(1, request(via=VIA)))
            await asyncio.wait_for(phone.reader.read(2000), TIMEOUT)
            desk.walk(clock, 26.0)
            assert await asyncio.wait_for(phone.reader.readexactly(2), TIMEOUT) == b"\x89\x00"
            phone.send(frame(10, b""))
            await asyncio.sleep(0.05)
            desk.walk(clock, 24.0)
            assert desk.face.counters.connections == 1
            desk.walk(clock, 26.0)
            assert await asyncio.wait_for(phone.reader.readexactly(2), TIMEOUT) == b"\x89\x00"
            desk.walk(clock, 26.0)
            await phone.closed()
        assert desk.face.counters.closed == {"ping_timeout": 1}


async def test_garbage_by_the_megabyte_costs_no_memory() -> None:
    async with Desk(LISTEN, limits=NetLimits(handshake_burst=200)) as desk:
        for _ in range(50):
            async with await open_raw(desk.address()) as phone:
                # Reserved bits: else it may be the head of a long frame, whose rest is waited for
                phone.send(b"\xff" + os.urandom(20_000))
                await phone.closed()
        await desk.until(lambda: len(desk.failed) == 50)
        assert desk.face.counters.connections == 0
        assert desk.face.counters.faults == 0
