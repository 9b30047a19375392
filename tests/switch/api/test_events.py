"""The stream of events: in order, durable, resumable."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from pathlib import Path
from typing import Any

import httpcore
from websockets.asyncio.client import connect

from switchroom.switch.api.room import ApiRoom
from switchroom.switch.store import Record

from .conftest import SID, TOKEN, call, make_client, make_config

AUTH = {"Authorization": "Basic " + base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()}
SEND = {"from_": "+15017122661", "to": "+15558675310"}


async def read_sse(base: str, count: int, after: str = "0", headers: dict[str, str] = AUTH) -> list[Any]:
    found: list[Any] = []
    async with httpcore.AsyncConnectionPool() as pool:
        url = f"{base}/events?after={after}"
        async with pool.stream("GET", url, headers=list(headers.items())) as response:
            assert response.status == 200
            buffer = b""
            async for part in response.aiter_stream():
                buffer += part
                while b"\n\n" in buffer:
                    block, _, buffer = buffer.partition(b"\n\n")
                    lines = dict(
                        line.split(": ", 1) for line in block.decode().splitlines() if line[0] != ":"
                    )
                    if lines:
                        found.append(json.loads(lines["data"]))
                        assert lines["id"] == found[-1]["id"]
                if len(found) >= count:
                    return found
    return found


async def test_the_stream_is_resumed_where_it_was_left(client: Any, base: str, room: ApiRoom) -> None:
    await call(client.incoming_phone_numbers.create, phone_number="+15017122661")
    for n in range(3):
        await call(client.messages.create, body=str(n), **SEND)
    async with asyncio.timeout(30):
        first = await read_sse(base, 4)
        kinds = [event["type"] for event in first]
        assert kinds == ["switchroom.number.bought"] + ["switchroom.message.queued"] * 3
        assert first[0]["specversion"] == "1.0"
        assert first[1]["source"] == f"/accounts/{SID}"
        assert "body" not in first[1]["data"]
        assert await read_sse(base, 2, after=first[1]["id"]) == first[2:]
        while room.house.events.count:  # noqa: ASYNC110 - those before have gone
            await asyncio.sleep(0.01)
        waiting = asyncio.create_task(read_sse(base, 1, after="now"))
        while not room.house.events.count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await call(client.messages.create, body="late", **SEND)
        assert int((await waiting)[0]["id"]) > int(first[-1]["id"])
    await room.stop()
    await room.start()
    base = "http://" + room.addresses[0].removeprefix("http:")
    async with asyncio.timeout(30):
        assert (await read_sse(base, 5))[:4] == first


async def test_over_a_websocket_and_for_one_account_only(client: Any, base: str) -> None:
    sub = await call(client.api.accounts.create, friendly_name="Tenant")
    proof = base64.b64encode(f"{sub.sid}:{sub.auth_token}".encode()).decode()
    url = base.replace("http", "ws") + "/events"
    await call(client.incoming_phone_numbers.create, phone_number="+15017122661")
    tenant = make_client(base, sub.sid, sub.auth_token)
    async with connect(url, additional_headers={"Authorization": f"Basic {proof}"}, proxy=None) as socket:
        await call(tenant.incoming_phone_numbers.create, phone_number="+15005550001")
        async with asyncio.timeout(15):
            event = json.loads(await socket.recv())
        assert event["data"]["phone_number"] == "+15005550001"


async def test_whoever_comes_too_late_is_told(client: Any, base: str, room: ApiRoom) -> None:
    await call(client.incoming_phone_numbers.create, phone_number="+15017122661")
    for n in range(5):
        await call(client.messages.create, body=str(n), **SEND)
    room.house.library.purge_events(0.0, 2)
    await room.house.library.begin()
    async with asyncio.timeout(30):
        lost, first, *_ = await read_sse(base, 3, after="1")
        assert (lost["type"], lost["data"]) == ("switchroom.events.lost", {"after": 1, "first": 5})
        assert (lost["id"], first["id"]) == ("4", "5")
        assert (await read_sse(base, 2, after="4"))[0]["type"] == "switchroom.message.queued"
        assert (await read_sse(base, 2))[0]["id"] == "5"  # from the first on: nothing is missing


async def test_a_main_account_hears_of_its_subaccounts(client: Any, base: str) -> None:
    sub = await call(client.api.accounts.create, friendly_name="Tenant")
    tenant = make_client(base, sub.sid, sub.auth_token)
    await call(tenant.incoming_phone_numbers.create, phone_number="+15005550001")
    await call(client.incoming_phone_numbers.create, phone_number="+15005550002")
    async with asyncio.timeout(30):
        both = await read_sse(base, 2, after="0&subaccounts=true")
        assert [event["source"] for event in both] == [f"/accounts/{sub.sid}", f"/accounts/{SID}"]
        assert [event["source"] for event in await read_sse(base, 1)] == [f"/accounts/{SID}"]
        await call(client.incoming_phone_numbers.create, phone_number="+15005550003")
        await call(tenant.incoming_phone_numbers.create, phone_number="+15005550004")
        proof = base64.b64encode(f"{sub.sid}:{sub.auth_token}".encode()).decode()
        own = await read_sse(base, 2, after="0&subaccounts=true", headers={"Authorization": f"Basic {proof}"})
        assert {event["source"] for event in own} == {f"/accounts/{sub.sid}"}  # a subaccount hears of itself


class AnyCall:
    """What a witness sees of a call."""

    def __init__(self, id: str) -> None:
        self.id, self.is_over, self.answered_at = id, False, None
        self.record = Record(time.time(), caller="1001", callee="1002", from_user="1001")


async def test_what_happens_in_the_switch_is_in_the_stream(base: str, room: ApiRoom, tmp_path: Path) -> None:
    (told,) = room._apps.on_call_state  # type: ignore[attr-defined]
    made: Any = AnyCall("call-1")
    told(made, 0.0)
    told(made, 0.0)  # it rings: no event of its own
    made.answered_at = 1.0
    told(made, 1.0)
    made.is_over, made.record.duration, made.record.verdict = True, 2.5, "The caller hung up."
    told(made, 3.5)
    witness = room._witness
    assert witness is not None
    for contacts in (1, 1, 2, 0):
        witness.on_registered("1001", contacts)
    async with asyncio.timeout(30):
        events = await read_sse(base, 6)
    assert [event["type"].removeprefix("switchroom.switch.") for event in events] == [
        *("call.ringing", "call.answered", "call.ended"),
        *["registration.changed"] * 3,
    ]
    assert events[2]["data"]["verdict"] == "The caller hung up."
    assert [event["data"]["contacts"] for event in events[3:]] == [1, 2, 0]
    room.reconfigure(make_config(tmp_path, events=[]))
    told(AnyCall("call-2"), 4.0)
    assert room.house.library.event_id == 6


async def test_nobody_listens_without_proof(base: str) -> None:
    async with httpcore.AsyncConnectionPool() as pool:
        assert (await pool.request("GET", f"{base}/events")).status == 401
        bad = await pool.request("GET", f"{base}/events?after=x", headers=list(AUTH.items()))
        assert (bad.status, json.loads(bad.content)["code"]) == (400, 20422)
