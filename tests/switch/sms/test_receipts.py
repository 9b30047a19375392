"""Receipts: ids in every spelling, early ones, unknown ones, parts that become one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.switch.sms.interfaces import Concat, Fault, State
from switchroom.switch.sms.receipts.marks import mark_of, marks_in_receipt

from .world import Inlet, Outlet, World

LONG = "x" * 400  # three parts


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, {"name": "all", "match": "*", "to": "trunk:a"})
    yield world
    world.close()


SPELLINGS = ("{:d}", "{:x}", "{:X}", "{:010d}", "{:020x}", "0x{:x}", " {:d} ")


@given(st.integers(0x1000000, 2**64), st.sampled_from(SPELLINGS))
def test_an_id_is_found_in_every_spelling(number: int, spelling: str) -> None:
    assert mark_of("t", f"{number:x}") in marks_in_receipt("t", f"{number:d}")
    filed = mark_of("t", f"{number:X}"), mark_of("t", f"{number:d}")
    assert set(filed) & set(marks_in_receipt("t", spelling.format(number)))


@given(st.text(max_size=70))
def test_any_text_is_an_id(text: str) -> None:
    assert mark_of("t", text) in marks_in_receipt("t", text)


def test_a_notation_that_is_known_is_the_only_one() -> None:
    assert marks_in_receipt("t", "255", "hex-decimal") == ["t|ff"]
    assert marks_in_receipt("t", "FF", "decimal-hex") == ["t|255"]
    assert marks_in_receipt("t", "10", "same") == ["t|10"]


def test_a_receipt_that_comes_twice_is_told_once(world: World) -> None:
    a, acme = Outlet("trunk:a"), Inlet("account:acme")
    world.attach(a, acme)
    [id] = world.submit("x", wish=1)
    world.answer(a, "1A2B3C4D")
    assert world.receipt(a, "1A2B3C4D", "1A2B3C4D") == [2]  # the second is looked for on the disk meanwhile
    assert world.receipt(a, "1A2B3C4D") == [1]
    assert [notice.message for notice in acme.notices] == [id]
    assert world.state(id) is State.DELIVERED


@pytest.mark.parametrize(
    ("answered", "receipted"),
    [
        ("1A2B3C4D", "439041101"),
        ("439041101", "1a2b3c4d"),
        ("00000042", "42"),
        ("ABC-def", "abc-DEF"),
        ("0x1f2e3d", "2043453"),
    ],
)
@pytest.mark.parametrize("is_early", [False, True])
def test_receipts_match_whatever_their_notation(
    world: World, answered: str, receipted: str, is_early: bool
) -> None:
    a, acme = Outlet("trunk:a"), Inlet("account:acme")
    world.attach(a, acme)
    [id] = world.submit("x", wish=1)
    if is_early:
        assert world.receipt(a, receipted) == [1]  # acknowledged, for it is on the disk
        world.answer(a, answered)
    else:
        world.answer(a, answered)
        world.receipt(a, receipted)
    assert world.state(id) is State.DELIVERED
    assert [notice.message for notice in acme.notices] == [id]
    assert world.store._once("orphans", 0.0, 10) == []


def test_a_short_id_is_not_taken_for_another_message_in_another_notation(world: World) -> None:
    a = Outlet("trunk:a")
    world.attach(a)
    ids = world.submit("x", "y", wish=1)
    world.receipt(a, "15")  # early; in hex it would be 21
    world.answer(a, "21", "15")
    assert [world.state(id) for id in ids] == [State.SENT, State.DELIVERED]


def test_an_early_receipt_outlives_a_crash(world: World) -> None:
    a = Outlet("trunk:a")
    world.attach(a)
    [id] = world.submit("x", wish=1)
    world.receipt(a, "77")
    world.restart()
    a = Outlet("trunk:a")
    world.attach(a)
    world.answer(a, "77")
    assert world.state(id) is State.DELIVERED


def test_what_matches_nothing_is_kept_with_the_reason(world: World) -> None:
    a = Outlet("trunk:a")
    world.attach(a)
    assert world.receipt(a, "nobody", text="id:nobody stat:DELIVRD") == [1]
    [orphan] = world.store._once("orphans", 0.0, 10)
    assert orphan.outlet == "trunk:a"
    assert "no message" in orphan.reason
    assert json.loads(orphan.detail)["text"] == "id:nobody stat:DELIVRD"
    assert world.centre.receipts.counters["unmatched"] == 1


def test_ids_of_one_carrier_are_not_those_of_another(world: World) -> None:
    a, b = Outlet("trunk:a"), Outlet("trunk:b")
    world.attach(a, b)
    [id] = world.submit("x", wish=1)
    world.answer(a, "5")
    world.receipt(b, "5")
    assert world.state(id) is State.SENT


def test_the_parts_of_one_message_have_one_end(world: World) -> None:
    a, acme = Outlet("trunk:a"), Inlet("account:acme")
    world.attach(a, acme)
    [id] = world.submit(LONG, wish=1)
    assert [part.concat[1:] for part in a.seen] == [(3, 1), (3, 2), (3, 3)]
    world.answer(a, "1", "2", "3")
    assert world.state(id) is State.SENT
    world.receipt(a, "2", "1")
    assert world.state(id) is State.SENT
    world.receipt(a, "1")  # again
    assert acme.notices == []
    world.receipt(a, "3")
    [notice] = acme.notices
    assert (notice.state, notice.parts, notice.parts_delivered) == (State.DELIVERED, 3, 3)


def test_one_part_that_fails_fails_the_message(world: World) -> None:
    a, acme = Outlet("trunk:a"), Inlet("account:acme")
    world.attach(a, acme)
    [id] = world.submit(LONG, wish=1)
    world.answer(a, "1", "2", "3")
    world.restart()
    a, acme = Outlet("trunk:a"), Inlet("account:acme")
    world.attach(a, acme)
    world.receipt(a, "3", state=State.UNDELIVERABLE, error="027")
    world.receipt(a, "1")
    world.restart()
    a, acme = Outlet("trunk:a"), Inlet("account:acme")
    world.attach(a, acme)
    world.receipt(a, "2")
    [notice] = acme.notices
    assert (notice.state, notice.parts_delivered) == (State.UNDELIVERABLE, 2)
    assert world.state(id) is State.UNDELIVERABLE


def test_only_the_parts_that_failed_are_sent_again(world: World) -> None:
    a = Outlet("trunk:a")
    world.attach(a)
    [id] = world.submit(LONG, wish=1)
    world.answer(a, "1")
    world.answer(a, fault=Fault.TEMPORARY, code=8)
    assert world.state(id) is State.DEFERRED
    world.restart()
    a = Outlet("trunk:a")
    world.attach(a)
    world.walk(40)
    assert [part.concat.number for part in a.seen] == [2, 3]
    world.answer(a, "2", "3")
    world.receipt(a, "1", "2", "3")
    assert world.state(id) is State.DELIVERED


def test_intermediate_notices_only_for_those_who_asked(world: World) -> None:
    a, acme = Outlet("trunk:a"), Inlet("account:acme")
    world.attach(a, acme)
    world.submit("x", wish=1)
    [asked] = world.submit("y", wish=1 | 0x10)
    world.answer(a, "1", "2")
    world.receipt(a, "1", "2", state=State.DEFERRED, is_intermediate=True)
    assert [(notice.message, notice.is_intermediate) for notice in acme.notices] == [(asked, True)]
    world.receipt(a, "1", "2")
    assert [notice.is_intermediate for notice in acme.notices] == [True, False, False]


def test_ten_thousand_orphan_parts_and_then_a_whole_message(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        {"name": "whole", "match": "*", "to": "app"},
        max_gathering=100,
        max_gathering_per_sender=10,
    )
    from switchroom.switch.sms.interfaces import Form

    app = Outlet("app", window=100_000, form=Form(is_whole=True, is_text=True))
    world.attach(app)
    batch = [
        world.message(b"orphan", concat=Concat(n & 0xFF, 3, 1 + n % 2), to=f"+49{n // 100}")
        for n in range(10_000)
    ]
    results: list[object] = []
    for at in range(0, len(batch), 500):
        world.centre.submit(batch[at : at + 500], world.now, lambda _, found, now: results.extend(found))
        world.turn()
    assert all(isinstance(result, int) for result in results)
    assert len(world.centre.gathering) <= 100
    for number, text in ((3, b"three"), (1, b"one "), (2, b"two ")):
        world.submit(text, concat=Concat(9, 3, number), to="+1")
    assert app.seen[-1].body == b"one two three"
    world.walk(700)  # what stayed incomplete went as it was: nothing that was acknowledged is lost
    sent = sum(1 + len(part.message.joined) for part in app.seen)  # type: ignore[attr-defined]
    copies = sum(world.state(int(r)) is State.SKIPPED for r in results[:200])  # type: ignore[call-overload]
    assert sent + world.centre.book.counters["failed"] == 10_003
    assert copies == 0
    world.close()
