"""Calls over REST, as the client of PyPI asks for them; whoever is called does not answer."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs
from twilio.base.exceptions import TwilioRestException

from switchroom.switch.api.room import ApiRoom
from switchroom.switch.api.voice.actions import Fetch
from switchroom.switch.api.voice.live import Live
from switchroom.switch.api.voice.render import CALL
from switchroom.switch.store.documents import Document
from tests.switch.api.conftest import SID, WebhookServer, call
from tests.switch.api.samples import OURS

SECRET = "very-hidden-word"
TARGET = "sip:bob@127.0.0.8"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what the client does itself


@pytest.fixture
async def number(client: Any) -> Any:
    return await call(client.incoming_phone_numbers.create, phone_number=OURS)


async def ended(client: Any, sid: str) -> Any:
    for _ in range(200):
        made = await call(client.calls(sid).fetch)
        if made.status == "busy":
            return made
    raise AssertionError("it never ended")


async def test_a_password_for_a_uri_is_for_the_call_alone(
    client: Any, number: Any, room: ApiRoom, tmp_path: Path
) -> None:
    structlog.configure(cache_logger_on_first_use=False)
    given = {"to": TARGET, "from_": OURS, "twiml": "<Response/>", "sip_auth_username": "us"}
    with capture_logs() as said:
        made = await call(client.calls.create, sip_auth_password=SECRET, **given)
        await ended(client, made.sid)
    apps: Any = room._apps
    [known] = apps.credentials
    assert (apps.called, known.username, known.password) == ([TARGET], "us", SECRET)
    await room.house.library.begin()
    assert SECRET not in repr(said) + repr(known)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if SECRET.encode() in file.read_bytes()]
    for password, code in ((None, 21225), ("a\nb", 21224), ("x" * 256, 21223)):
        with pytest.raises(TwilioRestException) as refused:
            await call(client.calls.create, sip_auth_password=password, **given)
        assert refused.value.code == code


async def test_the_end_of_a_call_is_when_it_ended(client: Any, number: Any, room: ApiRoom) -> None:
    made = await call(client.calls.create, to=TARGET, from_=OURS, twiml="<Response/>")
    await ended(client, made.sid)
    library = room.house.library
    doc = library.get(CALL, made.sid, SID)
    assert doc is not None
    before = time.time() - 3600
    await library.write([doc.change(time.time(), data={"ended_at": before})])  # it was changed later
    hour, now = timedelta(hours=1), datetime.now(UTC)
    assert await call(client.calls.list, end_time_after=now - hour / 2) == []
    [found] = await call(client.calls.list, end_time_after=now - 2 * hour, end_time_before=now - hour / 2)
    assert found.sid == made.sid
    up = doc.change(time.time(), state="in-progress", data={"ended_at": None})
    await library.write([up])
    assert await call(client.calls.list, end_time_after=now - 2 * hour) == []


@pytest.mark.parametrize("quote", ['"', "'"])
async def test_what_a_call_asked_shows_no_password(room: ApiRoom, hooks: WebhookServer, quote: str) -> None:
    noun = f"<Sip username='u' password = {quote}{SECRET}{quote}>{TARGET}</Sip>"
    body = f"<Response><Dial>{noun}</Dial></Response>"
    hooks.by_path["/voice"] = (200, "text/xml", body)
    now = time.time()
    doc = Document(1, "CA" + "0" * 32, SID, CALL, now, now, {"direction": "inbound"}, state="in-progress")
    live = Live(room.house.office, doc)
    page = await live.fetch(Fetch(hooks.url + "/voice"))
    assert SECRET.encode() in page.body
    [asked] = live.requests
    assert SECRET not in repr(asked)
    assert TARGET in asked["body"]
