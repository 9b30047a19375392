"""What the file has of SIP, as the client of PyPI reads it."""

from __future__ import annotations

from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException

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
    with pytest.raises(TwilioRestException) as refused:
        await call(client.sip.domains.create, domain_name="b.example")
    assert (refused.value.status, refused.value.code) == (405, 20004)
