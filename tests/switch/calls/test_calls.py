"""Calls through the exchange: set-up, races, bridging and the end, with the clock walked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from switchroom.protocols import sip
from tests.switch.calls.world import SWITCH, World, sdp, trunk

Build = Callable[..., World]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    worlds: list[World] = []

    def make(**config: Any) -> World:
        worlds.append(World(tmp_path, **config))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


def ring_and_answer(world: World, bob: Any) -> Any:
    """Bob's phone rings, then he answers."""
    session = bob.accept()
    session.ring(180, world.now)
    world.settle()
    session.answer(world.now, body=bob.sdp, headers=(("Content-Type", "application/sdp"),))
    world.settle()
    return session


def talk(world: World) -> tuple[Any, Any, Any, Any]:
    """A call from a trunk's phone to bob, up."""
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    ours = alice.call("200")
    theirs = ring_and_answer(world, bob)
    alice.take(sip.SessionAnswered)
    ours.acknowledge(world.now)
    world.settle()
    bob.take(sip.SessionAcknowledged)
    return alice, bob, ours, theirs


def records(world: World) -> list[Any]:
    async def read() -> list[Any]:
        await world.store.flush()
        return await world.store.records.recent()

    return asyncio.run(read())


def assert_nothing_left(world: World) -> None:
    """No call, no session, no port stays behind."""
    world.walk(70)
    assert not world.exchange.calls
    assert world.endpoint.counters.sessions == 0
    assert world.endpoint.counters.transactions == 0
    assert world.media.ports_in_use == 0


def test_a_call_has_two_dialogs_and_two_descriptions(build: Build) -> None:
    world = build()
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    ours = alice.call("200")
    invite = bob.events[-1].request
    assert invite.call_id != ours.call_id
    assert invite.from_tag != ours.local_tag
    assert str(invite.from_.uri) == "sip:alice@example.test"
    assert invite.from_.display_name == "Alice"
    assert str(invite.to.uri) == "sip:200@example.test"
    assert str(invite.uri) == "sip:phone@127.0.0.3:5060"
    assert invite.max_forwards == 69
    assert b"127.0.0.2" not in bytes(invite)  # nothing of one leg shows in the other
    assert b"m=audio 4000 " not in invite.body
    theirs = ring_and_answer(world, bob)
    assert alice.take(sip.SessionProgressed).response.status == 180
    answered = alice.take(sip.SessionAnswered).response
    assert b"m=audio 4000 " not in answered.body
    assert b"127.0.0.3" not in bytes(answered)
    ours.acknowledge(world.now)
    world.settle()
    assert bob.take(sip.SessionAcknowledged).session is theirs
    world.clock.at += 12.5
    ours.bye(world.now)
    world.settle()
    assert bob.take(sip.SessionEnded).cause == "bye"
    [record] = records(world)
    assert (record.cause, record.ended_by, record.duration) == (200, "caller", 12.5)
    assert (record.caller, record.callee, record.from_user, record.to_user) == (
        "alice",
        "200",
        "trunk:desk",
        "bob",
    )
    assert record.setup_at <= record.ring_at <= record.answer_at < record.end_at
    assert record.call_id_a == ours.call_id
    assert record.call_id_b == theirs.call_id
    assert_nothing_left(world)


def test_the_callee_hangs_up_and_its_reason_travels(build: Build) -> None:
    world = build()
    alice, _, _, theirs = talk(world)
    theirs.bye(world.now, headers=(("Reason", 'Q.850;cause=16;text="done"'),))
    world.settle()
    ended = alice.take(sip.SessionEnded)
    assert ended.request.get("Reason") == 'Q.850;cause=16;text="done"'
    assert records(world)[0].ended_by == "callee"
    assert_nothing_left(world)


def test_a_reason_that_cannot_be_repeated_is_left_out(build: Build) -> None:
    world = build()
    alice, bob, ours, _ = talk(world)
    ours.bye(world.now, headers=(("Reason", 'SIP;text="PLACE"'),))
    [(data, _)] = alice.endpoint.datagrams_to_send()
    world.endpoint.receive_datagram(
        data.replace(b"PLACE", b"a\\\x07b"), sip.Flow("UDP", SWITCH, alice.address), world.now
    )
    world.settle()
    assert bob.take(sip.SessionEnded).request.get("Reason") is None
    assert not world.exchange.calls


def test_both_hang_up_at_once(build: Build) -> None:
    world = build()
    _, _, ours, theirs = talk(world)
    ours.bye(world.now)
    theirs.bye(world.now)
    world.settle()
    assert len(records(world)) == 1
    assert_nothing_left(world)


@pytest.mark.parametrize(
    ("status", "heard"),
    [
        (486, 486),
        (480, 480),
        (603, 603),
        (404, 404),
        (503, 500),
        (401, 502),
        (407, 502),
        (302, 480),
        (488, 488),
    ],
)
def test_a_refusal_travels(build: Build, status: int, heard: int) -> None:
    world = build()
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    alice.call("200")
    bob.accept().reject(
        status, world.now, headers=(("Reason", "Q.850;cause=17"), ("Contact", "<sip:x@evil.test>"))
    )
    world.settle()
    rejected = alice.take(sip.SessionRejected)
    assert rejected.status == heard
    assert rejected.response.get("Reason") == "Q.850;cause=17"
    assert b"evil.test" not in bytes(rejected.response)
    assert records(world)[0].cause == heard
    assert_nothing_left(world)


def test_the_caller_cancels(build: Build) -> None:
    world = build()
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    ours = alice.call("200")
    bob.accept().ring(180, world.now)
    world.settle()
    ours.cancel(world.now)
    world.settle()
    assert alice.take(sip.SessionRejected).status == 487
    assert bob.take(sip.SessionCancelled)
    assert (records(world)[0].cause, records(world)[0].ended_by) == (487, "caller")
    assert_nothing_left(world)


def test_cancel_meets_200(build: Build) -> None:
    world = build()
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    ours = alice.call("200")
    theirs = bob.accept()
    theirs.ring(180, world.now)
    world.settle()
    theirs.answer(world.now, body=bob.sdp, headers=(("Content-Type", "application/sdp"),))
    ours.cancel(world.now)  # both are on their way before either arrives
    world.settle()
    world.walk(2)
    assert_nothing_left(world)
    assert len(records(world)) == 1


def test_the_first_fork_that_answers_wins(build: Build) -> None:
    world = build()
    alice = world.phone("127.0.0.2")
    desk, mobile = world.phone("127.0.0.3", user="bob"), world.phone("127.0.0.4", user="bob")
    ours = alice.call("200")
    one, two = desk.accept(), mobile.accept()
    one.ring(180, world.now)
    two.ring(180, world.now)
    world.settle()
    two.answer(world.now, body=mobile.sdp, headers=(("Content-Type", "application/sdp"),))
    world.settle()
    cancelled = desk.take(sip.SessionCancelled)
    assert "Call completed elsewhere" in cancelled.request.get("Reason")
    alice.take(sip.SessionAnswered)
    ours.acknowledge(world.now)
    world.settle()
    ours.bye(world.now)
    world.settle()
    assert mobile.has(sip.SessionEnded)
    assert records(world)[0].call_id_b == two.call_id
    assert_nothing_left(world)


def test_all_forks_must_refuse_and_the_best_reason_is_told(build: Build) -> None:
    world = build()
    alice = world.phone("127.0.0.2")
    desk, mobile = world.phone("127.0.0.3", user="bob"), world.phone("127.0.0.4", user="bob")
    alice.call("200")
    desk.accept().reject(480, world.now)
    world.settle()
    assert not alice.has(sip.SessionRejected)
    mobile.accept().reject(486, world.now)
    world.settle()
    assert alice.take(sip.SessionRejected).status == 486
    assert_nothing_left(world)


def test_6xx_of_one_fork_ends_all(build: Build) -> None:
    world = build()
    alice = world.phone("127.0.0.2")
    desk, mobile = world.phone("127.0.0.3", user="bob"), world.phone("127.0.0.4", user="bob")
    alice.call("200")
    desk.accept().ring(180, world.now)
    mobile.accept().reject(603, world.now)
    world.settle()
    assert alice.take(sip.SessionRejected).status == 603
    assert desk.has(sip.SessionCancelled)
    assert_nothing_left(world)


def test_early_media_of_two_forks_is_two_early_dialogs(build: Build) -> None:
    world = build()
    alice = world.phone("127.0.0.2")
    desk, mobile = world.phone("127.0.0.3", user="bob"), world.phone("127.0.0.4", user="bob")
    alice.call("200")
    typed = (("Content-Type", "application/sdp"),)
    one, two = desk.accept(), mobile.accept()
    one.ring(183, world.now, body=desk.sdp, headers=typed)
    world.settle()
    first = alice.take(sip.SessionProgressed).response
    assert first.status == 183
    assert first.body
    two.ring(183, world.now, body=mobile.sdp, headers=typed)
    world.settle()
    second = alice.take(sip.SessionProgressed).response
    assert second.to_tag != first.to_tag
    one.answer(world.now, body=desk.sdp, headers=typed)
    world.settle()
    assert alice.take(sip.SessionAnswered).response.to_tag == first.to_tag


def test_nobody_answers(build: Build) -> None:
    world = build(answer_timeout=20.0)
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    alice.call("200")
    bob.accept().ring(180, world.now)
    world.settle()
    world.walk(19)
    assert not alice.has(sip.SessionRejected)
    world.walk(3)
    assert alice.take(sip.SessionRejected).status == 480
    assert bob.has(sip.SessionCancelled)
    assert records(world)[0].reason == "No answer"
    assert_nothing_left(world)


def test_a_call_may_not_last_for_ever(build: Build) -> None:
    world = build(max_duration=90.0)
    alice, bob, _, _ = talk(world)
    world.walk(89)
    assert world.exchange.calls
    world.walk(3)
    assert alice.has(sip.SessionEnded)
    assert bob.has(sip.SessionEnded)
    assert (records(world)[0].ended_by, records(world)[0].reason) == ("switch", "Call duration limit reached")
    assert_nothing_left(world)


def test_both_ends_are_asked_whether_they_are_still_there(build: Build) -> None:
    world = build(probe_interval=100.0)
    alice, bob, _, _ = talk(world)
    for _ in range(3):
        world.walk(101)
        for phone in (alice, bob):
            asked = phone.take(sip.SessionRequestReceived)
            assert asked.request.method == "OPTIONS"
            asked.transaction.respond(200, world.now)
        world.settle()
        assert world.exchange.calls


@pytest.mark.parametrize("dead", ["caller", "callee"])
def test_a_phone_that_is_gone_ends_the_call(build: Build, dead: str) -> None:
    world = build(probe_interval=100.0)
    alice, bob, _, _ = talk(world)
    gone, left = (alice, bob) if dead == "caller" else (bob, alice)
    del world.phones[gone.address]
    world.walk(101)
    left.take(sip.SessionRequestReceived).transaction.respond(200, world.now)
    world.settle()
    assert world.exchange.calls
    world.walk(33)  # timer F
    assert left.has(sip.SessionEnded)
    assert records(world)[0].reason == "No answer to a request"
    assert_nothing_left(world)


def test_nobody_is_asked_when_that_is_off(build: Build) -> None:
    world = build(probe_interval=0.0)
    alice, bob, _, _ = talk(world)
    world.walk(4000)
    assert not alice.has(sip.SessionRequestReceived)
    assert not bob.has(sip.SessionRequestReceived)


def test_the_caller_never_acknowledges(build: Build) -> None:
    world = build()
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    alice.call("200")
    ring_and_answer(world, bob)
    world.walk(40)  # the 200 was repeated for 64*T1, then both legs end
    assert bob.has(sip.SessionEnded)
    assert records(world)[0].reason == "No ACK"
    assert_nothing_left(world)


@pytest.mark.parametrize("holder", ["caller", "callee"])
def test_hold_and_resume(build: Build, holder: str) -> None:
    world = build()
    alice, bob, ours, theirs = talk(world)
    phone, session, other, far = (
        (alice, ours, bob, theirs) if holder == "caller" else (bob, theirs, alice, ours)
    )
    for direction, answer in ((b"a=sendonly\r\n", b"a=recvonly\r\n"), (b"a=sendrecv\r\n", b"a=sendrecv\r\n")):
        typed = (("Content-Type", "application/sdp"),)
        session.reinvite(world.now, body=sdp(phone.address[0], 4000, direction), headers=typed)
        world.settle()
        asked = other.take(sip.ReinviteReceived)
        assert direction.strip() in asked.request.body
        far.answer_reinvite(
            asked.transaction, 200, world.now, body=sdp(other.address[0], 4000, answer), headers=typed
        )
        world.settle()
        assert answer.strip() in phone.take(sip.ReinviteAnswered).response.body
        session.acknowledge(world.now)
        world.settle()
        assert other.has(sip.SessionAcknowledged)
        other.take(sip.SessionAcknowledged)
    ours.bye(world.now)
    world.settle()
    assert_nothing_left(world)


def test_a_refused_reinvite_changes_nothing(build: Build) -> None:
    world = build()
    alice, bob, ours, theirs = talk(world)
    typed = (("Content-Type", "application/sdp"),)
    ours.reinvite(world.now, body=sdp("127.0.0.2", 4002), headers=typed)
    world.settle()
    theirs.answer_reinvite(bob.take(sip.ReinviteReceived).transaction, 488, world.now)
    world.settle()
    assert alice.take(sip.ReinviteRejected).status == 488
    assert world.exchange.calls
    ours.bye(world.now)
    world.settle()
    assert bob.has(sip.SessionEnded)
    assert_nothing_left(world)


def test_glare_of_both_phones_gets_491(build: Build) -> None:
    world = build()
    alice, bob, ours, theirs = talk(world)
    typed = (("Content-Type", "application/sdp"),)
    ours.reinvite(world.now, body=sdp("127.0.0.2", 4002), headers=typed)
    theirs.reinvite(world.now, body=sdp("127.0.0.3", 4002), headers=typed)
    world.settle()
    assert 491 in {
        phone.take(sip.ReinviteRejected).status for phone in (alice, bob) if phone.has(sip.ReinviteRejected)
    }
    assert world.exchange.calls


def test_an_offerless_call(build: Build) -> None:
    world = build()
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    ours = alice.call("200", b"")
    theirs = bob.accept()
    assert not theirs.request.body
    typed = (("Content-Type", "application/sdp"),)
    theirs.answer(world.now, body=bob.sdp, headers=typed)
    world.settle()
    offer = alice.take(sip.SessionAnswered).response.body
    assert b"m=audio" in offer
    assert b"m=audio 4000" not in offer
    assert not bob.has(sip.SessionAcknowledged)  # its ACK needs the caller's answer
    ours.acknowledge(world.now, body=alice.sdp, headers=typed)
    world.settle()
    answer = bob.take(sip.SessionAcknowledged).request
    assert b"m=audio" in answer.body
    assert b"127.0.0.2" not in answer.body
    ours.bye(world.now)
    world.settle()
    assert_nothing_left(world)


def test_an_offerless_call_without_an_answer_ends(build: Build) -> None:
    world = build()
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    ours = alice.call("200", b"")
    bob.accept().answer(world.now, body=bob.sdp, headers=(("Content-Type", "application/sdp"),))
    world.settle()
    ours.acknowledge(world.now)
    world.settle()
    assert alice.has(sip.SessionEnded)
    assert bob.has(sip.SessionEnded)
    assert records(world)[0].cause == 488
    assert_nothing_left(world)


def test_an_offerless_reinvite(build: Build) -> None:
    world = build()
    alice, bob, ours, theirs = talk(world)
    typed = (("Content-Type", "application/sdp"),)
    ours.reinvite(world.now)
    world.settle()
    asked = bob.take(sip.ReinviteReceived)
    theirs.answer_reinvite(asked.transaction, 200, world.now, body=bob.sdp, headers=typed)
    world.settle()
    assert b"m=audio" in alice.take(sip.ReinviteAnswered).response.body
    ours.acknowledge(world.now, body=alice.sdp, headers=typed)
    world.settle()
    assert b"m=audio" in bob.take(sip.SessionAcknowledged).request.body
    ours.bye(world.now)
    world.settle()
    assert_nothing_left(world)


def test_info_travels_and_its_answer_too(build: Build) -> None:
    world = build()
    alice, bob, ours, _ = talk(world)
    ours.send_request(
        "INFO", world.now, body=b"Signal=5\r\n", headers=(("Content-Type", "application/dtmf-relay"),)
    )
    world.settle()
    asked = bob.take(sip.SessionRequestReceived)
    assert asked.request.body == b"Signal=5\r\n"
    assert asked.request.get("Content-Type") == "application/dtmf-relay"
    asked.transaction.respond(200, world.now)
    world.settle()
    assert alice.take(sip.SessionResponseReceived).response.status == 200


def test_a_method_that_nobody_knows_is_refused(build: Build) -> None:
    world = build()
    alice, _, ours, _ = talk(world)
    ours.send_request("DANCE", world.now)
    world.settle()
    response = alice.take(sip.SessionResponseReceived).response
    assert response.status == 405
    assert "INVITE" in response.get("Allow")


def test_silence_ends_the_call(build: Build) -> None:
    world = build()
    alice, bob, _, _ = talk(world)
    [call] = world.exchange.calls.values()
    world.exchange.on_media_timeout(call.media)
    world.settle()
    assert alice.has(sip.SessionEnded)
    assert bob.has(sip.SessionEnded)
    assert records(world)[0].reason == "RTP timeout"
    assert_nothing_left(world)


@pytest.mark.parametrize(
    ("number", "headers", "status"),
    [
        ("999", (), 404),
        ("201", (), 480),
        ("200", (("Max-Forwards", "0"),), 483),
        ("200", (("Require", "nothing-we-know"),), 420),
    ],
)
def test_what_is_not_tried(build: Build, number: str, headers: Any, status: int) -> None:
    world = build()
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    alice.call(number, headers=headers)
    assert alice.take(sip.SessionRejected).status == status
    assert not bob.events
    [record] = records(world)
    assert record.cause == status
    assert_nothing_left(world)


PARTS = "multipart/mixed;boundary=b"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--\r\n", 415),
        (b"--b\r\n" * 100, 400),
        (b"no parts at all", 400),
    ],
)
def test_a_body_without_an_offer_in_it_is_no_offerless_call(build: Build, body: bytes, status: int) -> None:
    world = build()
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    alice.call("200", body, content_type=PARTS)
    assert alice.take(sip.SessionRejected).status == status
    assert not bob.events


def test_the_offer_may_be_a_part_of_the_body(build: Build) -> None:
    world = build()
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    part = b"--b\r\nContent-Type: application/sdp\r\n\r\n%s\r\n--b--\r\n" % alice.sdp
    alice.call("200", part, content_type=PARTS)
    invite = bob.take(sip.RequestReceived).request
    assert invite.content_type == "application/sdp"
    assert b"m=audio" in invite.body


def test_a_loop_is_detected(build: Build) -> None:
    world = build(routes=[("7*", ["trunk:itself"])], trunks=(trunk("itself", "127.0.0.2/32", "127.0.0.2"),))
    alice = world.phone("127.0.0.2")
    alice.call("70")
    [came_back] = [e for e in alice.events if isinstance(e, sip.RequestReceived)]
    via = came_back.request.via
    alice.call("70", headers=(("Via", str(via)),))
    assert records(world)[0].cause == 482


def test_strangers_are_challenged_and_nothing_rings(build: Build) -> None:
    world = build()
    eve, bob = world.phone("127.0.0.66"), world.phone("127.0.0.3", user="bob")
    for number in ("200", "201", "999", "+882123456"):
        eve.call(number)
        rejected = eve.take(sip.SessionRejected)
        assert rejected.status == 401
        assert rejected.response.get("WWW-Authenticate")
    assert not bob.events
    assert not records(world)
    assert world.endpoint.counters.transactions <= 1  # bob's REGISTER; floods keep no state


def test_a_user_calls_with_its_own_number_whatever_it_claims(build: Build) -> None:
    world = build()
    alice, bob = world.phone("127.0.0.66", user="alice"), world.phone("127.0.0.3", user="bob")
    client = sip.DigestClient("alice", "secret-alice")
    alice.call("200", headers=(("P-Asserted-Identity", "<sip:+4911@example.test>"),))
    rejected = alice.take(sip.SessionRejected)
    invite = rejected.session.request.copy()
    assert client.receive_challenge(rejected.response, invite)
    alice.call(
        "200", headers=(("P-Asserted-Identity", "<sip:+4911@example.test>"), *_authorization(client, alice))
    )
    request = bob.take(sip.RequestReceived).request
    assert str(request.from_.uri) == "sip:100@example.test"
    assert request.get("P-Asserted-Identity") is None


def _authorization(client: sip.DigestClient, phone: Any) -> list[tuple[str, str]]:
    request = sip.Request("INVITE", "sip:200@127.0.0.1", [])
    client.authorize(request)
    return [("Authorization", value) for value in request.get_all("Authorization")]


def test_calls_at_once_are_capped_for_an_account(build: Build) -> None:
    world = build(caps={"trunk:desk": (1, 0.0)})
    _, bob, ours, _ = talk(world)
    alice = world.phones[("127.0.0.2", 5060)]
    alice.call("200")
    rejected = alice.take(sip.SessionRejected)
    assert rejected.status == 503
    assert rejected.response.get("Retry-After")
    ours.bye(world.now)
    world.settle()
    bob.events.clear()
    alice.call("200")
    assert bob.has(sip.RequestReceived)


def test_calls_per_second_are_capped_for_an_account(build: Build) -> None:
    world = build(caps={"trunk:desk": (0, 2.0)})
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    for _ in range(3):
        alice.call("200")
    assert alice.take(sip.SessionRejected).status == 503
    assert sum(isinstance(e, sip.RequestReceived) for e in bob.events) == 2
    world.clock.at += 0.5
    alice.call("200")
    assert not alice.has(sip.SessionRejected)


def test_ports_run_out_and_come_back(build: Build) -> None:
    world = build(caps={})
    alice, bob = world.phone("127.0.0.2"), world.phone("127.0.0.3", user="bob")
    sessions = [alice.call("200") for _ in range(60)]  # 100 pairs, two a call
    statuses = [e.status for e in alice.events if isinstance(e, sip.SessionRejected)]
    assert statuses == [503] * 10
    for session in sessions:
        session.hang_up(world.now)
    for event in list(bob.events):
        if isinstance(event, sip.RequestReceived):
            bob.accept().reject(486, world.now)
    world.settle()
    assert_nothing_left(world)


def test_a_clean_stop_ends_every_call(build: Build) -> None:
    world = build()
    alice, bob, _, _ = talk(world)
    carol = world.phone("127.0.0.4", user="carol")
    alice.call("201")
    carol.accept().ring(180, world.now)
    world.settle()
    world.exchange.hang_up_all("Switch stopped", world.now)
    world.settle()
    assert alice.has(sip.SessionEnded)
    assert bob.has(sip.SessionEnded)
    assert alice.take(sip.SessionRejected).status == 503
    assert carol.has(sip.SessionCancelled)
    assert {record.reason for record in records(world)} == {"Switch stopped"}
    assert_nothing_left(world)
