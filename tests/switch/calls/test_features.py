"""Pickup, Replaces, parking, and the codes that phones dial."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from switchroom.protocols import sip
from switchroom.switch.calls.routing import Forwarding
from tests.switch.calls.conftest import Build
from tests.switch.calls.test_calls import assert_nothing_left, records
from tests.switch.calls.trio import TYPED, User, connect, settle
from tests.switch.calls.world import World, sdp

GROUP: dict[str, Any] = {name: {"pickup_group": "desk"} for name in ("bob", "carol")}
LOT = {"park_slots": "700-702"}


def trio(world: World) -> tuple[User, User, User]:
    return User(world, "alice"), User(world, "bob"), User(world, "carol")


def refusal(user: User) -> int:
    status: int = user.phone.take(sip.SessionRejected).status
    return status


# -- pickup


@pytest.mark.parametrize("number", ["*8", "*8200", "*8bob"])
def test_a_call_is_picked_up(build: Build, number: str) -> None:
    world = build(users=GROUP)
    alice, bob, carol = trio(world)
    ours = alice.call("200")
    ringing = bob.ring()
    alice.phone.take(sip.SessionProgressed)
    taking = carol.call(number)
    carol.up(taking)
    alice.up(ours)
    settle(world, alice, bob, carol)
    cancelled = bob.phone.take(sip.SessionCancelled)
    assert cancelled.session is ringing
    assert "Call completed elsewhere" in (cancelled.request.get("Reason") or "")
    [call] = world.exchange.calls.values()
    assert call.a.media.partner is call.b.media
    world.walk(4)
    taking.bye(world.now)
    settle(world, alice)
    assert alice.ended == [ours]
    [record] = records(world)
    assert (record.to_user, record.call_id_b, record.cause) == ("carol", taking.call_id, 200)
    assert record.verdict.startswith("picked up by carol; next: user carol answered")
    assert record.duration == pytest.approx(4)
    assert_nothing_left(world)


def test_the_descriptions_of_a_pickup_have_what_both_can(build: Build) -> None:
    world = build(users=GROUP)
    alice, bob, carol = trio(world)
    both = (
        b"v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\n"
        b"m=audio 4000 RTP/AVP %s\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:%d telephone-event/8000\r\n"
    )
    ours = alice.call("200", body=both % (b"127.0.0.4", b"127.0.0.4", b"8 96 0 101", 101))
    bob.ring()
    alice.phone.take(sip.SessionProgressed)
    taking = carol.call("*8", body=both % (b"127.0.0.5", b"127.0.0.5", b"0 9 8 97", 97))
    to_carol = carol.phone.take(sip.SessionAnswered).response.body
    to_alice = alice.phone.take(sip.SessionAnswered).response.body
    assert b"RTP/AVP 8 0 101\r\n" in to_carol
    assert b"opus" not in to_carol
    assert b"RTP/AVP 0 8 97\r\n" in to_alice
    for session in (ours, taking):
        session.acknowledge(world.now)
    ours.bye(world.now)
    settle(world, alice, carol)
    assert_nothing_left(world)


def test_a_pickup_with_nothing_in_common(build: Build) -> None:
    world = build(users=GROUP)
    alice, bob, carol = trio(world)
    alice.call("200")
    bob.ring()
    carol.call("*8", body=carol.description().replace(b"AVP 0 101", b"AVP 4"))
    assert refusal(carol) == 488
    assert not bob.phone.has(sip.SessionCancelled)
    bob.phone.events.clear()
    assert len(world.exchange.calls) == 1


@pytest.mark.parametrize("number", ["*8", "*8200"])
def test_only_the_group_picks_up(build: Build, number: str) -> None:
    world = build(users={"bob": {"pickup_group": "desk"}, "carol": {"pickup_group": "yard"}})
    alice, bob, carol = trio(world)
    alice.call("200")
    bob.ring()
    carol.call(number)
    assert refusal(carol) == 404
    assert not bob.phone.has(sip.SessionCancelled)


def test_nothing_rings(build: Build) -> None:
    world = build(users=GROUP)
    carol = User(world, "carol")
    carol.call("*8")
    rejected = carol.phone.take(sip.SessionRejected)
    assert rejected.status == 404
    assert "nothing rings" in rejected.response.get("Warning")
    assert_nothing_left(world)


def test_a_pickup_and_the_phone_that_rings_answer_at_once(build: Build) -> None:
    world = build(users=GROUP)
    alice, bob, carol = trio(world)
    ours = alice.call("200")
    ringing = bob.ring()
    alice.phone.take(sip.SessionProgressed)
    taking = carol.call("*8")
    ringing.answer(world.now, body=bob.description(), headers=TYPED)  # it has not heard of the CANCEL
    carol.up(taking)
    alice.up(ours)
    settle(world, alice, bob, carol)
    [call] = world.exchange.calls.values()
    assert call.b is not None
    assert call.b.account == "carol"
    ours.bye(world.now)
    settle(world, carol)
    assert_nothing_left(world)


# -- Replaces


def replaces(session: Any, *, more: str = "") -> tuple[tuple[str, str], ...]:
    """Of a dialog, as its end that is no switch has it."""
    text = f"{session.call_id};to-tag={session.remote_tag};from-tag={session.local_tag}{more}"
    return (("Replaces", text), ("Require", "replaces"))


def test_another_phone_of_a_user_takes_a_call_over(build: Build) -> None:
    world = build()
    alice, bob, _ = trio(world)
    ours, theirs = connect(alice, bob, "200")
    desk = User(world, "bob", host="127.0.0.9")
    world.walk(6)
    taking = desk.call("100", headers=replaces(theirs))
    settle(world, alice, bob)
    desk.up(taking)
    settle(world, alice, bob, desk)
    assert bob.ended == [theirs]
    assert len(alice.offers) == 1
    [call] = world.exchange.calls.values()
    assert call.a.media.partner is call.b.media
    world.walk(2)
    ours.bye(world.now)
    settle(world, desk)
    assert desk.ended == [taking]
    found = sorted(records(world), key=lambda one: one.setup_at)
    assert [round(one.duration) for one in found] == [6, 2]
    assert found[1].call_id_a == taking.call_id
    assert_nothing_left(world)


def test_a_call_is_taken_over_without_an_offer(build: Build) -> None:
    world = build()
    alice, bob, _ = trio(world)
    ours, theirs = connect(alice, bob, "200")
    desk = User(world, "bob", host="127.0.0.9")
    taking = desk.call("100", body=b"", headers=replaces(theirs))
    settle(world, alice, bob)
    assert alice.offers == [b""]
    assert b"m=audio" in desk.phone.take(sip.SessionAnswered).response.body
    taking.acknowledge(world.now, body=desk.description(), headers=TYPED)
    settle(world, alice, bob, desk)
    [call] = world.exchange.calls.values()
    assert call.a.media.partner is call.b.media
    assert bob.ended == [theirs]
    ours.bye(world.now)
    settle(world, desk)
    assert_nothing_left(world)


def test_what_replaces_may_not_name(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    _, theirs = connect(alice, bob, "200")
    carol.call("100", headers=replaces(theirs))
    assert refusal(carol) == 403  # not hers
    bob.call("100", headers=replaces(theirs, more=";early-only"))
    assert refusal(bob) == 486
    bob.call("100", headers=(("Replaces", "not@there;to-tag=1;from-tag=2"),))
    assert refusal(bob) == 481
    bob.call("100", headers=(("Replaces", "no tags"),))
    assert refusal(bob) == 400
    bob.call("100", headers=(*replaces(theirs), *replaces(theirs)[:1]))
    assert refusal(bob) == 400
    settle(world, alice, bob)
    assert not alice.ended
    assert not bob.ended
    assert len(world.exchange.calls) == 1


def test_an_early_dialog_of_the_caller_cannot_be_replaced(build: Build) -> None:
    world = build()
    alice, bob, _ = trio(world)
    ours = alice.call("200")
    bob.ring()
    tag = alice.phone.take(sip.SessionProgressed).response.to_tag
    alice.call("200", headers=(("Replaces", f"{ours.call_id};to-tag={tag};from-tag={ours.local_tag}"),))
    assert refusal(alice) == 481


def test_a_ringing_dialog_is_picked_up_by_replaces(build: Build) -> None:
    world = build(users=GROUP)
    alice, bob, carol = trio(world)
    ours = alice.call("200")
    ringing = bob.ring()
    alice.phone.take(sip.SessionProgressed)
    text = f"{ringing.call_id};to-tag={ringing.remote_tag};from-tag={ringing.local_tag};early-only"
    taking = carol.call("200", headers=(("Replaces", text),))
    carol.up(taking)
    alice.up(ours)
    settle(world, alice, bob, carol)
    assert bob.phone.has(sip.SessionCancelled)
    ours.bye(world.now)
    settle(world, carol)
    assert_nothing_left(world)


def test_the_other_end_refuses_to_be_taken_over(build: Build) -> None:
    world = build()
    alice, bob, _ = trio(world)
    ours, theirs = connect(alice, bob, "200")
    desk = User(world, "bob", host="127.0.0.9")
    desk.call("100", headers=replaces(theirs))
    event = alice.phone.take(sip.ReinviteReceived)
    event.session.answer_reinvite(event.transaction, 488, world.now)
    settle(world, alice, bob)
    assert refusal(desk) == 488
    assert not bob.ended
    ours.bye(world.now)
    settle(world, bob)
    assert bob.ended == [theirs]
    assert_nothing_left(world)


def test_whoever_takes_over_gives_up(build: Build) -> None:
    world = build()
    alice, bob, _ = trio(world)
    ours, theirs = connect(alice, bob, "200")
    desk = User(world, "bob", host="127.0.0.9")
    taking = desk.call("100", headers=replaces(theirs))
    taking.cancel(world.now)
    world.settle()
    settle(world, alice, bob)
    assert refusal(desk) == 487
    assert not bob.ended
    assert len(alice.offers) == 2  # the vain one, and what she had
    [call] = world.exchange.calls.values()
    assert call.a.media.partner is call.b.media
    ours.bye(world.now)
    settle(world, bob)
    assert_nothing_left(world)


# -- parking


def parked(world: World, number: str = "701") -> tuple[User, User, User, Any, Any]:
    alice, bob, carol = trio(world)
    ours, theirs = connect(alice, bob, "200")
    world.walk(3)
    bob.refer(theirs, number)
    settle(world, alice, bob)
    return alice, bob, carol, ours, theirs


@pytest.mark.parametrize(("number", "slot"), [("701", "701"), ("*70", "700")])
def test_a_call_is_parked_and_taken(build: Build, number: str, slot: str) -> None:
    world = build(features=LOT)
    alice, bob, carol, ours, theirs = parked(world, number)
    assert bob.told[-1] == f"200 Parked in {slot}"
    assert bob.ended == [theirs]
    assert not alice.ended
    assert list(world.features.lot.parked) == [slot]
    world.walk(20)
    taking = carol.call(slot)
    settle(world, alice)
    carol.up(taking)
    settle(world, alice, bob, carol)
    assert not world.features.lot.parked
    [call] = world.exchange.calls.values()
    assert call.a.media.partner is call.b.media
    world.walk(5)
    ours.bye(world.now)
    settle(world, carol)
    assert carol.ended == [taking]
    first, second = sorted(records(world), key=lambda one: one.setup_at)
    assert round(first.duration) == 23
    assert f"parked in {slot} by user bob" in first.verdict
    assert (second.caller, second.callee, second.to_user) == ("201", slot, "alice")
    assert round(second.duration) == 5
    assert_nothing_left(world)


def test_a_slot_is_taken_and_an_empty_one_has_nobody(build: Build) -> None:
    world = build(features=LOT)
    alice, bob, carol, ours, _ = parked(world)
    there, _ = connect(bob, carol, "201")
    bob.refer(there, "701")
    assert bob.refused() == 486
    there.bye(world.now)
    settle(world, bob, carol)
    carol.call("702")
    assert refusal(carol) == 404
    ours.bye(world.now)
    settle(world, alice)
    assert not world.features.lot.parked
    carol.call("701")
    assert refusal(carol) == 404
    assert_nothing_left(world)


def test_who_parked_is_called_back(build: Build) -> None:
    world = build(features={**LOT, "park_timeout": 30.0})
    alice, bob, _, ours, _ = parked(world)
    world.walk(29)
    assert not bob.phone.has(sip.RequestReceived)
    world.walk(2)
    again = bob.answer()
    settle(world, alice, bob)
    assert not world.features.lot.parked
    ours.bye(world.now)
    settle(world, bob)
    assert bob.ended[-1] is again
    assert_nothing_left(world)


def test_nobody_takes_a_parked_call(build: Build) -> None:
    world = build(features={**LOT, "park_timeout": 30.0})
    alice, bob, _, ours, _ = parked(world)
    world.walk(31)
    bob.phone.accept().reject(486, world.now)
    settle(world, alice, bob)
    assert alice.ended == [ours]
    assert_nothing_left(world)


def test_a_parked_phone_is_told_to_ask_later(build: Build) -> None:
    world = build(features=LOT)
    alice, _, _, ours, _ = parked(world)
    ours.reinvite(world.now, body=alice.description(b"a=sendonly\r\n", 4100), headers=TYPED)
    world.settle()
    assert alice.phone.take(sip.ReinviteRejected).status == 500
    ours.bye(world.now)
    settle(world, alice)
    assert_nothing_left(world)


def test_a_parked_phone_that_is_dead_is_found_out(build: Build) -> None:
    world = build(features={**LOT, "park_timeout": 3600.0}, probe_interval=20.0)
    alice, _, _, _, _ = parked(world)
    del world.phones[alice.phone.address]
    world.walk(80)
    assert not world.exchange.calls
    assert not world.features.lot.parked


def test_two_take_one_parked_call(build: Build) -> None:
    world = build(features=LOT)
    alice, bob, carol, ours, _ = parked(world)
    taking = carol.call("701")
    bob.call("701")
    assert refusal(bob) == 486
    settle(world, alice)
    carol.up(taking)
    ours.bye(world.now)
    settle(world, carol, alice)
    assert_nothing_left(world)


def test_without_slots_nothing_is_parked(build: Build) -> None:
    world = build()
    alice, bob, _ = trio(world)
    _, theirs = connect(alice, bob, "200")
    bob.refer(theirs, "*70")
    assert bob.refused() == 404


# -- codes


def dial(user: User, number: str) -> None:
    """Dial a code that is obeyed: 200, ACK, BYE."""
    session = user.call(number)
    answered = user.phone.take(sip.SessionAnswered)
    assert b"m=audio 0 " in answered.response.body
    session.acknowledge(user.world.now)
    settle(user.world, user)
    assert user.ended.pop() is session


def test_a_user_forwards_and_is_not_disturbed_by_codes(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    dial(bob, "*21201")
    alice.call("200")
    carol.ring()
    assert not bob.phone.has(sip.RequestReceived)
    dial(bob, "*21")
    dial(bob, "*78")
    alice.phone.events.clear()
    alice.call("200")
    assert refusal(alice) == 480
    dial(bob, "*79")
    alice.call("200")
    bob.ring()
    found = [one.verdict for one in records(world) if one.callee.startswith("*")]
    assert found[0] == "set by user bob: do_not_disturb: off"
    assert "set by user bob: forward_always: 201" in found


def test_what_a_code_has_set_survives_a_restart(build: Build, tmp_path: Path) -> None:
    world = build()
    bob = User(world, "bob")
    dial(bob, "*67201")
    asyncio.run(world.store.flush())
    world.router.overrides.clear()
    world.features.start()
    assert world.router.overrides == {"bob": Forwarding(busy="201")}


def test_a_code_cannot_forward_to_where_one_may_not_call(build: Build) -> None:
    world = build(users={"bob": {"blocked": "201"}})
    bob = User(world, "bob")
    bob.call("*21201")
    assert refusal(bob) == 403
    assert not world.router.overrides


def test_codes_are_for_users(build: Build) -> None:
    world = build()
    desk = world.phone("127.0.0.2")  # a trunk
    desk.call("*78")
    assert desk.take(sip.SessionRejected).status == 404
    assert not world.router.overrides


# -- what the two ends of a call say to each other


def test_info_and_messages_travel_with_what_describes_them(build: Build) -> None:
    world = build()
    alice, bob, _ = trio(world)
    ours, theirs = connect(alice, bob, "200")
    dtmf = (("Content-Type", "application/dtmf-relay"), ("Info-Package", "dtmf"), ("X-Secret", "1"))
    ours.send_request("INFO", world.now, body=b"Signal=5\r\n", headers=dtmf)
    world.settle()
    event = bob.phone.take(sip.SessionRequestReceived)
    assert event.request.body == b"Signal=5\r\n"
    assert event.request.get("Info-Package") == "dtmf"
    assert event.request.get("X-Secret") is None
    event.transaction.respond(469, world.now, headers=(("Recv-Info", "other"),))
    world.settle()
    response = alice.phone.take(sip.SessionResponseReceived).response
    assert (response.status, response.get("Recv-Info")) == (469, "other")
    theirs.send_request("MESSAGE", world.now, body=b"hello", headers=(("Content-Type", "text/plain"),))
    world.settle()
    event = alice.phone.take(sip.SessionRequestReceived)
    assert (event.request.method, event.request.body) == ("MESSAGE", b"hello")
    event.transaction.respond(200, world.now)
    world.settle()
    assert bob.phone.take(sip.SessionResponseReceived).response.status == 200


@pytest.mark.parametrize("hold", [b"a=sendonly\r\n", b"a=inactive\r\n", b"c=IN IP4 0.0.0.0\r\n"])
def test_every_form_of_hold_is_noticed(build: Build, hold: bytes) -> None:
    world = build()
    alice, bob, _ = trio(world)
    _, theirs = connect(alice, bob, "200")
    body = sdp(bob.host, 4004, b"" if hold.startswith(b"c=") else hold)
    if hold.startswith(b"c="):
        body = body.replace(b"c=IN IP4 127.0.0.3\r\n", hold)
    theirs.reinvite(world.now, body=body, headers=TYPED)
    settle(world, alice, bob)
    [call] = world.exchange.calls.values()
    assert call.b is not None
    assert (call.a.media.is_holding, call.b.media.is_holding) == (False, True)
    theirs.reinvite(world.now, body=sdp(bob.host, 4004), headers=TYPED)
    settle(world, alice, bob)
    assert (call.a.media.is_holding, call.b.media.is_holding) == (False, False)


def test_a_re_invite_that_meets_another_is_sent_again_by_the_switch(build: Build) -> None:
    world = build()
    alice, bob, _ = trio(world)
    ours, _ = connect(alice, bob, "200")
    ours.reinvite(world.now, body=alice.description(b"a=sendonly\r\n", 4002), headers=TYPED)
    world.settle()
    event = bob.phone.take(sip.ReinviteReceived)
    event.session.answer_reinvite(event.transaction, 491, world.now)
    world.settle()
    assert not alice.phone.has(sip.ReinviteRejected)  # she waits
    world.walk(4.2)
    settle(world, alice, bob)
    assert b"a=sendonly" in bob.offers[-1]
    assert not alice.phone.has(sip.ReinviteRejected)


def test_a_glare_that_does_not_end_is_passed_on(build: Build) -> None:
    world = build()
    alice, bob, _ = trio(world)
    ours, _ = connect(alice, bob, "200")
    ours.reinvite(world.now, body=alice.description(b"a=sendonly\r\n", 4002), headers=TYPED)
    for _ in range(4):
        world.walk(4.2)
        event = bob.phone.take(sip.ReinviteReceived)
        event.session.answer_reinvite(event.transaction, 491, world.now)
        world.settle()
    assert alice.phone.take(sip.ReinviteRejected).status == 491
    ours.bye(world.now)
    settle(world, bob)
    assert_nothing_left(world)
