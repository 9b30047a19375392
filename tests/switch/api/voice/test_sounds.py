"""Sounds from the web: for how long they are kept, and what their server is asked then."""

from __future__ import annotations

from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from switchroom.switch.api.room import ApiRoom
from switchroom.switch.api.voice.speaking.sounds import Sounds, freshness
from switchroom.switch.api.webhooks.fetch import FetchError, Reply, Request

from ..conftest import SID

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 600),
        ({"cache-control": "public, max-age=30"}, 30),
        ({"cache-control": "MAX-AGE=99999999"}, 86400),
        ({"cache-control": "no-store, max-age=30"}, 0),
        ({"cache-control": "no-cache"}, 0),
        ({"expires": formatdate(NOW + 90, usegmt=True)}, 90),
        ({"expires": formatdate(NOW - 90, usegmt=True)}, 0),
        ({"expires": "0"}, 0),
        ({"expires": "never"}, 0),
    ],
)
def test_for_how_long(headers: dict[str, str], seconds: int) -> None:
    assert freshness(headers, NOW) == seconds


class Server:
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.status, self.body, self.headers = 200, b"RIFF", dict[str, str]()

    async def fetch(self, request: Request, token: str, **_: Any) -> Reply:
        self.asked.append(dict(request.headers))
        return Reply(self.status, "audio/wav", self.body, request.url, self.headers)


@pytest.fixture
def server(room: ApiRoom, monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr(room.house.fetcher, "fetch", server.fetch)
    return server


async def test_what_is_fresh_is_not_asked_for_and_what_is_old_is_asked_for_by_its_tag(
    room: ApiRoom, server: Server, tmp_path: Path
) -> None:
    sounds, url = Sounds(room.house.office, tmp_path / "sounds"), "http://a/b.wav"
    first = await sounds.fetch(SID, url)
    assert (first.read_bytes(), first.suffix) == (b"RIFF", ".wav")
    assert await sounds.fetch(SID, url) == first
    assert server.asked == [{}]
    server.headers = {"cache-control": "no-cache", "etag": '"1"', "last-modified": "Tue, 01 Jan 2030"}
    other = "http://a/c.wav"
    await sounds.fetch(SID, other)
    server.status, server.body = 304, b""
    assert (await sounds.fetch(SID, other)).read_bytes() == b"RIFF"
    assert server.asked[2] == {"If-None-Match": '"1"', "If-Modified-Since": "Tue, 01 Jan 2030"}
    server.status, server.body, server.headers = 200, b"OggS", {}
    assert (await sounds.fetch(SID, other)).read_bytes() == b"OggS"
    assert len(server.asked) == 4


async def test_what_cannot_be_had(room: ApiRoom, server: Server, tmp_path: Path) -> None:
    server.status = 304
    with pytest.raises(FetchError, match="304"):
        await Sounds(room.house.office, tmp_path / "sounds").fetch(SID, "http://a/b.wav")
