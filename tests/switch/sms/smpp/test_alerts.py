"""set_dpf and alert_notification: who waits for whom, over restarts, and how it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from switchroom.protocols import sip, smpp
from switchroom.protocols.smpp import Tag
from switchroom.switch import Switch
from switchroom.switch.sms.interfaces import Address, Fault, State
from switchroom.switch.sms.smpp.alerts import PREFIX, Alerts
from tests.switch.calls.test_registrar import FLOW

from ..test_room import config
from ..world import Outlet, World
from .desk import PASSWORD, Customer, Desk, desk

ASKED = ((Tag.SET_DPF, b"\1"),)
BETA, PHONE, FAR = "+491701", "200", "+33612"


class Account:
    """A customer that remembers what it was told."""

    def __init__(self, name: str) -> None:
        self.name, self.is_receiving, self.room = name, False, 1000
        self.heard: list[tuple[str, str]] = []

    def alert(self, number: Address, source: Address, now: float) -> bool:
        if self.room <= 0:
            return False
        self.room -= 1
        self.heard.append((number.number, source.number))
        return True


class Place:
    """A centre, its store, and two customers: acme sends, beta is away."""

    def __init__(self, folder: Path) -> None:
        routes = {"name": "b", "match": "+4917*", "to": "account:beta"}, {"name": "a", "to": "trunk:a"}
        self.world = World(folder, *routes)
        self.world.users = {PHONE: "bob"}
        self.acme, self.beta = Account("account:acme"), Account("account:beta")
        self.limits = [1000, 7 * 86_400.0]
        self.restart()

    def restart(self) -> None:
        world = self.world
        world.restart()
        self.alerts = Alerts(
            (self.acme, self.beta),
            lambda key, value: world.store.pending.put(key, value),
            world.centre.book.posix,
            lambda: (int(self.limits[0]), self.limits[1]),
        )
        self.alerts.load(world.store.load_values(PREFIX), world.now)
        world.centre.fates.on_final.append(self.alerts.on_final)

    def send(self, to: str, *, life: float = 5.0, tlvs: Any = ASKED, **fields: Any) -> int:
        expires_at = self.world.clock.posix(self.world.now) + life
        [id] = self.world.submit("x", to=to, tlvs=tlvs, expires_at=expires_at, **fields)
        return id

    def tend(self) -> None:
        self.alerts.tend(self.world.now)
        self.world.turn()

    @property
    def kept(self) -> dict[str, str]:
        return {key: value for key, value in self.world.store.load_values(PREFIX).items() if value}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.world.close()


def test_a_customer_that_was_away_binds_and_who_asked_hears_of_it(place: Place) -> None:
    place.acme.is_receiving = True
    id = place.send(BETA)
    place.world.walk(10)
    assert place.world.state(id) is State.EXPIRED
    place.tend()
    assert place.acme.heard == []
    place.beta.is_receiving = True
    place.tend()
    assert place.acme.heard == [(BETA, "+49301")]
    place.tend()
    assert len(place.acme.heard) == 1
    assert len(place.alerts) == 0
    assert place.kept == {}


def test_it_outlasts_restarts_and_waits_for_who_asked(place: Place) -> None:
    place.send(BETA)
    place.world.walk(10)
    place.restart()
    place.beta.is_receiving = True
    place.tend()
    place.beta.is_receiving = False
    place.restart()  # it is due, whoever goes again meanwhile
    place.tend()
    assert place.acme.heard == []
    place.acme.is_receiving = True
    place.acme.room = 0
    place.tend()
    assert place.acme.heard == []
    place.acme.room = 1
    place.tend()
    assert place.acme.heard == [(BETA, "+49301")]
    place.restart()
    place.tend()
    assert len(place.acme.heard) == 1


def test_who_asked_for_nothing_hears_nothing(place: Place) -> None:
    place.send(BETA, tlvs=())
    place.send(BETA, tlvs=((Tag.SET_DPF, b"\0"),))
    place.send(BETA, inlet="user:alice")
    place.world.walk(10)
    assert len(place.alerts) == 0


def test_who_was_there_is_not_waited_for(place: Place) -> None:
    place.beta.is_receiving = True
    place.send(BETA)  # and takes nothing in time
    place.world.walk(10)
    a = Outlet("trunk:a")
    place.world.attach(a)
    place.send(FAR)
    place.world.answer(a, "r1", is_delivered=True)
    place.send(FAR, life=500)
    place.world.centre.detach(outlet="trunk:a", now=place.world.now)
    place.send(FAR)  # expires with us: the carrier never had it
    place.world.walk(10)
    assert len(place.alerts) == 0


def test_a_phone_that_is_there_again(place: Place) -> None:
    user = Outlet("user")
    place.world.attach(user)
    place.acme.is_receiving = True
    id = place.send(PHONE, life=500)
    place.world.answer(user, "t1")
    place.world.receipt(Outlet("user:bob", notation="same"), "t1", state=State.EXPIRED, error="480")
    assert place.world.state(id) is State.EXPIRED
    assert place.alerts.is_awaited("user:bob")
    assert not place.alerts.is_awaited("user:alice")
    refused = place.send(PHONE, life=500)
    place.world.answer(user, fault=Fault.PERMANENT, code=603)
    assert place.world.state(refused) is State.UNDELIVERABLE
    assert len(place.alerts) == 1
    place.alerts.came("user:bob")
    place.tend()
    assert place.acme.heard == [(PHONE, "+49301")]


def test_what_a_carrier_says_is_passed_on(place: Place) -> None:
    a = Outlet("trunk:a")
    place.world.attach(a)
    place.acme.is_receiving = True
    place.send(FAR, life=500, wish=1)
    place.world.answer(a, "r1")
    place.world.receipt(a, "r1", state=State.UNDELIVERABLE)
    for whom in ("trunk:a/+33613", "trunk:b/+33612", "trunk:a/+33612"):
        place.tend()
        assert place.acme.heard == []
        place.alerts.came(whom)
    place.tend()
    assert place.acme.heard == [(FAR, "+49301")]


def test_a_customer_waits_for_so_many_and_so_long(place: Place) -> None:
    place.limits = [3, 1000.0]
    for n in range(5):
        place.send(f"{BETA}{n}")
        place.send(f"{BETA}{n}")  # the same once more
        place.world.walk(10)
    assert len(place.alerts) == len(place.kept) == 3
    assert set(place.world.store.load_values(PREFIX)) == {f"{PREFIX}{n}" for n in range(3)}
    place.acme.is_receiving = place.beta.is_receiving = True
    place.world.walk(985)  # the first of them is too old now
    place.tend()
    assert place.acme.heard == [(f"{BETA}{n}", "+49301") for n in (3, 4)]
    place.beta.is_receiving = False
    place.send(BETA)
    place.world.walk(1100)
    place.restart()
    assert len(place.alerts) == 0
    place.tend()
    assert place.kept == {}
    place.limits = [0, 1000.0]
    place.send(BETA)
    place.world.walk(10)
    assert len(place.alerts) == 0


def test_many_are_told_a_few_at_a_time(place: Place) -> None:
    for n in range(250):
        place.send(f"{BETA}{n}", life=1)
    place.world.walk(10)
    place.acme.is_receiving = place.beta.is_receiving = True
    for count in (100, 200, 250, 250):
        place.tend()
        assert len(place.acme.heard) == count


# -- on the wire


async def _alert_of(one: Desk, customer: Customer) -> Any:
    [account] = [account for account in one.room.server if account.name == "account:customer"]
    is_written = account.alert(Address("+4917123", 1, 1), Address("shop", 5, 0), 0.0)
    return is_written and await customer.read()


async def test_alert_notification_is_written() -> None:
    async with desk() as one:
        customer = await one.connect()
        found = await _alert_of(one, customer)
        assert found == smpp.AlertNotification(
            *(1, 1, "4917123", 5, 0, "shop"), ((Tag.MS_AVAILABILITY_STATUS, b"\0"),), 0, found.sequence_number
        )


@pytest.mark.parametrize(
    "bind", [smpp.BindTransmitter("customer", PASSWORD), smpp.BindReceiver("customer", PASSWORD, "", 0x33)]
)
async def test_who_cannot_hear_it_is_sent_none(bind: smpp.Bind) -> None:
    async with desk() as one:
        customer = await one.connect(bind)
        assert await _alert_of(one, customer) is False


async def test_a_carriers_alert_is_heard() -> None:
    trunks = [{"name": "main", "address": ["smpp:127.0.0.1:9"], "system_id": "us", "password": "secret"}]
    heard: list[str] = []
    async with desk(smpp_trunks=trunks) as one:
        one.room.lines.on_alert = heard.append
        line: Any = SimpleNamespace(messages_in=0)
        alert = smpp.AlertNotification(1, 1, "33612", 1, 1, "49301")
        one.room.trunks["main"].hear(line, smpp.RequestsReceived([alert]), 0.0)
    assert heard == ["trunk:main/+33612"]


async def test_in_a_switch(tmp_path: Path) -> None:
    tables = {
        "smpp": {"listen": ["smpp:127.0.0.1:0"]},
        "smpp_accounts": [{"name": name, "password": PASSWORD} for name in ("acme", "beta")],
        "sms_routes": [{"name": "beta", "match": "+4917*", "to": "account:beta"}],
    }
    async with Switch(config(tmp_path, **tables)) as switch:
        assert switch.messages.smpp is not None
        port = switch.messages.smpp.server.bound[0][2]
        acme = Customer(*await asyncio.open_connection("127.0.0.1", port))
        await acme.ask(smpp.BindTransceiver("acme", PASSWORD))
        tlvs = ((Tag.MESSAGE_PAYLOAD, b"x"), (Tag.QOS_TIME_TO_LIVE, b"\0\0\0\1"), *ASKED)
        receipts = {}
        for to in ((1, 1, "491701"), (0, 1, "200")):
            answer = await acme.ask(smpp.DataSm("", 1, 1, "49301", *to, registered_delivery=1, tlvs=tlvs))
            assert answer.status == 0
        for _ in range(2):
            receipt = await acme.read(10.0)
            receipts[receipt.source_addr] = smpp.value_of(receipt.tlvs, Tag.MESSAGE_STATE)
            acme.write(smpp.DeliverSmResp("", (), 0, receipt.sequence_number))
        assert receipts == {"491701": b"\3", "200": b"\3"}
        beta = Customer(*await asyncio.open_connection("127.0.0.1", port))
        await beta.ask(smpp.BindReceiver("beta", PASSWORD))
        alert = await acme.read()
        assert (alert.source_addr, alert.esme_addr) == ("491701", "49301")
        contact, address = ("Contact", "<sip:alice@127.0.0.1:5999>"), "<sip:alice@127.0.0.1>"
        asked = (
            ("From", address + ";tag=1"),
            ("To", address),
            ("Call-ID", "c"),
            ("CSeq", "1 REGISTER"),
            contact,
        )
        request = sip.Request("REGISTER", "sip:127.0.0.1", [*asked, ("Expires", "600")])
        assert switch.registrar.handle(request, FLOW, "alice", switch.clock.now())[0] == 200
        alert = await acme.read()
        assert (type(alert), alert.source_addr, alert.esme_addr) == (smpp.AlertNotification, "200", "49301")
        acme.close()
        beta.close()
