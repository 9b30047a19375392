"""What is taken and what is not: overload, emergency calls, draining, and what travels between legs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from switchroom.protocols import sip
from switchroom.switch.calls.access.overload import Overload
from switchroom.switch.calls.rules import OverloadRules
from tests.switch.calls.test_calls import assert_nothing_left, records, talk
from tests.switch.calls.world import World, trunk

Build = Callable[..., World]
DESK = trunk("desk", "127.0.0.2/32")


def late(world: World, seconds: float, *, times: int = 20) -> None:
    """The loop is so late for a while."""
    for _ in range(times):
        world.clock.at += 0.5
        world.exchange.admission.overload.note_lag(seconds, world.now)


def outcome(world: World, alice: Any, count: int = 40) -> tuple[int, int, int]:
    """How many of so many calls ring, are refused with 503, and hear nothing."""
    bob = world.phones[("127.0.0.3", 5060)]
    bob.events.clear()
    alice.events.clear()
    sessions = [alice.call("200") for _ in range(count)]
    rung = sum(isinstance(e, sip.RequestReceived) for e in bob.events)
    refused = [e for e in alice.events if isinstance(e, sip.SessionRejected)]
    assert all(e.status == 503 and e.response.get("Retry-After") for e in refused)
    for session in sessions:
        session.hang_up(world.now)
    world.settle()
    return rung, len(refused), count - rung - len(refused)


def test_a_late_loop_sends_most_new_calls_away_and_takes_them_again_when_it_is_in_time(build: Build) -> None:
    world = build()
    alice, _ = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    assert outcome(world, alice, 15) == (15, 0, 0)
    late(world, 0.3)
    rung, refused, silent = outcome(world, alice)
    assert refused >= 36
    assert rung >= 1
    assert not silent
    late(world, 0.0, times=60)
    assert outcome(world, alice, 15) == (15, 0, 0)


def test_a_very_late_loop_says_nothing(build: Build) -> None:
    world = build()
    alice, _ = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    late(world, 0.9)
    rung, refused, silent = outcome(world, alice)
    assert not refused
    assert silent >= 36
    assert rung >= 1
    assert world.exchange.admission.overload.dropped == silent


def test_calls_in_progress_go_on_whatever_the_load(build: Build) -> None:
    world = build()
    _, bob, ours, _ = talk(world)
    late(world, 0.9)
    ours.bye(world.now)
    world.settle()
    assert bob.has(sip.SessionEnded)
    assert_nothing_left(world)


def test_too_many_calls_in_set_up(build: Build) -> None:
    world = build(overload=OverloadRules(max_setups=5))
    alice, _ = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    rung, refused, silent = outcome(world, alice, 10)
    assert (rung, refused, silent) == (6, 4, 0)


def test_the_share_moves_step_by_step() -> None:
    overload = Overload(OverloadRules(lag=0.1))
    shares = []
    for step in range(8):
        overload.note_lag(0.2, step * 0.5)
        overload.note_lag(0.2, step * 0.5 + 0.1)  # within one window: nothing happens
        shares.append(overload.share)
    assert shares == sorted(shares)
    assert shares[:2] == [0.0, 0.25]  # late once is no load
    assert shares[-1] < 0.95


@pytest.mark.parametrize("why", ["late", "setups", "draining", "caps", "total", "trunk"])
def test_an_emergency_call_is_stopped_by_nothing(build: Build, why: str) -> None:
    help_trunk = trunk("help", "", "127.0.9.9", max_calls=0 if why == "trunk" else None)
    world = build(
        routes=[("112", ["trunk:help"])],
        trunks=(DESK, help_trunk),
        caps={"trunk:desk": (1, 0.01)} if why == "caps" else {},
        max_calls=0 if why == "total" else 100,
        overload=OverloadRules(max_setups=0),
    )
    alice, far = world.phone("127.0.0.2"), world.phone("127.0.9.9")
    world.phone("127.0.0.3", user="bob")
    if why == "late":
        late(world, 0.9)
    world.exchange.is_draining = why == "draining"
    if why == "setups":
        world.exchange.admission.setups = 100
    if why == "caps":
        world.exchange.admission.caps.take("trunk:desk")
    alice.call("112")
    assert far.has(sip.RequestReceived)
    if why in ("draining", "setups", "caps", "total"):
        alice.call("200")
        assert alice.take(sip.SessionRejected).status == 503


def test_draining_takes_no_new_calls_and_lets_the_others_end(build: Build) -> None:
    world = build()
    alice, bob, ours, _ = talk(world)
    world.exchange.is_draining = True
    alice.call("200")
    assert alice.take(sip.SessionRejected).status == 503
    ours.bye(world.now)
    world.settle()
    assert bob.has(sip.SessionEnded)


# -- what travels


SAID = (
    ("Subject", "lunch"),
    ("Alert-Info", "<urn:alert:source:internal>"),
    ("Answer-Mode", "Manual"),
    ("User-to-User", "56a390f3d2b7310023a2;encoding=hex"),
    ("Priv-Answer-Mode", "Auto"),
    ("P-Asserted-Identity", "<sip:+4911@evil.test>"),
    ("Diversion", "<sip:999@evil.test>;reason=user-busy"),
    ("History-Info", "<sip:999@evil.test>;index=1"),
    ("X-Internal", "secret"),
    ("Warning", '399 inside.evil.test "topology"'),
    ("Organization", "Evil Inc"),
    ("Record-Route", "<sip:inside.evil.test;lr>"),
)


@pytest.mark.parametrize("trusted", [False, True])
def test_what_travels_from_leg_to_leg(build: Build, trusted: bool) -> None:
    world = build(trunks=(trunk("desk", "127.0.0.2/32", trusted=trusted),))
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    alice.call("200", headers=SAID)
    theirs = bob.accept()
    invite = theirs.request
    for name in ("Subject", "Alert-Info", "Answer-Mode", "User-to-User"):
        assert invite.get(name) == dict(SAID)[name]
    for name in ("X-Internal", "Warning", "Organization", "Record-Route", "P-Asserted-Identity"):
        assert name not in invite
    assert ("Priv-Answer-Mode" in invite) is trusted
    assert ("Diversion" in invite) is trusted
    assert b"evil" not in bytes(invite)
    theirs.ring(180, world.now, headers=(("Alert-Info", "<urn:alert:x>"), ("Server", "inside")))
    world.settle()
    progress = alice.take(sip.SessionProgressed).response
    assert progress.get("Alert-Info") == "<urn:alert:x>"
    assert b"inside" not in bytes(progress).partition(b"\r\nRecord-Route")[0]
    answer = (("User-to-User", "aa;encoding=hex"), ("Content-Type", "application/sdp"))
    theirs.answer(world.now, body=bob.sdp, headers=answer)
    world.settle()
    assert alice.take(sip.SessionAnswered).response.get("User-to-User") == "aa;encoding=hex"


def test_privacy_hides_the_caller(build: Build) -> None:
    world = build()
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    alice.call("200", headers=(("Privacy", "id"),))
    invite = bob.take(sip.RequestReceived).request
    assert b"alice" not in bytes(invite).lower()
    assert invite.from_.uri.host == "anonymous.invalid"


def test_the_verdict_of_a_plain_call(build: Build) -> None:
    world = build()
    _, _, ours, _ = talk(world)
    ours.bye(world.now)
    world.settle()
    [record] = records(world)
    assert record.verdict == "user bob answered after 0 ms"
    assert record.explanation == ("200 is the number of bob",)


def test_the_verdict_of_a_call_that_is_refused(build: Build) -> None:
    world = build()
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    alice.call("200")
    world.clock.at += 1.5
    bob.accept().reject(486, world.now)
    world.settle()
    assert (
        records(world)[0].verdict
        == "rejected by user bob with 486 after 1.5 s; the caller heard 486 after 1.5 s"
    )
    alice.call("999")
    assert records(world)[0].verdict == "refused by the switch with 404 Not Found"
    assert records(world)[0].explanation
