"""Texts between phones: delivered, kept, repeated, expired; who sends is told the truth."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from switchroom.protocols import sip
from tests.switch.calls.office import TRUNK, Office, Phone

Build = Callable[..., Office]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    made: list[Office] = []

    def make(**options: Any) -> Office:
        made.append(Office(tmp_path, **options))
        return made[-1]

    yield make
    for office in made:
        office.close()


def status(phone: Phone, transaction: Any) -> int | None:
    answer = phone.answer_to(transaction)
    return None if answer is None else answer.status


def test_a_text_goes_to_all_phones_of_a_user_and_the_first_one_counts(build: Build) -> None:
    office = build()
    alice = office.phone("alice")
    bob, other = office.phone("bob"), office.phone("bob")
    other.answers = lambda request: None
    sent = alice.text("200", "Grüße\r\n😀".encode(), kind="text/plain;charset=UTF-8")
    assert status(alice, sent) == 200
    assert bob.bodies == other.bodies == ["Grüße\r\n😀".encode()]
    request = bob.got[0]
    assert request.get("Content-Type") == "text/plain;charset=UTF-8"
    assert str(request.from_.uri) == "sip:100@office.test"  # the number of the account
    assert str(request.to.uri) == "sip:200@office.test"
    assert str(request.uri) == "sip:phone@127.0.0.3:5060"
    assert request.get("Contact") is None  # RFC 3428 §4
    assert request.get("Date")
    assert request.call_id != sent.request.call_id
    assert not len(office.texts)
    office.walk(60)
    assert status(alice, sent) == 200
    assert len(bob.got) == 1


def test_who_sends_is_the_account_whatever_from_says(build: Build) -> None:
    office = build()
    alice, bob = office.phone("alice"), office.phone("bob")
    kind = ("Content-Type", "text/plain")
    spoofed = alice.request("MESSAGE", "200", kind, body=b"x")
    spoofed.set("From", f"<sip:bob@127.0.0.1>;tag={alice.mint.tag()}")
    answer = alice.ask(spoofed)
    assert answer is not None
    assert answer.status == 403
    named = alice.request("MESSAGE", "200", kind, ("P-Asserted-Identity", "<sip:boss@x>"), body=b"x")
    named.set("From", '"The \\"Boss\\" é" <sip:100@127.0.0.1>;tag=1')
    alice.ask(named)
    assert bob.got[0].from_.display_name == 'The "Boss" é'
    assert str(bob.got[0].from_.uri) == "sip:100@office.test"
    assert "P-Asserted-Identity" not in bob.got[0]


def test_without_a_password_nothing_is_taken(build: Build) -> None:
    office = build()
    alice, bob = office.phone("alice"), office.phone("bob")
    request = alice.request("MESSAGE", "200", ("Content-Type", "text/plain"), body=b"x")
    answer = alice.ask(request, is_honest=False)
    assert answer is not None
    assert answer.status == 401
    assert not bob.got
    assert not len(office.texts)
    assert not office.endpoint.counters.transactions  # no state for strangers


def test_a_trunk_may_send(build: Build) -> None:
    office = build()
    bob = office.phone("bob")
    carrier = office.phone("+4930999", TRUNK, register=False)
    sent = carrier.text("200", b"hello")
    assert status(carrier, sent) == 200
    assert str(bob.got[0].from_.uri) == "sip:+4930999@office.test"


def test_what_is_kept_is_acknowledged_when_it_is_durable_and_delivered_at_the_next_registration(
    build: Build,
) -> None:
    office = build()
    alice = office.phone("alice")
    sent = [alice.text("200", b"%d" % i) for i in range(5)]
    office.texts.handle_durable(office.now)
    office.sync()
    assert [status(alice, one) for one in sent] == [202] * 5
    assert office.texts.count("bob") == 5
    [row] = office.texts.waiting(office.now)[:1]
    assert (row["from"], row["to"], row["size"], row["attempts"], row["next_attempt"]) == (
        "100",
        "bob",
        1,
        0,
        None,
    )
    bob = office.phone("bob")
    assert bob.bodies == [b"0", b"1", b"2", b"3", b"4"]
    office.sync()
    assert not len(office.texts)
    assert office.store.texts.load(office.clock.utc(office.now)) == []


def test_the_sender_hears_nothing_before_the_disk_has_it(build: Build) -> None:
    office = build()
    alice = office.phone("alice")
    sent = alice.text("200", b"x")
    assert office.texts.count("bob") == 1
    assert status(alice, sent) is None
    office.walk(2)
    assert status(alice, sent) is None
    office.sync()
    assert status(alice, sent) == 202


def test_texts_survive_a_restart_in_order(build: Build) -> None:
    office = build()
    alice = office.phone("alice")
    for i in range(20):
        alice.text("200", b"%d" % i)
        office.walk(1)
    office.sync()
    office.close()
    again = build(at=office.now)
    assert len(again.texts) == 20
    bob = again.phone("bob")
    assert bob.bodies == [b"%d" % i for i in range(20)]


def test_what_cannot_be_delivered_at_once_is_kept_after_a_while_and_arrives_yet(build: Build) -> None:
    office = build()
    alice, bob = office.phone("alice"), office.phone("bob")
    bob.is_deaf = True
    sent = alice.text("200", b"one")
    office.walk(4)
    assert status(alice, sent) is None
    assert office.texts.count("bob") == 0
    office.walk(3)
    office.sync()
    assert status(alice, sent) == 202
    second = alice.text("200", b"two")  # behind the first: kept at once
    office.sync()
    assert status(alice, second) == 202
    bob.is_deaf = False
    office.walk(3)  # the first is repeated by the transaction
    assert bob.bodies == [b"one", b"two"]
    office.sync()
    assert not len(office.texts)


def test_attempts_become_rarer_until_the_phone_is_back(build: Build) -> None:
    office = build()
    alice, bob = office.phone("alice"), office.phone("bob")
    bob.answers = lambda request: 480
    times: list[float] = []
    answers = bob.answers

    def answer(request: sip.Request) -> int | None:
        times.append(office.now)
        return answers(request)

    bob.answers = answer
    alice.text("200", b"x")
    office.sync()
    office.walk(500)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps == pytest.approx([30, 60, 120, 240], abs=1)  # to the second in which it is looked at
    bob.answers = lambda request: 200
    bob.register()
    office.walk(0.2)
    assert len(bob.got) == len(times) + 1
    assert not len(office.texts)


def test_a_phone_that_knows_no_texts_does_not_lose_them_for_another(build: Build) -> None:
    office = build()
    alice, desk = office.phone("alice"), office.phone("bob")
    desk.answers = lambda request: 405
    sent = alice.text("200", b"x")
    office.sync()
    assert status(alice, sent) == 202
    soft = office.phone("bob")
    assert soft.bodies == [b"x"]
    assert not len(office.texts)


@pytest.mark.parametrize("code", [415, 603, 488])
def test_a_text_that_is_refused_is_refused_to_its_sender(build: Build, code: int) -> None:
    office = build()
    alice, bob = office.phone("alice"), office.phone("bob")
    bob.answers = lambda request: code
    sent = alice.text("200", b"x")
    assert status(alice, sent) == code
    assert not len(office.texts)


def test_a_challenge_by_a_phone_is_not_answered(build: Build) -> None:
    office = build()
    alice, bob = office.phone("alice"), office.phone("bob")
    bob.answers = lambda request: 407
    alice.text("200", b"x")
    office.sync()
    assert len(bob.got) == 1  # THREATS C2
    assert office.texts.count("bob") == 1


def test_a_text_expires(build: Build) -> None:
    office = build()
    alice = office.phone("alice")
    alice.text("200", b"short", ("Expires", "100"))
    alice.text("200", b"long")
    office.sync()
    office.walk(120)
    bob = office.phone("bob")
    assert bob.bodies == [b"long"]
    assert office.texts.counters["expired"] == 1
    now_or_never = alice.text("201", b"x", ("Expires", "0"))
    assert status(alice, now_or_never) == 480


@pytest.mark.parametrize(
    ("number", "headers", "body", "expected"),
    [
        ("999", (), b"x", 404),
        ("200", (), b"x" * 8193, 413),
        ("200", (("Content-Type", "image/png"),), b"x", 415),
        ("200", (("Content-Type", "text/plain"), ("Content-Encoding", "gzip")), b"x", 415),
        ("200", (("Content-Type", "text/plain;x=" + "y" * 130),), b"x", 415),
    ],
)
def test_what_is_not_taken(
    build: Build, number: str, headers: tuple[tuple[str, str], ...], body: bytes, expected: int
) -> None:
    office = build()
    alice = office.phone("alice")
    request = alice.request("MESSAGE", number, *(headers or (("Content-Type", "text/plain"),)), body=body)
    answer = alice.ask(request)
    assert answer is not None
    assert answer.status == expected
    if expected == 415 and "gzip" not in str(headers):
        assert "text/plain" in (answer.get("Accept") or "")


def test_limits_of_rate_and_of_what_waits(build: Build) -> None:
    office = build(messages={"max_waiting_per_user": 2, "max_waiting": 3, "user_rate": 4})
    alice = office.phone("alice")
    answers = []
    for number in ("200", "200", "200", "201", "201"):
        sent = alice.text(number, b"x")
        office.sync()
        answers.append(status(alice, sent))
        office.walk(0.5)
    assert answers == [202, 202, 503, 202, 503]
    office.walk(10)
    sent_at_once = [status(alice, alice.text("999", b"x")) for _ in range(6)]
    assert sent_at_once == [404] * 4 + [503] * 2
    office.walk(1)
    assert status(alice, alice.text("999", b"x")) == 404


def test_a_message_that_loops_ends(build: Build) -> None:
    office = build()
    alice = office.phone("alice")
    kind = ("Content-Type", "text/plain")
    tired = alice.request("MESSAGE", "200", kind, body=b"x")
    tired.set("Max-Forwards", "0")
    answer = alice.ask(tired)
    assert answer is not None
    assert answer.status == 483
    own = ("Via", f"SIP/2.0/UDP 127.0.0.1;branch={office.mint.branch()}")
    carrier = office.phone("+49", TRUNK, register=False)
    carrier.ask(carrier.request("MESSAGE", "200", kind, own, body=b"x"))
    assert office.endpoint.counters.responses_out[482] >= 1
    assert not len(office.texts)


def test_signs_of_typing_pass_and_are_not_kept(build: Build) -> None:
    office = build()
    alice = office.phone("alice")
    kind = "application/im-iscomposing+xml"
    assert status(alice, alice.text("200", b"<x/>", kind=kind)) == 480
    bob = office.phone("bob")
    assert status(alice, alice.text("200", b"<x/>", kind=kind)) == 200
    assert bob.bodies == [b"<x/>"]
    office.sync()
    assert not len(office.texts)
    office.walk(60)


def test_another_way_may_know_the_number(build: Build) -> None:
    office = build()
    alice = office.phone("alice")
    seen: list[tuple[str, str]] = []

    def gateway(request: sip.Request, caller: Any, now: float, done: Any) -> bool:
        seen.append((request.uri.user or "", caller.account))
        if request.uri.user == "+49":
            done(202, now)
            return True
        return False

    office.texts.gateway = gateway
    assert status(alice, alice.text("+49", b"x")) == 202
    assert status(alice, alice.text("+50", b"x")) == 404
    assert seen == [("+49", "alice"), ("+50", "alice")]


def test_a_text_to_another_host_is_not_ours(build: Build) -> None:
    office = build()
    alice = office.phone("alice")
    request = alice.request("MESSAGE", "200", ("Content-Type", "text/plain"), body=b"x")
    request.uri = sip.Uri.parse("sip:200@elsewhere.test")
    answer = alice.ask(request)
    assert answer is not None
    assert answer.status == 404


def test_nothing_is_left_of_texts_that_went_through(build: Build) -> None:
    office = build()
    alice, bob = office.phone("alice"), office.phone("bob")
    for i in range(50):
        alice.text("200", b"%d" % i)
        office.walk(0.3)
    assert bob.bodies == [b"%d" % i for i in range(50)]
    office.walk(100)
    assert office.endpoint.counters.transactions == 0
    assert not office.texts._lines
    assert not office.texts._undurable
    assert office.texts.next_timer() is None
