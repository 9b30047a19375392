"""Before the answer: early dialogs and their media, reliable 18x, UPDATE, session timers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from switchroom.protocols import sip
from switchroom.protocols.sdp import Description
from tests.switch.calls.test_calls import assert_nothing_left, records, ring_and_answer
from tests.switch.calls.world import SWITCH, World, sdp, trunk

Build = Callable[..., World]
TYPED = (("Content-Type", "application/sdp"),)
RELIABLE = (("Supported", "100rel"),)
DESK = trunk("desk", "127.0.0.2/32")


def pair(world: World) -> tuple[Any, Any]:
    return world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")


def remote_port(world: World, leg: Any) -> int:
    """Where the relay sends what it gets for this leg."""
    [call] = world.exchange.calls.values()
    assert call.a.media.partner is leg.media
    return int(Description.parse(leg.media.agreement.answer).media[0].port)


def test_a_reliable_183_is_reliable_on_both_legs(build: Build) -> None:
    world = build()
    alice, bob = pair(world)
    ours = alice.call("200", headers=RELIABLE)
    theirs = bob.accept()
    assert "100rel" in theirs.request.supported
    theirs.ring(183, world.now, body=bob.sdp, headers=TYPED)
    world.settle()
    progress = alice.take(sip.SessionProgressed).response
    assert progress.status == 183
    assert "100rel" in progress.require
    assert b"m=audio" in progress.body
    assert b"m=audio 4000" not in progress.body
    assert bob.take(sip.ProgressAcknowledged).request.method == "PRACK"
    theirs.answer(world.now)
    world.settle()
    assert alice.has(sip.SessionAnswered)
    ours.acknowledge(world.now)
    world.settle()
    [call] = world.exchange.calls.values()
    assert call.a.media.partner is call.b.media
    ours.bye(world.now)
    world.settle()
    assert_nothing_left(world)


def test_nobody_is_asked_for_prack_when_the_caller_does_not_know_it(build: Build) -> None:
    world = build()
    alice, bob = pair(world)
    alice.call("200")
    theirs = bob.accept()
    assert "100rel" not in theirs.request.supported
    theirs.ring(183, world.now, body=bob.sdp, headers=TYPED)
    world.settle()
    assert "rseq" not in alice.take(sip.SessionProgressed).response


def test_an_offerless_call_may_be_agreed_before_the_answer(build: Build) -> None:
    """RFC 3262 §5: the offer in a reliable 18x, the answer in its PRACK."""
    world = build()
    alice, bob = pair(world)
    ours = alice.call("200", b"", headers=RELIABLE)
    theirs = bob.accept()
    theirs.ring(183, world.now, body=bob.sdp, headers=TYPED, is_reliable=True)
    world.settle()
    progress = alice.take(sip.SessionProgressed).response
    assert b"m=audio" in progress.body
    assert not bob.has(sip.ProgressAcknowledged)  # it waits for the caller's answer
    ours.acknowledge_progress(progress, world.now, body=alice.sdp, headers=TYPED)
    world.settle()
    answer = bob.take(sip.ProgressAcknowledged).request.body
    assert b"m=audio" in answer
    assert b"m=audio 4000" not in answer
    theirs.answer(world.now)
    world.settle()
    alice.take(sip.SessionAnswered)
    ours.acknowledge(world.now)
    world.settle()
    assert bob.has(sip.SessionAcknowledged)
    assert world.exchange.calls
    ours.bye(world.now)
    world.settle()
    assert_nothing_left(world)


def test_an_update_before_the_answer_travels(build: Build) -> None:
    world = build()
    alice, bob = pair(world)
    ours = alice.call("200", headers=(*RELIABLE, ("Allow", "INVITE, ACK, BYE, CANCEL, PRACK, UPDATE")))
    theirs = bob.accept()
    allow = (("Allow", "INVITE, ACK, BYE, CANCEL, PRACK, UPDATE"),)
    theirs.ring(183, world.now, body=bob.sdp, headers=(*TYPED, *allow))
    world.settle()
    alice.take(sip.SessionProgressed)
    ours.update(world.now, body=sdp("127.0.0.2", 4010), headers=TYPED)
    world.settle()
    asked = bob.take(sip.UpdateReceived)
    assert b"m=audio" in asked.request.body
    assert b"m=audio 4010" not in asked.request.body
    asked.transaction.respond(200, world.now, body=sdp("127.0.0.3", 4012), headers=TYPED)
    world.settle()
    assert b"m=audio" in alice.take(sip.UpdateAnswered).response.body
    theirs.update(world.now, body=sdp("127.0.0.3", 4020), headers=TYPED)
    world.settle()
    asked = alice.take(sip.UpdateReceived)
    asked.transaction.respond(488, world.now)
    world.settle()
    assert bob.take(sip.UpdateRejected).status == 488
    theirs.answer(world.now)
    world.settle()
    assert alice.has(sip.SessionAnswered)
    ours.acknowledge(world.now)
    ours.bye(world.now)
    world.settle()
    assert_nothing_left(world)


def test_update_after_the_answer_travels_too(build: Build) -> None:
    world = build()
    alice, bob = pair(world)
    allow = (("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE"),)
    ours = alice.call("200", headers=allow)
    session = bob.accept()
    session.answer(world.now, body=bob.sdp, headers=(*TYPED, *allow))
    world.settle()
    ours.acknowledge(world.now)
    world.settle()
    session.update(world.now, body=sdp("127.0.0.3", 4020, b"a=sendonly\r\n"), headers=TYPED)
    world.settle()
    asked = alice.take(sip.UpdateReceived)
    assert b"a=sendonly" in asked.request.body
    asked.transaction.respond(200, world.now, body=sdp("127.0.0.2", 4000, b"a=recvonly\r\n"), headers=TYPED)
    world.settle()
    assert b"a=recvonly" in bob.take(sip.UpdateAnswered).response.body


def forked(phone: Any, invite: sip.Request, status: int, tag: str, body: bytes, *headers: Any) -> None:
    """A response of one of several phones behind a forking proxy."""
    world = phone.world
    response = invite.response(
        status,
        to_tag=tag,
        headers=[("Contact", phone.contact), *headers, *(TYPED if body else ())],
        body=body,
    )
    world.endpoint.receive_datagram(bytes(response), sip.Flow("UDP", SWITCH, phone.address), world.now)
    world.settle()


def test_two_early_dialogs_of_one_fork_and_the_media_that_belongs_to_them(build: Build) -> None:
    """A proxy in front of two phones: the media is that of who spoke last, and in the end of who answers."""
    world = build()
    alice, bob = pair(world)
    ours = alice.call("200")
    invite = bob.take(sip.RequestReceived).request
    forked(bob, invite, 183, "one", sdp("127.0.0.3", 4100))
    [call] = world.exchange.calls.values()
    [leg] = call.forks
    assert remote_port(world, leg) == 4100
    forked(bob, invite, 183, "two", sdp("127.0.0.3", 4200))
    assert remote_port(world, leg) == 4200
    first, second = (alice.take(sip.SessionProgressed).response for _ in range(2))
    assert first.to_tag != second.to_tag
    forked(bob, invite, 200, "one", b"")  # its answer was in the 183
    answered = alice.take(sip.SessionAnswered).response
    assert answered.to_tag == first.to_tag
    assert remote_port(world, leg) == 4100
    ours.acknowledge(world.now)
    ours.bye(world.now)
    world.settle()


def test_a_third_phone_answers_under_a_tag_of_its_own(build: Build) -> None:
    world = build()
    alice, bob = pair(world)
    alice.call("200")
    invite = bob.take(sip.RequestReceived).request
    forked(bob, invite, 183, "one", sdp("127.0.0.3", 4100))
    forked(bob, invite, 200, "two", sdp("127.0.0.3", 4200))
    progress = alice.take(sip.SessionProgressed).response
    assert alice.take(sip.SessionAnswered).response.to_tag != progress.to_tag


@pytest.mark.parametrize(("said", "is_heard"), [("sendrecv", True), ("sendonly", True), ("inactive", False)])
def test_early_media_that_its_sender_does_not_give_is_not_connected(
    build: Build, said: str, is_heard: bool
) -> None:
    """RFC 5009."""
    world = build()
    alice, bob = pair(world)
    alice.call("200")
    theirs = bob.accept()
    theirs.ring(183, world.now, body=bob.sdp, headers=(*TYPED, ("P-Early-Media", said)))
    world.settle()
    progress = alice.take(sip.SessionProgressed).response
    assert bool(progress.body) is is_heard
    assert progress.get("P-Early-Media") == said
    if not is_heard:
        theirs.ring(183, world.now, body=bob.sdp, headers=(*TYPED, ("P-Early-Media", "sendrecv")))
        world.settle()
        [call] = world.exchange.calls.values()
        assert call.a.media.partner is call.forks[0].media


def test_a_trunk_whose_early_media_is_not_wanted_only_rings(build: Build) -> None:
    acme = trunk("acme", "", "127.0.1.1", early_media="none")
    world = build(routes=[("7*", ["trunk:acme"])], trunks=(DESK, acme))
    alice, far = world.phone("127.0.0.2"), world.phone("127.0.1.1")
    alice.call("70")
    theirs = far.accept()
    theirs.ring(183, world.now, body=far.sdp, headers=TYPED)
    world.settle()
    progress = alice.take(sip.SessionProgressed).response
    assert progress.status == 180
    assert not progress.body
    theirs.ring(180, world.now)
    world.settle()
    assert not alice.has(sip.SessionProgressed)  # the caller knows
    theirs.answer(world.now)  # its answer was in the 183
    world.settle()
    assert b"m=audio" in alice.take(sip.SessionAnswered).response.body


def test_a_caller_that_wants_to_ring_at_once(build: Build) -> None:
    acme = trunk("acme", "", "127.0.1.1", ring_back=True)
    world = build(routes=[("7*", ["trunk:acme"])], trunks=(DESK, acme))
    alice = world.phone("127.0.0.2")
    world.phone("127.0.1.1")
    alice.call("70")
    assert alice.take(sip.SessionProgressed).response.status == 180


def test_183_without_sdp_travels(build: Build) -> None:
    world = build()
    alice, bob = pair(world)
    alice.call("200")
    bob.accept().ring(183, world.now)
    world.settle()
    assert alice.take(sip.SessionProgressed).response.status == 183


def test_a_fork_that_is_gone_is_told_to_who_wants_to_know(build: Build) -> None:
    """RFC 6228: 199 ends an early dialog."""
    world = build()
    alice, desk = pair(world)
    mobile = world.phone("127.0.0.4", user="bob")
    alice.call("200", headers=(("Supported", "199"),))
    one, two = desk.accept(), mobile.accept()
    one.ring(183, world.now, body=desk.sdp, headers=TYPED)
    two.ring(183, world.now, body=mobile.sdp, headers=TYPED)
    world.settle()
    alice.take(sip.SessionProgressed)
    second = alice.take(sip.SessionProgressed).response
    two.reject(486, world.now)
    world.settle()
    gone = alice.take(sip.SessionProgressed).response
    assert (gone.status, gone.to_tag) == (199, second.to_tag)


# -- session timers


def test_session_timers_are_agreed_on_each_leg_alone(build: Build) -> None:
    world = build(timing=sip.SessionTiming(interval=600), probe_interval=60.0)
    alice, bob = pair(world)
    ours = alice.call("200", headers=(("Supported", "timer"), ("Session-Expires", "1200;refresher=uas")))
    invite = bob.events[-1].request
    assert invite.session_expires.interval == 600
    theirs = ring_and_answer(world, bob)
    answered = alice.take(sip.SessionAnswered).response
    assert answered.session_expires.refresher == "uas"
    ours.acknowledge(world.now)
    world.settle()
    world.walk(61)
    # bob's phone knows no timers: it is asked; we refresh towards alice, so that she need not be
    assert bob.take(sip.SessionRequestReceived).request.method == "OPTIONS"
    assert not alice.has(sip.SessionRequestReceived)
    theirs.bye(world.now)
    world.settle()
    assert_nothing_left(world)


def test_an_interval_that_is_too_short_is_refused(build: Build) -> None:
    world = build(timing=sip.SessionTiming(min_se=300))
    alice, bob = pair(world)
    alice.call("200", headers=(("Supported", "timer"), ("Session-Expires", "90")))
    rejected = alice.take(sip.SessionRejected)
    assert rejected.status == 422
    assert rejected.response.min_se == 300
    assert not bob.events
    assert records(world)[0].cause == 422
