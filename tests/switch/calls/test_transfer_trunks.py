"""Transfers with trunks: their calls are counted right, and REFER goes on where the configuration says so."""

from __future__ import annotations

from typing import Any

from switchroom.protocols import sip
from tests.switch.calls.conftest import Build
from tests.switch.calls.test_calls import assert_nothing_left, records
from tests.switch.calls.trio import TYPED, User, connect, settle
from tests.switch.calls.world import Phone, World, sdp, trunk

ALLOW = ("Allow", "INVITE, ACK, BYE, CANCEL, REFER, NOTIFY")
ROUTES = [("7*", ["trunk:acme"])]


def acme(**settings: Any) -> tuple[Any, ...]:
    return (trunk("acme", "127.0.1.1/32", "127.0.1.1", **settings),)


def outside(world: World, bob: User, gateway: Phone, number: str = "777") -> tuple[Any, Any]:
    """A call of bob to somebody behind the trunk, up."""
    ours = bob.call(number)
    theirs = gateway.accept()
    theirs.answer(world.now, body=sdp("127.0.1.1", 4000), headers=(*TYPED, ALLOW))
    world.settle()
    bob.up(ours)
    return ours, theirs


def obey(gateway: Phone, world: World) -> None:
    """Answer the re-INVITEs that wait."""
    for event in [e for e in gateway.events if isinstance(e, sip.ReinviteReceived)]:
        gateway.events.remove(event)
        body = sdp("127.0.1.1", 4100)
        event.session.answer_reinvite(event.transaction, 200, world.now, body=body, headers=TYPED)
    world.settle()


def test_a_trunks_call_goes_to_a_user(build: Build) -> None:
    world = build(routes=ROUTES, trunks=acme())
    bob, carol = User(world, "bob"), User(world, "carol")
    gateway = world.phone("127.0.1.1")
    ours, theirs = outside(world, bob, gateway)
    assert world.trunks.get("acme").calls == 1
    bob.refer(ours, "201")
    assert bob.refused() == 202
    carol.answer()
    obey(gateway, world)
    settle(world, bob, carol)
    assert bob.told[-1] == "200 OK"
    assert world.trunks.get("acme").calls == 1
    theirs.bye(world.now)
    settle(world, carol)
    assert world.trunks.get("acme").calls == 0
    assert_nothing_left(world)


def test_two_outside_are_connected_and_both_count(build: Build) -> None:
    world = build(routes=ROUTES, trunks=acme())
    bob = User(world, "bob")
    gateway = world.phone("127.0.1.1")
    first, out_first = outside(world, bob, gateway, "777")
    second, out_second = outside(world, bob, gateway, "778")
    bob.refer(first, "778", replaces=second)
    obey(gateway, world)
    settle(world, bob)
    obey(gateway, world)
    settle(world, bob)
    assert bob.told[-1] == "200 OK"
    assert world.trunks.get("acme").calls == 2
    assert world.exchange.caps.up == {"bob": 1}  # who has connected them answers for it
    out_first.bye(world.now)
    world.settle()
    assert world.trunks.get("acme").calls == 0
    assert world.exchange.caps.up == {}
    assert len(records(world)) == 3
    assert out_second.state is sip.State.TERMINATED
    assert_nothing_left(world)


def test_the_trunk_may_transfer_where_it_may_call(build: Build) -> None:
    world = build(routes=ROUTES, trunks=acme())
    bob, carol = User(world, "bob"), User(world, "carol")
    gateway = world.phone("127.0.1.1")
    ours, theirs = outside(world, bob, gateway)
    headers = (("Refer-To", "<sip:201@127.0.0.1>"), ("Contact", gateway.contact))
    theirs.send_request("REFER", world.now, headers=headers)
    world.settle()
    last = carol.answer()
    settle(world, bob, carol)
    notify = gateway.take(sip.SessionRequestReceived)
    assert notify.request.body.startswith(b"SIP/2.0 100")
    assert len(bob.offers) == 1
    last.bye(world.now)
    settle(world, bob)
    assert bob.ended == [ours]


def test_a_refer_is_passed_on_to_the_trunk(build: Build) -> None:
    world = build(routes=ROUTES, trunks=acme(refer="pass"))
    bob, _ = User(world, "bob"), User(world, "carol")
    gateway = world.phone("127.0.1.1")
    ours, theirs = outside(world, bob, gateway)
    bob.refer(ours, "778")
    event = gateway.take(sip.SessionRequestReceived)
    assert event.request.method == "REFER"
    assert event.request.get("Refer-To") == "<sip:778@127.0.1.1>"
    assert "127.0.0.3" not in str(event.request)
    event.transaction.respond(202, world.now)
    world.settle()
    assert bob.refused() == 202
    for line, state in (("100 Trying", "active;expires=60"), ("200 OK", "terminated;reason=noresource")):
        theirs.send_request(
            "NOTIFY",
            world.now,
            body=f"SIP/2.0 {line}\r\n".encode(),
            headers=(
                ("Event", "refer"),
                ("Subscription-State", state),
                ("Content-Type", "message/sipfrag"),
                ("Contact", gateway.contact),
            ),
        )
        settle(world, bob)
    assert bob.told == ["100 Trying", "200 OK"]
    assert bob.notifies[-1].get("Subscription-State") == "terminated;reason=noresource"
    theirs.bye(world.now)
    settle(world, bob)
    assert bob.ended == [ours]
    assert_nothing_left(world)


def test_a_trunk_that_refuses_a_refer(build: Build) -> None:
    world = build(routes=ROUTES, trunks=acme(refer="pass"))
    bob = User(world, "bob")
    gateway = world.phone("127.0.1.1")
    ours, _ = outside(world, bob, gateway)
    bob.refer(ours, "778")
    gateway.take(sip.SessionRequestReceived).transaction.respond(603, world.now)
    world.settle()
    assert bob.refused() == 603
    assert not bob.ended


def test_what_the_transferor_may_not_call_is_not_passed_on(build: Build) -> None:
    world = build(routes=ROUTES, trunks=acme(refer="pass"), users={"bob": {"blocked": "778"}})
    bob = User(world, "bob")
    gateway = world.phone("127.0.1.1")
    ours, _ = outside(world, bob, gateway)
    bob.refer(ours, "778")
    assert bob.refused() == 403
    assert not gateway.has(sip.SessionRequestReceived)


def test_two_calls_of_one_trunk_are_given_back_to_it(build: Build) -> None:
    world = build(routes=ROUTES, trunks=acme(refer="pass"))
    bob = User(world, "bob")
    gateway = world.phone("127.0.1.1")
    first, _ = outside(world, bob, gateway, "777")
    second, out_second = outside(world, bob, gateway, "778")
    bob.refer(first, "778", replaces=second)
    refer_to = gateway.take(sip.SessionRequestReceived).request.get("Refer-To")
    assert out_second.call_id.replace("@", "%40") in refer_to
    assert f"to-tag%3D{out_second.local_tag}" in refer_to
    assert second.call_id not in refer_to


def test_a_phone_is_asked_by_refer_and_comes_with_replaces(build: Build) -> None:
    world = build(features={"refer": "pass"})
    alice, bob, carol = User(world, "alice"), User(world, "bob"), User(world, "carol")
    ours, theirs = connect(alice, bob, "200")
    asking, asked = connect(bob, carol, "201")
    bob.refer(theirs, "201", replaces=asking)
    event = alice.phone.take(sip.SessionRequestReceived)
    assert event.request.method == "REFER"
    assert event.request.get("Referred-By") == "<sip:200@example.test>"
    uri = event.request.refer_to.uri
    event.transaction.respond(202, world.now)
    world.settle()
    replaces = (("Replaces", f"{asking.call_id};to-tag={asking.remote_tag};from-tag={asking.local_tag}"),)
    assert "Replaces=" in str(uri)
    stranger = User(world, "carol", host="127.0.0.8")
    stranger.call("201", headers=replaces)
    assert stranger.phone.take(sip.SessionRejected).status == 403
    coming = alice.call("201", headers=replaces)  # she was asked to
    settle(world, carol)
    alice.up(coming)
    settle(world, alice, bob, carol)
    assert bob.ended == [asking]
    ours.bye(world.now)
    asked.bye(world.now)
    settle(world, alice, bob, carol)
    assert_nothing_left(world)


def test_a_notify_that_belongs_to_nothing(build: Build) -> None:
    world = build()
    alice, bob = User(world, "alice"), User(world, "bob")
    ours, _ = connect(alice, bob, "200")
    for event, status in (("refer", 481), ("", 489)):
        headers = (("Subscription-State", "active"), *((("Event", event),) if event else ()))
        ours.send_request("NOTIFY", world.now, headers=headers)
        world.settle()
        assert alice.refused() == status
    assert ours.state is sip.State.CONFIRMED
