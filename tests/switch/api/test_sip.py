"""SIP as the client of PyPI reads and writes it; what the file has is only read."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException

from switchroom.switch.api.room import ApiRoom
from switchroom.switch.config import Config

from .conftest import call, make_client


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
        partial(sip.domains(domain.sid).update, friendly_name="b"),
        sip.domains(domain.sid).delete,
        sip.domains(domain.sid).credential_list_mappings(users.sid).delete,
        partial(sip.domains(domain.sid).ip_access_control_list_mappings.create, sources.sid),
        partial(sip.domains(domain.sid).auth.calls.credential_list_mappings.create, users.sid),
        partial(sip.credential_lists(users.sid).update, friendly_name="b"),
        sip.credential_lists(users.sid).delete,
        partial(credentials.create, username="b", password="Long-enough-1"),
        partial(credentials(user.sid).update, password="Long-enough-1"),
        credentials(user.sid).delete,
        sip.ip_access_control_lists(sources.sid).delete,
        partial(addresses.create, friendly_name="b", ip_address="192.0.2.9"),
        addresses(source.sid).delete,
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


STRONG = "Long-enough-1"


async def test_domains_and_who_may_use_them(client: Any) -> None:
    sip = client.sip
    domain = await call(
        sip.domains.create, "acme.sip.example", voice_url="http://a/b", sip_registration=True, secure=False
    )
    assert (domain.domain_name, domain.sip_registration, domain.voice_method) == (
        "acme.sip.example",
        True,
        "POST",
    )
    users = await call(sip.credential_lists.create, "phones")
    one = await call(sip.credential_lists(users.sid).credentials.create, "alice", STRONG)
    assert (one.username, one.credential_list_sid) == ("alice", users.sid)
    sources = await call(sip.ip_access_control_lists.create, "office")
    addresses = sip.ip_access_control_lists(sources.sid).ip_addresses
    network = await call(addresses.create, "net", "198.51.100.77", cidr_prefix_length=24)
    assert (network.ip_address, network.cidr_prefix_length) == ("198.51.100.0", 24)
    network = await call(addresses(network.sid).update, cidr_prefix_length=25)
    assert (network.ip_address, network.cidr_prefix_length) == ("198.51.100.0", 25)
    own = sip.domains(domain.sid)
    for mappings, sid in (
        (own.auth.calls.credential_list_mappings, users.sid),
        (own.auth.registrations.credential_list_mappings, users.sid),
        (own.auth.calls.ip_access_control_list_mappings, sources.sid),
    ):
        made = await call(mappings.create, sid)
        assert made.sid == (await call(mappings(sid).fetch)).sid == sid
        assert [each.sid for each in await call(mappings.list)] == [sid]
    assert [each.sid for each in await call(own.credential_list_mappings.list)] == [users.sid]
    assert (await call(own.fetch)).auth_type == "IP_ACL,CREDENTIAL_LIST"
    for delete, code in (
        (sip.credential_lists(users.sid).delete, 21241),
        (sip.ip_access_control_lists(sources.sid).delete, 21236),
    ):
        await refused(delete, code)
    assert await call(own.auth.registrations.credential_list_mappings(users.sid).delete)
    await refused(own.auth.registrations.credential_list_mappings(users.sid).fetch, 20404, 404)
    assert (await call(own.update, friendly_name="Acme", voice_url="")).friendly_name == "Acme"
    assert await call(own.delete)
    assert await call(sip.credential_lists(users.sid).delete)
    await refused(own.fetch, 20404, 404)
    await refused(sip.credential_lists(users.sid).credentials(one.sid).fetch, 20404, 404)


async def refused(what: Any, code: int, status: int = 400) -> str:
    """The message of a refusal."""
    with pytest.raises(TwilioRestException) as found:
        await call(what)
    assert (found.value.code, found.value.status) == (code, status), found.value.msg
    return str(found.value.msg)


async def test_what_cannot_be_is_refused(client: Any, room: ApiRoom) -> None:
    sip = client.sip
    users = await call(sip.credential_lists.create, "phones")
    credentials = sip.credential_lists(users.sid).credentials
    await call(credentials.create, "alice", STRONG)
    for name, password in (("alice", STRONG), ("bo b", STRONG), ("bob", "short"), ("bob", "no-digit-Here")):
        await refused(partial(credentials.create, name, password), 21243)
    for host in ("localhost", "192.0.2.1", "api.test", "a_b.example", "x" * 300 + ".example"):
        message = await refused(partial(sip.domains.create, host), 21231 if len(host) > 253 else 21232)
        assert "DomainName" in message
    await call(sip.domains.create, "one.example")
    await refused(partial(sip.domains.create, "One.Example"), 21232)
    await refused(partial(client.trunking.v1.trunks.create, domain_name="one.example"), 21248)
    sources = await call(sip.ip_access_control_lists.create, "office")
    addresses = sip.ip_access_control_lists(sources.sid).ip_addresses
    for address, length in (("here", None), ("0.0.0.0", 8), ("192.0.2.1", 33), ("10.0.0.0", 1)):
        await refused(partial(addresses.create, "net", address, cidr_prefix_length=length or 24), 21238)
    [domain] = [one for one in await call(sip.domains.list) if one.domain_name == "api.test"]
    own = sip.domains(domain.sid).auth.calls.credential_list_mappings
    await call(credentials.create, "anna", STRONG)
    assert "anna" in await refused(partial(own.create, users.sid), 21243)
    room.house.office.config = room.house.office.config.model_copy(update={"max_credentials": 2})
    assert "max_credentials" in await refused(partial(credentials.create, "carl", STRONG), 21242)


async def test_passwords_are_no_more_than_what_a_digest_needs(
    client: Any, room: ApiRoom, capsys: pytest.CaptureFixture[str]
) -> None:
    users = await call(client.sip.credential_lists.create, "phones")
    one = await call(client.sip.credential_lists(users.sid).credentials.create, "alice", STRONG)
    kept = room.house.library.get("sip_credential", one.sid, None)
    assert kept is not None
    a1 = json.loads(room.house.accounts.vault.open(kept.data["a1"], one.sid))
    assert a1["MD5"] == hashlib.md5(f"alice:api.test:{STRONG}".encode()).hexdigest()
    for path in Path(room.house.library._path).parent.glob("api.db*"):
        data = path.read_bytes()
        assert STRONG.encode() not in data
        assert a1["MD5"].encode() not in data
    assert STRONG not in capsys.readouterr().out


async def test_trunks_and_where_their_calls_go(client: Any) -> None:
    trunks = client.trunking.v1.trunks
    made = await call(trunks.create, friendly_name="pbx", domain_name="pbx.example")
    assert (made.domain_name, made.secure, made.transfer_mode) == ("pbx.example", False, "disable-all")
    own = trunks(made.sid)
    origin = await call(own.origination_urls.create, 10, 20, True, "one", "sip:127.0.0.1:5999")
    assert (origin.weight, origin.priority, origin.enabled) == (10, 20, True)
    origin = await call(own.origination_urls(origin.sid).update, enabled=False)
    assert origin.enabled is False
    for wrong in ("tel:1", "sip:me@127.0.0.1", "sip:10.0.0.1"):  # the last one is not in webhook_private
        await refused(partial(own.origination_urls.create, 1, 1, True, "x", wrong), 21245)
    users = await call(client.sip.credential_lists.create, "pbxes")
    sources = await call(client.sip.ip_access_control_lists.create, "sites")
    await call(own.credentials_lists.create, users.sid)
    await call(own.ip_access_control_lists.create, sources.sid)
    assert [one.friendly_name for one in await call(own.credentials_lists.list)] == ["pbxes"]
    assert (await call(own.ip_access_control_lists(sources.sid).fetch)).friendly_name == "sites"
    assert (await call(own.fetch)).auth_type_set == ["IP_ACL", "CREDENTIAL_LIST"]
    number = await call(client.incoming_phone_numbers.create, phone_number="+15005550001")
    await call(own.phone_numbers.create, number.sid)
    assert [one.phone_number for one in await call(own.phone_numbers.list)] == ["+15005550001"]
    assert (await call(client.incoming_phone_numbers(number.sid).fetch)).trunk_sid == made.sid
    await refused(own.delete, 21247)
    assert await call(own.phone_numbers(number.sid).delete)
    assert (await call(own.recordings().fetch)).mode == "do-not-record"
    await refused(partial(own.recordings().update, mode="record-from-answer"), 21245)
    nobodys = partial(client.incoming_phone_numbers(number.sid).update, trunk_sid="TK" + "0" * 32)
    await refused(nobodys, 20422)
    assert await call(own.delete)
    assert [one.friendly_name for one in await call(trunks.list)] == ["out"]


async def test_subaccounts_need_domains_that_are_for_them(client: Any, base: str, room: ApiRoom) -> None:
    made = await call(client.api.accounts.create, friendly_name="tenant")
    tenant = make_client(base, made.sid, made.auth_token)
    assert "api.sip_domains" in await refused(partial(tenant.sip.domains.create, "a.sip.example"), 21232)
    room.house.office.config = room.house.office.config.model_copy(update={"sip_domains": ["sip.example"]})
    assert (await call(tenant.sip.domains.create, "a.sip.example")).account_sid == made.sid
    await refused(partial(tenant.sip.domains.create, "a.example"), 21232)
    await refused(partial(client.sip.domains.create, "a.sip.example"), 21232)  # it is taken
    assert [one.domain_name for one in await call(tenant.sip.domains.list)] == ["a.sip.example"]
    assert [one.domain_name for one in await call(client.sip.domains.list)] == ["api.test"]
