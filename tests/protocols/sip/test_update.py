"""UPDATE, before the answer and after it, and offers that meet (RFC 3311, RFC 6337)."""

from __future__ import annotations

import pytest

from switchroom.protocols import sip
from switchroom.protocols.errors import LocalProtocolError
from tests.wire import Lone, Wire, invite, make_request, make_response

SDP = ("Content-Type", "application/sdp")
OFFER, ANSWER = b"v=0\r\ns=offer\r\n", b"v=0\r\ns=answer\r\n"


def update(
    lone: Lone, session: sip.Session, number: int, *headers: tuple[str, str], body: bytes = b""
) -> sip.Request:
    return lone.request(
        "UPDATE",
        ("Contact", "<sip:remote@192.0.2.77>"),
        *headers,
        *([SDP] if body else []),
        to_tag=session.local_tag,
        branch=f"z9hG4bKu{number}",
        number=number,
        body=body,
    )


def up(*headers: tuple[str, str]) -> tuple[Lone, sip.Session]:
    """A call that the other end answered."""
    lone = Lone()
    return lone, lone.call(*headers)


def received(lone: Lone) -> sip.UpdateReceived:
    event = lone.event()
    assert isinstance(event, sip.UpdateReceived)
    return event


def test_an_update_without_offer_is_answered_here() -> None:
    lone, session = up()
    lone.hear(update(lone, session, 1))
    answer = lone.take_one()
    assert (answer.status, answer.get("Contact"), answer.body) == (200, "<sip:local@192.0.2.1>", b"")
    assert lone.events() == []
    assert session.dialog is not None
    assert session.dialog.remote_target.host == "192.0.2.77"


def test_an_offer_is_the_owners_to_answer() -> None:
    lone, session = up()
    lone.hear(update(lone, session, 1, body=OFFER))
    event = received(lone)
    assert lone.take() == []
    event.transaction.respond(200, lone.now, body=ANSWER)
    answer = lone.take_one()
    assert (answer.body, answer.content_type) == (ANSWER, "application/sdp")
    assert answer.get("Contact") == "<sip:local@192.0.2.1>"
    assert session.dialog is not None
    assert session.dialog.remote_target.host == "192.0.2.77"
    event.transaction.respond(488, lone.now)
    assert lone.take() == []


def test_a_refused_offer_moves_nothing() -> None:
    lone, session = up()
    lone.hear(update(lone, session, 1, body=OFFER))
    received(lone).transaction.respond(488, lone.now)
    assert lone.take_one().get("Contact") is None
    assert session.dialog is not None
    assert session.dialog.remote_target.host == "192.0.2.2"
    lone.hear(update(lone, session, 2, body=OFFER))
    assert received(lone)


def test_an_offer_that_nobody_answers_is_forgotten() -> None:
    lone, session = up()
    lone.hear(update(lone, session, 1, body=OFFER))
    received(lone)
    lone.walk(40)
    lone.hear(update(lone, session, 2, body=OFFER))
    assert received(lone)


def test_a_second_update_has_to_wait() -> None:
    lone, session = up()
    lone.hear(update(lone, session, 1, body=OFFER))
    event = received(lone)
    for body in (b"", OFFER):
        lone.hear(update(lone, session, 2 + bool(body), body=body))
        refusal = lone.take_one()
        assert refusal.status == 500
        assert 0 <= (refusal.retry_after if refusal.retry_after is not None else -1) <= 10
    lone.hear(lone.request("INVITE", SDP, to_tag=session.local_tag, branch="z9hG4bKi", number=4, body=OFFER))
    assert lone.take_one().status == 500
    session.reinvite(lone.now, body=OFFER)
    rejected = lone.event()
    assert isinstance(rejected, sip.ReinviteRejected)
    assert rejected.status == 491
    event.transaction.respond(200, lone.now, body=ANSWER)
    assert lone.take_one().status == 200


def test_offers_that_meet() -> None:
    lone, session = up()
    session.update(lone.now, body=OFFER)
    ours = lone.take_one()
    lone.hear(update(lone, session, 1, body=OFFER))
    assert lone.take_one().status == 491
    lone.hear(update(lone, session, 2))  # without an offer there is nothing to meet
    assert lone.take_one().status == 200
    lone.hear(lone.request("INVITE", SDP, to_tag=session.local_tag, branch="z9hG4bKi", number=3, body=OFFER))
    assert lone.take_one().status == 491
    session.update(lone.now, body=OFFER)
    rejected = lone.event()
    assert isinstance(rejected, sip.UpdateRejected)
    assert (rejected.response, rejected.status) == (None, 491)
    lone.hear(make_response(ours, 491))
    rejected = lone.event()
    assert isinstance(rejected, sip.UpdateRejected)
    assert rejected.response is not None
    session.update(lone.now, body=OFFER)
    lone.hear(make_response(lone.take_one(), 200))
    assert isinstance(lone.event(), sip.UpdateAnswered)


def test_an_update_meets_a_reinvite() -> None:
    lone, session = up()
    session.reinvite(lone.now, body=OFFER)
    invite_again = lone.take_one()
    lone.hear(update(lone, session, 1, body=OFFER))
    assert lone.take_one().status == 491
    lone.hear(make_response(invite_again, 200))
    session.acknowledge(lone.now)
    lone.events(), lone.take()
    lone.hear(lone.request("INVITE", SDP, to_tag=session.local_tag, branch="z9hG4bKi", number=3, body=OFFER))
    event = lone.event()
    lone.take()
    lone.hear(update(lone, session, 4, body=OFFER))
    assert lone.take_one().status == 500
    assert isinstance(event, sip.ReinviteReceived)
    session.answer_reinvite(event.transaction, 200, lone.now, body=ANSWER)
    lone.take()
    lone.hear(update(lone, session, 5, body=OFFER))  # the answer is sent: the ACK need not have come
    assert received(lone)


def test_an_offer_in_a_2xx_waits_for_its_ack() -> None:
    lone, session = up()
    lone.hear(lone.request("INVITE", to_tag=session.local_tag, branch="z9hG4bKi", number=3))
    event = lone.event()
    assert isinstance(event, sip.ReinviteReceived)
    session.answer_reinvite(event.transaction, 200, lone.now, body=OFFER)
    lone.take()
    lone.hear(update(lone, session, 4, body=OFFER))
    assert lone.take_one().status == 491


def test_before_the_answer_offers_wait_for_the_first_to_be_answered() -> None:
    lone = Lone()
    session = lone.endpoint.invite(make_request("INVITE", body=OFFER), lone.flow, lone.now)
    with pytest.raises(LocalProtocolError):
        session.update(lone.now)
    request = lone.take_one()
    assert isinstance(request, sip.Request)
    lone.hear(make_response(request, 180))
    lone.events()
    session.update(lone.now, body=OFFER)
    rejected = lone.event()
    assert isinstance(rejected, sip.UpdateRejected)
    lone.hear(update(lone, session, 5, body=OFFER))
    assert lone.take_one().status == 491  # our INVITE's offer is not answered
    lone.hear(make_response(request, 183, ("Require", "100rel"), ("RSeq", "1"), SDP))  # still no SDP in it
    lone.take(), lone.events()
    session.update(lone.now, body=OFFER)
    assert isinstance(lone.event(), sip.UpdateRejected)
    answered = make_response(request, 183, ("Require", "100rel"), ("RSeq", "2"), SDP)
    answered.body = ANSWER
    lone.hear(answered)
    lone.take(), lone.events()
    session.update(lone.now, body=OFFER, tag="remote")
    sent = lone.take_one()
    assert (sent.method, sent.body) == ("UPDATE", OFFER)
    lone.hear(make_response(request, 200))
    session.acknowledge(lone.now)
    lone.take(), lone.events()
    lone.hear(update(lone, session, 6, body=OFFER))
    assert lone.take_one().status == 491  # what was offered early is still to be answered
    lone.hear(make_response(sent, 200))
    assert isinstance(lone.event(), sip.UpdateAnswered)


def test_the_callee_gets_no_offer_before_it_has_answered() -> None:
    lone = Lone()
    session = lone.accept(SDP, ("Supported", "100rel"), body=OFFER)
    session.ring(180, lone.now)
    lone.take()
    lone.hear(update(lone, session, 2, body=OFFER))
    assert lone.take_one().status == 500
    session.ring(183, lone.now, body=ANSWER)
    rseq = lone.take_one().rseq
    lone.hear(
        lone.request(
            "PRACK", ("RAck", f"{rseq} 1 INVITE"), to_tag=session.local_tag, branch="z9hG4bKp", number=3
        )
    )
    lone.take(), lone.events()
    lone.hear(update(lone, session, 4, body=OFFER))
    event = received(lone)
    session.answer(lone.now)
    lone.take()
    event.transaction.respond(200, lone.now, body=ANSWER)
    assert lone.take_one().body == ANSWER


def test_a_callee_names_the_early_dialog_by_its_own_tag() -> None:
    lone = Lone()
    session = lone.accept()
    first = session.local_tag
    session.ring(180, lone.now)
    session.ring(180, lone.now, tag="two")
    lone.take()
    for tag, expected in (("two", "two"), (None, first), ("nobody", first)):
        session.update(lone.now, tag=tag)
        assert lone.take_one().from_tag == expected


def test_what_is_required_and_unknown_is_refused() -> None:
    lone, session = up()
    lone.hear(update(lone, session, 1, ("Require", "timer, precondition, magic")))
    answer = lone.take_one()
    assert (answer.status, answer.get("Unsupported")) == (420, "precondition, magic")
    lone.hear(update(lone, session, 2, ("Require", "timer")))
    assert lone.take_one().status == 200


def test_an_update_that_is_refused_or_lost() -> None:
    lone, session = up()
    session.update(lone.now)
    lone.hear(make_response(lone.take_one(), 100))
    assert lone.events() == []
    lone.walk(40)
    rejected, ended = lone.events()
    assert isinstance(rejected, sip.UpdateRejected)
    assert (rejected.response, rejected.status) == (None, 408)
    assert isinstance(ended, sip.SessionEnded)
    session.update(lone.now)
    assert all(start == "BYE" for _, start in lone.walk(40))
    lone.walk(100)
    assert lone.is_idle


def test_what_the_other_end_takes() -> None:
    lone, session = up(("Allow", "INVITE, ACK,UPDATE , BYE"))
    assert session.allows("UPDATE")
    assert not session.allows("REFER")
    lone, session = up()
    assert session.allows("BYE")
    assert not session.allows("UPDATE")
    lone = Lone()
    callee = lone.accept(("Allow", "INVITE, REFER"))
    assert callee.allows("REFER")
    assert not callee.allows("UPDATE")
    assert not Lone().accept().allows("UPDATE")


def test_early_what_it_takes_is_known_from_a_provisional_response() -> None:
    lone = Lone()
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    request = lone.take_one()
    lone.hear(make_response(request, 180, ("Allow", "UPDATE")))
    session.update(lone.now)
    assert session.allows("UPDATE")
    lone = Lone()
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    request = lone.take_one()
    lone.hear(make_response(request, 180, ("Allow", "UPDATE")))
    lone.hear(make_response(request, 200))
    assert session.allows("UPDATE")


@pytest.mark.parametrize("seed", range(20))
def test_updates_from_both_sides_over_a_bad_wire(seed: int) -> None:
    """Each is answered or refused, and the refused ones are the only ones that are lost."""
    wire = Wire(seed=seed, loss=0.2, doubling=0.2, jitter=0.5)
    sessions: list[sip.Session] = []
    asked = {"a": 0, "b": 0}
    heard = {"a": 0, "b": 0}

    def react(name: str, event: sip.Event, now: float) -> None:
        match event:
            case sip.RequestReceived():
                sessions.append(wire.b.endpoint.accept(event, now, contact="<sip:b@192.0.2.2>"))
                sessions[0].answer(now, body=ANSWER)
            case sip.SessionAnswered(session):
                session.acknowledge(now)
            case sip.UpdateReceived(_, transaction):
                transaction.respond(200, now, body=ANSWER)
            case sip.UpdateAnswered() | sip.UpdateRejected():
                heard[name] += 1

    wire.a.on_event = lambda event, now: react("a", event, now)
    wire.b.on_event = lambda event, now: react("b", event, now)
    caller = invite(wire)
    wire.run(20)
    for _ in range(10):
        for name, session in (("a", caller), ("b", sessions[0])):
            session.update(wire.now, body=OFFER)
            asked[name] += 1
        wire.run(wire.random.random() * 20)
    wire.run(40)
    assert caller.state is sip.State.CONFIRMED
    assert heard == asked
    caller.bye(wire.now)
    wire.settle()
    assert wire.a.is_idle
    assert wire.b.is_idle
