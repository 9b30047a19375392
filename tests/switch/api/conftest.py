"""A room of the API alone, on a port that the system picks; and a server that its webhooks come to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from switchroom.switch.api.room import ApiRoom
from switchroom.switch.api.sip.room import Nobody
from switchroom.switch.config import Config

from .centre import MemoryCentre, MemoryRoom
from .lines import MemoryApps

SID = "AC" + "0" * 31 + "1"
TOKEN = "0123456789abcdef0123456789abcdef"
NUMBERS = ["+15017122661", "+15005550000-+15005550099", "+4930555500-+4930555509"]


def make_config(state: Path, **api: Any) -> Config:
    given = {
        "listen": "",
        "rest": ["http:127.0.0.1:0"],
        "account_sid": SID,
        "auth_token": TOKEN,
        "numbers": NUMBERS,
        "webhook_private": ["127.0.0.0/8"],
        "webhook_pause": 0.01,
        "rate": 100_000.0,
        "burst": 100_000,
        **api,
    }
    users = [{"name": "anna", "password": "long-enough-secret"}]
    trunks = [{"name": "out", "sources": ["192.0.2.0/24"], "address": "sip:192.0.2.1;transport=tls"}]
    switch = {"state_dir": str(state), "domain": "api.test"}
    return Config.model_validate({"switch": switch, "api": given, "users": users, "trunks": trunks})


def no_tls() -> ssl.SSLContext:
    raise AssertionError("nobody speaks TLS here")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return make_config(tmp_path)


@pytest.fixture
def centre() -> MemoryCentre:
    return MemoryCentre()


@pytest.fixture
async def room(config: Config, centre: MemoryCentre) -> AsyncIterator[ApiRoom]:
    room = ApiRoom(config, no_tls, cast(Any, MemoryRoom(centre)), cast(Any, MemoryApps()), Nobody())
    await room.start()
    yield room
    await room.stop()


@pytest.fixture
def base(room: ApiRoom) -> str:
    return "http://" + room.addresses[0].removeprefix("http:")


@pytest.fixture
def client(base: str) -> Any:
    return make_client(base)


def make_client(base: str, user: str = SID, password: str = TOKEN, account: str | None = None) -> Any:
    """The client of PyPI, pointed at the switch by one line for each product."""
    from twilio.rest import Client

    client = Client(user, password, account)
    for product in ("api", "verify", "messaging", "lookups", "accounts", "trunking"):
        getattr(client, product).base_url = base
    return client


async def call(function: Callable[..., Any], /, *args: Any, **named: Any) -> Any:
    """Run what blocks beside the loop that answers it."""
    return await asyncio.to_thread(partial(function, *args, **named))


Hook = Callable[[str, str, dict[str, str], bytes], Coroutine[Any, Any, tuple[int, str, str]]]


class WebhookServer:
    """Answers whatever comes, and remembers it: method, target, headers, body."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, str, str]] = []  # status, content type, body; then 204s
        self.by_path: dict[str, tuple[int, str, str]] = {}
        self.came = asyncio.Event()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.requests) < count:
                self.came.clear()
                await self.came.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                headers = dict(line.split(": ", 1) for line in head[1:] if line)
                lower = {name.lower(): value for name, value in headers.items()}
                body = await reader.readexactly(int(lower.get("content-length", "0")))
                self.requests.append((method, target, lower, body))
                self.came.set()
                path = target.partition("?")[0]
                status, kind, text = self.by_path.get(path) or (
                    self.answers.pop(0) if self.answers else (204, "text/plain", "")
                )
                data = text.encode()
                extra = f"Location: {text}\r\n" if status in (301, 302, 307) else ""
                writer.write(
                    f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n{extra}"
                    f"Content-Length: {len(data)}\r\n\r\n".encode()
                    + data
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def hooks() -> AsyncIterator[WebhookServer]:
    server = WebhookServer()
    await server.start()
    yield server
    await server.stop()
