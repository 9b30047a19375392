"""SIP by REST, with the client of PyPI and telephones: what it says counts at once, and after a kill -9."""

from __future__ import annotations

import base64
import json
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from .answerer import Answerer
from .baresip import Baresip
from .harness import PASSWORD, Switch, user, wait_until
from .phone import Dialog, Phone
from .ports import free_port
from .raw import audio, response_to
from .test_api import OURS, SID, TOKEN, Hooks
from .test_voice import Talker, hooks

__all__ = ["hooks"]
DOMAIN, SECRET = "acme.sip.example", "Correct-Horse-7"
ANSWERED, TENANT, OTHER = "answered.sip.example", "tenant.sip.example", "other.sip.example"
PBX = "127.0.0.7"
MOBILE = "+15558670000"
FOREIGN = "+15558675310"  # of a phone here, and no number of the account
SDP = audio("127.0.0.1", 40000)


def client_of(switch: Switch, sid: str = SID, token: str = TOKEN) -> Any:
    client = Client(sid, token)
    base = switch.config["api"]["rest"][0].removeprefix("http:")
    client.api.base_url = client.trunking.base_url = f"http://{base}"
    return client


def made(folder: Path, **more: Any) -> Switch:
    api = {
        "rest": [f"http:127.0.0.1:{free_port()}"],
        "account_sid": SID,
        "auth_token": TOKEN,
        "numbers": [OURS],
        "webhook_private": ["127.0.0.0/8"],
        "sip_domains": ["sip.example", "pbx.example"],
    }
    return Switch(folder, users=[user("1001"), user("1009", number=FOREIGN)], api=api, **more)


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    with made(tmp_path_factory.mktemp("sip")) as switch:
        switch.wait_said("api.started", 30)
        yield switch


def open_domain(client: Any, name: str, *people: str, **more: Any) -> tuple[Any, Any]:
    """A domain where these may register and call, and their list."""
    users = client.sip.credential_lists.create(name)
    for one in people:
        client.sip.credential_lists(users.sid).credentials.create(one, SECRET)
    domain = client.sip.domains.create(name, sip_registration=True, **more)
    domain.auth.calls.credential_list_mappings.create(users.sid)
    domain.auth.registrations.credential_list_mappings.create(users.sid)
    return domain, users


def phone_of(switch: Switch, name: str, domain: str = DOMAIN, password: str = SECRET) -> Phone:
    return Phone(switch.address, name, password, domain=domain)


def call_plainly(caller: Phone, number: str) -> Dialog:
    """An INVITE that needs no proof."""
    uri = f"sip:{number}@{caller.domain}"
    from_, call_id = f"{caller.identity};tag=plain", secrets.token_hex(8)
    invite = caller.request("INVITE", uri, from_=from_, call_id=call_id, body=SDP)
    caller.send(invite)
    return Dialog(caller, call_id, from_, f"<{uri}>", uri, invite=invite)


def talk(caller: Phone, callee: Phone, number: str, shown: str, *, is_asked: bool = True) -> None:
    """A call that is answered, and ended by whoever made it; ``is_asked``: he has to prove who he is."""
    dialog = caller.start_call(number, SDP) if is_asked else call_plainly(caller, number)
    ringing = callee.incoming()
    assert f"<sip:{shown}@" in ringing.invite.get("from")  # type: ignore[union-attr]
    callee.accept(ringing, audio("127.0.0.1", 40002))
    caller.answered(dialog)
    assert dialog.bye().status == 200
    ringing.answer_bye()


def test_a_credential_registers_and_calls_at_once_and_is_gone_at_once(switch: Switch) -> None:
    client = client_of(switch)
    domain, users = open_domain(client, DOMAIN, "alice", "bob")
    credentials = client.sip.credential_lists(users.sid).credentials
    with ExitStack() as stack:
        alice, bob = (stack.enter_context(phone_of(switch, name)) for name in ("alice", "bob"))
        desk = stack.enter_context(Phone(switch.address, "1001", PASSWORD))
        for phone in (alice, bob, desk):
            assert phone.register().status == 200
        talk(alice, bob, "bob", "alice")
        talk(alice, desk, "1001", "alice")  # the main account's: it may call whom the file has
        desk.domain = DOMAIN  # the Request-URI; who calls is still 1001 of the switch itself
        talk(desk, bob, "bob", "1001")
        guesser = stack.enter_context(phone_of(switch, "alice", password="Wrong-Horse-77"))
        stranger = stack.enter_context(phone_of(switch, "alice", domain=switch.address[0]))
        assert guesser.register().status == stranger.register().status == 401
        [one] = [each for each in credentials.list() if each.username == "bob"]
        credentials(one.sid).update(password="Another-Horse-8")
        assert bob.register().status == 401
        bob.password = "Another-Horse-8"
        assert bob.register().status == 200
        assert credentials(one.sid).delete()
        assert bob.register().status == 401
        assert not [row for row in switch.registrations() if row["user"] == f"bob@{DOMAIN}"]
        refused = alice.start_call("bob", SDP)
        assert alice.final(5, method="INVITE", call_id=refused.call_id).status == 404
        domain.update(sip_registration=False)
        assert alice.register().status == 403
    assert SECRET not in switch.log.read_text()
    assert domain.delete()


def test_a_credential_for_the_switchs_own_domain(switch: Switch) -> None:
    client = client_of(switch)
    users = client.sip.credential_lists.create("own")
    client.sip.credential_lists(users.sid).credentials.create("carol", SECRET)
    own = client.sip.domains.list()[0]
    client.sip.credential_lists(users.sid).credentials.create(MOBILE, SECRET)
    calls = own.auth.calls.credential_list_mappings
    calls.create(users.sid)
    own.auth.registrations.credential_list_mappings.create(users.sid)
    with Phone(switch.address, "carol", SECRET) as carol, Phone(switch.address, "1001", PASSWORD) as desk:
        assert carol.register().status == desk.register().status == 200
        talk(desk, carol, "carol", "1001")
        talk(carol, desk, "1001", "carol")
        with Phone(switch.address, MOBILE, SECRET) as mobile:
            assert mobile.register().status == 200
            sent = client.messages.create(from_="ACME", to=MOBILE, body="Hi there")
            text = mobile.expect("MESSAGE", 10)
            assert text.body == b"Hi there"
            mobile.send(response_to(text, 200, "OK"))
            wait_until(lambda: client.messages(sent.sid).fetch().status == "delivered", 10, "it is there")
        calls(users.sid).delete()
        own.auth.registrations.credential_list_mappings(users.sid).delete()
        assert carol.register().status == 401
        switch.ask("reload")  # the same road: it forgets nobody and lets nobody in
        assert carol.register().status == 401
        assert desk.register().status == 200


def test_the_voice_url_of_a_domain_answers_its_calls(switch: Switch, hooks: Hooks) -> None:
    client = client_of(switch)
    hooks.answers["/domain"] = f"<Response><Dial><Sip>sip:bob@{ANSWERED}</Sip></Dial></Response>"
    domain, _ = open_domain(client, ANSWERED, "alice", "bob", voice_url=hooks.url + "/domain")
    with phone_of(switch, "alice", ANSWERED) as alice, phone_of(switch, "bob", ANSWERED) as bob:
        assert alice.register().status == bob.register().status == 200
        dialog = alice.start_call("help", SDP)
        ringing = bob.incoming(10)
        bob.accept(ringing, audio("127.0.0.1", 40002))
        alice.answered(dialog)
        _, form, _ = hooks.heard[0]
        assert (form["From"], form["To"]) == (f"sip:alice@{ANSWERED}", f"sip:help@{ANSWERED}")
        assert (form["SipDomain"], form["SipSourceIp"]) == (ANSWERED, "127.0.0.1")
        assert dialog.bye().status == 200
        ringing.answer_bye()
    assert domain.delete()


def test_subaccounts_keep_to_their_domains(switch: Switch) -> None:
    client = client_of(switch)
    made = client.api.accounts.create(friendly_name="tenant")
    tenant = client_of(switch, made.sid, made.auth_token)
    open_domain(client, OTHER, "bob")
    open_domain(tenant, TENANT, "alice", "bob")
    with ExitStack() as stack:
        enter = stack.enter_context
        alice, bob = (enter(phone_of(switch, name, TENANT)) for name in ("alice", "bob"))
        other, desk = enter(phone_of(switch, "bob", OTHER)), enter(Phone(switch.address, "1001", PASSWORD))
        for phone in (alice, bob, other, desk):
            assert phone.register().status == 200
        talk(alice, bob, "bob", "alice")  # of the two bobs the one of the same domain
        for number, domain in (("1001", TENANT), ("1001", desk.domain), ("bob", OTHER)):
            alice.domain = domain
            refused = alice.start_call(number, SDP)
            assert alice.final(5, method="INVITE", call_id=refused.call_id).status == 404
        client.api.accounts(made.sid).update(status="suspended")
        assert bob.register().status == 401
        assert [row["user"] for row in switch.registrations() if "@" in str(row["user"])] == [f"bob@{OTHER}"]


def test_trunks_call_in_and_are_called(switch: Switch) -> None:
    client = client_of(switch)
    number = client.incoming_phone_numbers.create(phone_number=OURS)
    trunk = client.trunking.v1.trunks.create(friendly_name="pbx", domain_name="a.pbx.example")
    sites = client.sip.ip_access_control_lists.create("sites")
    client.sip.ip_access_control_lists(sites.sid).ip_addresses.create("one", PBX)
    with ExitStack() as stack:
        desk = stack.enter_context(Phone(switch.address, "1001", PASSWORD))
        assert desk.register().status == 200
        pbx = stack.enter_context(
            Phone(switch.address, "2001", local=(PBX, 0), domain="a.pbx.example", password="")
        )
        refused = pbx.start_call("1001", SDP)
        assert pbx.final(5, method="INVITE", call_id=refused.call_id).status == 401
        trunk.ip_access_control_lists.create(sites.sid)
        talk(pbx, desk, "1001", "2001", is_asked=False)
        pbx.domain = f"127.0.0.1:{switch.port}"  # the address alone says nothing: it may be of many
        refused = pbx.start_call("1001", SDP)
        assert pbx.final(5, method="INVITE", call_id=refused.call_id).status == 401
        first, second = (stack.enter_context(Answerer()) for _ in range(2))
        for place, one in ((1, first), (2, second)):
            url = f"sip:127.0.0.1:{one.address[1]}"
            trunk.origination_urls.create(1, place, True, f"{place}", url)
        trunk.phone_numbers.create(number.sid)
        dialog = desk.start_call(OURS, SDP)
        desk.answered(dialog)
        dialog.bye()
        assert (first.count("INVITE"), second.count("INVITE")) == (1, 0)
        assert OURS in first.seen["INVITE"][0].uri
        [way] = [one for one in trunk.origination_urls.list() if one.priority == 1]
        way.update(enabled=False)
        dialog = desk.start_call(OURS, SDP)
        desk.answered(dialog)
        dialog.bye()
        assert (first.count("INVITE"), second.count("INVITE")) == (1, 1)
        names = client.sip.credential_lists.create("pbxes")
        client.sip.credential_lists(names.sid).credentials.create("pbx", SECRET)
        trunk.credentials_lists.create(names.sid)  # both, the address and the name, from now on
        pbx.domain = "a.pbx.example"
        pbx.user, pbx.password = "pbx", SECRET
        talk(pbx, desk, "1001", "2001")
        with Phone(switch.address, "pbx", SECRET, domain="a.pbx.example") as stranger:
            refused = stranger.start_call("1001", SDP)
            assert stranger.final(5, method="INVITE", call_id=refused.call_id).status == 403
    trunk.phone_numbers(number.sid).delete()
    assert trunk.delete()


def test_a_number_is_proven_by_whoever_answers_there(switch: Switch, hooks: Hooks) -> None:
    client = client_of(switch)
    with Phone(switch.address, "1009", PASSWORD) as phone:
        assert phone.register().status == 200
        asked = client.validation_requests.create(FOREIGN, status_callback=hooks.url + "/proven")
        talker = Talker(phone).take()
        wait_until(lambda: client.calls(asked.call_sid).fetch().status == "in-progress", 5, "it is up")
        talker.press("000000" if asked.validation_code != "000000" else "111111")
        time.sleep(0.3)
        talker.press(asked.validation_code)
        talker.dialog.answer_bye(10)
        talker.close()
    wait_until(lambda: hooks.heard, 5, "the callback")
    [(_, form, _)] = hooks.heard
    assert (form["VerificationStatus"], form["To"]) == ("success", FOREIGN)
    [proven] = client.outgoing_caller_ids.list()
    assert (proven.sid, proven.phone_number) == (form["OutgoingCallerIdSid"], FOREIGN)
    with pytest.raises(TwilioRestException):
        client.validation_requests.create(FOREIGN)
    with Phone(switch.address, "1001", PASSWORD) as desk:
        assert desk.register().status == 200
        client.calls.create(from_=FOREIGN, to="client:1001", twiml="<Response><Hangup/></Response>")
        ringing = desk.incoming(10)
        assert FOREIGN in ringing.invite.get("from")  # type: ignore[union-attr]
        ringing.respond(ringing.invite, 486, "Busy Here")  # type: ignore[arg-type]
    assert proven.delete()


def events_of(switch: Switch, count: int) -> list[tuple[str, Any]]:
    """The stream of the main account, until so many calls have ended."""
    base = switch.config["api"]["rest"][0].removeprefix("http:")
    proof = base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
    request = Request(f"http://{base}/events?after=0", headers={"Authorization": f"Basic {proof}"})
    found: list[tuple[str, Any]] = []
    with urlopen(request, timeout=10) as stream:
        for line in stream:
            if line.startswith(b"data: "):
                event = json.loads(line[6:])
                found.append((event["type"], event["data"]))
                if sum(kind.endswith("call.ended") for kind, _ in found) == count:
                    return found
    raise AssertionError("the stream has ended")


def test_it_outlives_kill_9(tmp_path: Path) -> None:
    with made(tmp_path) as switch:
        switch.wait_said("api.started", 30)
        client = client_of(switch)
        open_domain(client, DOMAIN, "alice", "bob")
        with phone_of(switch, "alice") as alice, phone_of(switch, "bob") as bob:
            assert bob.register().status == 200
            client.sip.credential_lists.create("last")
            switch.end(signal.SIGKILL)
            switch.start(timeout=60)
            talk(alice, bob, "bob", "alice")  # bob is still registered
            assert alice.register().status == 200
        switch.wait_said("api.started", 30)
        assert {one.friendly_name for one in client.sip.credential_lists.list()} >= {DOMAIN, "last"}


def test_two_workers_know_the_same(tmp_path: Path, hooks: Hooks) -> None:
    hooks.answers["/domain"] = "<Response><Play digits='1'/><Pause length='9'/></Response>"
    tables = {"registrar": {"max_contacts": 20}, "calls": {"user_rate": 1000.0}}
    switch = made(tmp_path, switch={"workers": 2}, **tables)
    switch.start(timeout=90)  # three processes, on a machine that may have much else to do
    with switch, ExitStack() as stack:
        switch.wait_said("api.started", 30)
        client = client_of(switch)
        domain, _ = open_domain(client, DOMAIN, "alice")
        phones = [stack.enter_context(phone_of(switch, "alice")) for _ in range(6)]
        for phone in phones:  # from six ports: some of them reach the other worker
            assert phone.register().status == 200
        desk = stack.enter_context(Phone(switch.address, "1001", PASSWORD))
        assert desk.register().status == 200
        for phone in phones:
            talk(phone, desk, "1001", "alice")
        ended = [data for kind, data in events_of(switch, 6) if kind == "switchroom.switch.call.ended"]
        assert {one["from_account"] for one in ended} == {f"alice@{DOMAIN}"}  # whichever worker had them
        domain.update(voice_url=hooks.url + "/domain")
        number = client.incoming_phone_numbers.create(phone_number=OURS, voice_url=hooks.url + "/domain")
        for called in ("anybody", OURS):
            for phone in phones:
                dialog = phone.start_call(called, SDP)
                phone.answered(dialog, 10)
                assert dialog.bye().status == 200
        assert len(hooks.heard) == 12
        assert number.delete()
        wait_until(lambda: not switch.calls(), 10, "all calls are over")


def test_baresip(switch: Switch, tmp_path: Path) -> None:
    """A telephone that others made; it knows no domain but the address of the switch."""
    client = client_of(switch)
    users = client.sip.credential_lists.create("baresip")
    client.sip.credential_lists(users.sid).credentials.create("dora", SECRET)
    own = client.sip.domains.list()[0]
    own.auth.calls.credential_list_mappings.create(users.sid)
    own.auth.registrations.credential_list_mappings.create(users.sid)
    dora = Baresip(tmp_path / "dora", "dora", SECRET, switch.address, tone=440.0)
    try:
        dora.start().wait_registered()
        with Phone(switch.address, "1001", PASSWORD) as desk:
            assert desk.register().status == 200
            dialog = desk.start_call("dora", SDP)
            desk.answered(dialog, 10)
            assert dialog.bye().status == 200
    finally:
        dora.stop()


def test_the_audit_log_has_no_passwords(switch: Switch) -> None:
    """What was changed stands in the audit log, without its values."""
    client = client_of(switch)
    users = client.sip.credential_lists.create("audited")
    client.sip.credential_lists(users.sid).credentials.create("erin", SECRET)
    said = switch.cli("api", "audit", "--json").stdout
    assert f"/SIP/CredentialLists/{users.sid}/Credentials" in said
    assert SECRET not in said
