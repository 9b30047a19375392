"""The simulated message centre: an engine whose clock is walked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from switchroom.protocols import smpp
from switchroom.protocols.smpp import MessageState, Status
from switchroom.switch.sms.smpp.simulator import Conduct, Rule, Smsc


class Bound:
    """A bind without a socket: what the simulator says is read back."""

    def __init__(self, centre: Smsc, system_id: str = "us") -> None:
        self.session = smpp.Session(smpp.Role.MC, smpp.SessionConfig(), 0.0)
        self.system_id, self.aborted = system_id, ""
        self.centre = centre
        self._left = b""
        self.session.receive_data(smpp.pack(smpp.BindTransceiver(system_id), 1), 0.0)
        assert isinstance(self.session.next_event(), smpp.BindReceived)
        self.session.accept(0.0)
        self.session.data_to_send()
        while self.session.next_event() is not None:
            pass
        centre.add(self, 0.0)

    def turn(self, now: float) -> None:
        """What was said waits to be read."""

    def abort(self, reason: str) -> None:
        self.aborted = reason

    def ask(self, to: str, now: float, **more: Any) -> None:
        values: dict[str, Any] = {"registered_delivery": 1, "sequence_number": 7, **more}
        self.centre.take(self, smpp.SubmitSm(destination_addr=to, **values), now)

    def said(self) -> list[Any]:
        pdus, _ = smpp.parse_pdus(self.session.data_to_send())
        return list(pdus)


@dataclass
class World:
    conduct: Conduct = field(default_factory=lambda: Conduct(delay=1.0))

    def __post_init__(self) -> None:
        self.centre = Smsc(self.conduct, lambda now: 1.7e9 + now, seed=1)
        self.bind = Bound(self.centre)


def receipt(pdu: Any) -> smpp.ReceiptText:
    return smpp.parse_receipt(pdu.short_message.decode())


def test_a_message_is_answered_and_its_receipt_comes_in_time() -> None:
    world = World()
    world.bind.ask("491", 0.0)
    assert world.bind.said() == [smpp.SubmitSmResp("1", (), 0, 7)]
    assert world.centre.next_timer() == 1.0
    world.centre.handle_timer(0.5)
    assert world.bind.said() == []
    world.centre.handle_timer(1.0)
    (told,) = world.bind.said()
    assert (receipt(told).id, receipt(told).stat) == ("1", "DELIVRD")
    assert smpp.value_of(told.tlvs, smpp.Tag.RECEIPTED_MESSAGE_ID) == b"1\0"


@pytest.mark.parametrize(
    ("rule", "status"),
    [("*=fail:0x45", 0x45), ("*=fail", Status.RSUBMITFAIL), ("*=throttle", Status.RTHROTTLED)],
)
def test_what_is_refused_ends_there(rule: str, status: int) -> None:
    world = World(Conduct(rules=[Rule.parse(rule)]))
    world.bind.ask("491", 0.0)
    (answer,) = world.bind.said()
    assert answer.status == status
    assert world.centre.next_timer() is None


def test_rules_hold_for_their_numbers_only() -> None:
    rules = [
        "1*=state:8",
        "2*=lose",
        "3*=twice",
        "4*=early",
        "5*=mute",
        "6*=delay:5",
        "7*=slow:2",
        "8*=reply",
    ]
    for number, said in {
        "0": ["SubmitSmResp", "DELIVRD"],
        "1": ["SubmitSmResp", "REJECTD"],
        "2": ["SubmitSmResp"],
        "3": ["SubmitSmResp", "DELIVRD", "DELIVRD"],
        "4": ["DELIVRD", "SubmitSmResp"],
        "5": ["DELIVRD"],
        "6": ["SubmitSmResp", "DELIVRD"],
        "7": ["DELIVRD", "SubmitSmResp"],
        "8": ["SubmitSmResp", "DELIVRD", "hello"],
    }.items():
        world = World(Conduct(delay=1.0, rules=[Rule.parse(rule) for rule in rules]))
        world.bind.ask(number, 0.0, short_message=b"hello")
        found = []
        for now in (0.0, 1.0, 3.0, 6.0):
            world.centre.handle_timer(now)
            for pdu in world.bind.said():
                is_told = isinstance(pdu, smpp.DeliverSm)
                found.append(
                    (receipt(pdu).stat or pdu.short_message.decode()) if is_told else type(pdu).__name__
                )
        assert found == said, number


def test_disconnects_after_so_many() -> None:
    world = World(Conduct(disconnect_after=2))
    world.bind.ask("1", 0.0)
    world.bind.ask("2", 0.0)
    world.centre.handle_timer(0.0)
    assert world.bind.aborted
    assert len(world.bind.said()) == 1


def test_receipts_overtake_each_other_and_some_are_lost() -> None:
    world = World(Conduct(delay=1.0, spread=5.0, lose=0.2))
    for number in range(100):
        world.bind.ask(str(number), 0.0)
    world.bind.said()
    ids = []
    while (at := world.centre.next_timer()) is not None:
        world.centre.handle_timer(at)
        for pdu in world.bind.said():
            ids.append(int(receipt(pdu).id))
            world.bind.session.receive_data(smpp.pack(smpp.DeliverSmResp(), pdu.sequence_number), at)
            while isinstance(event := world.bind.session.next_event(), smpp.ResponsesReceived):
                world.centre.hear(world.bind, event.answers, at)
    assert 60 < len(ids) < 95
    assert ids != sorted(ids)
    assert world.centre.counts["receipts lost"] == 100 - len(ids)


def test_receipts_wait_for_a_bind_and_for_room() -> None:
    world = World()
    world.bind.ask("1", 0.0)
    world.centre.remove(world.bind)
    world.bind.said()
    world.centre.handle_timer(1.0)
    assert world.bind.said() == []
    again = Bound(world.centre)
    (told,) = again.said()
    world.centre.remove(again)
    world.centre.lost(again, [told], 2.0)
    third = Bound(world.centre)
    assert receipt(third.said()[0]).id == "1"


def test_states_can_be_asked_for_and_messages_cancelled() -> None:
    world = World(Conduct(delay=1.0, ids="hex"))
    world.bind.ask("1", 0.0)
    world.bind.said()
    world.centre.take(world.bind, smpp.QuerySm("00000001"), 0.1)
    assert world.bind.said()[0].message_state == MessageState.ENROUTE
    world.centre.take(world.bind, smpp.CancelSm(message_id="00000001"), 0.2)
    assert world.bind.said()[0].status == 0
    world.centre.handle_timer(1.0)
    assert world.bind.said() == []
    world.centre.take(world.bind, smpp.QuerySm("ffff"), 1.1)
    assert world.bind.said()[0].status == Status.RINVMSGID


def test_others_kinds_are_taken_too() -> None:
    world = World()
    data = smpp.DataSm(registered_delivery=1, tlvs=((smpp.Tag.MESSAGE_PAYLOAD, b"long"),))
    world.centre.take(world.bind, data._replace(sequence_number=3), 0.0)
    several = smpp.SubmitMulti(dest_address=(smpp.Destination(1, 1, "1"), smpp.Destination(1, 1, "2")))
    world.centre.take(world.bind, several._replace(sequence_number=4, registered_delivery=1), 0.0)
    world.centre.take(world.bind, smpp.BroadcastSm(sequence_number=5), 0.0)
    said = world.bind.said()
    assert [type(pdu).__name__ for pdu in said] == ["DataSmResp", "SubmitMultiResp", "BroadcastSmResp"]
    assert said[2].status == 0
    world.centre.handle_timer(1.0)
    assert [pdu.source_addr for pdu in world.bind.said()] == ["", "1", "2"]


@pytest.mark.parametrize("text", ["", "1", "1=", "1=none", "1=fail:x", "1=state:77", "=fail"])
def test_rules_that_cannot_be(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not NUMBERS=ACTION|is no number|cannot be"):
        Rule.parse(text)


@pytest.mark.parametrize(("name", "value"), [("ids", "roman"), ("delay", "-1"), ("rules", ""), ("fail", "x")])
def test_settings_that_cannot_be(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        Conduct().change(name, value)
