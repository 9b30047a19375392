"""Messages by the client of PyPI: out with callbacks, in with TwiML, services and opt-outs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator

from switchroom.switch.api.room import ApiRoom
from switchroom.switch.sms import interfaces as sms
from switchroom.switch.sms.interfaces import State

from .centre import MemoryCentre
from .conftest import SID, TOKEN, WebhookServer, call

OURS, THEIRS = "+15017122661", "+15558675310"


@pytest.fixture
async def number(client: Any) -> Any:
    return await call(client.incoming_phone_numbers.create, phone_number=OURS)


async def send(client: Any, **more: Any) -> Any:
    given = {"from_": OURS, "body": "Hi there", "to": THEIRS, **more}
    return await call(client.messages.create, **given)


async def code_of(client: Any, **more: Any) -> int:
    with pytest.raises(TwilioRestException) as refused:
        await send(client, **more)
    return int(refused.value.code)


def form(hooks: WebhookServer, n: int) -> dict[str, str]:
    return dict(parse_qsl(hooks.requests[n][3].decode(), keep_blank_values=True))


async def status(client: Any, sid: str) -> str:
    return str((await call(client.messages(sid).fetch)).status)


async def soon(is_done: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not is_done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def until(client: Any, sid: str, wanted: str) -> Any:
    async with asyncio.timeout(5):
        while True:
            message = await call(client.messages(sid).fetch)
            if message.status == wanted:
                return message
            await asyncio.sleep(0.01)


async def test_the_line_that_started_it_all(
    client: Any, number: Any, centre: MemoryCentre, hooks: WebhookServer
) -> None:
    message = await send(client, status_callback=hooks.url + "/status")
    assert (message.status, message.direction, message.num_segments) == ("queued", "outbound-api", "1")
    assert (message.from_, message.to, message.body, message.error_code) == (OURS, THEIRS, "Hi there", None)
    assert message.date_sent is None
    taken = centre.last()
    assert (taken.submission.body, taken.submission.key) == (b"Hi there", message.sid)
    assert taken.submission.inlet == f"api:{SID}"
    for state in (State.SENDING, State.SENT, State.DELIVERED):
        centre.tell(taken, state)
    await hooks.wait_for(2)
    assert [form(hooks, n)["MessageStatus"] for n in (0, 1)] == ["sent", "delivered"]
    validator = RequestValidator(TOKEN)
    for n in (0, 1):
        assert form(hooks, n)["MessageSid"] == message.sid
        signature = hooks.requests[n][2]["x-twilio-signature"]
        assert validator.validate(hooks.url + "/status", form(hooks, n), signature)
    done = await until(client, message.sid, "delivered")
    assert abs(done.date_sent - datetime.now(UTC)) < timedelta(seconds=10)
    assert len(centre.heard) == 3
    centre.tell(taken, State.SENT)  # a late one changes nothing
    assert await status(client, message.sid) == "delivered"


async def test_what_fails_says_why(
    client: Any, number: Any, centre: MemoryCentre, hooks: WebhookServer
) -> None:
    message = await send(client, status_callback=hooks.url + "/s")
    centre.tell(centre.last(), State.SENT)
    centre.tell(centre.last(), State.UNDELIVERABLE, error="001")
    failed = await until(client, message.sid, "undelivered")
    assert failed.error_code == 30005
    assert failed.error_message
    await hooks.wait_for(2)
    assert form(hooks, 1)["ErrorCode"] == "30005"
    centre.refuse[THEIRS] = sms.NO_ROUTE
    assert (await until(client, (await send(client)).sid, "failed")).error_code == 30006
    centre.refuse[THEIRS] = sms.QUEUE_FULL
    waiting = await send(client)
    assert await status(client, waiting.sid) == "queued"
    centre.refuse.clear()
    await soon(lambda: waiting.sid in centre.by_key)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"to": ""}, 21211),
        ({"to": "hello"}, 21211),
        ({"to": "015558675310"}, 21211),
        ({"from_": "+15005550001"}, 21606),
        ({"from_": "not a number at all"}, 21212),
        ({"from_": None}, 21603),
        ({"body": ""}, 21602),
        ({"body": None}, 21602),
        ({"body": "x" * 1601}, 21617),
        ({"status_callback": "ftp://example.com"}, 21609),
        ({"media_url": ["nowhere"]}, 21620),
        ({"media_url": ["http://a/b"] * 11}, 21623),
        ({"validity_period": 0}, 21624),
        ({"messaging_service_sid": "MG" + "0" * 32}, 21701),
        ({"application_sid": "AP" + "0" * 32}, 21218),
        ({"schedule_type": "fixed", "send_at": datetime.now(UTC) + timedelta(hours=1)}, 35118),
        ({"schedule_type": "fixed"}, 35111),
        ({"to": "+88213300000"}, 21408),
    ],
)
async def test_codes(client: Any, number: Any, given: dict[str, Any], code: int) -> None:
    assert await code_of(client, **given) == code


async def test_lists_filters_redaction_and_deletion(client: Any, number: Any, centre: MemoryCentre) -> None:
    first = await send(client, body="one")
    second = await send(client, body="two", to="+15550000001")
    assert [m.body for m in await call(client.messages.list)] == ["two", "one"]
    assert [m.sid for m in await call(client.messages.list, to=THEIRS)] == [first.sid]
    assert await call(client.messages.list, from_="+15009999999") == []
    assert await call(client.messages.list, date_sent=datetime.now(UTC).date()) == []
    with pytest.raises(TwilioRestException) as refused:
        await call(client.messages(first.sid).delete)
    assert refused.value.code == 20009
    for message in centre.messages.values():
        centre.tell(message, State.SENT)
        centre.tell(message, State.DELIVERED)
    await until(client, second.sid, "delivered")
    today, day = datetime.now(UTC), timedelta(days=1)
    assert len(await call(client.messages.list, date_sent=today.date())) == 2
    assert len(await call(client.messages.list, date_sent_after=today - day)) == 2
    assert await call(client.messages.list, date_sent_before=today - day) == []
    redacted = await call(client.messages(first.sid).update, body="")
    assert (redacted.body, redacted.status) == ("", "delivered")
    assert centre.redacted
    with pytest.raises(TwilioRestException):
        await call(client.messages(second.sid).update, body="other words")
    assert (
        await call(client.messages(second.sid).feedback.create, outcome="confirmed")
    ).outcome == "confirmed"
    assert await call(client.messages(first.sid).delete)
    with pytest.raises(TwilioRestException) as refused:
        await call(client.messages(first.sid).fetch)
    assert refused.value.code == 20404


async def test_media_go_along_as_addresses(client: Any, number: Any, centre: MemoryCentre) -> None:
    message = await send(client, media_url=["https://example.com/a.png"], body="Look")
    assert message.sid.startswith("MM")
    assert (message.num_media, message.body) == ("1", "Look")
    assert centre.last().submission.body == b"Look\nhttps://example.com/a.png"
    (media,) = await call(client.messages(message.sid).media.list)
    assert media.parent_sid == message.sid
    assert (await call(client.messages(message.sid).media(media.sid).fetch)).sid == media.sid
    assert await call(client.messages(message.sid).media(media.sid).delete)
    assert await call(client.messages(message.sid).media.list) == []


async def test_a_service_chooses_sticks_schedules_and_cancels(client: Any, centre: MemoryCentre) -> None:
    service = await call(client.messaging.v1.services.create, friendly_name="Shop", sticky_sender=True)
    assert await code_of(client, from_=None, messaging_service_sid=service.sid) == 21704
    pool = {}
    for n in range(4):
        number = await call(client.incoming_phone_numbers.create, phone_number=f"+1500555000{n}")
        await call(client.messaging.v1.services(service.sid).phone_numbers.create, number.sid)
        pool[number.phone_number] = number
    added = await call(client.messaging.v1.services(service.sid).phone_numbers.list)
    assert {n.phone_number for n in added} == set(pool)
    with pytest.raises(TwilioRestException) as refused:
        await call(client.messaging.v1.services(service.sid).phone_numbers.create, pool["+15005550000"].sid)
    assert refused.value.code == 21710
    messages = [await send(client, from_=None, messaging_service_sid=service.sid) for _ in range(3)]
    assert messages[0].status == "accepted"
    sender = messages[0].from_
    assert {m.from_ for m in messages} == {sender}
    others = [
        await send(client, from_=None, messaging_service_sid=service.sid, to=f"+1555867530{n}")
        for n in range(8)
    ]
    assert len({m.from_ for m in others}) > 1
    await call(client.messaging.v1.services(service.sid).phone_numbers(pool[sender].sid).delete)
    moved = await send(client, from_=None, messaging_service_sid=service.sid)
    assert moved.from_ != sender
    planned = await send(
        client,
        from_=None,
        messaging_service_sid=service.sid,
        schedule_type="fixed",
        send_at=datetime.now(UTC) + timedelta(hours=1),
    )
    assert planned.status == "scheduled"
    assert centre.last().submission.schedule_at > 0
    canceled = await call(client.messages(planned.sid).update, status="canceled")
    assert canceled.status == "canceled"
    with pytest.raises(TwilioRestException) as refused:
        await call(client.messages(moved.sid).update, status="canceled")
    assert refused.value.code == 30409
    soon = datetime.now(UTC) + timedelta(minutes=1)
    more = {"from_": None, "messaging_service_sid": service.sid, "schedule_type": "fixed"}
    assert await code_of(client, send_at=soon, **more) == 35114
    assert await call(client.messaging.v1.services(service.sid).delete)


# -- in


async def test_a_message_comes_in_and_is_answered(
    client: Any, number: Any, centre: MemoryCentre, hooks: WebhookServer
) -> None:
    await call(client.incoming_phone_numbers(number.sid).update, sms_url=hooks.url + "/sms")
    hooks.by_path["/sms"] = (
        *(200, "text/xml"),
        "<Response><Message>You said it</Message>"
        '<Message to="+15550001111"><Body>and told</Body><Media>/cat.png</Media></Message></Response>',
    )
    centre.deliver(THEIRS, OURS, "Hello? ä")
    await hooks.wait_for(1)
    told = form(hooks, 0)
    assert (told["From"], told["To"], told["Body"], told["SmsStatus"]) == (
        THEIRS,
        OURS,
        "Hello? ä",
        "received",
    )
    assert told["ToCountry"] == "US"
    assert told["AccountSid"] == SID
    signature = hooks.requests[0][2]["x-twilio-signature"]
    assert RequestValidator(TOKEN).validate(hooks.url + "/sms", told, signature)
    await soon(lambda: len(centre.messages) >= 2)
    bodies = [(m.destination.number, m.submission.body) for m in centre.messages.values()]
    assert bodies == [
        (THEIRS, b"You said it"),
        ("+15550001111", f"and told\n{hooks.url}/cat.png".encode()),
    ]
    assert [o.is_delivered for o in centre.outcomes] == [True]
    rows = await call(client.messages.list)
    assert [m.direction for m in rows] == ["outbound-reply", "outbound-reply", "inbound"]
    assert (rows[2].sid, rows[2].status) == (told["MessageSid"], "received")


async def test_plain_text_and_redirect_are_answers_too(
    client: Any, number: Any, centre: MemoryCentre, hooks: WebhookServer
) -> None:
    await call(client.incoming_phone_numbers(number.sid).update, sms_url=hooks.url + "/a", sms_method="GET")
    hooks.by_path["/a"] = (200, "text/xml", "<Response><Redirect>/b?x=1</Redirect></Response>")
    hooks.by_path["/b"] = (200, "text/plain; charset=utf-8", "Just words")
    centre.deliver(THEIRS, OURS, "Hi")
    await soon(lambda: centre.messages)
    assert centre.last().submission.body == b"Just words"
    assert [m for m, _, _, _ in hooks.requests] == ["GET", "POST"]
    assert "Body=Hi" in hooks.requests[0][1]


async def test_bad_answers_are_alerts_and_nothing_else(
    client: Any, number: Any, centre: MemoryCentre, hooks: WebhookServer, room: ApiRoom
) -> None:
    await call(client.incoming_phone_numbers(number.sid).update, sms_url=hooks.url + "/a")
    bad = {
        "<Response><Dial>1</Dial></Response>": 14110,
        "<Response>": 12100,
        "<Response>" + "<Message>x</Message>" * 11 + "</Response>": 14109,
        "<Response><Redirect>/a</Redirect></Response>": 14106,
    }
    courier = room.house.courier
    for text in bad:
        hooks.by_path["/a"] = (200, "text/xml", text)
        before = courier.delivered_count
        centre.deliver(THEIRS, OURS, "Hi")
        await soon(lambda: courier.delivered_count > before and not courier.waiting_count)  # noqa: B023
    events = await room.house.library.events_after([SID], 0, 1000)
    codes = [
        int(data.split('"code":')[1].split(",")[0]) for _, _, kind, _, _, data in events if "alert" in kind
    ]
    assert codes == list(bad.values())
    assert len(centre.messages) == 10  # the ten that came before the one too many


async def test_a_number_of_nobody_is_no_way(centre: MemoryCentre, room: ApiRoom) -> None:
    centre.deliver(THEIRS, "+15005550099", "Hi")
    assert [(o.fault, o.is_delivered) for o in centre.outcomes] == [(sms.Fault.ROUTE, False)]


async def test_stop_and_start(client: Any, number: Any, centre: MemoryCentre) -> None:
    centre.deliver(THEIRS, OURS, " stop. ")
    await soon(lambda: centre.messages)
    assert b"no more messages" in centre.last().submission.body
    assert await code_of(client) == 21610
    await send(client, to="+15550000001")
    centre.deliver(THEIRS, OURS, "START")
    await soon(lambda: len(centre.messages) >= 3)
    assert (await send(client)).status == "queued"


# -- what must last


async def test_what_the_centre_did_not_get_goes_to_it_after_a_start(
    client: Any, number: Any, centre: MemoryCentre, room: ApiRoom
) -> None:
    message = await send(client)
    centre.messages.clear()
    centre.by_key.clear()  # a crash fell between the two commits
    await room.stop()
    await room.start()
    await asyncio.sleep(0.05)
    assert list(centre.by_key) == [message.sid]


async def test_many_at_once_are_few_commits_and_few_batches(
    client: Any, number: Any, room: ApiRoom, centre: MemoryCentre
) -> None:
    before = room.house.library.commit_count
    given = {"To": THEIRS, "From": OURS, "Body": "x"}
    await asyncio.gather(*(room.house.messages.send(SID, given) for _ in range(500)))
    assert room.house.library.commit_count - before <= 50
    await asyncio.sleep(0)
    assert sum(centre.batches) == 500
    assert len(centre.batches) <= 50
