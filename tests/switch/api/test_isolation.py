"""Accounts cannot see, change or name what others have: every operation of the OpenAPI document is tried."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import httpcore

from switchroom.switch.api.room import ApiRoom
from switchroom.switch.store.documents import Document

from .centre import MemoryCentre
from .conftest import SID, WebhookServer, call, make_client
from .samples import MARK, Described, ask, auth, described, fill, filled


def everything_of(room: ApiRoom, account: str) -> list[Any]:
    """All rows of an account but those that only grow: its deliveries and the audit log."""
    with sqlite3.connect(room.house.library._path) as connection:
        where = "account = ? AND kind NOT IN ('audit', 'delivery')"
        return connection.execute(
            f"SELECT * FROM documents WHERE {where} ORDER BY seq", (account,)
        ).fetchall()


async def tenant(client: Any, name: str) -> tuple[str, tuple[str, str]]:
    made = await call(client.api.accounts.create, friendly_name=name)
    return made.sid, auth(made.sid, made.auth_token)


async def settled(room: ApiRoom) -> None:
    """What was begun before is on the disk, and nothing of a call is under way."""
    for task in list(room.house.office.tasks):
        await task
    await room.house.library.begin()


async def test_every_operation_on_what_another_account_has(client: Any, base: str, room: ApiRoom) -> None:
    """F4: 404 whatever the verb, whichever account stands in the path; what is there stays as it was."""
    known = await fill(client, room)
    other, proof = await tenant(client, "other")
    sibling, _ = await tenant(client, "sibling")
    await settled(room)
    before = everything_of(room, SID)
    asked = 0
    async with httpcore.AsyncConnectionPool() as pool:
        for one in described(room):
            accounts = {SID, sibling} if "{AccountSid}" in one.path else set()
            if one.is_of_one:
                accounts.add(other)
            for account in accounts:
                url = base + filled(one.path, known, account)
                form = None if one.method in ("GET", "DELETE") else one.form()
                status, body = await ask(pool, one.method, url, form, proof)
                assert (status, body["code"]) == (404, 20404), f"{one.method} {url}"
                asked += 1
        await settled(room)
        assert everything_of(room, SID) == before
        for one in described(room):  # and whoever has it does find it
            if one.method == "GET":
                status, _ = await ask(pool, "GET", base + filled(one.path, known, SID))
                assert status == 200, one.path
    assert asked > 150


async def test_no_list_and_no_answer_shows_what_another_account_has(
    client: Any, base: str, room: ApiRoom
) -> None:
    known = await fill(client, room)
    other, proof = await tenant(client, "other")
    await settled(room)
    secrets = {MARK, *known.values()}
    async with httpcore.AsyncConnectionPool() as pool:
        for one in described(room):
            if one.is_of_one or one.method == "DELETE":
                continue
            url = base + filled(one.path, known, other)
            form = None if one.method == "GET" else one.form()
            status, body = await ask(pool, one.method, url, form, proof)
            shown = json.dumps(body)
            assert status < 500, (one.method, url, body)
            assert not [secret for secret in secrets if secret in shown], (one.method, url)


async def test_no_parameter_leads_to_what_another_account_has(client: Any, base: str, room: ApiRoom) -> None:
    """SIDs of the first account in every parameter of the other: never used, never shown, never changed."""
    known = await fill(client, room)
    other, proof = await tenant(client, "other")
    number = client.api.v2010.accounts(other).incoming_phone_numbers
    bought = await call(number.create, phone_number="+15005550001")
    await settled(room)
    before = everything_of(room, SID)
    async with httpcore.AsyncConnectionPool() as pool:
        for one in described(room):
            if one.is_of_one:
                continue
            for name in _naming(one):
                for sid in {SID, *known.values()}:
                    form = one.form(**{name: sid}) | (
                        {"From": "+15005550001"} if "From" in one.params else {}
                    )
                    url = base + filled(one.path, known, other)
                    if one.method == "GET":
                        url, form = f"{url}?{name}={sid}", {}
                    status, body = await ask(pool, one.method, url, form or None, proof)
                    assert status < 500, (one.method, url, body)
                    assert MARK not in json.dumps(body), (one.method, url)
        for name in ("VoiceApplicationSid", "SmsApplicationSid"):
            url = f"{base}/2010-04-01/Accounts/{other}/IncomingPhoneNumbers/{bought.sid}.json"
            await ask(pool, "POST", url, {name: known["Applications"]}, proof)
        await settled(room)
    hook = room.house.inbox._hook(room.house.numbers.owner("+15005550001") or _none())
    assert hook is None or not hook.url
    assert everything_of(room, SID) == before


def _naming(one: Described) -> list[str]:
    """Parameters that name a resource."""
    return [name for name in one.params if name.endswith("Sid") or name in ("From", "CallerId", "To")]


def _none() -> Document:
    raise AssertionError("the number is gone")


async def test_a_key_does_what_its_scopes_say_and_nothing_else(client: Any, base: str, room: ApiRoom) -> None:
    """Every operation by a key that has all scopes but the one that it needs: 403."""
    known = await fill(client, room)
    scopes = {one.scope for one in described(room) if one.scope}
    keys = {}
    for scope in sorted(scopes | {""}):
        others = sorted(scopes - {scope})
        made = room.house.accounts.make_key(SID, "", others)
        await room.house.library.write([made[0]])
        keys[scope] = auth(made[0].sid, made[1])
    async with httpcore.AsyncConnectionPool() as pool:
        for one in described(room):
            url = base + filled(one.path, known, SID)
            form = None if one.method in ("GET", "DELETE") else one.form()
            status, body = await ask(pool, one.method, url, form, keys[one.scope])
            assert (status, body["code"]) == (403, 20006), (one.method, url)
            if one.method == "GET" and one.scope:
                proof = keys[next(scope for scope in scopes if scope != one.scope)]
                assert (await ask(pool, "GET", url, None, proof))[0] == 200, url


async def test_an_account_that_was_suspended_does_nothing(client: Any, base: str, room: ApiRoom) -> None:
    other, proof = await tenant(client, "other")
    await call(client.api.accounts(other).update, status="suspended")
    async with httpcore.AsyncConnectionPool() as pool:
        for one in described(room):
            if one.is_of_one or one.path.endswith("/Accounts/{AccountSid}.json"):
                continue
            form = None if one.method in ("GET", "DELETE") else one.form()
            status, body = await ask(pool, one.method, base + filled(one.path, {}, other), form, proof)
            assert (status, body["code"]) == (403, 20005), (one.method, one.path)


async def test_whoever_has_a_number_next_is_alone_with_it(
    client: Any, base: str, room: ApiRoom, centre: MemoryCentre, hooks: WebhookServer
) -> None:
    """A number that was in a service is released, or goes to another account: its texts go where it went."""
    sub = await call(client.api.accounts.create, friendly_name="next")
    theirs = make_client(base, sub.sid, sub.auth_token)
    service = await call(
        client.messaging.v1.services.create, friendly_name="s", inbound_request_url=hooks.url + "/a"
    )
    pool = client.messaging.v1.services(service.sid).phone_numbers
    for n in range(2):
        number = await call(client.incoming_phone_numbers.create, phone_number="+15005550001")
        await call(pool.create, number.sid)
        if n:
            await call(client.incoming_phone_numbers(number.sid).update, account_sid=sub.sid)
        else:
            await call(client.incoming_phone_numbers(number.sid).delete)
            number = await call(theirs.incoming_phone_numbers.create, phone_number="+15005550001")
        assert await call(pool.list) == []
        await call(theirs.incoming_phone_numbers(number.sid).update, sms_url=f"{hooks.url}/b{n}")
        centre.deliver("+15558675310", "+15005550001", "for the next one")
        await hooks.wait_for(n + 1)
        assert hooks.requests[n][1] == f"/b{n}"
        await call(theirs.incoming_phone_numbers(number.sid).delete)
    assert [m.body for m in await call(theirs.messages.list)] == ["for the next one"] * 2
    assert await call(client.messages.list) == []


async def test_a_suspended_account_is_told_nothing(
    client: Any, base: str, room: ApiRoom, centre: MemoryCentre, hooks: WebhookServer
) -> None:
    sub = await call(client.api.accounts.create, friendly_name="t")
    numbers = client.api.v2010.accounts(sub.sid).incoming_phone_numbers
    await call(numbers.create, phone_number="+15005550001", sms_url=hooks.url)
    await call(client.api.accounts(sub.sid).update, status="suspended")
    centre.deliver("+15558675310", "+15005550001", "x")
    await settled(room)
    assert room.house.courier.waiting_count == 0
    assert hooks.requests == []
