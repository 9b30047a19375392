"""Group F of the threats: strangers, other tenants, injected words, floods."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import time
from typing import Any
from urllib.parse import quote, urlencode

import httpcore
import pytest

from switchroom.switch.api.front.openapi import describe
from switchroom.switch.api.room import ApiRoom
from switchroom.switch.api.wire.errors import ApiError
from tests.injections import INJECTIONS

from .centre import MemoryCentre
from .conftest import SID, TOKEN, call, make_config
from .samples import OURS, THEIRS, ask, auth, fill, filled


async def test_words_of_sql_are_only_words(client: Any, base: str, room: ApiRoom) -> None:
    """F5: in each parameter of each list; the rows stay what they are and nothing fails."""
    known = await fill(client, room)
    before = room.house.library.tally(_everything())
    async with httpcore.AsyncConnectionPool(max_connections=8) as pool:
        for operation in room.house.table.operations:
            if operation.method != "GET":
                continue
            names = {param.name for param in operation.params} or {"PageToken"}
            for word in INJECTIONS[:: 1 if "Messages.json" in operation.path else 7]:
                query = urlencode(dict.fromkeys(names, word))
                url = base + filled(operation.path, known, SID)
                status, body = await ask(pool, "GET", f"{url}?{query}")
                assert status < 500, url
                assert "<script>" not in json.dumps(body.get("message", ""))
        for word in INJECTIONS:
            status, _ = await ask(
                pool, "GET", f"{base}/2010-04-01/Accounts/{SID}/Messages/{quote(word)}.json"
            )
            assert status in (400, 404)
    assert room.house.library.tally(_everything()) == before


def _everything() -> Any:
    from switchroom.switch.store.documents import Query

    return Query("message", None)


async def test_no_answer_is_html_and_no_answer_fails(base: str) -> None:
    """F7: whatever is asked for, and however."""
    paths = [
        "/",
        "/<script>",
        "/2010-04-01",
        f"/2010-04-01/Accounts/{SID}/<b>.json",
        "/favicon.ico",
        "/%00",
        "//",
    ]
    async with httpcore.AsyncConnectionPool() as pool:
        for path in paths:
            for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
                status, body = await ask(pool, method, base + quote(path, safe="/%"))
                assert 400 <= status < 500
                assert "<" not in body["message"]
        response = await pool.request("GET", base + "/openapi.json")
        headers = dict(response.headers)
        assert headers[b"x-content-type-options"] == b"nosniff"
        assert b"access-control-allow-origin" not in headers


HOSTILE = [
    unit * (16384 // len(unit)) + end
    for unit in (
        "a",
        "0",
        "+1",
        " ",
        "(",
        "//",
        "://",
        ".",
        "%",
        "@",
        "a@",
        "*",
        "\u00e9",
        "-",
        "1-",
        '{"a":',
        "[",
    )
    for end in ("", "!")
]


def test_no_text_takes_long_to_read(room_table: Any) -> None:
    """ReDoS and the like: every parameter, fed with what makes readers go back and forth."""
    every = {(p.name, p.max_size): p for operation in room_table.operations for p in operation.params}
    slowest = ("", 0.0)
    for param in every.values():
        for text in HOSTILE:
            started = time.process_time()
            with contextlib.suppress(ApiError):
                param.take({param.name: [text[: param.max_size]]})
            slowest = max(slowest, (param.name, time.process_time() - started), key=lambda one: one[1])
    assert slowest[1] < 0.1, slowest


async def test_no_text_takes_long_to_answer(client: Any, base: str) -> None:
    """The same through the operations that look into texts: the loop is never held up."""
    await call(client.incoming_phone_numbers.create, phone_number=OURS)
    root = f"{base}/2010-04-01/Accounts/{SID}"
    async with httpcore.AsyncConnectionPool() as pool:
        for text in HOSTILE:
            started = time.process_time()
            for name in ("To", "From", "Body", "MediaUrl", "StatusCallback", "MessagingServiceSid", "SendAt"):
                form = {"From": OURS, "To": THEIRS, "Body": "x", name: text[:8000]}
                assert (await ask(pool, "POST", f"{root}/Messages.json", form))[0] < 500
            short = quote(text[:60], safe="")
            for path in (f"AvailablePhoneNumbers/US/Local.json?Contains={short}", f"Messages/{short}.json"):
                assert (await ask(pool, "GET", f"{root}/{path}"))[0] < 500
            assert (await ask(pool, "GET", f"{base}/v2/PhoneNumbers/{short}"))[0] < 500
            assert time.process_time() - started < 1.0, text[:20]


async def test_pages_of_others_may_not_ask(base: str, client: Any) -> None:
    """A browser that remembers credentials sends forms for any page: their origin is another."""
    await call(client.incoming_phone_numbers.create, phone_number=OURS)
    form = urlencode({"From": OURS, "To": THEIRS, "Body": "x"}).encode()
    host = base.removeprefix("http://")
    async with httpcore.AsyncConnectionPool() as pool:
        for origin, status in (("https://evil.example", 403), ("null", 403), (f"http://{host}", 201)):
            headers = [
                auth(SID, TOKEN),
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("Host", host),
            ]
            url = f"{base}/2010-04-01/Accounts/{SID}/Messages.json"
            answer = await pool.request("POST", url, headers=[*headers, ("Origin", origin)], content=form)
            assert answer.status == status
            assert b"access-control-allow-origin" not in dict(answer.headers)
        foreign = [auth(SID, TOKEN), ("Origin", "https://evil.example")]
        assert (await pool.request("GET", f"{base}/events?after=now", headers=foreign)).status == 403


async def test_wrong_passwords_cost_time(base: str) -> None:
    async with httpcore.AsyncConnectionPool() as pool:
        url = f"{base}/2010-04-01/Accounts/{SID}.json"
        statuses = [(await ask(pool, "GET", url, proof=auth(SID, f"{n:032x}")))[0] for n in range(30)]
        assert statuses[0] == 401
        assert statuses[-1] == 429


async def test_bodies_have_a_limit_and_a_time(base: str, room: ApiRoom) -> None:
    room.reconfigure(make_config(room.house.library._path.parent, body_timeout=0.3))
    host, port = base.removeprefix("http://").split(":")
    head = (
        f"POST /2010-04-01/Accounts/{SID}/Messages.json HTTP/1.1\r\nHost: x\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n{}: {}\r\nContent-Length: {}\r\n\r\n"
    )

    async def send(size: int, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(head.format(*auth(SID, TOKEN), size).encode() + body)
        try:
            async with asyncio.timeout(15):
                return await reader.readline()
        finally:
            writer.close()

    assert b" 413 " in await send(10_000_000, b"")
    assert b" 408 " in await send(1000, b"Body=slow")
    many = "&".join(f"a{n}=1" for n in range(1000)).encode()
    assert b" 400 " in await send(len(many), many)


async def test_slow_posts_do_not_keep_others_out(base: str, client: Any) -> None:
    """F8: 300 connections that never finish their head, and the API answers."""
    host, port = base.removeprefix("http://").split(":")
    writers = []
    for _ in range(300):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /2010-04-01/Accounts HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        writers.append(writer)
    started = time.monotonic()
    await call(client.api.accounts(SID).fetch)
    assert time.monotonic() - started < 1.0
    for writer in writers:
        writer.close()


async def test_a_head_without_end_is_cut_off(base: str) -> None:
    host, port = base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):  # noqa: PT012
        for _ in range(50):
            writer.write(b"GET / HTTP/1.1\r\n" + b"X-A: " + b"a" * 4000 + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.005)
        await reader.readexactly(1)
    writer.close()


async def test_a_full_disk_is_no_loss(
    client: Any, base: str, room: ApiRoom, centre: MemoryCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G6: who asks meanwhile gets 503; what was asked before is answered when it is on the disk."""
    await call(client.incoming_phone_numbers.create, phone_number=OURS)
    url = f"{base}/2010-04-01/Accounts/{SID}/Messages.json"
    form = {"From": OURS, "To": THEIRS, "Body": "x"}
    writer = room.house.library._writer

    def fail(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    async with httpcore.AsyncConnectionPool() as pool:
        with monkeypatch.context() as patch:
            patch.setattr(writer, "_write", fail)
            before = asyncio.create_task(ask(pool, "POST", url, form))
            while not writer.is_failing:  # noqa: ASYNC110 - of a thread
                await asyncio.sleep(0.01)
            status, body = await ask(pool, "POST", url, form)
            assert (status, body["code"]) == (503, 20503)
            assert (await ask(pool, "GET", f"{base}/2010-04-01/Accounts/{SID}.json"))[0] == 200
            assert not before.done()
            assert centre.messages == {}
        async with asyncio.timeout(10):
            assert (await before)[0] == 201
            assert (await ask(pool, "POST", url, form))[0] == 201
    assert len(centre.messages) == 2


async def test_a_stolen_key_sends_only_so_many(client: Any, base: str, room: ApiRoom, tmp_path: Any) -> None:
    """F9: the cap of a day, and an alert that says so."""
    await call(client.incoming_phone_numbers.create, phone_number=OURS)
    room.reconfigure(make_config(tmp_path, max_daily_messages=3))
    url = f"{base}/2010-04-01/Accounts/{SID}/Messages.json"
    async with httpcore.AsyncConnectionPool() as pool:
        form = {"From": OURS, "To": THEIRS, "Body": "x"}
        answers = [await ask(pool, "POST", url, form) for _ in range(5)]
        premium = await ask(pool, "POST", url, {**form, "To": "+88213300000"})
    assert [status for status, _ in answers] == [201, 201, 201, 429, 429]
    assert premium[1]["code"] == 21408
    await room.house.library.begin()  # what was begun before is on the disk
    assert [row["what"] for row in room.handlers()["api.audit"]() if row["kind"] == "alert"] == [
        *("region refused", "daily messages"),  # of a kind one a minute
    ]


def test_the_description_has_every_operation(room_table: Any) -> None:
    document = describe(room_table.operations)
    assert sum(len(methods) for methods in document["paths"].values()) == len(room_table.operations)
    ids = [op["operationId"] for methods in document["paths"].values() for op in methods.values()]
    assert len(ids) == len(set(ids))


@pytest.fixture
async def room_table(room: ApiRoom) -> Any:
    return room.house.table
