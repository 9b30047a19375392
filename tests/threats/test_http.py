"""Group F from outside: floods over HTTP while telephones go on, and a stolen key (THREATS F8, F9)."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Iterator
from statistics import quantiles
from typing import Any, NamedTuple
from urllib.parse import urlencode

import httpcore
import pytest

from ..peers.harness import PASSWORD, Switch, users
from ..peers.phone import Phone
from ..peers.ports import free_port
from .conftest import ALICE, size

SID, TOKEN = "AC" + "0" * 31 + "1", "0123456789abcdef0123456789abcdef"
OURS = "+15017122661"
CAP = 20
PROOF = ("Authorization", "Basic " + base64.b64encode(f"{SID}:{TOKEN}".encode()).decode())
FORM = ("Content-Type", "application/x-www-form-urlencoded")
ROOT = f"/2010-04-01/Accounts/{SID}"


class Place(NamedTuple):
    switch: Switch
    port: int


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    port = free_port()
    api = {
        "rest": [f"http:127.0.0.1:{port}"],
        "account_sid": SID,
        "auth_token": TOKEN,
        "numbers": [OURS],
        "rate": 10_000.0,
        "burst": 10_000,
        "max_daily_calls": CAP,
        "body_timeout": 60.0,
        "head_timeout": 60.0,
    }
    with Switch(tmp_path_factory.mktemp("http"), users=users([ALICE]), api=api) as switch:
        switch.wait_said("api.started")
        yield Place(switch, port)
        assert "Traceback" not in switch.said(1_000_000)


async def ask(pool: Any, port: int, method: str, path: str, form: dict[str, str] | None = None) -> Any:
    content = urlencode(form).encode() if form is not None else None
    url = f"http://127.0.0.1:{port}{path}"
    response = await pool.request(method, url, headers=[PROOF, FORM], content=content)
    return response.status, json.loads(response.content)


@pytest.fixture
async def writers() -> AsyncIterator[list[asyncio.StreamWriter]]:
    """Connections, which are closed in the end."""
    made: list[asyncio.StreamWriter] = []
    yield made
    for writer in made:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for writer in made), return_exceptions=True)


async def test_slow_posts_hold_up_neither_telephones_nor_programs(
    place: Place, writers: list[asyncio.StreamWriter]
) -> None:
    """F8: 500 requests that never end, from another address; half stop in the head, half in the body."""
    head = f"POST {ROOT}/Messages.json HTTP/1.1\r\nHost: x\r\n{PROOF[0]}: {PROOF[1]}\r\n"
    for n in range(500):
        _, writer = await asyncio.open_connection("127.0.0.1", place.port, local_addr=("127.0.0.2", 0))
        writers.append(writer)
        rest = f"{FORM[0]}: {FORM[1]}\r\nContent-Length: 1000\r\n\r\nBody=" if n % 2 else "X-Slow: "
        writer.write((head + rest).encode())
    with Phone(place.switch.address, ALICE, PASSWORD) as phone:
        times = {"sip": list[float](), "http": list[float]()}
        async with httpcore.AsyncConnectionPool() as pool:
            for n in range(60):
                writers[n % 500].write(b"a")  # a little more now and then
                started = time.monotonic()
                answer, _ = await asyncio.to_thread(phone.ask, "OPTIONS", f"sip:{place.switch.address[0]}")
                times["sip"].append(time.monotonic() - started)
                assert answer.status == 200
                started = time.monotonic()
                assert (await ask(pool, place.port, "GET", f"{ROOT}.json"))[0] == 200
                times["http"].append(time.monotonic() - started)
    # On a machine that others use too the median tells more than the slowest
    assert quantiles(times["sip"], n=10)[-1] < 0.2
    assert quantiles(times["http"], n=100)[-1] < 1.0


async def test_a_stolen_key_calls_only_so_often_and_nowhere_dear(place: Place) -> None:
    """F9: a script calls satellites and then whomever it can; it ends at the cap, and the alert is there."""
    times = size(100, 1000)
    async with httpcore.AsyncConnectionPool() as pool:
        bought = await ask(
            *(pool, place.port, "POST", f"{ROOT}/IncomingPhoneNumbers.json"), {"PhoneNumber": OURS}
        )
        assert bought[0] == 201
        statuses = {"+882133": list[int](), "+4930": list[int]()}
        for begin, said in statuses.items():
            for n in range(times):
                form = {"From": OURS, "To": f"{begin}{n:05d}", "Twiml": "<Response/>"}
                said.append((await ask(pool, place.port, "POST", f"{ROOT}/Calls.json", form))[0])
    assert set(statuses["+882133"]) == {400}
    assert statuses["+4930"] == [201] * CAP + [429] * (times - CAP)
    shown = place.switch.cli("api", "audit", "--limit", "1000", "--json")
    alerts = [row["what"] for row in json.loads(shown.stdout) if row["kind"] == "alert"]
    assert sorted(set(alerts)) == ["daily calls", "region refused"]
    assert len(alerts) <= 6  # one a minute of each kind, however many there were
