"""Re-INVITE: both directions, glare, overlap, cancelling, and what ends with the call (RFC 3261 §14)."""

from __future__ import annotations

import pytest

from switchroom.protocols import sip
from tests.protocols.sip.test_dialog import called, inside
from tests.protocols.sip.test_session import Pair, kinds
from tests.wire import Lone, make_response


def reinvited(lone: Lone, session: sip.Session, number: int = 2) -> sip.ReinviteReceived:
    lone.hear(inside(lone, session, "INVITE", number))
    event = lone.event()
    assert isinstance(event, sip.ReinviteReceived)
    assert event.session is session
    lone.take()
    return event


@pytest.mark.parametrize("asker", ["a", "b"])
def test_a_reinvite_from_either_side(asker: str) -> None:
    pair = Pair().up()
    wire = pair.wire
    pair.starts()
    session, end = (pair.caller, wire.b) if asker == "a" else (pair.b, wire.a)
    session.reinvite(wire.now, body=b"hold", headers=[("X-Why", "hold")])
    wire.run(1)
    event = end.events[-1]
    assert isinstance(event, sip.ReinviteReceived)
    assert (event.request.body, event.request.get("X-Why")) == (b"hold", "hold")
    contact = event.request.get("Contact")
    assert contact == ("<sip:a@192.0.2.1>" if asker == "a" else "<sip:b@192.0.2.2>")
    event.session.answer_reinvite(event.transaction, 183, wire.now)
    event.session.answer_reinvite(event.transaction, 200, wire.now, body=b"held", headers=[("X-Y", "z")])
    wire.run(1)
    other = "b" if asker == "a" else "a"
    assert pair.starts() == [
        f"{asker} INVITE",
        f"{other} 100 INVITE",
        f"{other} 183 INVITE",
        f"{other} 200 INVITE",
        f"{asker} ACK",
    ]
    answered = (wire.a if asker == "a" else wire.b).events[-1]
    assert isinstance(answered, sip.ReinviteAnswered)
    assert answered.response.body == b"held"
    assert answered.response.contacts
    assert kinds(end.events)[-1] == "SessionAcknowledged"
    pair.caller.bye(wire.now)
    assert pair.is_over()


def test_a_refused_reinvite_leaves_the_call_up() -> None:
    lone = Lone()
    session = lone.call()
    session.reinvite(lone.now)
    lone.hear(make_response(lone.take_one(), 488))
    assert lone.take_one().cseq.method == "ACK"
    event = lone.event()
    assert isinstance(event, sip.ReinviteRejected)
    assert (event.session, event.status) == (session, 488)
    assert session.state is sip.State.CONFIRMED
    session.reinvite(lone.now)  # and another may be tried
    assert lone.take_one().cseq == sip.CSeq(3, "INVITE")


@pytest.mark.parametrize(("status", "cause"), [(408, "timeout"), (481, "unknown")])
def test_some_refusals_end_the_call(status: int, cause: str) -> None:
    lone = Lone()
    session = lone.call()
    session.reinvite(lone.now)
    lone.hear(make_response(lone.take_one(), status))
    assert kinds(events := lone.events()) == ["ReinviteRejected", "SessionEnded"]
    assert events[1] == sip.SessionEnded(session, cause, None)
    assert [message.cseq.method for message in lone.take()] == ["ACK", "BYE"]


def test_a_reinvite_that_nobody_answers_ends_the_call() -> None:
    lone = Lone()
    session = lone.call()
    session.reinvite(lone.now)
    lone.walk(33)
    assert lone.events() == [
        sip.ReinviteRejected(session, None, 408),
        sip.SessionEnded(session, "timeout", None),
    ]
    lone.walk(80)
    assert lone.is_idle


def test_a_reinvite_over_a_broken_connection_does_not() -> None:
    lone = Lone("TCP")
    session = lone.call()
    session.reinvite(lone.now)
    lone.endpoint.flow_failed(lone.flow, lone.now)
    assert lone.event() == sip.ReinviteRejected(session, None, 503)


def test_a_reinvite_that_only_rings_is_cancelled_by_timer_c() -> None:
    lone = Lone()
    session = lone.call()
    session.reinvite(lone.now)
    request = lone.take_one()
    lone.hear(make_response(request, 180))
    assert [start for _, start in lone.walk(180.1)] == ["CANCEL"]
    lone.hear(make_response(request, 487))
    event = lone.event()
    assert isinstance(event, sip.ReinviteRejected)
    assert event.status == 487
    assert session.state is sip.State.CONFIRMED


def test_ringing_of_a_reinvite_is_no_news() -> None:
    lone = Lone()
    session = lone.call()
    session.reinvite(lone.now)
    lone.hear(make_response(lone.take_one(), 183))
    assert lone.events() == []


# Glare and overlap (§14.1, §14.2)


def test_two_that_cross_both_get_491() -> None:
    pair = Pair().up()
    wire = pair.wire
    pair.caller.reinvite(wire.now)
    pair.b.reinvite(wire.now)
    wire.run(1)
    for end, session in ((wire.a, pair.caller), (wire.b, pair.b)):
        event = end.events[-1]
        assert isinstance(event, sip.ReinviteRejected)
        assert (event.session, event.status) == (session, 491)
        assert event.response is not None
        assert not end.told(sip.ReinviteReceived)
    assert pair.caller.state is pair.b.state is sip.State.CONFIRMED


def test_our_own_overlapping_one_is_refused_at_home() -> None:
    lone = Lone()
    session = lone.call()
    session.reinvite(lone.now)
    lone.take()
    session.reinvite(lone.now)
    assert lone.take() == []
    assert lone.event() == sip.ReinviteRejected(session, None, 491)


def test_one_while_theirs_is_unanswered_is_refused_at_home() -> None:
    lone = Lone()
    session = called(lone)
    reinvited(lone, session)
    session.reinvite(lone.now)
    assert lone.take() == []
    assert lone.event() == sip.ReinviteRejected(session, None, 491)


def test_one_before_the_owner_acknowledged_the_last_is_refused_at_home_and_theirs_by_491() -> None:
    lone = Lone()
    session = lone.call()
    session.reinvite(lone.now)
    lone.hear(make_response(lone.take_one(), 200))
    lone.events()
    session.reinvite(lone.now)
    assert lone.event() == sip.ReinviteRejected(session, None, 491)
    lone.hear(inside(lone, session, "INVITE", 5))
    assert lone.take_one().status == 491
    session.acknowledge(lone.now)
    assert lone.take_one().cseq == sip.CSeq(2, "ACK")


def test_a_second_one_of_theirs_gets_500_and_a_time() -> None:
    lone = Lone()
    session = called(lone)
    reinvited(lone, session, 2)
    lone.hear(inside(lone, session, "INVITE", 3))
    response = lone.take_one()
    assert response.status == 500
    retry_after = response.get("Retry-After")
    assert retry_after is not None
    assert 0 <= int(retry_after) <= 10
    assert lone.events() == []


def test_one_during_the_first_invite_gets_500_too() -> None:
    lone = Lone()
    session = lone.accept()
    session.ring(180, lone.now)
    lone.take()
    lone.hear(inside(lone, session, "INVITE", 2))
    assert lone.take_one().status == 500
    session.answer(lone.now)
    assert lone.take_one().status == 200


def test_one_that_overtakes_the_ack_is_taken() -> None:
    lone = Lone()  # RFC 5407 §3.1.4: the offer is answered already, in the 2xx
    session = lone.accept(body=b"offer")
    session.answer(lone.now)
    lone.take()
    event = reinvited(lone, session, 2)
    session.answer_reinvite(event.transaction, 200, lone.now)
    lone.take()
    lone.hear(lone.request("ACK", branch="z9hG4bKa2", number=2, to_tag=session.local_tag))
    assert "200 INVITE" in [start for _, start in lone.walk(1)]  # the first still waits for its own
    lone.hear(lone.request("ACK", branch="z9hG4bKa1", number=1, to_tag=session.local_tag))
    assert lone.walk(40) == []
    assert kinds(lone.events()) == ["SessionAcknowledged", "SessionAcknowledged"]


def test_one_that_overtakes_the_ack_with_the_answer_gets_491() -> None:
    lone = Lone()  # RFC 5407 §3.1.5: our offer went in the 2xx and waits for its answer
    session = lone.accept()
    session.answer(lone.now, body=b"offer")
    lone.take()
    lone.hear(inside(lone, session, "INVITE", 2))
    assert lone.take_one().status == 491
    assert lone.events() == []


def test_after_491_the_owner_of_the_call_id_waits_longer() -> None:
    pair = Pair().up()
    for _ in range(200):
        assert 2.1 <= pair.caller.glare_delay() <= 4.0
        assert 0.0 <= pair.b.glare_delay() <= 2.0
        assert 2.1 <= pair.b.glare_delay(True) <= 4.0
        assert 0.0 <= pair.caller.glare_delay(False) <= 2.0
    assert len({pair.caller.glare_delay() for _ in range(50)}) > 10


# Their CANCEL of a re-INVITE, and the call's end while one is pending


def test_a_cancelled_reinvite_is_refused_and_the_owners_answer_comes_to_nothing() -> None:
    lone = Lone()
    session = called(lone)
    event = reinvited(lone, session, 2)
    lone.hear(lone.request("CANCEL", branch="z9hG4bKINVITE2", number=2, to_tag=session.local_tag))
    assert [(message.status, message.cseq.method) for message in lone.take()] == [
        (200, "CANCEL"),
        (487, "INVITE"),
    ]
    assert lone.events() == []
    session.answer_reinvite(event.transaction, 200, lone.now)
    assert lone.take() == []
    assert session.state is sip.State.CONFIRMED
    reinvited(lone, session, 3)


@pytest.mark.parametrize("who", ["they", "we"])
def test_a_pending_reinvite_is_refused_when_the_call_ends(who: str) -> None:
    lone = Lone()
    session = called(lone)
    event = reinvited(lone, session, 2)
    if who == "they":
        lone.hear(inside(lone, session, "BYE", 3))
    else:
        session.bye(lone.now)
    sent = [(message.status, message.cseq.method) for message in lone.take()]
    assert (487, "INVITE") in sent
    session.answer_reinvite(event.transaction, 200, lone.now)
    assert lone.take() == []


def test_our_pending_reinvite_is_acknowledged_even_when_the_call_has_ended() -> None:
    lone = Lone()
    session = lone.call()
    session.reinvite(lone.now)
    request = lone.take_one()
    session.bye(lone.now)
    lone.take()
    lone.hear(make_response(request, 200))
    assert lone.take_one().cseq == sip.CSeq(2, "ACK")
    assert lone.events() == []


@pytest.mark.parametrize("response", [487, None])
def test_our_pending_reinvite_ends_with_the_call(response: int | None) -> None:
    lone = Lone()
    session = lone.call()
    session.reinvite(lone.now)
    request = lone.take_one()
    session.bye(lone.now)
    lone.take()
    if response:
        lone.hear(make_response(request, response))
    lone.walk(80)
    assert lone.events() == []
    assert lone.is_idle


def test_a_reinvite_that_the_owner_never_answers_is_refused() -> None:
    lone = Lone(timers=sip.Timers(invite_lifetime=60))
    session = called(lone)
    reinvited(lone, session, 2)
    assert lone.walk(60.1) == [(60.0, "408 INVITE")]
    assert lone.events() == []
    reinvited(lone, session, 3)


def test_a_reinvite_whose_connection_closes_is_forgotten() -> None:
    lone = Lone("TCP")
    session = called(lone)
    reinvited(lone, session, 2)
    lone.endpoint.flow_failed(lone.flow, lone.now)
    assert lone.events() == []
    reinvited(lone, session, 3)


def test_no_ack_to_the_answer_of_a_reinvite_ends_the_call() -> None:
    lone = Lone()
    session = called(lone)
    event = reinvited(lone, session, 2)
    session.answer_reinvite(event.transaction, 200, lone.now)
    lone.walk(33)
    assert lone.event() == sip.SessionEnded(session, "ack-timeout", None)


def test_a_bye_waits_for_all_acks() -> None:
    lone = Lone()
    session = lone.accept(body=b"offer")
    session.answer(lone.now)
    event = reinvited(lone, session, 2)
    session.answer_reinvite(event.transaction, 200, lone.now)
    lone.take()
    session.bye(lone.now)
    for number in (1, 2):
        assert lone.take() == []
        lone.hear(lone.request("ACK", branch=f"z9hG4bKa{number}", number=number, to_tag=session.local_tag))
    assert lone.take_one().cseq.method == "BYE"


def test_nothing_is_asked_of_a_session_that_has_ended() -> None:
    lone = Lone()
    session = lone.call()
    session.bye(lone.now)
    lone.take()
    session.reinvite(lone.now)
    assert lone.take() == []
    assert lone.events() == []


def test_a_bye_waits_for_all_acks_or_their_timeouts() -> None:
    lone = Lone()
    session = lone.accept(body=b"offer")
    session.answer(lone.now)
    lone.walk(5)
    event = reinvited(lone, session, 2)
    session.answer_reinvite(event.transaction, 200, lone.now)
    session.bye(lone.now)
    lone.take()
    assert "BYE" not in [start for _, start in lone.walk(31.9)]
    assert lone.walk(0.2)[-1] == (pytest.approx(0.1), "BYE")
    assert lone.events() == []


def test_an_answer_past_the_session_comes_to_nothing() -> None:
    lone = Lone()
    session = called(lone)
    event = reinvited(lone, session, 2)
    lone.hear(inside(lone, session, "BYE", 3))
    lone.take()
    event.transaction.respond(200, lone.now)
    assert lone.take() == []
