"""Texts are kept as long as their sender and the policy want, and nowhere longer; secrets are in no log."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from switchroom.switch.api.room import ApiRoom
from switchroom.switch.sms.interfaces import State
from switchroom.switch.store.documents import Document, Query

from .centre import MemoryCentre
from .conftest import SID, TOKEN, WebhookServer, call, make_config
from .samples import OURS, THEIRS

TEXT = "the words that nobody else may read"


@pytest.fixture
async def number(client: Any) -> Any:
    return await call(client.incoming_phone_numbers.create, phone_number=OURS)


def letters(room: ApiRoom) -> list[Document]:
    return room.house.library.select(Query("delivery", SID, limit=100))


def files(room: ApiRoom) -> bytes:
    folder = room.house.library._path.parent
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def receive(client: Any, number: Any, centre: MemoryCentre, hooks: WebhookServer, room: ApiRoom) -> Any:
    """A text for a webhook that answers with the same text."""
    await call(client.incoming_phone_numbers(number.sid).update, sms_url=hooks.url + "/sms")
    hooks.by_path["/sms"] = (200, "text/plain", f"You said: {TEXT}")
    centre.deliver(THEIRS, OURS, TEXT)
    await hooks.wait_for(1)
    while not letters(room) or letters(room)[0].state != "done":
        await room.house.library.begin()
    return (await call(client.messages.list, from_=THEIRS))[0]


async def test_a_text_that_is_taken_away_is_nowhere_any_more(
    client: Any, number: Any, centre: MemoryCentre, hooks: WebhookServer, room: ApiRoom
) -> None:
    message = await receive(client, number, centre, hooks, room)
    assert dict(letters(room)[0].data["params"])["Body"] == TEXT
    answer = (await call(client.messages.list, to=THEIRS))[0]
    for state in (State.SENT, State.DELIVERED):
        centre.tell(centre.last(), state)
    await room.house.library.begin()
    for one in (message, answer):
        assert (await call(client.messages(one.sid).update, body="")).body == ""
    assert TEXT not in json.dumps(letters(room)[0].data)
    await room.stop()
    assert TEXT.encode() not in files(room_of(room))


def room_of(room: ApiRoom) -> Any:
    """A room that was closed, as ``files`` sees it."""

    class Closed:
        class house:  # noqa: N801
            class library:  # noqa: N801
                _path = Path(room._config.switch.state_dir) / "api.db"

    return Closed


async def test_a_message_that_is_deleted_takes_its_text_along(
    client: Any, number: Any, centre: MemoryCentre, hooks: WebhookServer, room: ApiRoom
) -> None:
    message = await receive(client, number, centre, hooks, room)
    assert await call(client.messages(message.sid).delete)
    assert TEXT not in json.dumps(letters(room)[0].data)


async def test_the_policy_keeps_no_texts(
    client: Any, number: Any, centre: MemoryCentre, hooks: WebhookServer, room: ApiRoom, tmp_path: Path
) -> None:
    room.reconfigure(make_config(tmp_path, keep_texts=0))
    sent = await call(client.messages.create, from_=OURS, to=THEIRS, body=TEXT)
    for state in (State.SENT, State.DELIVERED):
        centre.tell(centre.last(), state)
    assert (await call(client.messages(sent.sid).fetch)).body == ""
    message = await receive(client, number, centre, hooks, room)
    assert TEXT not in json.dumps(letters(room)[0].data)
    room.house.retention.sweep(time.time() + 1)
    await room.house.library.begin()
    assert (await call(client.messages(message.sid).fetch)).body == ""


async def test_what_is_old_loses_its_text_first_and_then_goes(
    client: Any, number: Any, room: ApiRoom, centre: MemoryCentre, tmp_path: Path
) -> None:
    await call(client.messages.create, from_=OURS, to=THEIRS, body=TEXT)
    await call(client.messages.create, from_=OURS, to=THEIRS, body=TEXT)  # is not over
    for state in (State.SENT, State.DELIVERED):
        centre.tell(centre.messages[1], state)
    room.reconfigure(make_config(tmp_path, keep_texts=100))
    for days, bodies in ((99, [TEXT, TEXT]), (101, [TEXT, ""]), (401, [])):
        room.house.retention.sweep(time.time() + days * 86400)
        await room.house.library.begin()
        assert [m.body for m in await call(client.messages.list)] == bodies


async def test_no_secret_and_no_text_is_in_a_log(
    client: Any, number: Any, centre: MemoryCentre, hooks: WebhookServer, room: ApiRoom
) -> None:
    """Tokens, keys, codes, texts, passwords of webhooks: not in the log, the audit, the events, the lists."""
    structlog.configure(cache_logger_on_first_use=False)
    with capture_logs() as said:
        key = await call(client.new_keys.create, friendly_name="k")
        second = await call(client.accounts.v1.secondary_auth_token().create)
        tenant = await call(client.api.accounts.create, friendly_name="t")
        url = hooks.url.replace("//", "//user:hidden-password@")
        await call(client.incoming_phone_numbers(number.sid).update, sms_url=url + "/sms")
        hooks.by_path["/sms"] = (200, "text/xml", "<Response><Redirect>/gone</Redirect></Response>")
        hooks.by_path["/gone"] = (404, "text/plain", "")
        centre.deliver(THEIRS, OURS, TEXT)
        await hooks.wait_for(2)
        failing = await call(
            client.messages.create, from_=OURS, to=THEIRS, body=TEXT, status_callback=url + "/gone"
        )
        centre.tell(centre.last(), State.SENT)
        await hooks.wait_for(3)
        service = await call(client.verify.v2.services.create, friendly_name="v")
        verification = client.verify.v2.services(service.sid).verifications
        await call(verification.create, to="+15550001111", channel="sms")
        code = centre.last().submission.body.decode().rpartition(": ")[2].strip(".")
        await room.house.library.begin()
    shown = json.dumps(
        [
            said,
            room.handlers()["api.audit"](100),
            room.handlers()["api.webhooks"](100),
            await room.house.library.events_after([SID], 0, 1000),
        ],
        default=str,
    )
    assert failing.sid in shown
    secrets = (TOKEN, key.secret, second.secondary_auth_token, tenant.auth_token, code, TEXT)
    for secret in (*secrets, "hidden-password"):
        assert secret not in shown
