"""Transfers: REFER that the switch does itself, with its races and its records."""

from __future__ import annotations

from typing import Any

import pytest

from switchroom.protocols import sip
from tests.switch.calls.conftest import Build
from tests.switch.calls.test_calls import assert_nothing_left, records
from tests.switch.calls.trio import TYPED, User, connect, settle
from tests.switch.calls.world import World

GROUP = {name: {"pickup_group": "desk"} for name in ("alice", "bob", "carol")}


def trio(world: World) -> tuple[User, User, User]:
    return User(world, "alice"), User(world, "bob"), User(world, "carol")


def port_in(body: bytes) -> int:
    return int(body.partition(b"m=audio ")[2].split()[0])


def test_a_blind_transfer_connects_the_two_that_are_left(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    ours, theirs = connect(alice, bob, "200")
    world.walk(3)
    bob.refer(theirs, "201")
    settle(world, alice, bob, carol)
    assert bob.refused() == 202
    assert bob.told == ["100 Trying"]
    invite = carol.phone.events[-1].request
    assert str(invite.from_.uri) == "sip:100@example.test"  # the transferee calls
    assert invite.get("Referred-By") == "<sip:200@example.test>"
    ringing = carol.ring()
    settle(world, alice, bob)
    assert bob.told[-1] == "180 Ringing"
    last = carol.answer(ringing)
    settle(world, alice, bob, carol)
    assert bob.told[-1] == "200 OK"
    assert bob.notifies[-1].get("Subscription-State") == "terminated;reason=noresource"
    assert bob.notifies[-1].get("Event") == "refer"
    assert bob.ended == [theirs]  # the switch says good-bye after the last NOTIFY
    assert len(alice.offers) == 1
    assert len(carol.offers) == 0
    assert len(world.exchange.calls) == 1
    world.walk(10)
    ours.bye(world.now)
    settle(world, carol)
    assert carol.ended == [last]
    first, second = sorted(records(world), key=lambda one: one.setup_at)
    assert (first.caller, first.callee, first.from_user, first.to_user) == ("100", "200", "alice", "bob")
    assert (first.cause, first.ended_by, first.reason) == (200, "switch", "Transferred to 201")
    assert (second.caller, second.callee, second.from_user, second.to_user) == ("100", "201", "bob", "carol")
    assert second.duration == pytest.approx(10)
    assert second.verdict.startswith("transferred by user bob; next: user carol answered")
    assert second.call_id_a == ours.call_id
    assert second.call_id_b == last.call_id
    assert_nothing_left(world)


def test_the_caller_may_transfer_too(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    ours, theirs = connect(alice, bob, "200")
    alice.refer(ours, "201")
    settle(world, alice, bob, carol)
    last = carol.answer()
    settle(world, alice, bob, carol)
    assert alice.told[-1] == "200 OK"
    assert alice.ended == [ours]
    last.bye(world.now)
    settle(world, bob)
    assert bob.ended == [theirs]
    assert_nothing_left(world)


def test_a_hold_by_the_transferor_is_over_when_the_two_talk(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    _, theirs = connect(alice, bob, "200")
    theirs.reinvite(world.now, body=bob.description(b"a=sendonly\r\n", 4002), headers=TYPED)
    settle(world, alice, bob)
    assert b"a=sendonly" in alice.offers[-1]
    bob.refer(theirs, "201")
    settle(world, alice, bob, carol)
    assert b"a=sendrecv" in carol.phone.events[-1].request.body
    carol.answer()
    settle(world, alice, bob, carol)
    assert b"a=sendrecv" in alice.offers[-1]
    call = next(iter(world.exchange.calls.values()))
    assert call.a.media.partner is call.b.media


@pytest.mark.parametrize("status", [486, 480, 603, 404])
def test_a_target_that_refuses_gives_the_call_back(build: Build, status: int) -> None:
    world = build()
    alice, bob, carol = trio(world)
    ours, theirs = connect(alice, bob, "200")
    bob.refer(theirs, "201")
    carol.phone.accept().reject(status, world.now)
    settle(world, alice, bob, carol)
    assert bob.told[-1].startswith(str(status))
    assert not alice.ended
    assert not bob.ended
    # and it is a call as before
    theirs.reinvite(world.now, body=bob.description(b"", 4006), headers=TYPED)
    settle(world, alice, bob)
    assert len(alice.offers) == 1
    ours.bye(world.now)
    settle(world, bob)
    assert bob.ended == [theirs]
    assert [record.cause for record in records(world)].count(status) == 1
    assert_nothing_left(world)


def test_nobody_answers_in_time(build: Build) -> None:
    world = build(answer_timeout=20.0)
    alice, bob, carol = trio(world)
    ours, theirs = connect(alice, bob, "200")
    bob.refer(theirs, "201")
    carol.ring()
    world.walk(25)
    settle(world, alice, bob, carol)
    assert bob.told[-1].startswith("480")
    assert not bob.ended
    ours.bye(world.now)
    settle(world, bob)
    assert_nothing_left(world)


def test_the_transferor_may_leave_at_once(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    ours, theirs = connect(alice, bob, "200")
    bob.refer(theirs, "201")
    ringing = carol.ring()
    theirs.bye(world.now)
    settle(world, alice, bob, carol)
    assert not alice.ended
    last = carol.answer(ringing)
    settle(world, alice, bob, carol)
    ours.bye(world.now)
    settle(world, carol)
    assert carol.ended == [last]
    assert_nothing_left(world)


def test_the_transferor_who_has_left_is_called_when_the_target_does_not_answer(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    ours, theirs = connect(alice, bob, "200")
    bob.refer(theirs, "201")
    ringing = carol.ring()
    theirs.bye(world.now)
    settle(world, alice, bob, carol)
    ringing.reject(486, world.now)
    settle(world, alice, bob, carol)
    again = bob.answer()  # alice is given back
    settle(world, alice, bob, carol)
    assert not alice.ended
    ours.bye(world.now)
    settle(world, bob)
    assert bob.ended[-1] is again
    assert_nothing_left(world)


def test_nobody_is_left_when_the_one_called_back_refuses_as_well(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    ours, theirs = connect(alice, bob, "200")
    bob.refer(theirs, "201")
    ringing = carol.ring()
    theirs.bye(world.now)
    settle(world, alice, bob, carol)
    ringing.reject(486, world.now)
    settle(world, alice, bob, carol)
    bob.phone.accept().reject(603, world.now)
    settle(world, alice, bob, carol)
    assert alice.ended == [ours]
    assert_nothing_left(world)


def test_the_transferee_hangs_up_while_the_target_rings(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    ours, theirs = connect(alice, bob, "200")
    bob.refer(theirs, "201")
    carol.ring()
    ours.bye(world.now)
    settle(world, alice, bob, carol)
    assert carol.phone.has(sip.SessionCancelled)
    assert bob.ended == [theirs]
    assert_nothing_left(world)


def test_the_target_answers_while_both_hang_up(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    ours, theirs = connect(alice, bob, "200")
    bob.refer(theirs, "201")
    ringing = carol.ring()
    ours.bye(world.now)
    theirs.bye(world.now)
    ringing.answer(world.now, body=carol.description(), headers=TYPED)
    settle(world, alice, bob, carol)
    assert carol.ended == [ringing]
    assert_nothing_left(world)


def test_a_second_refer_waits_for_the_first(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    _, theirs = connect(alice, bob, "200")
    bob.refer(theirs, "201")
    bob.refer(theirs, "201")
    assert bob.refused() == 491
    assert len([e for e in carol.phone.events if isinstance(e, sip.RequestReceived)]) == 1


def test_the_second_refer_of_a_dialog_has_an_id(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    _, theirs = connect(alice, bob, "200")
    for _ in range(2):
        bob.refer(theirs, "201")
        carol.phone.accept().reject(486, world.now)
        settle(world, alice, bob, carol)
    events = [request.get("Event") for request in bob.notifies]
    assert events[0] == events[1] == "refer"
    assert events[2] == events[3]
    assert events[2].startswith("refer;id=")


def test_nobody_has_to_be_told(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    _, theirs = connect(alice, bob, "200")
    bob.refer(theirs, "201", headers=(("Refer-Sub", "false"), ("Require", "norefersub")))
    answer = next(e.response for e in bob.phone.events if isinstance(e, sip.SessionResponseReceived))
    assert (answer.status, answer.get("Refer-Sub")) == (202, "false")
    carol.answer()
    settle(world, alice, bob, carol)
    assert bob.told == []
    assert bob.ended == [theirs]


@pytest.mark.parametrize(
    ("refer_to", "status"),
    [
        ("<sip:201@127.0.0.1?Route=%3Csip:evil.example%3E>", 403),
        ("<sip:201@127.0.0.1?P-Asserted-Identity=%3Csip:boss%3E>", 403),
        ("<sip:201@127.0.0.1?body=x>", 403),
        ("<sip:201@127.0.0.1;method=BYE>", 403),
        ("<sip:201@elsewhere.example>", 404),
        ("<sip:999@127.0.0.1>", 404),
        ("<http://example.test/>", 403),
        ("<sip:201@127.0.0.1?Replaces=nonsense>", 400),
        ("not an address", 400),
    ],
)
def test_what_a_refer_may_not_ask_for(build: Build, refer_to: str, status: int) -> None:
    world = build()
    alice, bob, carol = trio(world)
    _, theirs = connect(alice, bob, "200")
    theirs.send_request("REFER", world.now, headers=(("Refer-To", refer_to),))
    settle(world, alice, bob, carol)
    assert bob.refused() == status
    assert bob.told == []
    assert len(world.exchange.calls) == 1


def test_a_refer_with_two_targets_or_none_is_refused(build: Build) -> None:
    world = build()
    alice, bob, _ = trio(world)
    _, theirs = connect(alice, bob, "200")
    for headers in ((), (("Refer-To", "<sip:201@127.0.0.1>"), ("Refer-To", "<sip:100@127.0.0.1>"))):
        theirs.send_request("REFER", world.now, headers=headers)
        settle(world, alice, bob)
        assert bob.refused() == 400


def test_a_refer_outside_a_call_is_challenged_and_refused(build: Build) -> None:
    world = build()
    bob = User(world, "bob")
    bob.phone.endpoint.send_request(outside(bob, "one"), bob.phone.flow, world.now)
    world.settle()
    assert bob.phone.take(sip.ResponseReceived).response.status == 401
    authorizer = sip.DigestAuthorizer(sip.DigestClient("bob", "secret-bob"))
    bob.phone.endpoint.send_request(outside(bob, "two"), bob.phone.flow, world.now, authorizer=authorizer)
    world.settle()
    assert bob.phone.take(sip.ResponseReceived).response.status == 403


def outside(user: User, call_id: str) -> sip.Request:
    return sip.Request(
        "REFER",
        "sip:201@127.0.0.1",
        [
            ("Max-Forwards", "70"),
            ("From", "<sip:bob@127.0.0.1>;tag=1"),
            ("To", "<sip:201@127.0.0.1>"),
            ("Call-ID", call_id),
            ("CSeq", "1 REFER"),
            ("Contact", user.phone.contact),
            ("Refer-To", "<sip:201@127.0.0.1>"),
        ],
    )


def test_a_refer_from_another_host_is_not_believed(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    _, theirs = connect(alice, bob, "200")
    thief = world.phone("127.0.0.66")
    theirs.send_request("REFER", world.now, headers=(("Refer-To", "<sip:201@127.0.0.1>"),))
    [(data, _)] = bob.phone.endpoint.datagrams_to_send()
    flow = sip.Flow("UDP", ("127.0.0.1", 5060), thief.address)
    world.endpoint.receive_datagram(data, flow, world.now)
    world.settle()
    assert not carol.phone.has(sip.RequestReceived)
    assert len(world.exchange.calls) == 1


def test_transfers_are_by_the_transferors_rights(build: Build) -> None:
    world = build(users={"bob": {"blocked": "201"}})
    alice, bob, carol = trio(world)
    _, theirs = connect(alice, bob, "200")
    bob.refer(theirs, "201")
    assert bob.refused() == 403
    assert not carol.phone.has(sip.RequestReceived)


def test_transfers_can_be_switched_off(build: Build) -> None:
    world = build(features={"transfer": False})
    alice, bob, _ = trio(world)
    _, theirs = connect(alice, bob, "200")
    bob.refer(theirs, "201")
    assert bob.refused() == 603


def test_a_call_is_transferred_only_so_often(build: Build) -> None:
    world = build(features={"max_transfers": 2})
    alice, bob, carol = trio(world)
    _, theirs = connect(alice, bob, "200")
    there, turns = theirs, [(bob, carol, "201"), (carol, bob, "200")]
    for one, two, number in turns:
        one.refer(there, number)
        settle(world, alice, bob, carol)
        there = two.answer()
        settle(world, alice, bob, carol)
        assert one.told[-1] == "200 OK"
    bob.refer(there, "201")
    assert bob.refused() == 403


# -- attended


def consult(alice: User, bob: User, carol: User) -> tuple[Any, Any, Any, Any]:
    """Alice has called bob, who has called carol."""
    ours, theirs = connect(alice, bob, "200")
    asking, asked = connect(bob, carol, "201")
    return ours, theirs, asking, asked


def test_an_attended_transfer(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    ours, theirs, asking, asked = consult(alice, bob, carol)
    world.walk(5)
    bob.refer(theirs, "201", replaces=asking)
    settle(world, alice, bob, carol)
    assert bob.told[-1] == "200 OK"
    assert set(bob.ended) == {theirs, asking}
    assert len(carol.offers) == 1  # alice's description
    assert len(alice.offers) == 1  # carol's
    [call] = world.exchange.calls.values()
    assert call.a.media.partner is call.b.media
    assert {call.a.account, call.b.account} == {"alice", "carol"}
    world.walk(7)
    asked.bye(world.now)
    settle(world, alice)
    assert alice.ended == [ours]
    found = sorted(records(world), key=lambda one: (one.setup_at, one.callee))
    durations = [(r.caller, r.callee, r.from_user, r.to_user, round(r.duration)) for r in found]
    assert durations == [
        ("100", "200", "alice", "bob", 5),
        ("200", "201", "bob", "carol", 5),
        ("100", "201", "bob", "carol", 7),
    ]
    assert found[2].call_id_a == ours.call_id
    assert found[2].call_id_b == asked.call_id
    assert_nothing_left(world)


def test_an_attended_transfer_of_held_calls_with_origins_that_go_on(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    _, theirs, asking, _ = consult(alice, bob, carol)
    for session in (theirs, asking):
        session.reinvite(world.now, body=bob.description(b"a=sendonly\r\n", 4010), headers=TYPED)
        settle(world, alice, bob, carol)
    before = carol.offers[-1].split(b"\r\n")[1].split()
    bob.refer(theirs, "201", replaces=asking)
    settle(world, alice, bob, carol)
    after = carol.offers[-1].split(b"\r\n")[1].split()
    assert before[1] == after[1]  # o=: the same session
    assert int(after[2]) == int(before[2]) + 1
    assert b"a=sendrecv" in carol.offers[-1]
    assert b"a=sendrecv" in alice.offers[-1]
    assert port_in(carol.offers[-1]) != port_in(carol.offers[-2])


def test_the_target_of_an_attended_transfer_does_not_take_the_media(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    ours, theirs, asking, asked = consult(alice, bob, carol)
    bob.refer(theirs, "201", replaces=asking)
    event = carol.phone.take(sip.ReinviteReceived)
    event.session.answer_reinvite(event.transaction, 488, world.now)
    settle(world, alice, bob, carol)
    assert bob.told[-1].startswith("488")
    assert len(world.exchange.calls) == 2
    assert not alice.ended
    assert not carol.ended
    for session in (ours, asked):
        session.bye(world.now)
        settle(world, alice, bob, carol)
    assert set(bob.ended) == {theirs, asking}
    assert_nothing_left(world)


def test_garbage_from_the_target_keeps_both_calls(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    ours, theirs, asking, asked = consult(alice, bob, carol)
    bob.refer(theirs, "201", replaces=asking)
    event = carol.phone.take(sip.ReinviteReceived)
    event.session.answer_reinvite(event.transaction, 200, world.now, body=b"v=1\r\nrubbish", headers=TYPED)
    settle(world, alice, bob, carol)
    assert bob.told[-1].startswith("488")
    assert len(world.exchange.calls) == 2
    assert len(carol.offers) == 1  # told again what she had
    for call in world.exchange.calls.values():
        assert call.b is not None
        assert call.a.media.partner is call.b.media
        assert call.b.mover is None
    ours.bye(world.now)
    asked.bye(world.now)
    settle(world, alice, bob, carol)
    assert_nothing_left(world)


def test_a_re_invite_of_the_target_meets_that_of_the_transfer(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    _, theirs, asking, _ = consult(alice, bob, carol)
    bob.refer(theirs, "201", replaces=asking)
    event = carol.phone.take(sip.ReinviteReceived)
    event.session.answer_reinvite(event.transaction, 491, world.now)
    settle(world, alice, bob)
    assert bob.told[-1] == "100 Trying"
    world.walk(4.2)  # RFC 3261 §14.1
    settle(world, alice, bob, carol)
    assert bob.told[-1] == "200 OK"
    assert set(bob.ended) == {theirs, asking}


def test_the_transferee_hangs_up_during_an_attended_transfer(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    ours, theirs, asking, asked = consult(alice, bob, carol)
    bob.refer(theirs, "201", replaces=asking)
    event = carol.phone.take(sip.ReinviteReceived)
    ours.bye(world.now)
    settle(world, alice, bob)
    event.session.answer_reinvite(event.transaction, 200, world.now, body=carol.description(), headers=TYPED)
    settle(world, alice, bob, carol)
    assert bob.ended == [theirs]
    assert len(world.exchange.calls) == 1  # bob and carol talk on
    assert carol.offers  # with the media that they had
    asked.bye(world.now)
    settle(world, bob)
    assert_nothing_left(world)


def test_the_target_hangs_up_during_an_attended_transfer(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    ours, theirs, asking, asked = consult(alice, bob, carol)
    bob.refer(theirs, "201", replaces=asking)
    asked.bye(world.now)
    settle(world, alice, bob)
    assert bob.told[-1].startswith("4")
    assert bob.ended == [asking]
    assert not alice.ended
    ours.bye(world.now)
    settle(world, bob)
    assert_nothing_left(world)


def test_the_transferor_hangs_up_both_during_an_attended_transfer(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    ours, theirs, asking, asked = consult(alice, bob, carol)
    bob.refer(theirs, "201", replaces=asking)
    event = carol.phone.take(sip.ReinviteReceived)
    theirs.bye(world.now)
    asking.bye(world.now)
    settle(world, alice, bob)
    event.session.answer_reinvite(event.transaction, 200, world.now, body=carol.description(), headers=TYPED)
    settle(world, alice, bob, carol)
    assert not alice.ended
    assert not carol.ended
    ours.bye(world.now)
    settle(world, carol)
    assert carol.ended == [asked]
    assert_nothing_left(world)


def test_a_transfer_to_a_foreign_call_is_refused(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    _, theirs = connect(alice, bob, "200")
    other, _ = connect(carol, alice, "100")
    bob.refer(theirs, "100", replaces=other)
    assert bob.refused() == 403
    assert len(world.exchange.calls) == 2


def test_a_transfer_to_a_call_that_is_not_there(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    _, theirs, asking, asked = consult(alice, bob, carol)
    asked.bye(world.now)
    settle(world, alice, bob, carol)
    bob.refer(theirs, "201", replaces=asking)
    settle(world, alice, bob, carol)
    assert bob.told[-1].startswith("481")
    assert bob.ended == [asking]


def test_a_transfer_to_a_target_that_still_rings_waits_for_its_answer(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    ours, theirs = connect(alice, bob, "200")
    asking = bob.call("201")
    ringing = carol.ring()
    tag = bob.phone.take(sip.SessionProgressed).response.to_tag
    bob.refer(theirs, "201", replaces=asking, tag=tag)
    settle(world, alice, bob, carol)
    assert bob.told == ["100 Trying", "180 Ringing"]
    carol.answer(ringing)
    bob.up(asking)
    world.walk(0.1)
    settle(world, alice, bob, carol)
    assert bob.told[-1] == "200 OK"
    assert set(bob.ended) == {theirs, asking}
    ours.bye(world.now)
    settle(world, carol)
    assert carol.ended == [ringing]
    assert_nothing_left(world)


def test_the_transferor_takes_back_the_call_to_a_target_that_rings(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    ours, theirs = connect(alice, bob, "200")
    asking = bob.call("201")
    carol.ring()
    tag = bob.phone.take(sip.SessionProgressed).response.to_tag
    bob.refer(theirs, "201", replaces=asking, tag=tag)
    asking.cancel(world.now)
    settle(world, alice, bob, carol)
    world.walk(0.1)
    settle(world, alice, bob, carol)
    carol.answer()  # rings again, for alice
    settle(world, alice, bob, carol)
    assert bob.told[-1] == "200 OK"
    ours.bye(world.now)
    settle(world, carol)
    assert_nothing_left(world)


def test_a_target_that_rings_refuses(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    ours, theirs = connect(alice, bob, "200")
    asking = bob.call("201")
    ringing = carol.ring()
    tag = bob.phone.take(sip.SessionProgressed).response.to_tag
    bob.refer(theirs, "201", replaces=asking, tag=tag)
    settle(world, alice, bob)
    ringing.reject(486, world.now)
    world.settle()
    world.walk(0.1)
    settle(world, alice, bob, carol)
    assert bob.told[-1].startswith("486")
    assert world.exchange.on_call_state == []
    ours.bye(world.now)
    settle(world, bob)
    assert_nothing_left(world)


def test_a_transferor_that_does_not_want_to_be_told_keeps_its_dialog(build: Build) -> None:
    world = build()
    alice, bob, carol = trio(world)
    ours, theirs = connect(alice, bob, "200")
    bob.refer(theirs, "201")
    event = bob.phone.take(sip.SessionRequestReceived)
    event.transaction.respond(481, world.now)  # RFC 5057: the subscription's end, not the call's
    settle(world, alice, bob)
    assert not bob.ended
    carol.answer()
    settle(world, alice, bob, carol)
    assert bob.ended == [theirs]
    assert bob.told == []
    ours.bye(world.now)
    settle(world, carol)
    assert_nothing_left(world)
