"""SIP phones as a way in and a way out: texts to numbers of the world, texts of the world to phones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from switchroom.switch.sms.interfaces import State
from switchroom.switch.sms.phones import Phones
from tests.switch.calls.office import Office

from .world import Inlet, Outlet, World


class House:
    """An office of phones, and a message centre beside it."""

    def __init__(self, folder: Path) -> None:
        self.office = Office(folder / "office")
        self.world = World(folder, {"name": "world", "match": "+*", "to": "trunk:a"})
        self.world.now, self.world.offset = self.office.now, 1.7e9
        self.world.users |= {"200": "bob", "bob": "bob"}
        self.world.restart()
        self.phones = Phones(self.world.centre, self.office.texts, self.office.clock, self.settle)
        self.phones.start(self.office.now)

    def settle(self) -> None:
        self.office.settle()

    def turn(self) -> None:
        for _ in range(3):
            self.world.turn()
            self.office.settle()

    def close(self) -> None:
        self.office.close()
        self.world.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


def test_a_text_to_a_number_of_the_world_is_taken_with_202(house: House) -> None:
    a = Outlet("trunk:a")
    house.world.attach(a)
    alice = house.office.phone("alice")
    sent = alice.text("+49301", "Grüße".encode(), kind="text/plain;charset=UTF-8")
    house.turn()
    answer = alice.answer_to(sent)
    assert answer is not None
    assert answer.status == 202
    [part] = a.seen
    assert (part.message.source.number, part.message.submission.inlet) == ("100", "user:alice")
    assert part.body == "Grüße".encode("latin-1").replace(b"\xfc", b"\x7e").replace(b"\xdf", b"\x1e")


def test_a_number_that_no_route_takes_gets_404(house: House) -> None:
    alice = house.office.phone("alice")
    sent = alice.text("999", b"x")
    house.turn()
    answer = alice.answer_to(sent)
    assert answer is not None
    assert answer.status == 404


def test_a_message_of_the_world_reaches_the_phone(house: House) -> None:
    acme = Inlet("account:acme")
    house.world.attach(acme)
    bob = house.office.phone("bob")
    [id] = house.world.submit("hello", to="200", wish=1)
    house.turn()
    assert bob.bodies == [b"hello"]
    assert str(bob.got[0].from_.uri.user) == "+49301"
    assert house.world.state(id) is State.DELIVERED
    assert [notice.state for notice in acme.notices] == [State.DELIVERED]


def test_a_message_for_a_phone_that_is_away_is_delivered_later(house: House) -> None:
    acme = Inlet("account:acme")
    house.world.attach(acme)
    [id] = house.world.submit("hello", to="200", wish=1)
    house.turn()
    house.office.sync()
    house.turn()
    assert house.world.state(id) is State.SENT
    bob = house.office.phone("bob")
    house.office.walk(2)
    house.turn()
    assert bob.bodies == [b"hello"]
    assert house.world.state(id) is State.DELIVERED
    assert [notice.state for notice in acme.notices] == [State.DELIVERED]


def test_parts_of_a_long_message_reach_the_phone_as_one(house: House) -> None:
    from switchroom.switch.sms.interfaces import Concat

    bob = house.office.phone("bob")
    ids = []
    for number, text in ((2, b"world"), (1, b"hello ")):
        ids += house.world.submit(text, to="200", concat=Concat(7, 2, number))
        house.turn()
    assert bob.bodies == [b"hello world"]
    assert [house.world.state(id) for id in ids] == [State.DELIVERED, State.DELIVERED]
