"""THREATS F1 for calls: no address in a document, nor one that REST is given for a call, leads inside."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException

from switchroom.switch.api.room import ApiRoom
from switchroom.switch.api.voice.actions import Fetch
from switchroom.switch.api.voice.live import Live
from switchroom.switch.api.voice.render import CALL
from switchroom.switch.api.voice.streams.messages import StreamError
from switchroom.switch.api.webhooks.fetch import FetchError
from switchroom.switch.config import Config
from switchroom.switch.store.documents import Document

from ..conftest import SID, WebhookServer, call, make_client, make_config
from ..samples import OURS

INSIDE = ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "localhost", "0"]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Customers may reach public addresses only."""
    return make_config(tmp_path, webhook_private=[])


def live_of(room: ApiRoom) -> Live:
    office = room.house.office
    seq, data = office.library.next_seq(), {"direction": "inbound"}
    return Live(office, Document(seq, "CA" + "1" * 32, SID, CALL, 0.0, 0.0, data, state="in-progress"))


@pytest.mark.parametrize("host", INSIDE)
async def test_neither_documents_nor_sounds_nor_streams_lead_inside(
    room: ApiRoom, hooks: WebhookServer, host: str
) -> None:
    place, means = f"{host}:{hooks.url.rpartition(':')[2]}", room.house.voice.means
    with pytest.raises(FetchError) as refused:
        await live_of(room).fetch(Fetch(f"http://{place}/voice"))
    assert refused.value.code == 11210
    with pytest.raises(FetchError) as refused:
        await means.sounds.fetch(SID, f"http://{place}/a.wav")
    assert refused.value.code == 11210
    for scheme in ("ws", "wss"):
        with pytest.raises(StreamError) as closed:
            await means.streams._open(SID, f"{scheme}://{place}/talk")
        assert closed.value.code == 31902
    assert hooks.requests == []


async def test_a_stream_whose_name_flips_goes_where_it_was_checked(
    room: ApiRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, connected = ["93.184.216.34", "127.0.0.1"], []
    loop = asyncio.get_running_loop()

    async def flipping(host: str, port: int, **_: Any) -> list[Any]:
        return [(0, 0, 0, "", (answers.pop(0), port))]

    async def connect(factory: Any, address: str, *_: Any, **__: Any) -> Any:
        connected.append(address)
        raise OSError("not here")

    monkeypatch.setattr(loop, "getaddrinfo", flipping)
    monkeypatch.setattr(loop, "create_connection", connect)
    for _ in range(2):
        with pytest.raises(StreamError):
            await room.house.voice.means.streams._open(SID, "wss://flip.example/talk")
    assert connected == ["93.184.216.34"]


async def dead(room: ApiRoom) -> Any:
    for _ in range(500):
        if found := room.handlers()["api.webhooks"](state="dead"):
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("nothing has died")


async def test_status_callbacks_and_calls_lead_nowhere_inside(room: ApiRoom, hooks: WebhookServer) -> None:
    client = make_client("http://" + room.addresses[0].removeprefix("http:"))
    await call(client.incoming_phone_numbers.create, phone_number=OURS)
    with pytest.raises(TwilioRestException) as refused:
        await call(client.calls.create, to="sip:x@10.1.2.3", from_=OURS, twiml="<Response/>")
    assert refused.value.code == 13254
    await call(
        client.calls.create,
        to="+4930555500",
        from_=OURS,
        url=hooks.url + "/voice",
        status_callback=hooks.url + "/status",
        status_callback_event=["initiated", "completed"],
    )
    rows = await dead(room)
    assert "is not one that webhooks may reach" in str(rows)
    assert hooks.requests == []
