"""Every resource of messages, numbers, accounts, verification by the client of PyPI: waiting and not waiting.

One walk, written once: ``Walker`` has each verb done by the synchronous client in a thread, or by the
asynchronous one, so that both see the same answers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from switchroom.switch.sms.interfaces import State
from switchroom.switch.twilio import AsyncHttpClient, HttpClient

from .centre import MemoryCentre
from .conftest import SID, TOKEN, WebhookServer, call
from .samples import OURS, THEIRS

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what the client does itself


class Walker:
    """Does verbs by one of the two clients."""

    def __init__(self, base: str, *, is_async: bool) -> None:
        self.is_async, self._base = is_async, base
        self._http = AsyncHttpClient(base) if is_async else HttpClient(base)
        self.client: Any = Client(SID, TOKEN, http_client=self._http)

    def other(self, user: str, password: str, account: str | None = None) -> Walker:
        """The same for somebody else."""
        walker = Walker(self._base, is_async=self.is_async)
        walker.client = Client(user, password, account, http_client=walker._http)
        self._others = [*getattr(self, "_others", []), walker]
        return walker

    async def do(self, resource: Any, verb: str, *args: Any, **named: Any) -> Any:
        """One verb of a resource."""
        if self.is_async:
            return await getattr(resource, f"{verb}_async")(*args, **named)
        return await call(getattr(resource, verb), *args, **named)

    async def refused(self, resource: Any, verb: str, *args: Any, **named: Any) -> int:
        """The code with which a verb is refused."""
        with pytest.raises(TwilioRestException) as error:
            await self.do(resource, verb, *args, **named)
        assert error.value.status >= 400
        return int(error.value.code)

    async def close(self) -> None:
        for walker in (*getattr(self, "_others", []), self):
            if walker.is_async:
                await walker._http.close()


@pytest.fixture(params=["sync", "async"])
async def walker(request: pytest.FixtureRequest, base: str) -> AsyncIterator[Walker]:
    made = Walker(base, is_async=request.param == "async")
    yield made
    await made.close()


async def bought(walker: Walker, number: str = OURS, **more: Any) -> Any:
    return await walker.do(walker.client.incoming_phone_numbers, "create", phone_number=number, **more)


async def test_accounts_tokens_and_keys(walker: Walker) -> None:
    accounts = walker.client.api.v2010.accounts
    sub = await walker.do(accounts, "create", friendly_name="sub")
    assert (sub.status, sub.type, sub.owner_account_sid) == ("active", "Full", SID)
    assert {a.sid for a in await walker.do(accounts, "list")} == {SID, sub.sid}
    assert [a.sid for a in await walker.do(accounts, "list", friendly_name="sub", status="active")] == [
        sub.sid
    ]
    one = walker.client.api.v2010.accounts(sub.sid)
    assert (await walker.do(one, "update", friendly_name="renamed")).friendly_name == "renamed"
    theirs = walker.other(sub.sid, sub.auth_token)
    assert (await walker.do(theirs.client.api.v2010.account, "fetch")).sid == sub.sid
    assert (await walker.do(one, "update", status="suspended")).status == "suspended"
    assert await walker.refused(theirs.client.messages("SM" + "0" * 32), "fetch") == 20005
    assert (await walker.do(one, "update", status="closed")).status == "closed"
    assert await walker.refused(one, "update", status="active") == 20422

    for new, listed in (("new_keys", "keys"), ("new_signing_keys", "signing_keys")):
        key = await walker.do(getattr(walker.client, new), "create", friendly_name="k")
        assert len(key.secret) == 32
        keys = getattr(walker.client, listed)
        assert key.sid in [k.sid for k in await walker.do(keys, "list")]
        by_key = walker.other(key.sid, key.secret, SID)
        assert await walker.do(by_key.client.messages, "list") == []
        found = getattr(walker.client, listed)(key.sid)
        assert (await walker.do(found, "update", friendly_name="other")).friendly_name == "other"
        assert (await walker.do(found, "fetch")).friendly_name == "other"
        assert await walker.do(found, "delete")
        assert await walker.refused(by_key.client.incoming_phone_numbers, "create") == 20003

    tokens = walker.client.accounts.v1
    second = await walker.do(tokens.secondary_auth_token(), "create")
    assert await walker.do(tokens.secondary_auth_token(), "delete")
    second = await walker.do(tokens.secondary_auth_token(), "create")
    promoted = await walker.do(tokens.auth_token_promotion(), "update")
    assert promoted.auth_token == second.secondary_auth_token
    assert await walker.refused(walker.client.api.v2010.accounts(SID), "fetch") == 20003


async def test_numbers_and_applications(walker: Walker) -> None:
    client = walker.client
    countries = await walker.do(client.available_phone_numbers, "list")
    assert {c.country_code for c in countries} == {"US", "DE"}
    us = await walker.do(client.available_phone_numbers("US"), "fetch")
    assert us.country_code == "US"
    search = client.available_phone_numbers("US").local
    found = await walker.do(search, "list", area_code="500", contains="55500*2", limit=3)
    assert found
    assert all(n.phone_number.startswith("+1500555") and n.capabilities["sms"] for n in found)
    assert await walker.do(client.available_phone_numbers("US").toll_free, "list") == []
    assert await walker.do(client.available_phone_numbers("US").mobile, "list") == []
    number = await bought(walker, found[0].phone_number, friendly_name="n", sms_url="https://example.com/s")
    assert (number.friendly_name, number.sms_method, number.origin) == ("n", "POST", "switchroom")
    assert (
        await walker.refused(client.incoming_phone_numbers, "create", phone_number=number.phone_number)
        == 21422
    )
    assert await walker.refused(client.incoming_phone_numbers, "create", phone_number="+4912345") == 21421
    by_area = await walker.do(client.incoming_phone_numbers, "create", area_code="501")
    assert by_area.phone_number == OURS
    local = await walker.do(client.incoming_phone_numbers.local, "create", phone_number="+15005550077")
    assert local.origin == "switchroom"
    assert len(await walker.do(client.incoming_phone_numbers.local, "list")) == 3
    assert await walker.do(client.incoming_phone_numbers.toll_free, "list") == []
    assert await walker.do(client.incoming_phone_numbers.mobile, "list") == []
    listed = await walker.do(client.incoming_phone_numbers, "list", phone_number="+1500")
    assert {n.sid for n in listed} == {number.sid, local.sid}
    one = client.incoming_phone_numbers(number.sid)
    changed = await walker.do(one, "update", voice_url="https://example.com/v", voice_method="GET")
    assert (changed.voice_url, changed.voice_method) == ("https://example.com/v", "GET")
    assert (await walker.do(one, "fetch")).sms_url == "https://example.com/s"
    assert await walker.refused(one, "update", voice_url="gopher://x") == 21402
    assert await walker.do(one, "delete")
    assert await walker.refused(one, "fetch") == 20404

    application = await walker.do(
        client.applications, "create", friendly_name="a", sms_url="https://a.example/"
    )
    one = client.applications(application.sid)
    assert (await walker.do(one, "update", friendly_name="b")).friendly_name == "b"
    assert [a.sid for a in await walker.do(client.applications, "list", friendly_name="b")] == [
        application.sid
    ]
    assert (await walker.do(one, "fetch")).sms_url == "https://a.example/"
    assert await walker.do(one, "delete")


async def test_messages_media_and_feedback(walker: Walker, centre: MemoryCentre) -> None:
    client = walker.client
    await bought(walker)
    send = client.messages
    first = await walker.do(
        *(send, "create"),
        from_=OURS,
        to=THEIRS,
        body="Look",
        media_url=["https://example.com/a.png", "https://example.com/b.jpg"],
        provide_feedback=True,
        validity_period=3600,
        max_price="0.5",
        smart_encoded=True,
        force_delivery=True,
        address_retention="retain",
        attempt=1,
    )
    assert (first.sid[:2], first.num_media, first.status) == ("MM", "2", "queued")
    media = client.messages(first.sid).media
    listed = await walker.do(media, "list")
    assert {m.content_type for m in listed} == {"image/png", "image/jpeg"}
    assert (await walker.do(client.messages(first.sid).media(listed[0].sid), "fetch")).parent_sid == first.sid
    assert await walker.do(media, "list", date_created_before=datetime(2020, 1, 1, tzinfo=UTC)) == []
    assert await walker.do(client.messages(first.sid).media(listed[0].sid), "delete")
    assert len(await walker.do(media, "list")) == 1
    for state in (State.SENT, State.DELIVERED):
        centre.tell(centre.last(), state)
    done = await walker.do(client.messages(first.sid), "fetch")
    assert (done.status, done.direction, done.error_code) == ("delivered", "outbound-api", None)
    feedback = await walker.do(client.messages(first.sid).feedback, "create", outcome="confirmed")
    assert (feedback.message_sid, feedback.outcome) == (first.sid, "confirmed")
    day = timedelta(days=1)
    for given, count in (
        ({"to": THEIRS}, 1),
        ({"from_": OURS}, 1),
        ({"to": OURS}, 0),
        ({"date_sent": datetime.now(UTC).date()}, 1),
        ({"date_sent_after": datetime.now(UTC) - day}, 1),
        ({"date_sent_before": datetime.now(UTC) - day}, 0),
    ):
        assert len(await walker.do(send, "list", **given)) == count, given
    assert (await walker.do(client.messages(first.sid), "update", body="")).body == ""
    assert await walker.do(client.messages(first.sid), "delete")
    assert await walker.refused(client.messages(first.sid), "fetch") == 20404
    for given, code in (
        ({"from_": OURS, "to": "12"}, 21211),
        ({"to": THEIRS, "body": "x"}, 21603),
        ({"from_": OURS, "to": THEIRS}, 21602),
        ({"from_": "+15550009999", "to": THEIRS, "body": "x"}, 21606),
        ({"from_": OURS, "to": THEIRS, "body": "x" * 1601}, 21617),
        ({"from_": OURS, "to": THEIRS, "body": "x", "status_callback": "nonsense"}, 21609),
    ):
        assert await walker.refused(send, "create", **given) == code, given


async def test_pages_and_streams(walker: Walker) -> None:
    await bought(walker)
    for n in range(7):
        await walker.do(walker.client.messages, "create", from_=OURS, to=THEIRS, body=f"{n}")
    listed = await walker.do(walker.client.messages, "list", page_size=3)
    assert [m.body for m in listed] == ["6", "5", "4", "3", "2", "1", "0"]
    assert len(await walker.do(walker.client.messages, "list", limit=5, page_size=2)) == 5
    page = await walker.do(walker.client.messages, "page", page_size=4)
    assert [m.body for m in page] == ["6", "5", "4", "3"]
    following = await (page.next_page_async() if walker.is_async else call(page.next_page))
    assert [m.body for m in following] == ["2", "1", "0"]
    if walker.is_async:
        stream = await walker.client.messages.stream_async(page_size=2)
        assert len([m.sid async for m in stream]) == 7
    else:
        assert len(await call(lambda: [m.sid for m in walker.client.messages.stream(page_size=2)])) == 7
    for n in range(3):
        await walker.do(walker.client.messaging.v1.services, "create", friendly_name=f"{n}")
    services = await walker.do(walker.client.messaging.v1.services, "list", page_size=2)
    assert [s.friendly_name for s in services] == ["2", "1", "0"]


async def test_messaging_services(walker: Walker, centre: MemoryCentre, hooks: WebhookServer) -> None:
    client = walker.client
    number = await bought(walker)
    services = client.messaging.v1.services
    made = await walker.do(services, "create", friendly_name="Shop", sticky_sender=True, smart_encoding=True)
    one = client.messaging.v1.services(made.sid)
    changed = await walker.do(one, "update", inbound_request_url=hooks.url + "/in", validity_period=600)
    assert (changed.validity_period, changed.sticky_sender) == (600, True)
    pooled = await walker.do(one.phone_numbers, "create", phone_number_sid=number.sid)
    assert (pooled.phone_number, pooled.country_code) == (OURS, "US")
    assert await walker.refused(one.phone_numbers, "create", phone_number_sid=number.sid) == 21710
    assert [n.sid for n in await walker.do(one.phone_numbers, "list")] == [number.sid]
    assert (await walker.do(one.phone_numbers(number.sid), "fetch")).phone_number == OURS
    sent = await walker.do(client.messages, "create", messaging_service_sid=made.sid, to=THEIRS, body="x")
    assert (sent.status, sent.from_, sent.messaging_service_sid) == ("accepted", OURS, made.sid)
    later = datetime.now(UTC) + timedelta(hours=1)
    scheduled = await walker.do(
        *(client.messages, "create"),
        messaging_service_sid=made.sid,
        to=THEIRS,
        body="later",
        schedule_type="fixed",
        send_at=later,
    )
    assert scheduled.status == "scheduled"
    assert (await walker.do(client.messages(scheduled.sid), "update", status="canceled")).status == "canceled"
    soon = {"messaging_service_sid": made.sid, "to": THEIRS, "body": "x", "schedule_type": "fixed"}
    assert await walker.refused(client.messages, "create", **soon, send_at=datetime.now(UTC)) == 35114
    assert await walker.refused(client.messages, "create", **soon) == 35111
    centre.deliver(THEIRS, OURS, "STOP")
    await hooks.wait_for(1)
    again = {"messaging_service_sid": made.sid, "to": THEIRS, "body": "x"}
    assert await walker.refused(client.messages, "create", **again) == 21610
    assert await walker.do(one.phone_numbers(number.sid), "delete")
    assert await walker.refused(client.messages, "create", **(again | {"to": "+15550001111"})) == 21704
    assert await walker.do(one, "delete")
    assert await walker.refused(one, "fetch") == 20404


async def test_verify_and_lookup(walker: Walker, centre: MemoryCentre) -> None:
    client = walker.client
    await bought(walker)
    verify = client.verify.v2
    made = await walker.do(verify.services, "create", friendly_name="Shop", code_length=8)
    one = verify.services(made.sid)
    assert (await walker.do(one, "fetch")).code_length == 8
    assert (await walker.do(one, "update", custom_code_enabled=True)).custom_code_enabled
    assert made.sid in [s.sid for s in await walker.do(verify.services, "list")]
    sent = await walker.do(one.verifications, "create", to=THEIRS, channel="sms", custom_code="123456")
    assert (await walker.do(one.verifications(sent.sid), "fetch")).status == "pending"
    wrong = await walker.do(one.verification_checks, "create", to=THEIRS, code="654321")
    right = await walker.do(one.verification_checks, "create", verification_sid=sent.sid, code="123456")
    assert (wrong.valid, right.valid, right.status) == (False, True, "approved")
    second = await walker.do(one.verifications, "create", to=THEIRS, channel="sms")
    assert (await walker.do(one.verifications(second.sid), "update", status="canceled")).status == "canceled"
    assert len(await walker.do(verify.verification_attempts, "list")) == 2
    assert (await walker.do(verify.verification_attempts_summary(), "fetch")).total_converted == 1

    limit = await walker.do(one.rate_limits, "create", unique_name="ip", description="by address")
    bucket = await walker.do(one.rate_limits(limit.sid).buckets, "create", max=1, interval=60)
    assert [b.sid for b in await walker.do(one.rate_limits(limit.sid).buckets, "list")] == [bucket.sid]
    at = one.rate_limits(limit.sid).buckets(bucket.sid)
    assert (await walker.do(at, "update", max=2)).max == 2
    assert (await walker.do(at, "fetch")).interval == 60
    renamed = await walker.do(one.rate_limits(limit.sid), "update", description="x")
    assert (renamed.description, renamed.unique_name) == ("x", "ip")
    for n in range(3):
        given = {"to": f"+1555000222{n}", "channel": "sms", "rate_limits": '{"ip": "192.0.2.1"}'}
        if n < 2:
            await walker.do(one.verifications, "create", **given)
        else:
            assert await walker.refused(one.verifications, "create", **given) == 60207
    assert await walker.do(at, "delete")
    assert await walker.do(one.rate_limits(limit.sid), "delete")
    assert await walker.do(one, "delete")

    number = client.lookups.v2.phone_numbers("(501) 712-2661")
    found = await walker.do(number, "fetch", country_code="US", fields="line_type_intelligence")
    assert (found.phone_number, found.valid, found.country_code) == (OURS, True, "US")
    assert found.line_type_intelligence["type"] == "mobile"
    assert not (await walker.do(client.lookups.v2.phone_numbers("+1555"), "fetch")).valid


async def test_usage(walker: Walker) -> None:
    await bought(walker)
    await walker.do(walker.client.messages, "create", from_=OURS, to=THEIRS, body="x" * 200)
    records = walker.client.usage.records
    (row,) = await walker.do(records, "list", category="sms-outbound")
    assert (row.count, row.usage, row.usage_unit) == ("1", "2", "segments")
    for span in ("today", "yesterday", "this_month", "last_month", "daily", "monthly", "yearly", "all_time"):
        rows = await walker.do(getattr(records, span), "list", category="phonenumbers")
        counts = sum(int(one.count) for one in rows)
        assert counts == (0 if span in ("yesterday", "last_month") else 1), span
