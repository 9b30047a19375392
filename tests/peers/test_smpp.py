"""Customer, switch, carrier and back over sockets: smpplib binds to us, we to `switchroom smsc-simulator`."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.switch.net.certificates import Authority

from .harness import Switch, wait_until
from .ports import free_port
from .smsc import PASSWORD, Customer, SmscSimulator, trunk

OUTBIND_PASSWORD = "outwards"


@dataclass
class Place:
    """Everything that is up."""

    switch: Switch
    plain: SmscSimulator
    secure: SmscSimulator
    port: int
    tls_port: int
    outbind_port: int
    context: ssl.SSLContext

    def state(self, name: str) -> str:
        rows = [row for row in self.switch.ask_smpp() if row["name"] == f"trunk:{name}"]
        return str(rows[0]["state"])


class SmppSwitch(Switch):
    """Says who is bound."""

    def ask_smpp(self) -> list[dict[str, object]]:
        done = self.cli("smpp", "binds", "--json")
        assert done.returncode == 0, done.stderr
        found: list[dict[str, object]] = json.loads(done.stdout)
        return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("smpp")
    authority = Authority(folder)
    certificate = authority.sign("127.0.0.1", "localhost")
    port, tls_port, outbind_port = free_port(), free_port(), free_port()
    arguments = ["--set", "delay=0.02"]
    with (
        SmscSimulator(folder, *arguments) as plain,
        SmscSimulator(folder, *arguments, "--certificate", certificate, scheme="smpps") as secure,
    ):
        switch = SmppSwitch(
            folder / "switch",
            users=[],
            tls={"certificate": certificate, "ca_file": authority.file},
            sms={"reserve": 1},
            smpp={
                "listen": [f"smpp:127.0.0.1:{port}", f"smpps:127.0.0.1:{tls_port}"],
                "outbind_listen": [f"smpp:127.0.0.1:{outbind_port}"],
                "drain_timeout": 0.5,
            },
            smpp_accounts=[{"name": "acme", "password": PASSWORD, "max_binds": 3}],
            smpp_trunks=[
                trunk("plain", plain.address),
                trunk("secure", secure.address),
                {"name": "called", "system_id": "us", "outbind_password": OUTBIND_PASSWORD},
            ],
            sms_routes=[
                {"name": "secure", "match": "+4918*", "to": ["trunk:secure"]},
                {"name": "called", "match": "+4919*", "to": ["trunk:called"]},
                {"name": "back", "match": "ACME", "to": ["account:acme"]},
                {"name": "rest", "to": ["trunk:plain"], "retry_first": 0.3},
            ],
        )
        context = ssl.create_default_context(cafile=authority.file)
        context.check_hostname = False  # smpplib does not say whom it calls
        with switch:
            yield Place(switch, plain, secure, port, tls_port, outbind_port, context)
        assert "Traceback" not in switch.said(200_000)


FORMS = [
    ("text", "decimal", ""),
    ("text", "hex", ""),
    ("text", "hex", "decimal"),
    ("text", "padded", "decimal"),
    ("parameters", "upper", "hex"),
    ("both", "decimal", "padded"),
]


def test_receipts_come_back_however_the_carrier_writes_them(place: Place) -> None:
    with Customer(place.port) as customer:
        for receipts, ids, receipt_ids in FORMS:
            place.plain.order(f"set receipts={receipts} ids={ids} receipt_ids={receipt_ids}")
            for _ in range(3):
                status, id = customer.ask("491711111")
                assert status == 0
                assert customer.receipt(id) == ("DELIVRD", "000"), (receipts, ids, receipt_ids)
    place.plain.order("set receipts=both ids=decimal receipt_ids=")


def test_what_goes_wrong_there_is_told_here(place: Place) -> None:
    rules = ["0001=fail:0xB", "0002=state:3", "0003=state:8", "0004=early", "0005=slow:0.3", "0006=twice"]
    for rule in rules:
        place.plain.order(f"rule *{rule}")
    with Customer(place.port) as customer:
        said = {}
        for number in range(1, 7):
            status, id = customer.ask(f"4917{number:04}")
            assert status == 0
            said[number] = customer.receipt(id)
        assert said[1][0] == "UNDELIV"
        assert [said[number][0] for number in range(2, 7)] == [
            "EXPIRED", "REJECTD", "DELIVRD", "DELIVRD", "DELIVRD"
        ]  # fmt: skip
        customer.receipt(customer.ask("491799")[1])  # after it the carrier's second receipt has passed too
        assert len(customer.receipts) == len({id for id, _, _ in customer.receipts})
    place.plain.order("forget")


def test_who_wants_no_receipt_gets_none_and_replies_arrive(place: Place) -> None:
    place.plain.order("rule *77=reply")
    with Customer(place.port) as customer:
        assert customer.ask("49171177", b"ping", registered_delivery=0)[0] == 0
        customer.wait(lambda: customer.messages, "the reply")
        assert customer.messages == [b"ping"]
        assert customer.receipts == []
    place.plain.order("forget")


def test_throttled_messages_wait_and_arrive(place: Place) -> None:
    place.plain.order("set rate=20")
    with Customer(place.port) as customer:
        numbers = [customer.submit(f"49172{i:04}") for i in range(45)]
        customer.wait(lambda: len(customer.receipts) == len(numbers), "all receipts", 30.0)
    throttled = place.plain.count("throttled")
    assert throttled > 0
    trunk = 'name="trunk:plain"'
    metric = f'switchroom_smpp_errors_heard_total{{{trunk},status="ESME_RTHROTTLED"}}'
    assert place.switch.metric(metric) == throttled
    assert place.switch.metric(f"switchroom_smpp_binds{{{trunk}}}") == 1
    assert place.switch.metric(f"switchroom_smpp_window_size{{{trunk}}}") == 10
    answered = place.switch.metric(f"switchroom_smpp_response_seconds_count{{{trunk}}}")
    assert answered == place.plain.count("submitted")
    assert place.switch.metric('switchroom_sms_receipt_seconds_count{outlet="trunk:plain"}') >= len(numbers)
    place.plain.order("set rate=0")


def test_a_carrier_that_breaks_off_is_bound_to_again_and_nothing_is_lost(place: Place) -> None:
    with Customer(place.port) as customer:
        place.plain.order("set answer_delay=0.2")
        numbers = [customer.submit(f"49173{i:04}", b"text %d" % i) for i in range(8)]
        customer.wait(lambda: all(n in customer.answers for n in numbers), "answers")
        assert place.plain.order("disconnect us") == ["1 connections lost"]
        place.plain.order("set answer_delay=0")
        ids = [customer.answers[n][1] for n in numbers]
        customer.wait(lambda: set(ids) <= {one[0] for one in customer.receipts}, "all receipts", 20.0)
        assert {stat for id, stat, _ in customer.receipts if id in ids} == {"DELIVRD"}


def test_receipts_wait_for_a_customer_who_is_away(place: Place) -> None:
    with Customer(place.port) as customer:
        place.plain.order("set delay=0.5")
        _, id = customer.ask("491741")
    place.plain.order("set delay=0.02")
    time.sleep(0.7)
    with Customer(place.port) as customer:
        assert customer.receipt(id)[0] == "DELIVRD"


def test_tls_on_both_sides(place: Place) -> None:
    with Customer(place.tls_port, context=place.context) as customer:
        _, id = customer.ask("49181")
        assert customer.receipt(id)[0] == "DELIVRD"
        rows = {row["name"]: row for row in place.switch.ask_smpp()}  # type: ignore[attr-defined]
        assert rows["account:acme"]["tls"] is True
        assert rows["trunk:secure"]["tls"] is True
    assert place.secure.count("accepted") == 1


def test_a_carrier_that_calls_is_bound_to(place: Place, tmp_path: Path) -> None:
    arguments = ["--outbind", f"smpp:127.0.0.1:{place.outbind_port}", "--outbind-password", OUTBIND_PASSWORD]
    with SmscSimulator(tmp_path, *arguments) as carrier, Customer(place.port) as customer:
        wait_until(lambda: place.state("called") == "bound_trx", 10.0, "the bind of the outbind", 0.2)
        _, id = customer.ask("49191")
        assert customer.receipt(id)[0] == "DELIVRD"
        assert carrier.count("accepted") == 1
    with SmscSimulator(tmp_path, *arguments[:-1], "guessed"):
        wait_until(lambda: "smpp.outbind_refused" in place.switch.said(), 10.0, "a refusal")
