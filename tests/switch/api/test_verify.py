"""Verify, Lookup and usage by the client of PyPI."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from twilio.base.exceptions import TwilioRestException

from switchroom.switch.api.room import ApiRoom
from switchroom.switch.api.verify.guard import Guard
from switchroom.switch.sms.interfaces import State

from .centre import MemoryCentre
from .conftest import SID, call, make_client, make_config

THEIRS = "+15558675310"


@pytest.fixture
async def service(client: Any) -> Any:
    await call(client.incoming_phone_numbers.create, phone_number="+15017122661")
    made = await call(client.verify.v2.services.create, friendly_name="Shop", code_length=5)
    return client.verify.v2.services(made.sid)


def code_in(centre: MemoryCentre) -> str:
    found = re.search(r"Your Shop verification code is: ([0-9]+)\.", centre.last().submission.body.decode())
    assert found
    return found[1]


async def refusal(function: Any, /, *args: Any, **named: Any) -> tuple[int, int]:
    with pytest.raises(TwilioRestException) as refused:
        await call(function, *args, **named)
    return refused.value.status, refused.value.code


async def test_a_code_goes_out_and_comes_back(service: Any, client: Any, centre: MemoryCentre) -> None:
    sent = await call(service.verifications.create, to=THEIRS, channel="sms")
    assert (sent.status, sent.valid, len(sent.send_code_attempts)) == ("pending", False, 1)
    code = code_in(centre)
    assert len(code) == 5
    wrong = await call(service.verification_checks.create, to=THEIRS, code=str((int(code) + 1) % 10**5))
    assert (wrong.status, wrong.valid) == ("pending", False)
    right = await call(service.verification_checks.create, to=THEIRS, code=code)
    assert (right.sid, right.status, right.valid) == (sent.sid, "approved", True)
    assert await refusal(service.verification_checks.create, to=THEIRS, code=code) == (404, 20404)
    assert (await call(service.verifications(sent.sid).fetch)).status == "approved"
    centre.tell(centre.last(), State.SENT)
    centre.tell(centre.last(), State.DELIVERED)
    (message,) = await call(client.messages.list)
    assert message.body == ""  # a code is kept by nobody


async def test_sends_and_checks_are_counted(service: Any, centre: MemoryCentre) -> None:
    codes = set()
    for _ in range(5):
        await call(service.verifications.create, to=THEIRS, channel="sms")
        codes.add(code_in(centre))
    assert len(codes) == 1  # the same code, as long as it is good
    assert await refusal(service.verifications.create, to=THEIRS, channel="sms") == (429, 60203)
    for _ in range(5):
        await call(service.verification_checks.create, to=THEIRS, code="x")
    assert await refusal(service.verification_checks.create, to=THEIRS, code=codes.pop()) == (429, 60202)


async def test_what_is_refused(service: Any) -> None:
    create = service.verifications.create
    assert (await refusal(create, to="hello", channel="sms"))[1] == 60200
    assert (await refusal(create, to=THEIRS, channel="pigeon"))[1] == 60223
    assert (await refusal(create, to=THEIRS, channel="sms", custom_code="1234"))[1] == 60204
    assert (await refusal(service.verification_checks.create, code="1"))[1] == 60221
    assert await refusal(service.verification_checks.create, to=THEIRS, code="1") == (404, 20404)


async def test_expiry_and_cancellation(service: Any, room: ApiRoom) -> None:
    sent = await call(service.verifications.create, to=THEIRS, channel="sms")
    canceled = await call(service.verifications(sent.sid).update, status="canceled")
    assert canceled.status == "canceled"
    sent = await call(service.verifications.create, to=THEIRS, channel="sms")
    doc = room.house.library.get("verification", sent.sid, SID)
    assert doc is not None
    await room.house.library.write([doc.change(0.0, data={"expires_at": 1.0})])
    assert await refusal(service.verification_checks.create, to=THEIRS, code="1") == (404, 20404)


class Telephone:
    """Somebody who is called: what he hears, and the keys that he presses."""

    def __init__(self, keys: str) -> None:
        self.heard: list[Any] = []
        self.keys, self.is_over = keys, False

    async def gather(self, count: int, *, prompt: Any, **_: Any) -> str:
        self.heard.append(prompt)
        return self.keys

    async def play(self, *sounds: Any) -> str:
        self.heard += [sound for sound in sounds if isinstance(sound, Path)]
        return ""

    async def hang_up(self) -> None:
        self.is_over = True


async def answered(room: ApiRoom, monkeypatch: Any, phone: Telephone) -> asyncio.Event:
    """Let everybody answer who is called; the event is set when he has heard everything."""
    over = asyncio.Event()
    means = room.house.voice.means

    async def call(target: str, *, app: str, caller: Any, **_: Any) -> Telephone:
        assert (target, app, caller.number) == (THEIRS, "verify", "+15017122661")
        return phone

    def run(handler: Any, call: Any) -> None:
        task = asyncio.create_task(handler(call))
        task.add_done_callback(lambda _: over.set())

    async def speak(text: str, voice: str, language: str) -> Path:
        return Path(f"{language}: {text}")

    monkeypatch.setattr(means.apps, "call", call)
    monkeypatch.setattr(means.apps, "run", run, raising=False)
    monkeypatch.setattr(means.speech, "speak", speak)
    return over


async def test_a_code_is_read_out_by_telephone(
    service: Any, room: ApiRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = Telephone("5")
    over = await answered(room, monkeypatch, phone)
    sent = await call(service.verifications.create, to=THEIRS, channel="call", locale="de-AT")
    assert (sent.channel, sent.status) == ("call", "pending")
    await asyncio.wait_for(over.wait(), 5)
    assert phone.is_over
    heard = [str(path) for path in phone.heard]
    assert heard[0] == "de: Guten Tag. Drücken Sie eine Taste, um Ihren Bestätigungscode für Shop zu hören."
    code = "".join(path.removeprefix("de: ") for path in heard[2:7])
    assert heard[2:7] * 3 == [path for path in heard[1:] if len(path) == 5]  # each digit alone, three times
    assert (await call(service.verification_checks.create, to=THEIRS, code=code)).valid
    kinds = [row[2] for row in await room.house.library.events_after([SID], 0, 100)]
    assert kinds[-3:] == ["verification.sent", "verification.call.answered", "verification.approved"]


async def test_who_presses_no_key_hears_no_code(
    service: Any, room: ApiRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = Telephone("")
    over = await answered(room, monkeypatch, phone)
    await call(service.verifications.create, to=THEIRS, channel="call")
    await asyncio.wait_for(over.wait(), 5)
    assert phone.is_over
    assert len(phone.heard) == 1
    await call(service.update, dtmf_input_required=False)
    over.clear()
    await call(service.verifications.create, to=THEIRS, channel="call")
    await asyncio.wait_for(over.wait(), 5)
    assert len(phone.heard) == 1 + 3 * 6


async def test_a_call_that_was_promised_before_a_crash_is_made(
    service: Any, room: ApiRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[Any] = []
    monkeypatch.setattr(
        room.house.verifications._caller, "call", lambda reading, done: called.append(reading)
    )
    await call(service.verifications.create, to=THEIRS, channel="call")
    room.house.verifications.start()
    assert [one.to for one in called] == [THEIRS] * 2
    assert called[0].code == called[1].code


async def test_nobody_is_called_where_that_is_too_dear(service: Any) -> None:
    given = {"to": "+88213300000", "channel": "call"}
    assert await refusal(service.verifications.create, **given) == (400, 21215)


async def test_rate_limits_of_a_service(service: Any, room: ApiRoom) -> None:
    limit = await call(service.rate_limits.create, unique_name="ip")
    await call(service.rate_limits(limit.sid).buckets.create, max=2, interval=60)
    for n in range(2):
        await call(
            service.verifications.create, to=f"+1555867530{n}", channel="sms", rate_limits={"ip": "::1"}
        )
    more = {"channel": "sms", "rate_limits": {"ip": "::1"}}
    assert await refusal(service.verifications.create, to="+15558675305", **more) == (429, 60207)
    await room.stop()
    await room.start()  # on another port
    again = make_client("http://" + room.addresses[0].removeprefix("http:"))
    service = again.verify.v2.services(service._solution["sid"])
    assert await refusal(service.verifications.create, to="+15558675305", **more) == (429, 60207)
    more["rate_limits"] = {"ip": "::2"}
    await call(service.verifications.create, to="+15558675305", **more)
    assert (await refusal(service.rate_limits.create, unique_name="ip"))[1] == 60208


async def test_attempts_are_listed_counted_and_remembered(
    service: Any, client: Any, centre: MemoryCentre, room: ApiRoom
) -> None:
    for n in range(3):
        await call(service.verifications.create, to=f"+1555867531{n}", channel="sms")
    code = code_in(centre)
    await call(service.verification_checks.create, to="+15558675312", code=code)
    attempts = client.verify.v2.verification_attempts
    listed = await call(attempts.list, verify_service_sid=service._solution["sid"])
    assert [one.conversion_status for one in listed] == ["converted", "unconverted", "unconverted"]
    assert listed[0].channel_data == {"to": "+15558675312", "country": "US"}
    assert (await call(client.verify.v2.verification_attempts(listed[0].sid).fetch)).channel == "sms"
    assert len(await call(attempts.list, status="converted", channel="sms", country="US")) == 1
    assert await call(attempts.list, channel="call") == []
    total = await call(client.verify.v2.verification_attempts_summary().fetch)
    assert (total.total_attempts, total.total_converted, total.conversion_rate_percentage) == (3, 1, "33.33")
    guard = Guard()
    room.house.verifications._attempts.recover(guard, time.time())
    assert sum(map(len, guard._sent.values())) == 3 * len(guard.rules)
    assert sum(map(len, guard._approved.values())) == len(guard.rules)


def test_the_fraud_guard_by_its_own_words() -> None:
    guard = Guard()
    rule = guard.rules[0]
    for n in range(rule.count):
        assert guard.blocks("VA", f"+155586753{n:02}", 0.0) is None
        guard.note_sent("VA", f"+155586753{n:02}", 0.0)
    assert guard.blocks("VA", "+15558675399", 1.0) is rule
    assert guard.blocks("VA", "+15551115399", 1.0) is None
    assert guard.blocks("VB", "+15558675399", 1.0) is None
    assert guard.blocks("VA", "+15558675399", 3601.0) is None
    for _ in range(3):
        guard.note_approved("VA", "+15558675399", 2.0)
    assert guard.blocks("VA", "+15558675399", 3.0) is None
    assert "20 codes an hour" in rule.text


async def test_rules_of_the_guard_can_be_others(service: Any, room: ApiRoom, tmp_path: Path) -> None:
    for n in range(2):
        await call(service.verifications.create, to=f"+155586753{n:02}", channel="sms")
    rule = "few: 2 codes an hour to numbers alike in 6 signs, fewer than 50% used"
    room.reconfigure(make_config(tmp_path, verify_rules=[rule]))
    with pytest.raises(TwilioRestException) as refused:
        await call(service.verifications.create, to="+15558111111", channel="sms")
    assert (refused.value.code, refused.value.msg.partition("held back. ")[2]) == (60410, rule)
    for text in (
        "few: many codes",
        rule.replace("2 codes", "2001 codes"),
        rule.replace("6 signs", "17 signs"),
    ):
        with pytest.raises(ValidationError, match="must be written as"):
            make_config(tmp_path, verify_rules=[text])


async def test_pumping_is_held_back_and_told(service: Any, room: ApiRoom) -> None:
    for n in range(20):
        await call(service.verifications.create, to=f"+155586753{n:02}", channel="sms")
    assert await refusal(service.verifications.create, to="+15558675390", channel="sms") == (403, 60410)
    await room.house.library.begin()  # what was begun before is on the disk
    assert any(row["kind"] == "alert" for row in room.handlers()["api.audit"]())


async def test_lookup(client: Any) -> None:
    found = await call(
        client.lookups.v2.phone_numbers("+4915112345678").fetch, fields="line_type_intelligence"
    )
    assert (found.country_code, found.calling_country_code, found.valid) == ("DE", "49", True)
    assert found.line_type_intelligence["type"] == "mobile"
    national = await call(client.lookups.v2.phone_numbers("(415) 992-9960").fetch, country_code="US")
    assert (national.phone_number, national.national_format) == ("+14159929960", "(415) 992-9960")
    short = await call(client.lookups.v2.phone_numbers("+1415").fetch)
    assert (short.valid, short.validation_errors) == (False, ["TOO_SHORT"])
    assert await refusal(client.lookups.v2.phone_numbers("xyz").fetch) == (404, 20404)


async def test_usage(service: Any, client: Any) -> None:
    await call(client.messages.create, to=THEIRS, from_="+15017122661", body="x" * 200)
    rows = {row.category: row for row in await call(client.usage.records.today.list)}
    assert (rows["sms-outbound"].count, rows["sms-outbound"].usage) == ("1", "2")
    assert rows["phonenumbers"].usage == "1"
    daily = await call(client.usage.records.daily.list, category="sms")
    assert len(daily) == 31
    assert daily[0].usage == "2"
