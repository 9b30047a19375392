"""A carrier that speaks TLS only: found by SRV, asked by name (SNI), and nobody else's certificate counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.switch.net.certificates import Authority

from .dns import names
from .harness import PASSWORD, Switch, Table, user
from .phone import Dialog, Phone
from .ports import free_port
from .raw import Message, audio

DOMAIN = "carrier.test"
FAR, NEAR = "+44207946001", "+4930123401"


class Carrier:
    """A switch as a carrier that believes our certificate, and one number behind it."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.port, self.office_port = free_port(), free_port()
        tls = {
            "certificate": self.authority.sign("somebody.test"),  # for those who ask for no name
            "more_certificates": [self.authority.sign(DOMAIN)],
            "ca_file": self.authority.file,
            "client_certificates": "required",
        }
        office = f"sip:127.0.0.1:{self.office_port};transport=tls"
        self.switch = Switch(
            folder / "carrier",
            switch={"domain": DOMAIN},
            users=[user("1001", number=FAR)],
            trunks=[{"name": "office", "tls_names": ["office.test"], "address": office}],
            routes=[{"match": FAR, "to": "user:1001"}, {"match": NEAR, "to": "trunk:office"}],
            tls=tls,
        )
        self.switch.config["sip"]["listen"].append(f"tls:127.0.0.1:{self.port}")
        self.zone = (
            f"{DOMAIN}. 60 IN NAPTR 10 10 \"s\" \"SIPS+D2T\" \"\" _sips._tcp.{DOMAIN}.",
            f"_sips._tcp.{DOMAIN}. 60 IN SRV 10 1 {self.port} sbc1.{DOMAIN}.",
            f"sbc1.{DOMAIN}. 60 IN A 127.0.0.1",
            "wrong.test. 60 IN A 127.0.0.1",
        )  # fmt: skip


@pytest.fixture(scope="module")
def carrier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carrier]:
    made = Carrier(tmp_path_factory.mktemp("carrier"))
    with made.switch:
        yield made


def office(folder: Path, carrier: Carrier, server: str, address: str, *, listens: bool = True) -> Switch:
    authority = carrier.authority
    proof = {"certificate": authority.sign("office.test", "127.0.0.1")} if listens else {}
    trunk: Table = {"name": "carrier", "address": address, "tls_names": [DOMAIN], "options_interval": 0.0}
    made = Switch(
        folder / "office",
        users=[user("1001", caller_id=NEAR)],
        trunks=[trunk],
        routes=[{"match": "+44*", "to": "trunk:carrier"}, {"match": NEAR, "to": "user:1001"}],
        tls={"ca_file": authority.file, "client_certificates": "optional" if listens else "off", **proof},
        dns={"nameservers": [server]},
    )
    if listens:
        made.config["sip"]["listen"].append(f"tls:127.0.0.1:{carrier.office_port}")
    return made


def talk(caller: Phone, callee: Phone, number: str) -> tuple[Dialog, Dialog]:
    """A call that is answered and ended by the callee."""
    dialog = caller.start_call(number, audio(caller.address[0], 40000))
    called = callee.incoming()
    callee.accept(called, audio(callee.address[0], 40002))
    caller.answered(dialog)
    callee.send(called.request("BYE"))
    dialog.answer_bye()
    assert callee.final(method="BYE", call_id=called.call_id).status == 200
    return dialog, called


def test_calls_go_both_ways_and_each_end_has_proven_its_name(tmp_path: Path, carrier: Carrier) -> None:
    with (
        names(*carrier.zone) as server,
        office(tmp_path, carrier, server, f"sip:{DOMAIN}") as switch,
        Phone(switch.address, "1001", PASSWORD) as near,
        Phone(carrier.switch.address, "1001", PASSWORD) as far,
    ):
        assert near.register().status == far.register().status == 200
        _, called = talk(near, far, FAR)
        assert isinstance(called.invite, Message)
        assert carrier.switch.wait_record(lambda r: r["callee"] == FAR)["from_user"] == "trunk:office"
        (row,) = switch.ask("trunks")
        assert f"tls:127.0.0.1:{carrier.port} up" in row["addresses"]
        assert far.register().status == 200


def test_a_server_without_the_name_gets_no_call(tmp_path: Path, carrier: Carrier) -> None:
    with (
        names(*carrier.zone) as server,
        office(tmp_path, carrier, server, f"sip:wrong.test:{carrier.port};transport=tls") as switch,
        Phone(switch.address, "1001", PASSWORD) as near,
    ):
        before = len(carrier.switch.records())
        dialog = near.start_call(FAR, audio(near.address[0], 40000))
        assert near.final(method="INVITE", call_id=dialog.call_id).status == 480
        assert "trunk carrier" in switch.wait_record()["verdict"]
        assert 'reason="transport: certificate"' in switch.wait_said("trunk.down")
        assert len(carrier.switch.records()) == before


def test_check_says_that_a_trunk_needs_a_listener_of_its_kind(tmp_path: Path, carrier: Carrier) -> None:
    switch = office(tmp_path, carrier, "127.0.0.1:53", f"sip:{DOMAIN};transport=tls", listens=False)
    switch.write()
    said = switch.cli("check")
    assert said.returncode == 0
    assert f"trunks.0: no call can leave for {DOMAIN} without a tls: entry in sip.listen" in said.stdout
