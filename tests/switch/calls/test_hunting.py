"""Hunting: steps, ring times, causes, forwarding, redirections, and the addresses of trunks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from switchroom.protocols import sip
from switchroom.switch.config import RouteConfig
from tests.switch.calls.test_calls import assert_nothing_left, records, ring_and_answer
from tests.switch.calls.world import World, trunk

Build = Callable[..., World]
TYPED = (("Content-Type", "application/sdp"),)
DESK = trunk("desk", "127.0.0.2/32")


def invited(phone: Any) -> bool:
    return bool(phone.has(sip.RequestReceived))


def test_steps_come_one_after_the_other(build: Build) -> None:
    route = RouteConfig(match="7*", to=["user:bob", "user:carol"], order="sequential", ring_time=10.0)
    world = build(routes=[route])
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    carol = world.phone("127.0.0.4", user="carol")
    ours = alice.call("70")
    bob.accept().ring(180, world.now)
    world.settle()
    assert not invited(carol)
    world.walk(9)
    assert not invited(carol)
    world.walk(2)
    assert bob.has(sip.SessionCancelled)
    ring_and_answer(world, carol)
    assert alice.has(sip.SessionAnswered)
    ours.acknowledge(world.now)
    ours.bye(world.now)
    world.settle()
    [record] = records(world)
    assert record.to_user == "carol"
    assert record.verdict == "user bob: no answer after 10.0 s; next: user carol answered after 11.0 s"
    assert any("route 1" in line for line in record.explanation)
    assert_nothing_left(world)


@pytest.mark.parametrize(
    ("status", "goes_on"), [(486, False), (503, True), (480, True), (404, False), (500, True)]
)
def test_the_cause_decides_whether_the_next_is_tried(build: Build, status: int, goes_on: bool) -> None:
    route = RouteConfig(match="7*", to=["user:bob", "user:carol"], order="sequential")
    world = build(routes=[route])
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    carol = world.phone("127.0.0.4", user="carol")
    alice.call("70")
    bob.accept().reject(status, world.now)
    world.settle()
    assert invited(carol) is goes_on
    if goes_on:
        carol.accept().reject(486, world.now)
        world.settle()
    assert alice.take(sip.SessionRejected).status == (486 if goes_on else status)
    assert_nothing_left(world)


@pytest.mark.parametrize(
    ("setting", "act", "reason"),
    [
        ("forward_always", None, "unconditional"),
        ("forward_busy", 486, "user-busy"),
        ("forward_no_answer", "wait", "no-answer"),
        ("forward_unreachable", "gone", "unavailable"),
        ("forward_unreachable", "silent", "unavailable"),
    ],
)
def test_users_forward(build: Build, setting: str, act: Any, reason: str) -> None:
    world = build(users={"bob": {setting: "201", "no_answer_after": 12.0}})
    alice, carol = world.phone("127.0.0.2"), world.phone("127.0.0.4", user="carol")
    bob = world.phone("127.0.0.3", user="" if act == "gone" else "bob")
    if act == "silent":
        del world.phones[bob.address]
    alice.call("200")
    if act == "silent":
        world.walk(9)
    elif act == "wait":
        bob.accept().ring(180, world.now)
        world.settle()
        world.walk(13)
    elif isinstance(act, int):
        bob.accept().reject(act, world.now)
        world.settle()
    elif act is None:
        assert not bob.events
    invite = carol.take(sip.RequestReceived).request
    assert invite.get("Diversion").startswith("<sip:200@example.test>")
    assert f"reason={reason}" in invite.get("Diversion")
    assert "index=1.1" in invite.get("History-Info")
    assert str(invite.from_.uri) == "sip:alice@example.test"


def test_do_not_disturb(build: Build) -> None:
    world = build(users={"bob": {"do_not_disturb": True}})
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    alice.call("200")
    assert alice.take(sip.SessionRejected).status == 480
    assert not bob.events
    assert "Do Not Disturb" in records(world)[0].verdict
    assert_nothing_left(world)


def test_two_who_forward_to_each_other_end_at_once(build: Build) -> None:
    """THREATS C9: at most 25 messages, below two seconds, nothing left."""
    world = build(users={"bob": {"forward_always": "201"}, "carol": {"forward_always": "200"}})
    alice = world.phone("127.0.0.2")
    world.phone("127.0.0.3", user="bob"), world.phone("127.0.0.4", user="carol")
    before = world.endpoint.counters.requests_out["INVITE"]
    alice.call("200")
    assert alice.take(sip.SessionRejected).status == 480
    assert world.endpoint.counters.requests_out["INVITE"] == before
    assert_nothing_left(world)


def test_phones_that_redirect_to_each_other_end_at_once(build: Build) -> None:
    world = build()
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    carol = world.phone("127.0.0.4", user="carol")
    alice.call("200")
    bob.accept().reject(302, world.now, headers=(("Contact", "<sip:201@example.test>"),))
    world.settle()
    carol.accept().reject(302, world.now, headers=(("Contact", "<sip:200@example.test>"),))
    world.settle()
    if invited(bob):
        bob.accept().reject(302, world.now, headers=(("Contact", "<sip:201@example.test>"),))
        world.settle()
    assert not invited(carol)
    assert alice.take(sip.SessionRejected).status == 480
    assert world.endpoint.counters.requests_out["INVITE"] <= 3
    assert_nothing_left(world)


def test_a_redirection_to_our_own_number_is_followed_as_that_user(build: Build) -> None:
    world = build()
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    carol = world.phone("127.0.0.4", user="carol")
    alice.call("200")
    bob.accept().reject(302, world.now, headers=(("Contact", "<sip:201@example.test>"),))
    world.settle()
    assert "reason=deflection" in carol.take(sip.RequestReceived).request.get("Diversion")


@pytest.mark.parametrize("follows", [True, False])
def test_a_redirection_to_a_stranger_is_not(build: Build, follows: bool) -> None:
    world = build(follow_redirects=follows)
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    stranger = world.phone("127.0.0.9")
    alice.call("200")
    bob.accept().reject(302, world.now, headers=(("Contact", "<sip:201@127.0.0.9>"),))
    world.settle()
    assert alice.take(sip.SessionRejected).status == 480
    assert not stranger.events


def test_phones_of_a_user_in_turn(build: Build) -> None:
    world = build(users={"bob": {"devices": "in-turn", "device_ring_time": 5.0}})
    alice = world.phone("127.0.0.2")
    first, second = world.phone("127.0.0.3"), world.phone("127.0.0.4")
    world.register(first, "bob")
    world.register(second, "bob", q="0.5")
    alice.call("200")
    first.accept().ring(180, world.now)
    world.settle()
    assert not invited(second)
    world.walk(6)
    assert first.has(sip.SessionCancelled)
    assert invited(second)


def test_a_phone_behind_a_proxy_is_called_through_it_and_forgotten_when_its_flow_is_gone(
    build: Build,
) -> None:
    """Path is the Route of the call (RFC 3327 §5.3); 430 takes the binding away (RFC 5626 §5.3)."""
    world = build()
    alice, proxy = world.phone("127.0.0.2"), world.phone("127.0.0.3")
    proxy.path = "<sip:127.0.0.3;lr>"
    world.register(proxy, "bob")
    alice.call("200")
    session = proxy.accept()
    assert session.request.get_all("Route") == ["<sip:127.0.0.3;lr>"]
    session.reject(430, world.now)
    world.settle()
    assert alice.has(sip.SessionRejected)
    assert world.registrar.lookup("bob", world.now) == []


def test_430_of_a_phone_without_a_proxy_says_nothing(build: Build) -> None:
    world = build()
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    alice.call("200")
    bob.accept().reject(430, world.now)
    world.settle()
    assert world.registrar.lookup("bob", world.now)


# -- trunks


def carriers(world: World) -> tuple[Any, Any, Any]:
    return world.phone("127.0.0.2"), world.phone("127.0.1.1"), world.phone("127.0.1.2")


ACME = trunk("acme", "", "127.0.1.1 127.0.1.2")


def test_the_next_address_of_a_trunk_is_tried_when_one_is_silent(build: Build) -> None:
    world = build(routes=[("7*", ["trunk:acme"])], trunks=(DESK, ACME))
    alice, one, two = carriers(world)
    del world.phones[one.address]
    started = world.now
    ours = alice.call("70")
    world.walk(3.5)  # the trunk's time-out is 3 s
    assert invited(two)
    assert world.now - started < 4
    ring_and_answer(world, two)
    assert alice.has(sip.SessionAnswered)
    ours.acknowledge(world.now)
    ours.bye(world.now)
    world.settle()
    [record] = records(world)
    assert "trunk acme: silent after 3" in record.verdict
    assert record.trunk == "acme"
    alice.call("71")
    assert invited(two)  # the dead one is left alone
    two.accept().reject(486, world.now)
    world.settle()
    assert_nothing_left(world)
    assert world.trunks.get("acme").calls == 0


def test_503_with_retry_after_leads_to_the_next_address(build: Build) -> None:
    world = build(routes=[("7*", ["trunk:acme"])], trunks=(DESK, ACME))
    alice, one, two = carriers(world)
    alice.call("70")
    one.accept().reject(503, world.now, headers=(("Retry-After", "60"),))
    world.settle()
    assert invited(two)
    two.accept().reject(404, world.now)
    world.settle()
    assert alice.take(sip.SessionRejected).status == 404
    one.events.clear()
    alice.call("70")
    assert not invited(one)
    assert invited(two)


def test_a_refusal_leads_to_the_next_trunk_not_the_next_address(build: Build) -> None:
    route = RouteConfig(match="7*", to=["trunk:acme", "trunk:beta"], order="sequential")
    world = build(routes=[route], trunks=(DESK, ACME, trunk("beta", "", "127.0.2.1")))
    alice, one, two = carriers(world)
    beta = world.phone("127.0.2.1")
    ours = alice.call("70")
    world.clock.at += 0.082
    one.accept().reject(403, world.now)
    world.settle()
    assert not invited(two)
    ring_and_answer(world, beta)
    ours.acknowledge(world.now)
    ours.bye(world.now)
    world.settle()
    verdict = records(world)[0].verdict
    assert verdict.startswith("rejected by trunk acme with 403 after 82 ms; next: trunk beta answered")
    assert_nothing_left(world)


def test_only_a_trunk_gets_its_credentials(build: Build) -> None:
    acme = trunk("acme", "", "127.0.1.1", username="me", password="secret", realm="acme")
    world = build(routes=[("7*", ["trunk:acme"])], trunks=(DESK, acme))
    alice, one, _ = carriers(world)
    bob = world.phone("127.0.0.3", user="bob")
    challenge = (("WWW-Authenticate", 'Digest realm="acme", nonce="abc", qop="auth"'),)
    alice.call("70")
    one.accept().reject(401, world.now, headers=challenge)
    world.settle()
    again = one.take(sip.RequestReceived).request
    assert "Authorization" in again
    assert again.cseq.number == 2
    alice.call("200")
    bob.accept().reject(401, world.now, headers=challenge)
    world.settle()
    assert not invited(bob)


def test_calls_over_a_trunk_are_counted_both_ways(build: Build) -> None:
    acme = trunk("acme", "127.0.1.1/32", "127.0.1.1", max_calls=1)
    world = build(routes=[("7*", ["trunk:acme"])], trunks=(DESK, acme))
    alice, one, _ = carriers(world)
    bob = world.phone("127.0.0.3", user="bob")
    one.call("200")
    theirs = bob.accept()
    alice.call("70")
    rejected = alice.take(sip.SessionRejected)
    assert rejected.status in (480, 500, 503)
    assert not invited(one)
    theirs.reject(486, world.now)
    world.settle()
    alice.call("70")
    assert invited(one)


def test_a_uri_is_located_and_the_next_hop_tried(build: Build) -> None:
    world = build(routes=[("7*", ["sip:help@pbx.test"])])
    world.hosts["pbx.test"] = [("UDP", "127.0.3.1", 5060), ("UDP", "127.0.3.2", 5060)]
    alice, two = world.phone("127.0.0.2"), world.phone("127.0.3.2")
    alice.call("70")
    world.walk(9)
    invite = two.take(sip.RequestReceived).request
    assert str(invite.uri) == "sip:help@pbx.test"


def test_codecs_of_a_trunk_are_all_that_it_is_offered(build: Build) -> None:
    acme = trunk("acme", "", "127.0.1.1", codecs=["PCMA"])
    world = build(routes=[("7*", ["trunk:acme"])], trunks=(DESK, acme))
    alice, one, _ = carriers(world)
    alice.call("70", alice.sdp.replace(b"AVP 0 101", b"AVP 0 8 101"))
    offer = one.take(sip.RequestReceived).request.body
    assert b"RTP/AVP 8 101" in offer
    alice.call("70")  # PCMU alone: converted
    assert b"RTP/AVP 8 101" in one.take(sip.RequestReceived).request.body
    alice.call("70", alice.sdp.replace(b"AVP 0 101", b"AVP 4 101"))  # G.723: not
    assert alice.take(sip.SessionRejected).status == 488


def test_breadth_is_carried_and_divided(build: Build) -> None:
    world = build()
    alice = world.phone("127.0.0.2")
    one, two = world.phone("127.0.0.3", user="bob"), world.phone("127.0.0.4", user="bob")
    alice.call("200", headers=(("Max-Breadth", "60"),))
    breadths = [int(phone.take(sip.RequestReceived).request.get("Max-Breadth")) for phone in (one, two)]
    assert sum(breadths) <= 60
    assert min(breadths) >= 1


def test_no_breadth_is_left(build: Build) -> None:
    world = build()
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    alice.call("200", headers=(("Max-Breadth", "0"),))
    assert alice.take(sip.SessionRejected).status == 440
    assert not bob.events
