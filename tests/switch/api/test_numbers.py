"""The inventory of numbers, who has which, and pages."""

from __future__ import annotations

import time
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException

from switchroom.switch.api.resources.inventory import Inventory

from .conftest import SID, call, make_client


async def test_search_buy_configure_release(client: Any) -> None:
    found = await call(client.available_phone_numbers("US").local.list, area_code="500", limit=5)
    assert [n.phone_number for n in found] == [f"+1500555000{n}" for n in range(5)]
    assert found[0].capabilities == {"voice": True, "sms": True, "mms": False, "fax": False}
    found = await call(client.available_phone_numbers("US").local.list, contains="*00555007")
    assert len(found) == 10
    german = await call(client.available_phone_numbers("DE").local.list)
    assert german[0].phone_number == "+4930555500"
    assert german[0].iso_country == "DE"
    number = await call(
        client.incoming_phone_numbers.create,
        phone_number="+15005550006",
        sms_url="https://example.com/sms",
        voice_url="https://example.com/voice",
    )
    assert (number.phone_number, number.friendly_name) == ("+15005550006", "(500) 555-0006")
    assert (number.sms_method, number.account_sid, number.voice_url) == (
        "POST",
        SID,
        "https://example.com/voice",
    )
    again = await call(client.available_phone_numbers("US").local.list, contains="5005550006")
    assert again == []
    with pytest.raises(TwilioRestException) as refused:
        await call(client.incoming_phone_numbers.create, phone_number="+15005550006")
    assert refused.value.code == 21422
    with pytest.raises(TwilioRestException) as refused:
        await call(client.incoming_phone_numbers.create, phone_number="+15005559999")
    assert refused.value.code == 21421
    changed = await call(client.incoming_phone_numbers(number.sid).update, sms_method="GET", sms_url="")
    assert (changed.sms_method, changed.sms_url, changed.voice_url) == (
        "GET",
        "",
        "https://example.com/voice",
    )
    with pytest.raises(TwilioRestException) as refused:
        await call(client.incoming_phone_numbers(number.sid).update, voice_url="gopher://example.com")
    assert refused.value.code == 21402
    assert await call(client.incoming_phone_numbers(number.sid).delete)
    with pytest.raises(TwilioRestException) as refused:
        await call(client.incoming_phone_numbers(number.sid).fetch)
    assert (refused.value.status, refused.value.code) == (404, 20404)
    assert (await call(client.incoming_phone_numbers.create, area_code="501")).phone_number == "+15017122661"


async def test_pages_forth_and_back(client: Any) -> None:
    for n in range(7):
        await call(client.incoming_phone_numbers.create, phone_number=f"+1500555001{n}")
    every = await call(client.incoming_phone_numbers.list, page_size=3)
    assert [n.phone_number[-1] for n in every] == list("6543210")  # newest first
    assert len(await call(client.incoming_phone_numbers.list, limit=4)) == 4
    page = await call(client.incoming_phone_numbers.page, page_size=3)
    second = await call(page.next_page)
    third = await call(second.next_page)
    assert [n.phone_number[-1] for n in third] == ["0"]
    assert await call(third.next_page) is None
    back = await call(third.previous_page)
    assert [n.phone_number[-1] for n in back] == list("321")
    assert [n.sid for n in await call(client.incoming_phone_numbers.list, phone_number="+15005550013")] == [
        every[3].sid
    ]


async def test_a_number_goes_to_a_subaccount(client: Any, base: str) -> None:
    sub = await call(client.api.accounts.create, friendly_name="Tenant")
    number = await call(client.incoming_phone_numbers.create, phone_number="+15005550020")
    moved = await call(client.incoming_phone_numbers(number.sid).update, account_sid=sub.sid)
    assert moved.account_sid == sub.sid
    tenant = make_client(base, sub.sid, sub.auth_token)
    assert [n.phone_number for n in await call(tenant.incoming_phone_numbers.list)] == ["+15005550020"]
    assert await call(client.incoming_phone_numbers.list) == []


async def test_applications(client: Any) -> None:
    made = await call(client.applications.create, friendly_name="Bot", sms_url="https://example.com/sms")
    assert (made.sms_url, made.sms_method, made.voice_url) == ("https://example.com/sms", "POST", None)
    await call(client.applications(made.sid).update, friendly_name="Robot")
    assert [a.sid for a in await call(client.applications.list, friendly_name="Robot")] == [made.sid]
    assert await call(client.applications.list, friendly_name="Bot") == []
    assert await call(client.applications(made.sid).delete)


def test_what_is_in_an_inventory() -> None:
    inventory = Inventory(["+15005550000-+15005550009", "12345"])
    assert "+15005550009" in inventory
    assert "12345" in inventory
    for other in ("+15005550010", "15005550001", "+12345", "+1500555000", "", "+", "abc"):
        assert other not in inventory
    assert inventory.countries() == ["US"]


@pytest.mark.parametrize(
    ("country", "kind", "contains", "count"),
    [("US", "tollfree", "", 0), ("US", "", "999999999", 0), ("FR", "", "", 0), ("DE", "local", "", 10)],
)
def test_a_search_in_a_large_range_ends_soon(country: str, kind: str, contains: str, count: int) -> None:
    """Whoever asks for what is not there must not keep the switch from its work."""
    numbers = Inventory(["+15000000000-+15000999999", "+4930555500-+4930555509"])
    started = time.process_time()
    found = list(numbers.search(country=country, kind=kind, contains=contains, prefix=""))
    assert len(found) == count
    assert time.process_time() - started < 2.0
