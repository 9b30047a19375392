"""Kamailio as a carrier: it challenges our REGISTER, INVITE and BYE, calls us, dies and comes back."""

from __future__ import annotations

import re
import secrets
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from .answerer import Answerer
from .dns import names
from .harness import PASSWORD, Switch, Table, user, wait_until
from .kamailio import DOMAIN, Kamailio
from .phone import Dialog, Phone
from .ports import free_port
from .raw import Message, audio

pytestmark = pytest.mark.peer("kamailio")


def trunk(carrier: Kamailio, transport: str = "udp", **more: Any) -> Table:
    host, port = carrier.address
    return {
        "name": "carrier",
        "address": f"sip:{host}:{port};transport={transport}",
        "domain": DOMAIN,
        "username": "acct",
        "password": "secret",
        "realm": DOMAIN,
        "registrations": [{"aor": f"sip:acct@{DOMAIN}", "expires": 60}],
        "called_in": "to",
        "trusted": True,
        "caller_id": "p-asserted-identity",
        "codecs": ["PCMA", "PCMU"],
        **more,
    }


ROUTES = [
    {"match": "+4930*", "to": "user:1001"},
    {"match": "+44*", "to": "trunk:carrier", "sources": ["users"]},
]


def started(folder: Path, *trunks: Table, routes: list[Table] | None = None) -> Switch:
    return Switch(
        folder / "switch",
        users=[user("1001", caller_id="+4930123401")],
        trunks=list(trunks),
        routes=routes or ROUTES,
        log={"level": "debug"},
    ).start()


@pytest.fixture
def outside() -> int:
    return free_port()


def at_outside(carrier: Kamailio, port: int) -> Phone:
    """The carrier's other customer."""
    return Phone(carrier.address, "+44207946001", domain=DOMAIN, local=("127.0.0.1", port))


def begin_call(far: Phone, number: str) -> Dialog:
    """Send an INVITE that nobody challenges; what comes then is the caller's to expect."""
    uri = f"sip:{number}@{far.domain}"
    call_id, from_ = secrets.token_hex(8), f"{far.identity};tag={secrets.token_hex(4)}"
    invite = far.request("INVITE", uri, from_=from_, call_id=call_id, body=audio(far.address[0], 40002))
    far.send(invite)
    return Dialog(far, call_id, from_, f"<{uri}>", uri, invite=invite)


def invite_of(dialog: Dialog) -> Message:
    assert isinstance(dialog.invite, Message)
    return dialog.invite


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_we_register_call_out_and_hang_up_with_digest(tmp_path: Path, outside: int, transport: str) -> None:
    with (
        Kamailio.carrier(tmp_path, outside) as carrier,
        started(tmp_path, trunk(carrier, transport)) as switch,
        Phone(switch.address, "1001", PASSWORD) as phone,
        at_outside(carrier, outside) as far,
    ):
        switch.wait_said("trunk.registered")
        (row,) = switch.ask("trunks")
        assert f"registered at {transport}:{carrier.address[0]}:{carrier.port}" in row["registrations"]
        assert row["addresses"].endswith(" up")
        dialog = phone.start_call("+44207946001", audio(phone.address[0], 40000))
        called = far.incoming()
        invite = invite_of(called)
        assert invite.get("from").startswith(f"<sip:+4930123401@{DOMAIN}>")
        assert invite.get("p-asserted-identity") == f"<sip:+4930123401@{DOMAIN}>"
        assert (
            invite.get("x-route") == f"<sip:{carrier.address[0]}:{carrier.port};lr;orig>"
        )  # its Service-Route
        assert "proxy-authorization" not in invite.start.lower() + str(invite).lower()
        far.accept(called, audio(far.address[0], 40002))
        phone.answered(dialog)
        assert phone.here not in str(invite)  # topology: nothing of the phone
        assert dialog.call_id not in str(invite)
        phone.send(dialog.request("BYE"))
        called.answer_bye()  # the carrier asked for digest, got it, and let it through
        assert phone.final(method="BYE", call_id=dialog.call_id).status == 200
        record = switch.wait_record()
        assert record["trunk"] == "carrier"
        assert record["cause"] == 200
        switch.wait_idle()


def test_the_carrier_calls_us(tmp_path: Path, outside: int) -> None:
    with (
        Kamailio.carrier(tmp_path, outside) as carrier,
        started(tmp_path, trunk(carrier)) as switch,
        Phone(switch.address, "1001", PASSWORD) as phone,
        at_outside(carrier, outside) as far,
    ):
        switch.wait_said("trunk.registered")
        assert phone.register().status == 200
        dialog = begin_call(far, "+4930123401")
        called = phone.incoming()
        invite = invite_of(called)
        assert "+44207946001" in invite.get("from")  # what the trusted carrier asserts
        assert DOMAIN not in invite.get("from")
        assert not invite.all("record-route")
        phone.accept(called, audio(phone.address[0], 40000))
        far.answered(dialog)
        assert dialog.routes  # the carrier stays in the call
        far.send(dialog.request("BYE"))
        called.answer_bye()
        assert far.final(method="BYE", call_id=dialog.call_id).status == 200
        assert switch.wait_record()["from_user"] == "trunk:carrier"


def test_the_callee_hangs_up_on_the_carrier(tmp_path: Path, outside: int) -> None:
    """Our BYE runs through the carrier's route set, and meets its challenge."""
    with (
        Kamailio.carrier(tmp_path, outside) as carrier,
        started(tmp_path, trunk(carrier)) as switch,
        Phone(switch.address, "1001", PASSWORD) as phone,
        at_outside(carrier, outside) as far,
    ):
        switch.wait_said("trunk.registered")
        assert phone.register().status == 200
        dialog = begin_call(far, "+4930123401")
        called = phone.incoming()
        phone.accept(called, audio(phone.address[0], 40000))
        far.answered(dialog)
        phone.send(called.request("BYE"))
        dialog.answer_bye()


def test_a_stranger_cannot_call_as_the_carrier(tmp_path: Path, outside: int) -> None:
    with (
        Kamailio.carrier(tmp_path, outside) as carrier,
        started(tmp_path, trunk(carrier)) as switch,
        Phone(switch.address, "+44207946001", local=("127.0.0.8", 0)) as stranger,
    ):
        switch.wait_said("trunk.registered")
        dialog = stranger.start_call("+4930123401", audio("127.0.0.8", 40002))
        assert stranger.final(method="INVITE", call_id=dialog.call_id).status == 401


def test_nonces_grow_stale_and_intervals_are_too_brief(tmp_path: Path, outside: int) -> None:
    brief = [{"aor": f"sip:acct@{DOMAIN}", "expires": 30, "refresh": 0.1}]
    with (
        Kamailio.carrier(tmp_path, outside, nonce_lifetime=1, min_expires=40) as carrier,
        started(tmp_path, trunk(carrier, registrations=brief)) as switch,
    ):
        switch.wait_said("trunk.registered")

        def is_refreshed() -> bool:
            said = switch.said(1_000_000)
            return said.count("SIP/2.0 200 OK") >= 3 and said.count("SIP/2.0 401") >= 3

        wait_until(is_refreshed, 20, "two refreshes with new challenges")
        assert switch.said(1_000_000).count("SIP/2.0 423") == 1
        assert "trunk.not_registered" not in switch.said(1_000_000)
        (row,) = switch.ask("trunks")
        assert "registered at" in row["registrations"]
        assert "(" not in row["registrations"]


def test_a_wrong_password_is_not_tried_again_and_again(tmp_path: Path, outside: int) -> None:
    with (
        Kamailio.carrier(tmp_path, outside) as carrier,
        started(tmp_path, trunk(carrier, password="battery-staple-9")) as switch,
    ):
        line = switch.wait_said("trunk.not_registered")
        assert "401" in line
        time.sleep(2)
        said = switch.said(1_000_000)
        requests = re.findall(r"REGISTER sip:.*?branch=(z9hG4bK[-.\w]+)", said, re.DOTALL)
        assert len(set(requests)) == 2, requests  # however often a busy machine had them sent again
        assert "battery-staple-9" not in switch.said(1_000_000)


def test_a_stop_takes_the_registration_back(tmp_path: Path, outside: int) -> None:
    with Kamailio.carrier(tmp_path, outside) as carrier, at_outside(carrier, outside) as far:
        with started(tmp_path, trunk(carrier)) as switch:
            switch.wait_said("trunk.registered")
            assert switch.end() == 0
        dialog = begin_call(far, "+4930123401")
        assert far.final(method="INVITE", call_id=dialog.call_id).status == 404


def test_a_carrier_that_restarts_gets_us_back_over_tcp(tmp_path: Path, outside: int) -> None:
    with (
        Kamailio.carrier(tmp_path, outside) as carrier,
        started(
            tmp_path,
            trunk(carrier, "tcp", registrations=[{"aor": f"sip:acct@{DOMAIN}", "retry": 1.0}]),
        ) as switch,
    ):
        switch.wait_said("trunk.registered")
        carrier.stop()
        wait_until(lambda: switch.said(1_000_000).count("trunk.not_registered"), 5, "the failure")
        carrier.start()
        wait_until(lambda: switch.said(1_000_000).count("trunk.registered") >= 2, 15, "back again")


def test_a_carrier_that_stands_still_is_passed_over_within_four_seconds(tmp_path: Path, outside: int) -> None:
    """THREATS G13: SIGSTOP; the call fails over in less than 4 s, two good probes bring the carrier back."""
    with (
        Kamailio.carrier(tmp_path, outside) as carrier,
        Answerer() as other,
        started(
            tmp_path,
            trunk(carrier, options_interval=5.0),
            {"name": "other", "address": f"sip:127.0.0.1:{other.address[1]}", "options_interval": 0.0},
            routes=[{"match": "+44*", "to": ["trunk:carrier", "trunk:other"], "order": "sequential"}],
        ) as switch,
        Phone(switch.address, "1001", PASSWORD) as phone,
    ):
        switch.wait_said("trunk.registered")
        carrier.signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            dialog = phone.start_call("+44207946001", audio(phone.address[0], 40000))
            phone.answered(dialog, timeout=8)
            took = time.monotonic() - began
            assert took < 4.0
            assert other.count("INVITE") == 1
            switch.wait_said("trunk.down")
            phone.send(dialog.request("BYE"))
            phone.final(method="BYE", call_id=dialog.call_id)
            began = time.monotonic()
            second = phone.start_call("+44207946002", audio(phone.address[0], 40000))
            phone.answered(second, timeout=8)
            assert time.monotonic() - began < 0.5  # nobody waits for the dead twice
            phone.send(second.request("BYE"))
        finally:
            carrier.signal(signal.SIGCONT)
        switch.wait_said("trunk.up", timeout=15)


def test_each_of_our_numbers_is_registered_and_called_by_itself(tmp_path: Path, outside: int) -> None:
    """Two registrations at one trunk: the carrier calls each number at the Contact of its own."""
    accounts = ["4930123401", "4930123402"]
    many = [{"aor": f"sip:{account}@{DOMAIN}", "expires": 60} for account in accounts]
    with (
        Kamailio.carrier(tmp_path, outside, accounts_are_numbers=1) as carrier,
        Switch(
            tmp_path / "switch",
            users=[user("1001"), user("1002")],
            trunks=[trunk(carrier, registrations=many, called_in="request", number_in="e164-plain")],
            routes=[
                {"match": f"+{account}", "to": f"user:{name}"}
                for account, name in zip(accounts, ("1001", "1002"), strict=True)
            ],
        ).start() as switch,
        Phone(switch.address, "1001", PASSWORD) as one,
        Phone(switch.address, "1002", PASSWORD) as two,
        at_outside(carrier, outside) as far,
    ):
        wait_until(
            lambda: switch.ask("trunks")[0]["registrations"].count("registered at") == 2, 5, "both registered"
        )
        for phone, account in ((one, accounts[0]), (two, accounts[1])):
            assert phone.register().status == 200
            calling = begin_call(far, f"+{account}")
            called = phone.incoming()
            phone.accept(called, audio(phone.address[0], 40000))
            far.answered(calling)
            assert one.receive(0) is None
            assert two.receive(0) is None
            far.send(calling.request("BYE"))
            called.answer_bye()
            assert far.final(method="BYE", call_id=calling.call_id).status == 200


def test_with_two_workers_one_registers_and_both_take_calls(tmp_path: Path, outside: int) -> None:
    with (
        Kamailio.carrier(tmp_path, outside) as carrier,
        Switch(
            tmp_path / "switch",
            users=[user("1001", caller_id="+4930123401")],
            trunks=[trunk(carrier)],
            routes=ROUTES,
            switch={"workers": 2},
            log={"level": "debug"},
        ) as switch,
        Phone(switch.address, "1001", PASSWORD) as phone,
        at_outside(carrier, outside) as far,
    ):
        switch.wait_said("trunk.registered")
        assert phone.register().status == 200
        time.sleep(0.5)  # what one worker knows, the other knows soon
        for _ in range(6):  # the workers share the calls by chance
            dialog = begin_call(far, "+4930123401")
            called = phone.incoming()
            phone.accept(called, audio(phone.address[0], 40000))
            far.answered(dialog)
            far.send(dialog.request("BYE"))
            called.answer_bye()
            assert far.final(method="BYE", call_id=dialog.call_id).status == 200
        assert switch.said(1_000_000).count("trunk.registered") == 1


def test_a_carrier_is_found_by_srv_and_its_dead_server_is_passed_over(tmp_path: Path, outside: int) -> None:
    with Kamailio.carrier(tmp_path, outside) as carrier:
        zone = (
            f"_sip._udp.{DOMAIN}. 60 IN SRV 10 1 {free_port()} dead.{DOMAIN}.",
            f"_sip._udp.{DOMAIN}. 60 IN SRV 20 1 {carrier.port} alive.{DOMAIN}.",
            f"dead.{DOMAIN}. 60 IN A 127.0.0.10",
            f"alive.{DOMAIN}. 60 IN A {carrier.address[0]}",
        )
        with (
            names(*zone) as server,
            Switch(
                tmp_path / "switch",
                users=[user("1001", caller_id="+4930123401")],
                trunks=[trunk(carrier, address=f"sip:{DOMAIN}")],
                routes=ROUTES,
                dns={"nameservers": [server]},
                log={"level": "debug"},
            ) as switch,
            Phone(switch.address, "1001", PASSWORD) as phone,
            at_outside(carrier, outside) as far,
        ):
            switch.wait_said("trunk.registered", timeout=60)  # 64*T1 if no ICMP says that nobody is there
            dialog = phone.start_call("+44207946001", audio(phone.address[0], 40000))
            called = far.incoming()
            far.accept(called, audio(far.address[0], 40002))
            phone.answered(dialog)
            phone.send(dialog.request("BYE"))
            called.answer_bye()
            (row,) = switch.ask("trunks")
            assert f"udp:{carrier.address[0]}:{carrier.port} up" in row["addresses"]


def test_phones_register_and_call_through_a_proxy_in_front(tmp_path: Path) -> None:
    """Path on the way in (RFC 3327), Record-Route in the call: all of it runs through the proxy."""
    switch = Switch(tmp_path / "switch", users=[user("1001"), user("1002")], log={"level": "debug"})
    with (
        switch,
        Kamailio.edge(tmp_path, switch.address) as edge,
        Phone(edge.address, "1001", PASSWORD, domain=f"127.0.0.1:{switch.port}") as a,
        Phone(edge.address, "1002", PASSWORD, domain=f"127.0.0.1:{switch.port}") as b,
    ):
        for phone in (a, b):
            registered = phone.ask(
                "REGISTER",
                f"sip:{phone.domain}",
                to=phone.identity,
                headers=[("Expires", "600"), ("Supported", "path")],
            )[0]
            assert registered.status == 200
            assert f"{edge.address[0]}:{edge.port}" in registered.get("path")
        dialog = a.start_call("1002", audio(a.address[0], 40000))
        called = b.incoming()
        assert called.routes  # the proxy stays in the call
        assert not invite_of(called).all("route")  # it took away the one that named it
        b.accept(called, audio(b.address[0], 40002))
        a.answered(dialog)
        assert dialog.routes
        b.send(called.request("BYE"))
        dialog.answer_bye()
        assert b.final(method="BYE", call_id=called.call_id).status == 200
        switch.wait_idle()
