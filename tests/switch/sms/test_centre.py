"""Messages through the centre: written before they are answered for, sent, tried again, and told of."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchroom.switch.sms.interfaces import NO_ROUTE, Fault, Refusal, State

from .world import Inlet, Outlet, World

ROUTE = {"name": "de", "match": "+49*", "to": "trunk:a"}
TWO = {"name": "de", "match": "+49*", "to": ["trunk:a", "trunk:b"]}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, ROUTE)
    yield world
    world.close()


def test_a_message_goes_out_and_its_receipt_comes_back(world: World) -> None:
    a, acme = Outlet("trunk:a"), Inlet("account:acme")
    world.attach(a, acme)
    [id] = world.submit("hello", wish=1)
    assert a.bodies == [b"hello"]
    assert world.state(id) is State.SENDING
    world.answer(a, "A1")
    assert world.state(id) is State.SENT
    assert acme.notices == []
    assert world.receipt(a, "A1") == [1]
    [notice] = acme.notices
    assert (notice.message, notice.state, notice.beginning) == (id, State.DELIVERED, b"hello")
    world.hear(acme)
    assert world.centre.notices.waiting == {}
    assert world.history(id) == [State.SENT, State.DELIVERED]


def test_nothing_is_answered_for_before_it_is_on_the_disk(world: World) -> None:
    a = Outlet("trunk:a")
    world.attach(a)
    heard: list[object] = []
    world.centre.submit([world.message()], world.now, lambda _, results, now: heard.extend(results))
    assert heard == []
    assert a.seen == []
    world.turn()
    assert len(heard) == 1
    assert len(a.seen) == 1


def test_what_no_route_takes_is_refused_at_once(world: World) -> None:
    [refusal] = world.submit("hello", to="+33612")
    assert isinstance(refusal, Refusal)
    assert refusal.word == NO_ROUTE.word
    assert "+33612" in refusal.text


def test_of_a_batch_each_has_its_own_answer(world: World) -> None:
    world.attach(Outlet("trunk:a"))
    heard: list[object] = []
    batch = [world.message(), world.message(to="+33612"), world.message("there")]
    world.centre.submit(batch, world.now, lambda _, results, now: heard.extend(results))
    world.turn()
    assert [isinstance(result, int) for result in heard] == [True, False, True]


def test_messages_wait_for_an_outlet_in_order_of_priority_and_age(world: World) -> None:
    ids = world.submit("one", "two")
    world.submit("first", priority=3)
    assert [world.state(id) for id in ids] == [State.QUEUED, State.QUEUED]
    a = Outlet("trunk:a")
    world.attach(a)
    assert a.bodies == [b"first", b"one", b"two"]


def test_a_window_is_never_exceeded_and_what_it_frees_is_used(world: World) -> None:
    a = Outlet("trunk:a", window=2)
    world.attach(a)
    world.submit(*[f"{n}" for n in range(7)])
    assert a.bodies == [b"0", b"1"]
    world.answer(a, "x")
    assert a.bodies == [b"0", b"1", b"2"]
    while a.parts:
        world.answer(a, "y")
    assert a.bodies == [f"{n}".encode() for n in range(7)]
    assert world.centre.waiting == 0


def test_a_long_lane_is_mostly_on_the_disk(world: World) -> None:
    world.submit(*[f"{n}" for n in range(3500)])
    [lane] = world.centre.lanes
    assert lane.count == 3500
    assert len(lane.heads) <= 1000
    a = Outlet("trunk:a", window=50)
    world.attach(a)
    while a.parts:
        world.answer(a)
    assert a.bodies == [f"{n}".encode() for n in range(3500)]
    assert world.centre.waiting == 0


def test_the_wait_between_attempts_grows_and_ends(world: World) -> None:
    a, acme = Outlet("trunk:a"), Inlet("account:acme")
    world.attach(a, acme)
    [id] = world.submit("hello", wish=1)
    times = [world.now]
    while a.parts:
        world.answer(a, fault=Fault.TEMPORARY, code=8)
        before = len(a.seen)
        while len(a.seen) == before and world.state(id) is State.DEFERRED:
            world.walk(5)
        times.append(world.now)
    assert len(a.seen) == 15
    assert world.state(id) is State.UNDELIVERABLE
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert pauses[0] < 20
    assert pauses[3] > 60
    assert max(pauses) <= 3700
    assert "15 attempts" in acme.notices[-1].reason
    assert acme.notices[-1].state is State.UNDELIVERABLE


def test_a_permanent_error_ends_it(world: World) -> None:
    a, acme = Outlet("trunk:a"), Inlet("account:acme")
    world.attach(a, acme)
    [id] = world.submit("hello", wish=2)
    world.answer(a, fault=Fault.PERMANENT, code=11)
    assert world.state(id) is State.UNDELIVERABLE
    assert acme.notices[0].error == "011"


def test_after_an_error_the_next_way_is_tried(tmp_path: Path) -> None:
    world = World(tmp_path, TWO)
    a, b = Outlet("trunk:a"), Outlet("trunk:b")
    world.attach(a, b)
    [id] = world.submit("hello")
    world.answer(a, fault=Fault.TEMPORARY, code=8)
    assert b.bodies == [b"hello"]
    assert a.bodies == [b"hello"]
    world.answer(b, "B1", is_delivered=True)
    assert world.state(id) is State.DELIVERED
    world.close()


def test_a_way_that_goes_away_leaves_what_it_has_not_sent_to_the_next(tmp_path: Path) -> None:
    world = World(tmp_path, TWO)
    a, b = Outlet("trunk:a", window=1), Outlet("trunk:b")
    world.attach(a, b)
    world.submit("one", "two", "three")
    assert a.bodies == [b"one"]
    assert b.bodies == []
    world.answer(a, fault=Fault.UNKNOWN)
    world.centre.detach(outlet="trunk:a", now=world.now)
    world.turn()
    assert sorted(b.bodies + a.bodies[1:]) == [b"one", b"three", b"two"]
    world.close()


def test_a_connection_that_breaks_again_and_again_is_left_alone(world: World) -> None:
    a = Outlet("trunk:a")
    world.attach(a)
    [id] = world.submit("hello")
    world.answer(a, fault=Fault.UNKNOWN)
    assert a.bodies == [b"hello", b"hello"]  # once it may have been chance
    world.answer(a, fault=Fault.UNKNOWN)
    assert world.state(id) is State.DEFERRED
    world.walk(5)
    assert len(a.bodies) == 2
    world.walk(300)
    assert len(a.bodies) == 3
    world.answer(a, "A1", is_delivered=True)
    assert world.state(id) is State.DELIVERED


def test_what_is_not_delivered_in_time_expires(world: World) -> None:
    acme = Inlet("account:acme")
    world.attach(acme)
    [id] = world.submit("hello", wish=1, expires_at=world.clock.posix(world.now) + 100)
    world.walk(99)
    assert world.state(id) is State.QUEUED
    world.walk(35)
    assert world.state(id) is State.EXPIRED
    assert acme.notices[0].state is State.EXPIRED
    assert world.centre.waiting == 0


def test_a_scheduled_message_waits_for_its_time(world: World) -> None:
    a = Outlet("trunk:a")
    world.attach(a)
    [id] = world.submit("later", schedule_at=world.clock.posix(world.now) + 3600)
    assert world.state(id) is State.SCHEDULED
    world.walk(3500)
    assert a.seen == []
    world.walk(101)
    assert a.bodies == [b"later"]


def test_throttling_costs_no_attempt(world: World) -> None:
    a = Outlet("trunk:a")
    world.attach(a)
    [id] = world.submit("hello")
    for _ in range(30):
        world.answer(a, fault=Fault.THROTTLED, code=0x58)
        world.walk(2)
    assert len(a.seen) == 31
    world.answer(a, "1")
    assert world.state(id) is State.SENT


def test_after_a_crash_what_was_in_flight_goes_again_and_is_counted(world: World) -> None:
    a = Outlet("trunk:a", window=2)
    world.attach(a)
    world.submit("one", "two", "three")
    world.answer(a, "A1")  # one is sent, two and three are in flight
    world.restart()
    assert world.centre.book.counters["maybe_twice"] == 2
    again = Outlet("trunk:a")
    world.attach(again)
    assert again.bodies == [b"two", b"three"]


def test_a_receipt_after_a_restart_finds_its_message(world: World) -> None:
    a = Outlet("trunk:a")
    world.attach(a)
    [id] = world.submit("one", wish=1)
    world.answer(a, "A1")
    world.restart()
    a, acme = Outlet("trunk:a"), Inlet("account:acme")
    world.attach(a, acme)
    assert world.receipt(a, "a1") == [1]
    assert world.state(id) is State.DELIVERED
    assert [n.message for n in acme.notices] == [id]


def test_notices_for_those_who_are_away_wait_on_the_disk(world: World) -> None:
    a = Outlet("trunk:a", window=2000)
    world.attach(a)
    ids = world.submit(*["x"] * 1500, wish=1)
    world.answer(a, *[f"{n}" for n in range(1500)])
    world.receipt(a, *[f"{n}" for n in range(1500)])
    world.restart()
    acme = Inlet("account:acme", room=10)
    world.attach(acme)
    while acme.open:
        world.hear(acme)
    assert [notice.message for notice in acme.notices] == ids


def test_notices_that_were_not_acknowledged_are_told_again(world: World) -> None:
    a, acme = Outlet("trunk:a"), Inlet("account:acme")
    world.attach(a, acme)
    ids = world.submit("x", "y", wish=1)
    world.answer(a, is_delivered=True)
    assert len(acme.open) == 2
    world.centre.noticed("account:acme", [acme.open[0].id], world.now)
    world.centre.detach(inlet="account:acme", now=world.now)
    world.turn()
    again = Inlet("account:acme")
    world.attach(again)
    assert [notice.message for notice in again.notices] == ids[1:]


def test_receipts_nobody_asked_for_are_not_told(world: World) -> None:
    a, acme = Outlet("trunk:a"), Inlet("account:acme")
    world.attach(a, acme)
    world.submit("x")
    world.submit("y", wish=2)
    world.submit("z", wish=3)
    world.answer(a, is_delivered=True)
    assert [notice.beginning for notice in acme.notices] == [b"z"]


def test_an_own_key_makes_a_second_submission_the_first(world: World) -> None:
    a = Outlet("trunk:a")
    world.attach(a)
    [first] = world.submit("x", key="k1")
    [second] = world.submit("x", key="k1")
    [third] = world.submit("x", key="k1", inlet="account:other")
    assert first == second != third
    assert len(a.seen) == 2
    world.restart()
    assert world.submit("x", key="k1") == [first]


def test_cancelling_takes_back_what_waits(world: World) -> None:
    [one, two] = world.submit("one", "two")
    assert world.ask("cancel", one, "account:other").word == "no-such-message"
    assert world.ask("cancel", one, "account:acme").state is State.DELETED
    assert world.ask("cancel", one, "account:acme").word == "too-late"
    a = Outlet("trunk:a")
    world.attach(a)
    assert a.bodies == [b"two"]
    assert world.centre.waiting == 0
    assert world.ask("cancel", two, "account:acme").word == "too-late"


def test_cancelling_a_scheduled_one_and_all_of_a_pair(world: World) -> None:
    at = world.clock.posix(world.now) + 100
    [later] = world.submit("later", schedule_at=at)
    world.submit("a", "b")
    heard: list[object] = []
    world.centre.cancel_all(
        "+49301", "+491701", "", "account:acme", world.now, lambda c, answer, now: heard.append(answer)
    )
    world.turn()
    assert heard == [3]
    assert world.state(later) is State.DELETED
    world.walk(200)
    a = Outlet("trunk:a")
    world.attach(a)
    assert a.seen == []


def test_replacing_changes_what_waits(world: World) -> None:
    [id] = world.submit("old")
    assert world.ask("replace", id, world.message("new")).submission.body == b"new"
    world.restart()
    a = Outlet("trunk:a")
    world.attach(a)
    assert a.bodies == [b"new"]
    assert world.ask("replace", id, world.message("newer")).word == "not-replaceable"


def test_redacting_takes_the_text_and_leaves_the_record(world: World) -> None:
    a = Outlet("trunk:a")
    world.attach(a)
    [id] = world.submit("a secret that goes")
    assert world.ask("redact", id, "").word == "too-late"
    world.answer(a, is_delivered=True)
    assert world.ask("redact", id, "").is_redacted
    found = world.ask("query", id, "")
    assert found.submission.body == b""
    assert found.state is State.DELIVERED
    world.close()
    world.open()
    assert b"a secret that goes" not in world.path.read_bytes()


def test_what_was_given_up_can_be_tried_again(world: World) -> None:
    a = Outlet("trunk:a")
    world.attach(a)
    [id] = world.submit("hello")
    world.answer(a, fault=Fault.PERMANENT)
    world.ask("requeue", id)
    world.answer(a, is_delivered=True)
    assert world.state(id) is State.DELIVERED
    assert len(a.seen) == 2
    assert world.history(id)[-3:] == [State.UNDELIVERABLE, State.QUEUED, State.DELIVERED]


def test_how_each_route_takes_errors(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        {"name": "de", "match": "+49*", "to": ["trunk:a", "trunk:b"], "after_permanent": "next"},
        {"name": "fr", "match": "+33*", "to": "trunk:a", "throttled_pause": 60.0},
        {"name": "gb", "match": "+44*", "to": "trunk:a", "retry_first": 5.0, "retry_longest": 5.0},
    )
    a, b = Outlet("trunk:a"), Outlet("trunk:b")
    world.attach(a, b)
    [id] = world.submit("x", to="+491")
    world.answer(a, fault=Fault.PERMANENT, code=11)
    assert len(b.seen) == 1  # it may know the number
    world.answer(b, fault=Fault.PERMANENT, code=11)
    assert world.state(id) is State.UNDELIVERABLE
    assert "every way refused it" in world.ask("query", id, "").reason
    [id] = world.submit("x", to="+331")
    world.answer(a, fault=Fault.THROTTLED, code=0x58)
    world.walk(50)
    assert len(a.parts) == 0
    world.walk(15)
    assert len(a.parts) == 1
    world.answer(a, "1")
    assert world.state(id) is State.SENT
    [id] = world.submit("x", to="+441")
    for _ in range(5):
        world.answer(a, fault=Fault.TEMPORARY, code=8)
        world.walk(5.1)  # not twice as long each time
        assert len(a.parts) == 1
    world.close()
