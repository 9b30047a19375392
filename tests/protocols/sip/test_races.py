"""Messages that cross, get lost, come twice or late: RFC 3261 §9, §13.2.2.4, §15; RFC 5407."""

from __future__ import annotations

import pytest

from switchroom.protocols import sip
from tests.protocols.sip.test_session import ANSWER, Pair, kinds
from tests.wire import Lone, Sent, make_request, make_response


def lose(pair: Pair, start: str, count: int = 1) -> None:
    """Lose the first messages of one kind."""
    left = [count]

    def drop(sent: Sent) -> bool:
        if sent.start == start and left[0]:
            left[0] -= 1
            return True
        return False

    pair.wire.drop = drop


# CANCEL meets 200


def test_a_cancel_that_crosses_the_200() -> None:
    pair = Pair()
    wire = pair.wire
    wire.run(0.1)
    pair.b.ring(180, wire.now)
    wire.run(1)
    pair.starts()
    pair.b.answer(wire.now, body=ANSWER)
    pair.caller.cancel(wire.now, headers=[("Reason", "SIP;cause=200")])
    wire.run(1)
    assert pair.starts() == [
        "a CANCEL",
        "b 200 INVITE",
        "a ACK",
        "a BYE",
        "b 200 CANCEL",
        "b 200 BYE",
    ]
    assert wire.a.events[-1] == sip.SessionRejected(pair.caller, None, 487, "cancelled")
    assert not wire.a.told(sip.SessionAnswered)
    assert kinds(wire.b.events) == ["RequestReceived", "SessionAcknowledged", "SessionEnded"]
    assert pair.is_over()


def test_a_200_that_was_first_answers_even_a_cancel_that_was_put_off() -> None:
    pair = Pair()
    wire = pair.wire
    wire.drop = lambda sent: sent.start == "100 INVITE"
    pair.answers_at_once = True
    pair.caller.cancel(wire.now)  # nothing was heard yet, so no CANCEL goes out
    wire.run(1)
    assert "a CANCEL" not in wire.starts()
    assert [start for start in wire.starts() if start[0] == "a"] == ["a INVITE", "a ACK", "a BYE"]
    assert wire.a.events == [sip.SessionRejected(pair.caller, None, 487, "cancelled")]
    assert pair.is_over()


def test_a_lost_cancel_is_sent_again() -> None:
    pair = Pair()
    wire = pair.wire
    wire.run(0.1)
    lose(pair, "CANCEL", 2)
    pair.caller.cancel(wire.now)
    wire.run(5)
    assert kinds(wire.b.events) == ["RequestReceived", "SessionCancelled"]
    assert kinds(wire.a.events) == ["SessionRejected"]
    assert pair.is_over()


def test_a_lost_487_is_sent_again() -> None:
    pair = Pair()
    wire = pair.wire
    wire.run(0.1)
    lose(pair, "487 INVITE", 3)
    pair.caller.cancel(wire.now)
    wire.run(10)
    assert kinds(wire.a.events) == ["SessionRejected"]
    assert pair.is_over()


def test_a_cancel_that_overtakes_the_invite() -> None:
    pair = Pair()
    wire = pair.wire
    wire.run(0.1)
    stale = wire.sent[0].data.replace(b"INVITE", b"CANCEL")
    end = Lone()
    end.endpoint.receive_datagram(stale, wire.flow(wire.b), 0.0)
    assert end.take_one().status == 481


# 200, ACK and their retransmissions


def test_a_lost_200_is_sent_again() -> None:
    pair = Pair()
    lose(pair, "200 INVITE", 3)
    pair.answers_at_once = True
    pair.wire.run(6)
    assert pair.b.is_acknowledged
    assert len(pair.wire.a.told(sip.SessionAnswered)) == 1


def test_a_lost_ack_is_sent_again_for_each_200() -> None:
    pair = Pair()
    lose(pair, "ACK", 3)
    pair.answers_at_once = True
    pair.wire.run(6)
    starts = pair.starts()
    assert starts.count("b 200 INVITE") == starts.count("a ACK") == 4
    assert pair.b.is_acknowledged
    assert kinds(pair.wire.a.events) == ["SessionAnswered"]
    assert kinds(pair.wire.b.events) == ["RequestReceived", "SessionAcknowledged"]


def test_the_repeated_ack_is_the_same_and_is_told_once() -> None:
    pair = Pair().up()
    (ack,) = [sent.data for sent in pair.wire.sent if sent.start == "ACK"]
    pair.wire.b.endpoint.receive_datagram(ack, pair.wire.flow(pair.wire.b), pair.wire.now)
    pair.wire.flush()
    assert len(pair.wire.b.told(sip.SessionAcknowledged)) == 1


def test_no_ack_ever_gets_through() -> None:
    pair = Pair()
    wire = pair.wire
    pair.answers_at_once = True
    wire.drop = lambda sent: sent.start == "ACK"
    wire.run(40)
    assert wire.b.events[-1] == sip.SessionEnded(pair.b, "ack-timeout", None)
    ended = wire.a.events[-1]
    assert isinstance(ended, sip.SessionEnded)
    assert ended.cause == "bye"
    assert pair.is_over()


def test_a_200_that_comes_after_its_bye_is_acknowledged_still() -> None:
    lone = Lone()
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    request = lone.take_one()
    lone.hear(make_response(request, 200))
    session.acknowledge(lone.now)
    ack = lone.take_one()
    session.bye(lone.now)
    lone.hear(make_response(lone.take_one(), 200))
    assert lone.endpoint.sessions == {}
    lone.hear(make_response(request, 200))
    assert bytes(lone.take_one()) == bytes(ack)


def test_ringing_that_comes_after_the_200_is_no_news() -> None:
    pair = Pair().up()
    ringing = make_response(pair.wire.sent[0].message, 180)
    pair.wire.a.endpoint.receive_datagram(bytes(ringing), pair.wire.flow(pair.wire.a), pair.wire.now)
    pair.wire.flush()
    assert kinds(pair.wire.a.events) == ["SessionAnswered"]


def test_a_bye_that_overtakes_the_ack() -> None:
    pair = Pair()
    wire = pair.wire
    wire.drop = lambda sent: sent.start == "ACK" and wire.now < 1000.3
    pair.answers_at_once = True
    wire.run(0.1)
    pair.caller.bye(wire.now)
    wire.run(1)
    assert kinds(wire.b.events) == ["RequestReceived", "SessionEnded"]
    assert pair.is_over()


# BYE meets BYE


def test_two_byes_that_cross_are_both_answered_with_200() -> None:
    pair = Pair().up()
    wire = pair.wire
    pair.starts()
    pair.caller.bye(wire.now)
    pair.b.bye(wire.now)
    wire.run(1)
    assert sorted(pair.starts()) == ["a 200 BYE", "a BYE", "b 200 BYE", "b BYE"]
    assert not wire.a.told(sip.SessionEnded)  # each has ended it himself
    assert not wire.b.told(sip.SessionEnded)
    assert pair.is_over()


def test_a_lost_200_to_a_bye_is_sent_again() -> None:
    pair = Pair().up()
    lose(pair, "200 BYE", 2)
    pair.caller.bye(pair.wire.now)
    pair.wire.run(4)
    assert pair.starts()[-6:] == ["a BYE", "b 200 BYE"] * 3
    assert len(pair.wire.b.told(sip.SessionEnded)) == 1
    assert pair.is_over()


def test_a_bye_crosses_a_reinvite() -> None:
    pair = Pair().up()
    wire = pair.wire
    pair.b.reinvite(wire.now)
    pair.caller.bye(wire.now)
    wire.run(1)
    starts = pair.starts()
    assert "b 200 BYE" in starts
    assert "a 481 INVITE" in starts
    assert kinds(wire.b.events)[-1] == "SessionEnded"
    assert not wire.a.told(sip.ReinviteReceived)
    assert pair.is_over()


def test_a_bye_crosses_an_info() -> None:
    pair = Pair().up()
    wire = pair.wire
    pair.b.send_request("INFO", wire.now)
    pair.caller.bye(wire.now)
    wire.run(1)
    assert "a 481 INFO" in pair.starts()
    assert kinds(wire.b.events)[-1] == "SessionEnded"
    assert pair.is_over()


# Forks (§13.2.2.4)


def forked() -> tuple[Lone, sip.Session, sip.Request]:
    lone = Lone()
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    request = lone.take_one()
    assert isinstance(request, sip.Request)
    return lone, session, request


def fork(request: sip.Request, tag: str, host: str, status: int = 200) -> sip.Response:
    return request.response(
        status,
        to_tag=tag,
        headers=[("Contact", f"<sip:{tag}@{host}>"), ("Record-Route", f"<sip:proxy-{tag}.example.org;lr>")],
    )


@pytest.mark.parametrize("when", ["before the ACK", "after the ACK", "after the BYE"])
def test_the_late_200_of_another_fork_gets_ack_and_bye(when: str) -> None:
    lone, session, request = forked()
    for tag in ("one", "two"):
        lone.hear(fork(request, tag, "192.0.2.40", 180))
    lone.hear(fork(request, "one", "192.0.2.41"))
    if when != "before the ACK":
        session.acknowledge(lone.now)
    if when == "after the BYE":
        session.bye(lone.now)
        lone.hear(make_response(lone.take()[-1], 200))
        assert lone.endpoint.sessions == {}
    lone.take(), lone.events()
    late = fork(request, "two", "192.0.2.42")
    lone.hear(late)
    ack, bye = lone.take()
    for sent, method in ((ack, "ACK"), (bye, "BYE")):
        assert isinstance(sent, sip.Request)
        assert (sent.method, str(sent.uri)) == (method, "sip:two@192.0.2.42")
        assert (sent.from_tag, sent.to_tag, sent.call_id) == ("local", "two", "call")
        assert [str(route) for route in sent.routes] == ["<sip:proxy-two.example.org;lr>"]
    assert (ack.cseq.number, bye.cseq.number) == (1, 2)
    lone.hear(late)
    assert bytes(lone.take_one()) == bytes(ack)  # and no second BYE
    lone.hear(make_response(bye, 200))
    assert lone.events() == []
    assert lone.endpoint.counters.forks_refused == 1
    if when == "before the ACK":
        session.acknowledge(lone.now)
        assert lone.take_one().to_tag == "one"
    lone.walk(70)


def test_the_bye_to_a_fork_that_does_not_answer_ends_as_well() -> None:
    lone, session, request = forked()
    lone.hear(fork(request, "one", "192.0.2.41"))
    session.bye(lone.now)
    _, bye = lone.take()
    lone.hear(make_response(bye, 200))
    lone.hear(fork(request, "two", "192.0.2.42"))
    lone.walk(80)
    assert lone.is_idle


def test_a_fork_without_contact_is_only_dropped() -> None:
    lone, session, request = forked()
    lone.hear(fork(request, "one", "192.0.2.41"))
    session.acknowledge(lone.now)
    lone.take()
    lone.hear(request.response(200, to_tag="two"))
    assert lone.take() == []


def test_ringing_of_another_fork_after_the_answer_is_no_news() -> None:
    lone, session, request = forked()
    lone.hear(fork(request, "one", "192.0.2.41"))
    lone.hear(fork(request, "two", "192.0.2.42", 180))
    assert kinds(lone.events()) == ["SessionAnswered"]
    session.acknowledge(lone.now)
    lone.take()
    lone.hear(fork(request, "two", "192.0.2.42", 486))  # nor is its refusal
    assert lone.take() == []
    assert lone.events() == []


def test_two_forks_that_answer_a_cancelled_call_are_both_ended() -> None:
    lone, session, request = forked()
    lone.hear(fork(request, "one", "192.0.2.41", 180))
    session.cancel(lone.now)
    lone.take()
    for tag in ("one", "two"):
        lone.hear(fork(request, tag, "192.0.2.41"))
        assert [message.cseq.method for message in lone.take()] == ["ACK", "BYE"]
    assert kinds(lone.events()) == ["SessionProgressed", "SessionRejected"]


# Calls to oneself


def test_an_endpoint_can_call_itself() -> None:
    lone = Lone()
    to_itself = lone.flow.replace(remote=lone.flow.local)
    session = lone.endpoint.invite(make_request("INVITE"), to_itself, lone.now)
    callee: list[sip.Session] = []

    def pump() -> None:
        for _ in range(10):
            for event in lone.events():
                if isinstance(event, sip.RequestReceived):
                    callee.append(lone.endpoint.accept(event, lone.now, contact="<sip:local@192.0.2.1>"))
                    callee[0].answer(lone.now)
                elif isinstance(event, sip.SessionAnswered):
                    event.session.acknowledge(lone.now)
                else:
                    assert isinstance(event, sip.SessionAcknowledged | sip.SessionEnded)
            for data, _ in lone.endpoint.datagrams_to_send():
                lone.endpoint.receive_datagram(data, to_itself, lone.now)

    pump()
    assert session.state is callee[0].state is sip.State.CONFIRMED
    assert callee[0].is_acknowledged
    session.bye(lone.now)
    pump()
    assert callee[0].state is sip.State.TERMINATED
    lone.walk(40)
    assert lone.is_idle
