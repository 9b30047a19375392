"""HTTP to customers' servers: answers of all kinds, connections that are kept, and those that break."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from switchroom.switch.api.webhooks.connections import AnswerError, Connections, LostError, Response
from switchroom.switch.net.fence import Fence

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
Answer = Callable[[int, int], list[bytes]]  # the parts, for which request on which connection


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[tuple[str, list[bytes]]]:
    heard: list[bytes] = []
    count = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        mine, number = count, 0
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                size = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                heard.append(head + await reader.readexactly(int(size or 0)))
                for part in answer(mine, number):
                    if not part:
                        writer.close()
                        return
                    writer.write(part)
                    await asyncio.sleep(0)
                number += 1
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    made = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{made.sockets[0].getsockname()[1]}/a", heard
    finally:
        made.close()


def connections() -> Connections:
    return Connections(Fence(["127.0.0.0/8"]), ssl.create_default_context())


async def ask(to: Connections, url: str, content: bytes | None = b"x", max_body: int = 100) -> Response:
    headers = [("Host", "a"), *([("Content-Length", str(len(content)))] if content is not None else [])]
    method = "POST" if content is not None else "GET"
    return await to.request(method, url, headers, content, max_body=max_body, connect=1, read=0.5)


@pytest.mark.parametrize(
    ("parts", "status", "body"),
    [
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"ab"], 200, b"ab"),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"], 200, b"ab"),
        ([b"HTTP/1.1 200 OK\r\n\r\nab", b""], 200, b"ab"),  # to the end of the connection
        ([b"HTTP/1.0 404 No\r\nContent-Length: 0\r\n\r\n"], 404, b""),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], 204, b""),
        ([b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nX: y\r\n\r\n", GOOD + b"a"], 200, b"a"),
        ([bytes((octet,)) for octet in b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"], 200, b"a"),
    ],
)  # fmt: skip
async def test_answers(parts: list[bytes], status: int, body: bytes) -> None:
    async with server(lambda *_: parts) as (url, heard):
        to = connections()
        for _ in range(2):
            response = await ask(to, url)
            assert (response.status, response.body) == (status, body)
        assert heard[0] == b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
        to.close()


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ([b"hello\r\n\r\n"], AnswerError),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + b"a" * 101], AnswerError),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc"], AnswerError),
        ([b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 70_000 + b"\r\n\r\n"], AnswerError),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", b""], LostError),
        ([b""], LostError),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na"], TimeoutError),
    ],
)
async def test_what_is_no_answer(parts: list[bytes], error: type[Exception]) -> None:
    async with server(lambda *_: parts) as (url, heard):
        to = connections()
        with pytest.raises(error):
            await ask(to, url)
        assert len(heard) == 1  # and it is not asked again by itself
        to.close()


async def test_a_connection_is_kept_and_another_made_when_it_was_closed() -> None:

    def answer(connection: int, number: int) -> list[bytes]:
        return [b""] if connection == 1 and number == 2 else [GOOD + b"%d" % connection]

    async with server(answer) as (url, heard):
        to = connections()
        assert [(await ask(to, url)).body for _ in range(4)] == [b"1", b"1", b"2", b"2"]
        assert len(heard) == 5  # the one that was lost unanswered came twice
        to.close()


async def test_what_nobody_asked_for_ends_a_connection() -> None:
    async with server(lambda connection, _: [GOOD + b"%d" % connection, b"HTTP/1.1 200 More\r\n\r\n"]) as (
        url,
        _,
    ):
        to = connections()
        found = []
        for _ in range(2):
            found.append((await ask(to, url)).body)
            await asyncio.sleep(0.05)
        assert found == [b"1", b"2"]
        to.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/a b", "http://127.0.0.1:1/ä", "http://127.0.0.1:1/\x7f"])
async def test_what_cannot_be_written(url: str) -> None:
    with pytest.raises(ValueError, match="characters"):
        await ask(connections(), url)
    headers, to = [("Cookie", "a\r\nX: y")], connections()
    with pytest.raises(ValueError, match="characters"):
        await to.request("GET", "http://127.0.0.1:1/", headers, None, max_body=1, connect=1, read=1)
