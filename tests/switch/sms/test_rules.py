"""Who may send what to whom: senders, blocks, STOP, rates, quotas, credit, copies, hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from switchroom.switch.numbering import Rate, RateTable
from switchroom.switch.sms.interfaces import INTERCEPTED, Address, Refusal, Submission

from .world import Outlet, World

Build = Callable[..., World]
ACME = "account:acme"


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    made: list[World] = []

    def make(*rules: dict[str, Any], **config: Any) -> World:
        world = World(tmp_path, {"name": "all", "match": "*", "to": "trunk:a"}, rules=rules, **config)
        made.append(world)
        return world

    yield make
    for world in made:
        world.close()


def word(result: Any) -> str:
    return result.word if isinstance(result, Refusal) else "taken"


def named(name: str) -> Address:
    return Address(name, 5, 0)


def test_a_sender_that_is_not_the_accounts_own_is_refused(build: Build) -> None:
    world = build({"inlets": [ACME], "sources": "ACME +4930*"})
    assert [word(r) for r in world.submit("x", source=named("ACME"))] == ["taken"]
    assert [word(r) for r in world.submit("x", source=Address("+49301", 1, 1))] == ["taken"]
    [refusal] = world.submit("x", source=named("BANK"))
    assert word(refusal) == "bad-source"
    assert isinstance(refusal, Refusal)
    assert "BANK" in refusal.text
    assert (refusal.smpp, refusal.http) == (0x0A, 422)
    assert [word(r) for r in world.submit("x", source=named("BANK"), inlet="account:bank")] == ["taken"]
    [(event, values)] = world.log.lines
    assert (event, values["inlet"], values["source"]) == ("messages.refused", ACME, "BANK")
    world.submit(*["x"] * 100, source=named("BANK"))
    assert len(world.log.lines) == 20  # a flood is no flood of lines
    world.walk(10)
    world.submit("x", source=named("BANK"))
    assert world.log.lines[-1][1]["unlogged"] == 81


def test_a_sender_is_replaced_for_a_country(build: Build) -> None:
    world = build({"match": "+1*", "sources": "12345", "replacement": "12345"})
    a = Outlet("trunk:a")
    world.attach(a)
    world.submit("x", source=named("ACME"), to="+12025550123")
    world.submit("x", source=named("ACME"), to="+4917012345")
    assert [part.message.source.number for part in a.seen] == ["12345", "ACME"]


def test_blocked_senders_and_receivers(build: Build) -> None:
    world = build(
        {"match": "+882*", "refuse": "satellites are dear"},
        blocked_sources="+49666*",
        blocked_destinations="+4917099",
    )
    assert [word(r) for r in world.submit("x", source=Address("+496661", 1, 1))] == ["blocked"]
    assert [word(r) for r in world.submit("x", to="+4917099")] == ["blocked"]
    [refusal] = world.submit("x", to="+88216123")
    assert isinstance(refusal, Refusal)
    assert "satellites" in refusal.text


def test_who_says_stop_hears_no_more_of_this_sender_until_start(build: Build) -> None:
    world = build(opt_out=True)
    a = Outlet("trunk:a")
    world.attach(a)
    sender, number = Address("+49301", 1, 1), Address("+491701", 1, 1)

    def write(text: str) -> None:
        world.submit(text, inlet="trunk:a", source=number, to=sender.number)

    write(" stop\n")
    assert "unsubscribed" in a.bodies[-1].decode()
    assert a.seen[-1].message.destination == number
    assert [word(r) for r in world.submit("x", source=sender)] == ["opted-out"]
    assert [word(r) for r in world.submit("x", source=Address("+49302", 1, 1))] == ["taken"]
    world.restart()
    assert [word(r) for r in world.submit("x", source=sender)] == ["opted-out"]
    write("please do not stop")
    assert [word(r) for r in world.submit("x", source=sender)] == ["opted-out"]
    write("START")
    assert [word(r) for r in world.submit("x", source=sender)] == ["taken"]
    world.restart()
    assert [word(r) for r in world.submit("x", source=sender)] == ["taken"]


def test_an_account_cannot_stop_anybody(build: Build) -> None:
    world = build(opt_out=True)
    world.submit("STOP", source=Address("+491701", 1, 1), to="+49301")
    assert [word(r) for r in world.submit("x")] == ["taken"]


def test_a_rate_is_kept_and_refused_with_throttled(build: Build) -> None:
    world = build({"inlets": ["account:*"], "rate": 5.0})
    results = [word(r) for r in world.submit(*["x"] * 8)]
    assert results == ["taken"] * 5 + ["throttled"] * 3
    world.walk(1)
    assert [word(r) for r in world.submit(*["x"] * 6)] == ["taken"] * 5 + ["throttled"]
    assert [word(r) for r in world.submit("x", inlet="account:other")] == ["taken"]


def test_a_quota_holds_for_a_day_and_over_a_restart(build: Build) -> None:
    world = build({"per_day": 3})
    assert [word(r) for r in world.submit(*["x"] * 4)] == ["taken"] * 3 + ["throttled"]
    world.restart()
    assert [word(r) for r in world.submit("x")] == ["throttled"]
    world.walk(86_400)
    assert [word(r) for r in world.submit("x")] == ["taken"]


def test_credit_is_spent_by_the_rate_table(build: Build) -> None:
    world = build({"inlets": [ACME], "credit": 0.25})
    world.rates = RateTable([Rate("49", "a", 0.1)])
    world.restart()
    assert [word(r) for r in world.submit("x", "y", "z")] == ["taken", "taken", "no-credit"]
    world.restart()
    assert [word(r) for r in world.submit("z")] == ["no-credit"]
    assert world.centre.rules.add_credit(ACME, 1.0) == 1.05
    assert [word(r) for r in world.submit("z")] == ["taken"]


def test_a_copy_within_the_window_is_the_first_one(build: Build) -> None:
    world = build(duplicate_window=60)
    a = Outlet("trunk:a")
    world.attach(a)
    [first, other] = world.submit("x", "y")
    assert world.submit("x") == [first]
    assert world.submit("x", "y") == [first, other]
    world.restart()
    assert world.submit("x") == [first]
    world.walk(61)
    assert world.submit("x") != [first]


def test_a_copy_is_not_answered_for_before_the_first_is_on_the_disk(build: Build) -> None:
    world = build(duplicate_window=60)
    heard: list[Any] = []
    for _ in range(2):
        world.centre.submit([world.message()], world.now, lambda _, results, now: heard.extend(results))
    assert heard == []
    world.turn()
    assert len(heard) == 2
    assert heard[0] == heard[1]


def test_a_hook_changes_or_refuses(build: Build) -> None:
    world = build()
    a = Outlet("trunk:a")
    world.attach(a)

    def hook(submission: Submission) -> Submission | Refusal | None:
        if submission.body == b"bad":
            return INTERCEPTED.saying("a bad word")
        return submission._replace(body=b"good") if submission.body == b"fair" else None

    world.centre.rules.hooks.append(hook)
    assert [word(r) for r in world.submit("bad", "fair", "fine")] == ["intercepted", "taken", "taken"]
    assert a.bodies == [b"good", b"fine"]


def test_rules_know_a_number_however_it_is_written(build: Build) -> None:
    world = build(
        {"match": "+4989*", "refuse": "not there"},
        blocked_destinations="+49900*",
        blocked_sources="+49666*",
        opt_out=True,
        country="DE",
    )
    ours, theirs = Address("+49301234567", 1, 1), Address("01701234567")
    world.attach(Outlet("trunk:a"))
    world.submit("Stop.", inlet="trunk:b", source=theirs, to="0301234567")
    for number in ("+491701234567", "00491701234567", "01701234567"):
        assert [word(r) for r in world.submit("x", source=ours, to=number)] == ["opted-out"]
    assert [word(r) for r in world.submit("x", to="09001234567")] == ["blocked"]
    assert [word(r) for r in world.submit("x", to="0891234567")] == ["blocked"]
    assert [word(r) for r in world.submit("x", source=Address("06661234567"), to="0401234567")] == ["blocked"]
    [id] = world.submit("x", to="0401234567")
    assert world.ask("query", id, "").submission.destination.number == "0401234567"  # as it was submitted


def test_a_number_is_written_with_its_country_after_a_restart_too(build: Build) -> None:
    world = build(country="DE")
    world.submit("waits", to="0401234567")
    world.restart()
    a = Outlet("trunk:a")
    world.attach(a)
    assert [part.message.destination.number for part in a.seen] == ["+49401234567"]


def test_who_writes_from_outside_can_be_answered(build: Build) -> None:
    world = build(country="DE")
    world.users = {"200": "alice"}
    world.restart()
    phones, a = Outlet("user"), Outlet("trunk:a")
    national = Address("01701234567")
    world.submit("waits", inlet="modem:a", source=national, to="+491")
    world.restart()
    world.attach(phones, a)
    world.submit("x", inlet="modem:a", source=national, to="200")
    world.submit("x", inlet="account:acme", source=national, to="+492")
    assert [part.message.source.number for part in phones.seen] == ["+491701234567"]
    assert [part.message.source.number for part in a.seen] == ["+491701234567", "01701234567"]
