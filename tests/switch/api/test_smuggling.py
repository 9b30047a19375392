"""Requests that one reader takes for one and another for two; files behind links (F3)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpcore
import pytest

from switchroom.switch.api.room import ApiRoom

from .conftest import SID
from .samples import ask

_POST = b"POST /2010-04-01/Accounts.json HTTP/1.1\r\nHost: x\r\n"
_SECOND = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
AMBIGUOUS = {
    "length and chunks": _POST + b"Content-Length: 5\r\n" + _CHUNKED + b"\r\n0\r\n\r\n",
    "chunks and length": _POST + _CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": _POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "a length twice": _POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "a list of lengths": _POST + b"Content-Length: 5, 5\r\n\r\nhello",
    "a length with a sign": _POST + b"Content-Length: +5\r\n\r\nhello",
    "a length below nothing": _POST + b"Content-Length: -5\r\n\r\nhello",
    "a length by sixteen": _POST + b"Content-Length: 0x5\r\n\r\nhello",
    "a length that overflows": _POST + b"Content-Length: 18446744073709551621\r\n\r\nhello",
    "an unknown coding": _POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks not last": _POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a space before the colon": _POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a vertical tab": _POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "two codings": _POST + _CHUNKED + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "bare line feeds": _POST.replace(b"\r\n", b"\n") + b"Content-Length: 0\n\n",
    "a bare carriage return": _POST + b"X: a\rContent-Length: 5\r\n\r\nhello",
    "a folded line": _POST + b"X: a\r\n Content-Length: 5\r\n\r\n",
    "NUL": _POST + b"X: a\0b\r\n\r\n",
    "line feeds in chunks": _POST + _CHUNKED + b"\r\n5\nhello\n0\n\n",
    "a chunk that overflows": _POST + _CHUNKED + b"\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
    "a chunk by 0x": _POST + _CHUNKED + b"\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "a tunnel": b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
}


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_what_can_be_read_in_two_ways_ends_the_connection(name: str, base: str) -> None:
    host, port = base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(AMBIGUOUS[name] + _SECOND)
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"smuggled" not in answer


async def test_a_name_leads_out_of_no_folder(base: str, room: ApiRoom, tmp_path: Path) -> None:
    """F3: names are looked up, never opened; and what stands there as a link is not followed."""
    tapes = room.house.voice.means.tapes
    secret = tmp_path / "secret.wav"
    secret.write_bytes(b"secret")
    doc = tapes.shelf.new(SID, {"source": "RecordVerb", "channels": 1, "duration": 1}, state="completed")
    await room.house.library.write([doc])
    path = tapes.path(doc.sid)
    path.parent.mkdir(parents=True, exist_ok=True)
    url = f"{base}/2010-04-01/Accounts/{SID}/Recordings/"
    async with httpcore.AsyncConnectionPool() as pool:
        path.symlink_to(secret)
        status, body = await ask(pool, "GET", f"{url}{doc.sid}.wav")
        assert (status, body["code"]) == (404, 20404)
        path.unlink()
        path.write_bytes(b"sound")
        assert await ask(pool, "GET", f"{url}{doc.sid}.wav") == (200, b"sound")
        for name in _climbing(secret, doc.sid):
            status, answer = await ask(pool, "GET", url + name)
            assert (status, answer["code"]) == (404, 20404), name


def _climbing(secret: Path, sid: str) -> list[Any]:
    up = "../" * 12 + str(secret)[1:]
    names = [quote(up, safe=""), quote(quote(up, safe=""), safe=""), up.replace("../", "..%2f")]
    return [*names, up.replace("../", "%2e%2e/"), f"{sid}%00.wav", f"{sid}/../x", "..%5c..%5cx", f"%2f{up}"]
