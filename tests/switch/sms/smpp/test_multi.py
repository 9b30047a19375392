"""What is asked by the name of a submit_multi, of a centre with a disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from switchroom.protocols import smpp
from switchroom.protocols.smpp import Destination, MessageState, Status
from switchroom.switch.sms.interfaces import Fault, Refusal, Submission
from switchroom.switch.sms.smpp.multi import Multi
from switchroom.switch.sms.smpp.questions import Questions

from ..world import Outlet, World

FROM = (1, 1, "4930")


class Customer:
    """A line without a wire: it remembers what was answered."""

    def __init__(self, world: World, name: str = "account:acme") -> None:
        self.world, self.name = world, name
        self.session = self
        self.answers: list[Any] = []

    def answer(self, pdu: Any, now: float) -> None:
        self.answers.append(pdu)

    def turn_soon(self) -> None:
        """There is no loop to wait for."""

    def submit(self, *numbers: str) -> str:
        """The name of what was sent to all of them."""
        to = tuple(Destination(1, 1, number) for number in numbers)
        request = smpp.SubmitMulti("", *FROM, to, short_message=b"old")
        line: Any = self
        multi = Multi(line, request)
        posix = self.world.clock.posix(self.world.now)
        batch = multi.submissions(self.name, posix, is_latin=False, now=self.world.now)

        def done(batch: Sequence[Submission], results: Sequence[int | Refusal], now: float) -> None:
            for submission, result in zip(batch, results, strict=True):
                multi.note(submission, result, now)

        self.world.centre.submit(batch, self.world.now, done)
        self.world.turn()
        answer = self.answers.pop()
        assert (answer.status, answer.unsuccess_sme) == (0, ())
        name: str = answer.message_id
        return name

    def ask(self, request: Any) -> Any:
        """The one answer to it."""
        line: Any = self
        lines: Any = SimpleNamespace(clock=self.world.clock)
        Questions(self.name, self.world.centre, lines).ask(line, request, self.world.now)
        self.world.turn()
        [answer] = self.answers
        self.answers.clear()
        return answer

    def state(self, name: str) -> MessageState:
        answer = self.ask(smpp.QuerySm(name, *FROM))
        assert (answer.status, answer.message_id) == (0, name)
        return MessageState(answer.message_state)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, {"name": "all", "to": ["trunk:a"]})
    yield world
    world.close()


def test_it_is_on_its_way_while_one_receiver_waits(world: World) -> None:
    customer, a = Customer(world), Outlet("trunk:a", window=1)
    name = customer.submit("491701", "491702", "491703")
    other = customer.submit("491701")
    assert customer.state(name) is MessageState.ENROUTE
    world.restart()
    assert customer.state(name) is MessageState.ENROUTE
    world.attach(a)
    world.answer(a, "r1", is_delivered=True)
    world.answer(a, fault=Fault.PERMANENT, code=0x0B)
    assert customer.state(name) is MessageState.ENROUTE
    world.walk(5)
    answered_at = world.now
    world.answer(a, "r3", is_delivered=True)
    world.walk(50)
    answer = customer.ask(smpp.QuerySm(name, *FROM))
    assert (answer.message_state, answer.error_code) == (MessageState.UNDELIVERABLE, 11)
    time = smpp.parse_time(answer.final_date)
    assert time is not None
    assert time.second == int(world.clock.posix(world.now) - (world.now - answered_at)) % 60
    world.answer(a, "r4", is_delivered=True)
    assert customer.state(other) is MessageState.DELIVERED


def test_cancelling_takes_back_all_that_wait(world: World) -> None:
    customer, a = Customer(world), Outlet("trunk:a", window=1)
    name, other = customer.submit("491701", "491702", "491703"), customer.submit("491704")
    world.attach(a)  # has the first
    assert customer.ask(smpp.CancelSm("", name)).status == Status.ROK
    assert customer.state(name) is MessageState.ENROUTE
    assert customer.ask(smpp.CancelSm("", name)).status == Status.RCANCELFAIL
    world.answer(a, "r1", is_delivered=True)
    assert customer.state(name) is MessageState.DELETED
    assert customer.ask(smpp.CancelSm("", name)).status == Status.RCANCELFAIL
    assert [part.message.destination.number for part in a.seen] == ["+491701", "+491704"]
    assert customer.state(other) is MessageState.ENROUTE


def test_an_address_says_which_receiver_it_is_taken_back_from(world: World) -> None:
    customer, a = Customer(world), Outlet("trunk:a")
    name = customer.submit("491701", "491702")
    assert customer.ask(smpp.CancelSm("", name, *FROM, 1, 1, "491709")).status == Status.RCANCELFAIL
    assert customer.ask(smpp.CancelSm("", name, *FROM, 1, 1, "491702")).status == Status.ROK
    world.attach(a)
    assert [part.message.destination.number for part in a.seen] == ["+491701"]


def test_replacing_changes_all_that_wait(world: World) -> None:
    customer, a = Customer(world), Outlet("trunk:a", window=1)
    name = customer.submit("491701", "491702", "491703")
    world.attach(a)
    assert customer.ask(smpp.ReplaceSm(name, *FROM, short_message=b"new")).status == Status.ROK
    a.window = 10
    world.answer(a, "r1", is_delivered=True)
    assert a.bodies == [b"old", b"new", b"new"]
    world.answer(a, "r2", "r3", is_delivered=True)
    assert customer.ask(smpp.ReplaceSm(name, *FROM, short_message=b"x")).status == Status.RREPLACEFAIL
    assert customer.state(name) is MessageState.DELIVERED


def test_a_name_is_known_to_nobody_else(world: World) -> None:
    name = Customer(world).submit("491701")
    customer = Customer(world, "account:other")
    for wanted in (name, "multi-" + "0" * 16, name + "/0", "multi-", name[:-1]):
        for request in (smpp.QuerySm(wanted), smpp.CancelSm("", wanted), smpp.ReplaceSm(wanted)):
            assert customer.ask(request).status == Status.RINVMSGID
    assert Customer(world).state(name) is MessageState.ENROUTE
