"""Accounts, subaccounts, keys, and who may see what."""

from __future__ import annotations

from typing import Any

import pytest
from twilio.base.exceptions import TwilioException, TwilioRestException

from switchroom.switch.api.room import ApiRoom

from .conftest import SID, TOKEN, call, make_client


async def test_an_account_and_its_subaccounts(client: Any, base: str) -> None:
    account = await call(client.api.accounts(SID).fetch)
    assert (account.sid, account.auth_token, account.status) == (SID, TOKEN, "active")
    assert account.date_created.tzinfo is not None
    sub = await call(client.api.accounts.create, friendly_name="Tenant")
    assert sub.owner_account_sid == SID
    assert {a.sid for a in await call(client.api.accounts.list)} == {SID, sub.sid}
    # the owner acts for it, it acts for itself, and not for its owner
    assert (await call(client.api.accounts(sub.sid).fetch)).friendly_name == "Tenant"
    own = make_client(base, sub.sid, sub.auth_token)
    assert (await call(own.api.accounts(sub.sid).fetch)).sid == sub.sid
    with pytest.raises(TwilioRestException) as refused:
        await call(own.api.accounts(SID).fetch)
    assert (refused.value.status, refused.value.code) == (404, 20404)
    await call(client.api.accounts(sub.sid).update, status="suspended")
    with pytest.raises(TwilioRestException) as refused:
        await call(own.applications.create)
    assert (refused.value.status, refused.value.code) == (403, 20005)


async def test_wrong_credentials(base: str) -> None:
    for user, password in ((SID, "wrong"), ("AC" + "f" * 32, TOKEN), ("SK" + "0" * 32, TOKEN)):
        with pytest.raises(TwilioRestException) as refused:
            await call(make_client(base, user, password, SID).api.accounts(SID).fetch)
        assert (refused.value.status, refused.value.code) == (401, 20003)


async def test_a_key_has_scopes_and_can_be_taken_away(client: Any, base: str, room: ApiRoom) -> None:
    key = await call(client.new_keys.create, friendly_name="robot")
    assert len(key.secret) == 32
    robot = make_client(base, key.sid, key.secret, SID)
    assert await call(robot.applications.list) == []
    with pytest.raises(TwilioException):  # errors of lists carry no code in this client: fetching shows it
        await call(robot.keys.list)
    with pytest.raises(TwilioRestException) as refused:
        await call(robot.keys(key.sid).fetch)
    assert (refused.value.status, refused.value.code) == (403, 20006)
    stored = room.house.accounts.key(key.sid)
    assert stored is not None
    assert key.secret not in str(stored.data)
    await room.house.library.write([stored.change(0.0, data={"scopes": ["applications:read"]})])
    room.house.accounts.on_change()
    assert await call(robot.applications.list) == []
    with pytest.raises(TwilioRestException) as refused:
        await call(robot.applications.create)
    assert refused.value.code == 20006
    assert [k.sid for k in await call(client.keys.list)] == [key.sid]
    assert await call(client.keys(key.sid).delete)
    with pytest.raises(TwilioRestException) as refused:
        await call(robot.applications.create)
    assert refused.value.status == 401


async def test_a_token_is_replaced_without_a_gap(client: Any, base: str) -> None:
    second = (await call(client.accounts.v1.secondary_auth_token().create)).secondary_auth_token
    other = make_client(base, SID, second)
    assert (await call(other.api.accounts(SID).fetch)).auth_token == TOKEN
    assert (await call(other.accounts.v1.auth_token_promotion().update)).auth_token == second
    with pytest.raises(TwilioRestException) as refused:
        await call(client.api.accounts(SID).fetch)
    assert refused.value.status == 401
