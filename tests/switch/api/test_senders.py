"""Names that services send from, numbers that are proven by a call, alerts, and Lookup as it was before."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from twilio.base.exceptions import TwilioException, TwilioRestException

from switchroom.switch.api.room import ApiRoom

from .centre import MemoryCentre
from .conftest import SID, call, make_client
from .samples import OURS, THEIRS

GERMAN = "+4917612345678"


async def refused(what: Any) -> int:
    with pytest.raises(TwilioRestException) as found:
        await call(what)
    return int(found.value.code)


async def test_a_service_sends_from_its_name_where_networks_take_one(
    client: Any, centre: MemoryCentre
) -> None:
    services = client.messaging.v1.services
    service = await call(services.create, "named")
    names = services(service.sid).alpha_senders
    made = await call(names.create, "ACME")
    assert (made.alpha_sender, made.service_sid) == ("ACME", service.sid)
    assert [one.sid for one in await call(names.list)] == [(await call(names(made.sid).fetch)).sid]
    assert await refused(partial(names.create, "acme")) == 21710
    for wrong in ("A name too long", "12345", "Ümlaut"):
        assert await refused(partial(names.create, wrong)) == 21657
    number = await call(client.incoming_phone_numbers.create, phone_number=OURS)
    await call(services(service.sid).phone_numbers.create, number.sid)
    send = partial(client.messages.create, messaging_service_sid=service.sid, body="x")
    assert (await call(send, to=GERMAN)).from_ == "ACME"
    assert (await call(send, to=THEIRS)).from_ == OURS  # +1: numbers only
    assert await call(names(made.sid).delete)
    assert (await call(send, to=GERMAN)).from_ == OURS
    assert (await call(client.messages.create, from_="ACME", to=GERMAN, body="x")).from_ == "ACME"


async def test_alerts_are_told_page_by_page(client: Any, base: str, room: ApiRoom) -> None:
    client.monitor.base_url = base
    await call(client.incoming_phone_numbers.create, phone_number=OURS)
    made = [await call(client.calls.create, to=THEIRS, from_=OURS, twiml="<Response/>") for _ in range(2)]
    calls = [one.sid for one in made]
    for n in range(5):
        data = {"code": 12100, "message": f"no XML {n}", "resource": calls[n % 2]}
        await room.house.library.write(events=[(SID, "alert.webhook", calls[n % 2], data)])
    alerts = await call(client.monitor.v1.alerts.list, page_size=2)
    assert [one.alert_text for one in alerts] == [f"no XML {n}" for n in (4, 3, 2, 1, 0)]
    first = await call(client.monitor.v1.alerts(alerts[0].sid).fetch)
    assert (first.error_code, first.resource_sid, first.log_level) == ("12100", calls[0], "error")
    assert await call(client.monitor.v1.alerts.list, log_level="warning") == []
    notes = await call(client.calls(calls[1]).notifications.list)
    assert [one.message_text for one in notes] == ["no XML 3", "no XML 1"]
    assert (await call(client.calls(calls[1]).notifications(notes[0].sid).fetch)).error_code == "12100"
    assert await refused(client.calls(calls[0]).notifications(notes[0].sid).fetch) == 20404
    assert len(await call(client.notifications.list, limit=3)) == 3
    for wrong in ("NO" + "f" * 32, "NO" + "0" * 31 + "g", "NO1"):
        assert await refused(client.monitor.v1.alerts(wrong).fetch) == 20404


async def test_a_number_that_nobody_proves_is_none_to_call_from(client: Any, room: ApiRoom) -> None:
    """Whoever is called in these tests does not answer; with telephones: tests/peers/test_api_ways.py."""
    await call(client.incoming_phone_numbers.create, phone_number=OURS)
    asked = await call(client.validation_requests.create, THEIRS, friendly_name="desk")
    assert (len(asked.validation_code), asked.phone_number, asked.friendly_name) == (6, THEIRS, "desk")
    await asyncio.gather(*room.house.office.tasks)
    assert (await call(client.calls(asked.call_sid).fetch)).status == "busy"
    assert await call(client.outgoing_caller_ids.list) == []
    assert await refused(partial(client.calls.create, from_=THEIRS, to=OURS, twiml="<Response/>")) == 21210
    for number, code in (("1001", 21401), ("+", 21211), ("+8701234567", 21215)):
        assert await refused(partial(client.validation_requests.create, number)) == code
    await call(client.validation_requests.create, THEIRS)
    await call(client.validation_requests.create, THEIRS)
    assert await refused(partial(client.validation_requests.create, THEIRS)) == 20429


async def test_lookup_as_it_was_asked_before(client: Any, base: str) -> None:
    found = await call(client.lookups.v1.phone_numbers(GERMAN).fetch, type=["carrier"])
    assert (found.phone_number, found.country_code, found.carrier["type"]) == (GERMAN, "DE", "mobile")
    found = await call(client.lookups.v1.phone_numbers("030 901820").fetch, country_code="DE")
    assert (found.phone_number, found.carrier) == ("+4930901820", None)
    assert await refused(client.lookups.v1.phone_numbers("+1").fetch) == 20404
    made = await call(client.api.accounts.create, friendly_name="tenant")
    tenant = make_client(base, made.sid, made.auth_token)
    assert (await call(tenant.lookups.v1.phone_numbers(GERMAN).fetch)).country_code == "DE"


async def test_a_closed_account_gives_back_what_it_has(client: Any, base: str, room: ApiRoom) -> None:
    made = await call(client.api.accounts.create, friendly_name="tenant")
    tenant = make_client(base, made.sid, made.auth_token)
    key = await call(tenant.new_keys.create)
    by_key = make_client(base, key.sid, key.secret, made.sid)
    number = await call(tenant.incoming_phone_numbers.create, phone_number=OURS)
    service = await call(tenant.messaging.v1.services.create, "s")
    await call(tenant.messaging.v1.services(service.sid).phone_numbers.create, number.sid)
    send_at = datetime.now(UTC) + timedelta(hours=1)
    later = {"messaging_service_sid": service.sid, "schedule_type": "fixed", "send_at": send_at}
    message = await call(partial(by_key.messages.create, to=THEIRS, body="x", **later))
    lists = await call(tenant.sip.credential_lists.create, "phones")
    await call(client.api.accounts(made.sid).update, status="closed")
    for proof in (tenant, by_key):
        with pytest.raises(TwilioException):
            await call(proof.messages.list)
    taken = await call(client.incoming_phone_numbers.create, phone_number=OURS)  # it is free again
    assert taken.account_sid == SID
    library = room.house.library
    assert library.get("sip_list", lists.sid, None) is None
    kept = library.get("message", message.sid, made.sid)
    assert (message.status, kept and kept.state) == ("scheduled", "canceled")
