"""What the file has of SIP, as the client of PyPI reads it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException

from switchroom.switch.api.room import ApiRoom
from switchroom.switch.config import Config

from .conftest import call


async def test_the_domain_its_users_and_the_trunks(client: Any, base: str) -> None:
    client.trunking.base_url = base
    [domain] = await call(client.sip.domains.list)
    assert (domain.domain_name, domain.sip_registration) == ("api.test", True)
    assert (await call(client.sip.domains(domain.sid).fetch)).sid == domain.sid
    [users] = await call(client.sip.credential_lists.list)
    [user] = await call(client.sip.credential_lists(users.sid).credentials.list)
    assert user.username == "anna"
    [sources] = await call(client.sip.ip_access_control_lists.list)
    [source] = await call(client.sip.ip_access_control_lists(sources.sid).ip_addresses.list)
    assert (sources.friendly_name, source.ip_address, source.cidr_prefix_length) == ("out", "192.0.2.0", 24)
    [trunk] = await call(client.trunking.v1.trunks.list)
    assert (trunk.friendly_name, trunk.secure) == ("out", True)
    [origin] = await call(client.trunking.v1.trunks(trunk.sid).origination_urls.list)
    assert "192.0.2.1" in origin.sip_url


async def test_what_is_for_the_domain_and_for_a_trunk(client: Any) -> None:
    [domain] = await call(client.sip.domains.list)
    [users] = await call(client.sip.credential_lists.list)
    one = client.sip.domains(domain.sid)
    for mappings in (
        one.credential_list_mappings,
        one.auth.calls.credential_list_mappings,
        one.auth.registrations.credential_list_mappings,
    ):
        [mapping] = await call(mappings.list)
        assert (mapping.sid, mapping.friendly_name) == (users.sid, "api.test")
        assert (await call(mappings(users.sid).fetch)).sid == users.sid
    for mappings in (one.ip_access_control_list_mappings, one.auth.calls.ip_access_control_list_mappings):
        assert await call(mappings.list) == []
    [trunk] = await call(client.trunking.v1.trunks.list)
    [sources] = await call(client.sip.ip_access_control_lists.list)
    one = client.trunking.v1.trunks(trunk.sid)
    [mapping] = await call(one.ip_access_control_lists.list)
    assert (mapping.sid, mapping.friendly_name) == (sources.sid, "out")
    assert await call(one.credentials_lists.list) == await call(one.phone_numbers.list) == []
    [origin] = await call(one.origination_urls.list)
    assert (await call(one.origination_urls(origin.sid).fetch)).sip_url == origin.sip_url


async def test_who_wants_to_change_it_is_told_where(client: Any) -> None:
    [domain] = await call(client.sip.domains.list)
    [users] = await call(client.sip.credential_lists.list)
    [user] = await call(client.sip.credential_lists(users.sid).credentials.list)
    [sources] = await call(client.sip.ip_access_control_lists.list)
    [source] = await call(client.sip.ip_access_control_lists(sources.sid).ip_addresses.list)
    [trunk] = await call(client.trunking.v1.trunks.list)
    [origin] = await call(client.trunking.v1.trunks(trunk.sid).origination_urls.list)
    sip, trunks = client.sip, client.trunking.v1.trunks
    credentials = sip.credential_lists(users.sid).credentials
    addresses = sip.ip_access_control_lists(sources.sid).ip_addresses
    origins = trunks(trunk.sid).origination_urls
    for write in (
        partial(sip.domains.create, domain_name="b.example"),
        partial(sip.domains(domain.sid).update, friendly_name="b"),
        sip.domains(domain.sid).delete,
        partial(sip.domains(domain.sid).credential_list_mappings.create, users.sid),
        sip.domains(domain.sid).credential_list_mappings(users.sid).delete,
        partial(sip.domains(domain.sid).ip_access_control_list_mappings.create, sources.sid),
        partial(sip.domains(domain.sid).auth.calls.credential_list_mappings.create, users.sid),
        partial(sip.credential_lists.create, friendly_name="b"),
        partial(sip.credential_lists(users.sid).update, friendly_name="b"),
        sip.credential_lists(users.sid).delete,
        partial(credentials.create, username="b", password="Long-enough-1"),
        partial(credentials(user.sid).update, password="Long-enough-1"),
        credentials(user.sid).delete,
        partial(sip.ip_access_control_lists.create, friendly_name="b"),
        sip.ip_access_control_lists(sources.sid).delete,
        partial(addresses.create, friendly_name="b", ip_address="192.0.2.9"),
        addresses(source.sid).delete,
        partial(trunks.create, friendly_name="b"),
        partial(trunks(trunk.sid).update, friendly_name="b"),
        trunks(trunk.sid).delete,
        partial(origins.create, 1, 1, True, "b", "sip:b.example"),
        origins(origin.sid).delete,
        partial(trunks(trunk.sid).ip_access_control_lists.create, sources.sid),
        partial(trunks(trunk.sid).phone_numbers.create, "PN" + "0" * 32),
    ):
        with pytest.raises(TwilioRestException) as refused:
            await call(write)
        assert (refused.value.status, refused.value.code) == (405, 20004)
        assert "switchroom reload" in refused.value.msg


async def test_a_reload_shows_what_is_new_at_once(client: Any, config: Config, room: ApiRoom) -> None:
    """As ``switchroom reload`` gives it to the room."""
    given = config.model_dump(exclude_unset=True)
    given["users"] = [{"name": name, "password": "long-enough-secret"} for name in ("anna", "ben")]
    given["trunks"] = [{"name": "new", "sources": ["198.51.100.0/24"], "address": "sip:198.51.100.1"}]
    given["switch"]["domain"] = "new.test"
    given["api"]["auth_token"] = config.api.auth_token
    room.reconfigure(Config.model_validate(given))
    [domain] = await call(client.sip.domains.list)
    [users] = await call(client.sip.credential_lists.list)
    found = await call(client.sip.credential_lists(users.sid).credentials.list)
    assert (domain.domain_name, [user.username for user in found]) == ("new.test", ["anna", "ben"])
    assert [one.friendly_name for one in await call(client.sip.ip_access_control_lists.list)] == ["new"]
    assert [trunk.friendly_name for trunk in await call(client.trunking.v1.trunks.list)] == ["new"]
