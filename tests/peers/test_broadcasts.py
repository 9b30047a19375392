"""Broadcasts (SMPP 5.0) from a customer through the switch to a carrier that has a radio network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from switchroom.protocols import smpp
from switchroom.protocols.smpp import MessageState, Status, Tag

from ..threats.test_smpp import Esme
from .harness import Switch, wait_until
from .ports import free_port
from .smsc import PASSWORD, SmscSimulator, trunk

AREAS = (b"\0north", b"\0south")
BROADCAST = smpp.BroadcastSm(
    "CMAS",
    *(5, 0, "ACME"),
    data_coding=0,
    tlvs=(
        *((Tag.BROADCAST_AREA_IDENTIFIER, area) for area in AREAS),
        (Tag.BROADCAST_CONTENT_TYPE, b"\0\0\1"),
        (Tag.BROADCAST_REP_NUM, b"\0\1"),
        (Tag.BROADCAST_FREQUENCY_INTERVAL, b"\x08\0\1"),
        (Tag.MESSAGE_PAYLOAD, b"water is rising " * 20),
        (0x1400, b"a vendor's own"),
    ),
    sequence_number=2,
)


class Place(Switch):
    def __init__(self, folder: Path, carrier: str, *, is_taking: bool = True) -> None:
        self.customers = free_port()
        options = {"version": "5.0", "broadcasts": True} if is_taking else {}
        kinds = {"kinds": ["broadcast"]} if is_taking else {}
        super().__init__(
            folder,
            users=[],
            sms={"reserve": 1, "retry_first": 0.5},
            smpp={"listen": [f"smpp:127.0.0.1:{self.customers}"], "bind_delay": 0.05},
            smpp_accounts=[{"name": name, "password": PASSWORD} for name in ("acme", "other")],
            smpp_trunks=[trunk("cells", carrier, reconnect_min=0.1, reconnect_max=0.2, **options)],
            sms_routes=[{"name": "area", "to": "trunk:cells", **kinds}],
        )

    def bound(self, name: str = "acme") -> Esme:
        def bind() -> Esme | None:
            with suppress(ConnectionRefusedError):
                return Esme(name, port=self.customers, timeout=20.0)
            return None

        found: Esme = wait_until(bind, 10.0, "the customers' port")
        return found


@pytest.fixture
def carrier(tmp_path: Path) -> Iterator[SmscSimulator]:
    with SmscSimulator(tmp_path, "--set", "delay=600") as running:
        yield running


def query(one: Esme, id: str) -> Any:
    return one.ask(smpp.QueryBroadcastSm(id, 5, 0, "ACME", sequence_number=5))


def state_of(answer: Any) -> int | None:
    return smpp.integer(answer.tlvs, Tag.MESSAGE_STATE)


def successes(answer: Any) -> list[bytes]:
    return [value for tag, value in answer.tlvs if tag == Tag.BROADCAST_AREA_SUCCESS]


def is_sent(switch: Switch, id: str) -> bool:
    return '"state": "sent"' in switch.cli("sms", "show", id, "--json").stdout


def test_a_broadcast_is_passed_on_asked_about_and_cancelled(tmp_path: Path, carrier: SmscSimulator) -> None:
    switch = Place(tmp_path / "switch", carrier.address)
    with switch, switch.bound() as one:
        answer = one.ask(BROADCAST)
        assert (type(answer), answer.status) == (smpp.BroadcastSmResp, Status.ROK)
        id = answer.message_id
        wait_until(lambda: is_sent(switch, id), 20.0, "that the carrier has it")
        asked = query(one, id)
        assert (asked.status, asked.message_id, state_of(asked)) == (Status.ROK, id, MessageState.ENROUTE)
        assert tuple(v for tag, v in asked.tlvs if tag == Tag.BROADCAST_AREA_IDENTIFIER) == AREAS
        assert successes(asked) == [b"\0", b"\0"]  # the carrier says so
        with switch.bound("other") as stranger:
            assert query(stranger, id).status == Status.RINVMSGID
        foreign = smpp.QueryBroadcastSm(id, 1, 1, "4912345", sequence_number=6)
        assert one.ask(foreign).status == Status.RBCASTQUERYFAIL
        switch.kill()  # the carrier's id is on the disk
    switch.start()
    with switch, switch.bound() as one:
        wait_until(lambda: query(one, id).status == Status.ROK, 20.0, "that the carrier is there again")
        cancel = smpp.CancelBroadcastSm("", id, 5, 0, "ACME", sequence_number=7)
        assert one.ask(cancel).status == Status.ROK
        wait_until(lambda: state_of(query(one, id)) == MessageState.DELETED, 20.0, "that it is taken back")
        assert successes(query(one, id)) == [b"\xff", b"\xff"]  # what we know ourselves: nothing
        assert one.ask(cancel).status == Status.RBCASTCANCELFAIL
        assert "Traceback" not in switch.said(100_000)


def test_one_that_waits_for_its_carrier_is_known_here(tmp_path: Path) -> None:
    with Place(tmp_path / "switch", f"smpp:127.0.0.1:{free_port()}") as switch, switch.bound() as one:
        id = one.ask(BROADCAST).message_id
        assert state_of(query(one, id)) == MessageState.ENROUTE
        assert one.ask(BROADCAST._replace(replace_if_present_flag=1)).status == Status.RREPLACEFAIL
        assert one.ask(smpp.CancelBroadcastSm("", id, sequence_number=3)).status == Status.ROK
        assert state_of(query(one, id)) == MessageState.DELETED
        assert query(one, "1").status == Status.RINVMSGID


def test_without_a_carrier_for_them_they_are_refused(tmp_path: Path, carrier: SmscSimulator) -> None:
    switch = Place(tmp_path / "switch", carrier.address, is_taking=False)
    with switch, switch.bound() as one:
        assert one.ask(BROADCAST).status == Status.RBCASTFAIL
        plain = smpp.SubmitSm("", 5, 0, "ACME", 1, 1, "491711", short_message=b"x", sequence_number=4)
        id = one.ask(plain).message_id
        assert query(one, id).status == Status.RINVMSGID  # it is none
