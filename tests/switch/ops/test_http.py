"""The HTTP listener: two pages and hard limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from switchroom.switch.config import split_address
from switchroom.switch.ops.http import HttpServer


class Page:
    content_type = "text/plain; version=0.0.4"

    def __init__(self) -> None:
        self.fault: Exception | None = None

    def render(self) -> bytes:
        if self.fault is not None:
            raise self.fault
        return b"switchroom_calls_active 3.0\n"


@pytest.fixture
def page() -> Page:
    return Page()


@pytest_asyncio.fixture
async def server(page: Page) -> AsyncIterator[HttpServer]:
    running = HttpServer("127.0.0.1:0", page)
    await running.start()
    yield running
    await running.stop()


async def exchange(server: HttpServer, data: bytes) -> tuple[bytes, bytes]:
    """Send octets; get head and body until the server closes."""
    reader, writer = await asyncio.open_connection(*split_address(server.address))
    writer.write(data)
    try:
        answer = await asyncio.wait_for(reader.read(), 5)
    except ConnectionResetError:  # closed while octets of ours were unread
        answer = b""
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_the_pages(server: HttpServer, version: bytes) -> None:
    head, body = await exchange(server, b"GET /metrics HTTP/" + version + b"\r\nHost: x\r\n\r\n")
    assert head.startswith(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: 28\r\n"
    )
    assert body == b"switchroom_calls_active 3.0\n"
    head, body = await exchange(server, b"GET /healthz?x=1 HTTP/" + version + b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert body == b"ok\n"


async def test_a_head_has_no_body(server: HttpServer) -> None:
    head, body = await exchange(server, b"HEAD /metrics HTTP/1.1\r\n\r\n")
    assert b"Content-Length: 28" in head
    assert body == b""


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET / HTTP/1.1", b"404"),
        (b"GET /metrics/../etc/passwd HTTP/1.1", b"404"),
        (b"POST /metrics HTTP/1.1", b"405"),
        (b"GET /metrics", b"400"),
        (b"GET  /metrics HTTP/1.1", b"400"),
        (b"\xff\x00 \xff HTTP/1.1", b"405"),
        (b"", b"400"),
        (b"PRI * HTTP/2.0", b"400"),
    ],
)
async def test_other_requests(server: HttpServer, request_line: bytes, status: bytes) -> None:
    head, body = await exchange(server, request_line + b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert b"<" not in body
    assert b"nosniff" in head


async def test_a_head_has_a_largest_size(server: HttpServer) -> None:
    head, body = await exchange(server, b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 20_000)
    assert head + body == b""


async def test_who_says_nothing_is_sent_away(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchroom.switch.ops.http._HEAD_TIMEOUT", 0.05)
    server = HttpServer("127.0.0.1:0", page)
    await server.start()
    assert await exchange(server, b"GET /metrics HTTP/1.1\r\n") == (b"", b"")
    await server.stop()


async def test_only_so_many_at_once(server: HttpServer) -> None:
    others = [await asyncio.open_connection(*split_address(server.address)) for _ in range(32)]
    await asyncio.sleep(0.05)
    assert await exchange(server, b"") == (b"", b"")
    for _, writer in others:
        writer.close()
        await writer.wait_closed()
    head, _ = await exchange(server, b"GET /healthz HTTP/1.1\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")


async def test_a_number_that_cannot_be_read_is_a_500(server: HttpServer, page: Page) -> None:
    page.fault = AttributeError("gone")
    head, body = await exchange(server, b"GET /metrics HTTP/1.1\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 500")
    assert b"gone" not in body


async def test_an_address_in_use_is_named(server: HttpServer, page: Page) -> None:
    with pytest.raises(OSError, match=rf"api\.listen: {server.address}: address already in use"):
        await HttpServer(server.address, page).start()


async def test_nowhere_is_a_place_too(page: Page) -> None:
    server = HttpServer("", page)
    await server.start()
    assert server.address == ""
    await server.stop()


async def test_a_stop_does_not_wait_for_anybody(server: HttpServer) -> None:
    _, writer = await asyncio.open_connection(*split_address(server.address))
    await asyncio.sleep(0.01)
    async with asyncio.timeout(2):
        await server.stop()
    assert server.address == ""
    writer.close()
