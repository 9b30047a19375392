"""INVITE sessions between two endpoints: the plain courses of a call (RFC 3261 §13 to §15)."""

from __future__ import annotations

import pytest

from switchroom.protocols import sip
from switchroom.protocols.errors import LocalProtocolError
from tests.wire import Lone, Wire, invite, make_request, make_response

OFFER, ANSWER = b"v=0\r\ns=offer\r\n", b"v=0\r\ns=answer\r\n"


class Pair:
    """A call between a and b: a acknowledges by itself, b does what the test says."""

    def __init__(self, transport: str = "UDP", **options: float) -> None:
        self.wire = Wire(transport=transport, **options)  # type: ignore[arg-type]
        self.wire.a.on_event = self._on_a
        self.wire.b.on_event = self._on_b
        self.callee: sip.Session | None = None
        self.answers_at_once = False
        self.caller = invite(self.wire, body=OFFER)

    def _on_a(self, event: sip.Event, now: float) -> None:
        if isinstance(event, sip.SessionAnswered | sip.ReinviteAnswered):
            event.session.acknowledge(now)

    def _on_b(self, event: sip.Event, now: float) -> None:
        if isinstance(event, sip.RequestReceived) and event.request.method == "INVITE":
            self.callee = self.wire.b.endpoint.accept(event, now, contact="<sip:b@192.0.2.2>")
            if self.answers_at_once:
                self.callee.answer(now, body=ANSWER)
        elif isinstance(event, sip.ReinviteAnswered):
            event.session.acknowledge(now)

    @property
    def b(self) -> sip.Session:
        assert self.callee is not None
        return self.callee

    def up(self) -> Pair:
        """Let it be answered and acknowledged."""
        self.answers_at_once = True
        self.wire.run(1)
        assert self.caller.state is self.b.state is sip.State.CONFIRMED
        return self

    def starts(self) -> list[str]:
        """What went over the wire since the last time."""
        starts = self.wire.starts()
        self.wire.sent.clear()
        return starts

    def is_over(self) -> bool:
        """Whether nothing at all is left."""
        self.wire.settle()
        return self.wire.a.is_idle and self.wire.b.is_idle


def kinds(events: list[sip.Event]) -> list[str]:
    return [type(event).__name__ for event in events]


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_a_call_from_invite_to_bye(transport: str) -> None:
    pair = Pair(transport)
    wire = pair.wire
    wire.run(0.1)
    pair.b.ring(180, wire.now)
    wire.run(3)
    pair.b.answer(wire.now, body=ANSWER)
    wire.run(3)
    assert pair.caller.is_acknowledged
    assert pair.b.is_acknowledged
    assert pair.caller.remote_tag == pair.b.local_tag
    assert pair.caller.local_tag == pair.b.remote_tag
    pair.b.bye(wire.now)
    wire.run(1)
    assert pair.starts() == [
        "a INVITE",
        "b 100 INVITE",
        "b 180 INVITE",
        "b 200 INVITE",
        "a ACK",
        "b BYE",
        "a 200 BYE",
    ]
    assert kinds(wire.a.events) == ["SessionProgressed", "SessionAnswered", "SessionEnded"]
    assert kinds(wire.b.events) == ["RequestReceived", "SessionAcknowledged"]
    ended = wire.a.events[-1]
    assert isinstance(ended, sip.SessionEnded)
    assert (ended.cause, ended.request is not None) == ("bye", True)
    assert pair.caller.state is pair.b.state is sip.State.TERMINATED
    assert pair.is_over()


def test_bodies_travel_with_their_type() -> None:
    pair = Pair().up()
    sent = {entry.start: entry.message for entry in pair.wire.sent}
    assert sent["INVITE"].body == OFFER
    answer = sent["200 INVITE"]
    assert (answer.body, answer.content_type) == (ANSWER, "application/sdp")
    assert sent["ACK"].body == b""
    assert sent["ACK"].content_type is None


def test_the_owner_may_name_the_type_himself() -> None:
    pair = Pair().up()
    pair.starts()
    pair.caller.send_request(
        "INFO", pair.wire.now, headers=[("content-type", "application/dtmf-relay")], body=b"Signal=5"
    )
    assert pair.caller.core.datagrams_to_send()[0][0].lower().count(b"content-type") == 1


def test_an_offerless_invite_gets_its_answer_in_the_ack() -> None:
    lone = Lone()
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    lone.hear(make_response(lone.take_one(), 200))
    lone.walk(0.4)
    session.acknowledge(lone.now, body=ANSWER, headers=[("X-Y", "z")])
    ack = lone.take_one()
    assert (ack.body, ack.content_type, ack.get("X-Y")) == (ANSWER, "application/sdp", "z")
    assert ack.cseq == sip.CSeq(1, "ACK")


def test_the_ack_bears_the_credentials_of_the_invite() -> None:
    lone = Lone()
    session = lone.endpoint.invite(
        make_request("INVITE", ("Proxy-Authorization", "Digest a=b")), lone.flow, lone.now
    )
    request = lone.take_one()
    lone.hear(make_response(request, 200))
    session.acknowledge(lone.now)
    ack = lone.take_one()
    assert ack.get("Proxy-Authorization") == "Digest a=b"
    assert ack.via.branch != request.via.branch  # it is no part of the INVITE's transaction


def test_the_body_of_the_ack_reaches_the_callee() -> None:
    wire = Wire()

    def on_b(event: sip.Event, now: float) -> None:
        if isinstance(event, sip.RequestReceived):
            wire.b.endpoint.accept(event, now, contact="<sip:b@192.0.2.2>").answer(now, body=OFFER)

    def on_a(event: sip.Event, now: float) -> None:
        if isinstance(event, sip.SessionAnswered):
            event.session.acknowledge(now, body=ANSWER)

    wire.a.on_event, wire.b.on_event = on_a, on_b
    invite(wire, body=b"")
    wire.run(1)
    event = wire.b.events[-1]
    assert isinstance(event, sip.SessionAcknowledged)
    assert event.request.body == ANSWER


# Refusals


@pytest.mark.parametrize("status", [302, 404, 486, 503, 603])
def test_a_refusal(status: int) -> None:
    pair = Pair()
    pair.wire.run(0.1)
    pair.b.reject(status, pair.wire.now, headers=[("Reason", "Q.850;cause=17")])
    pair.b.reject(status, pair.wire.now)  # once is enough
    pair.wire.run(1)
    assert pair.starts() == ["a INVITE", "b 100 INVITE", f"b {status} INVITE", "a ACK"]
    event = pair.wire.a.events[-1]
    assert isinstance(event, sip.SessionRejected)
    assert event.status == status
    assert event.response is not None
    assert event.response.get("Reason") == "Q.850;cause=17"
    assert pair.is_over()


def test_after_a_challenge_the_owner_tries_again_with_the_same_identifiers() -> None:
    lone = Lone()
    lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    lone.hear(make_response(lone.take_one(), 401))
    lone.take(), lone.events()
    again = lone.endpoint.invite(make_request("INVITE", number=2), lone.flow, lone.now)
    lone.hear(make_response(lone.take_one(), 200))
    event = lone.event()
    assert isinstance(event, sip.SessionAnswered)
    assert event.session is again
    again.acknowledge(lone.now)
    assert str(lone.take_one().cseq) == "2 ACK"


# CANCEL


def test_a_cancel_while_it_rings() -> None:
    pair = Pair()
    wire = pair.wire
    wire.run(0.1)
    pair.b.ring(180, wire.now)
    wire.run(1)
    pair.caller.cancel(wire.now, headers=[("Reason", 'SIP;cause=200;text="elsewhere"')])
    pair.caller.cancel(wire.now)
    wire.run(1)
    assert pair.starts()[3:] == ["a CANCEL", "b 200 CANCEL", "b 487 INVITE", "a ACK"]
    rejected, cancelled = wire.a.events[-1], wire.b.events[-1]
    assert isinstance(rejected, sip.SessionRejected)
    assert (rejected.status, rejected.reason) == (487, "cancelled")
    assert isinstance(cancelled, sip.SessionCancelled)
    assert cancelled.session is pair.b
    assert cancelled.request.get("Reason") == 'SIP;cause=200;text="elsewhere"'
    assert pair.b.state is sip.State.TERMINATED
    pair.b.answer(wire.now)  # the owner had not heard of it yet
    pair.b.ring(180, wire.now)
    pair.b.reject(486, wire.now)
    pair.b.bye(wire.now)
    pair.b.hang_up(wire.now)
    wire.flush()
    assert pair.starts() == []
    assert pair.is_over()


def test_a_cancel_names_the_invite() -> None:
    lone = Lone()
    session = lone.endpoint.invite(
        make_request("INVITE", ("Route", "<sip:proxy.example.org;lr>")), lone.flow, lone.now
    )
    request = lone.take_one()
    lone.hear(make_response(request, 180))
    session.cancel(lone.now)
    cancel = lone.take_one()
    assert isinstance(cancel, sip.Request)
    assert isinstance(request, sip.Request)
    assert (cancel.method, cancel.uri) == ("CANCEL", request.uri)
    assert cancel.vias == request.vias
    assert (cancel.from_, cancel.to, cancel.call_id) == (request.from_, request.to, request.call_id)
    assert cancel.cseq == sip.CSeq(1, "CANCEL")
    assert cancel.get("Route") == "<sip:proxy.example.org;lr>"
    assert [start for _, start in lone.walk(2)] == ["CANCEL", "CANCEL"]  # a transaction of its own


def test_a_cancel_waits_for_a_provisional_response() -> None:
    lone = Lone()
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    request = lone.take_one()
    session.cancel(lone.now)
    assert lone.take() == []  # §9.1
    lone.hear(make_response(request, 100))
    assert [message.cseq.method for message in lone.take()] == ["CANCEL"]
    lone.hear(make_response(request, 180))
    assert lone.take() == []
    assert lone.events() == []  # the owner has lost interest
    lone.hear(make_response(request, 487))
    assert [message.cseq.method for message in lone.take()] == ["ACK"]
    event = lone.event()
    assert isinstance(event, sip.SessionRejected)
    assert event.status == 487


def test_a_refusal_that_is_quicker_than_the_cancel_is_told_as_it_is() -> None:
    lone = Lone()
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    request = lone.take_one()
    session.cancel(lone.now)
    lone.hear(make_response(request, 486))
    event = lone.event()
    assert isinstance(event, sip.SessionRejected)
    assert event.status == 486


def test_a_cancel_that_nobody_hears_of_ends_with_timer_b() -> None:
    lone = Lone()
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    session.cancel(lone.now)
    lone.walk(33)
    assert lone.event() == sip.SessionRejected(session, None, 487, "cancelled")
    assert lone.is_idle


def test_what_is_cancelled_ends_after_32_seconds_without_a_final_response() -> None:
    lone = Lone()
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    request = lone.take_one()
    lone.hear(make_response(request, 180))
    session.cancel(lone.now)
    lone.events()
    lone.walk(20)
    lone.hear(make_response(request, 180))  # it goes on ringing: no matter
    lone.walk(11.9)
    assert lone.events() == []
    lone.walk(0.2)
    assert lone.event() == sip.SessionRejected(session, None, 487, "cancelled")
    lone.walk(8)
    assert lone.is_idle


def test_a_cancel_for_nothing_gets_481() -> None:
    lone = Lone()
    lone.hear(lone.request("CANCEL"))
    assert lone.take_one().status == 481


def test_a_cancel_after_the_final_response_changes_nothing() -> None:
    lone = Lone()
    session = lone.accept()
    session.answer(lone.now)
    lone.take()
    cancel = lone.request("CANCEL")
    lone.hear(cancel)
    response = lone.take_one()
    assert (response.status, response.to_tag) == (200, session.local_tag)
    lone.hear(lone.request("ACK", branch="z9hG4bKack", to_tag=session.local_tag))
    lone.events()
    lone.walk(1)
    lone.hear(cancel)  # a retransmission gets the same again
    assert bytes(lone.take_one()) == bytes(response)
    lone.hear(lone.request("CANCEL", number=1, from_tag="remote"))
    lone.take()
    assert lone.events() == []
    assert session.state is sip.State.CONFIRMED


def test_a_cancel_of_an_invite_whose_transaction_is_a_tombstone_gets_200() -> None:
    lone = Lone()
    session = lone.accept()
    session.answer(lone.now)
    lone.hear(lone.request("ACK", branch="z9hG4bKack", to_tag=session.local_tag))
    lone.take(), lone.events()
    lone.hear(lone.request("CANCEL"))
    assert lone.take_one().status == 200
    assert lone.events() == []


# BYE


def test_the_callee_waits_for_the_ack_before_its_bye() -> None:
    lone = Lone()
    session = lone.accept()
    session.answer(lone.now)
    session.bye(lone.now, headers=[("Reason", "Q.850;cause=16")])
    session.bye(lone.now)
    assert [message.status for message in lone.take()] == [100, 200]
    assert lone.walk(1) == [(0.5, "200 INVITE")]
    lone.hear(lone.request("ACK", branch="z9hG4bKack", to_tag=session.local_tag))
    bye = lone.take_one()
    assert bye.cseq == sip.CSeq(1, "BYE")
    assert bye.get("Reason") == "Q.850;cause=16"
    assert lone.events() == []  # the owner has done with it
    lone.hear(make_response(bye, 200))
    assert lone.endpoint.sessions == {}


def test_without_an_ack_the_bye_goes_out_after_32_seconds() -> None:
    lone = Lone()
    session = lone.accept()
    session.answer(lone.now)
    session.bye(lone.now)
    sent = lone.walk(33)
    assert "BYE" not in [start for at, start in sent if at < 32]
    assert sent[-2:] == [(32.0, "BYE"), (32.5, "BYE")]
    assert lone.events() == []
    lone.walk(60)
    assert lone.is_idle


def test_no_ack_at_all_ends_the_session() -> None:
    lone = Lone()
    session = lone.accept()
    session.answer(lone.now)
    lone.take()
    sent = lone.walk(32)
    assert [start for _, start in sent] == ["200 INVITE"] * 10 + ["BYE"]
    assert lone.event() == sip.SessionEnded(session, "ack-timeout", None)
    lone.walk(80)
    assert lone.is_idle


def test_a_bye_before_the_owner_acknowledged_goes_out_behind_the_ack() -> None:
    lone = Lone()
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    lone.hear(make_response(lone.take_one(), 200))
    session.bye(lone.now)
    assert [message.cseq.method for message in lone.take()] == ["ACK", "BYE"]
    session.acknowledge(lone.now)
    assert lone.take() == []


def test_the_caller_may_say_bye_to_an_early_dialog() -> None:
    lone = Lone()
    session = lone.accept()
    session.ring(180, lone.now)
    lone.take()
    lone.hear(lone.request("BYE", branch="z9hG4bKbye", number=2, to_tag=session.local_tag))
    assert [(message.status, message.cseq.method) for message in lone.take()] == [
        (200, "BYE"),
        (487, "INVITE"),
    ]
    ended = lone.event()
    assert isinstance(ended, sip.SessionEnded)
    assert ended.cause == "bye"


def test_a_bye_before_the_ack_stops_the_2xx() -> None:
    lone = Lone()
    session = lone.accept()
    session.answer(lone.now)
    lone.take()
    lone.hear(lone.request("BYE", branch="z9hG4bKbye", number=2, to_tag=session.local_tag))
    assert lone.take_one().status == 200
    assert lone.walk(40) == []
    assert kinds(lone.events()) == ["SessionEnded"]
    assert lone.is_idle


def test_a_bye_that_nobody_answers_ends_by_timer_f() -> None:
    pair = Pair().up()
    pair.wire.drop = lambda sent: sent.sender == "a"
    pair.caller.bye(pair.wire.now)
    pair.wire.run(40)
    assert pair.wire.a.endpoint.sessions == {}
    assert pair.wire.a.endpoint.counters.sessions == 0


@pytest.mark.parametrize("status", [200, 401, 481, 500])
def test_whatever_the_bye_is_answered_with_it_is_the_end(status: int) -> None:
    lone = Lone()
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    lone.hear(make_response(lone.take_one(), 200))
    session.bye(lone.now)
    _, bye = lone.take()
    lone.events()
    lone.hear(make_response(bye, 100))
    assert lone.endpoint.sessions
    lone.hear(make_response(bye, status))
    assert lone.endpoint.sessions == {}
    assert lone.events() == []


def test_while_our_bye_is_on_its_way_only_a_bye_is_welcome() -> None:
    pair = Pair().up()
    pair.wire.drop = lambda sent: sent.start == "BYE"
    pair.caller.bye(pair.wire.now)
    pair.starts()
    pair.b.send_request("INFO", pair.wire.now)
    pair.wire.run(0.1)
    assert "a 481 INFO" in pair.starts()


# hang_up does the right thing in every state


def test_hang_up_before_any_response_cancels() -> None:
    lone = Lone()
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    request = lone.take_one()
    session.hang_up(lone.now)
    lone.hear(make_response(request, 180))
    assert lone.take_one().cseq.method == "CANCEL"


def test_hang_up_of_an_unanswered_callee_refuses() -> None:
    pair = Pair()
    pair.wire.run(0.1)
    pair.b.hang_up(pair.wire.now, status=480)
    pair.wire.run(0.1)
    assert "b 480 INVITE" in pair.starts()


def test_hang_up_of_an_answered_call_says_bye() -> None:
    pair = Pair().up()
    pair.b.hang_up(pair.wire.now, headers=[("Reason", "SIP;cause=200")])
    pair.b.hang_up(pair.wire.now)
    pair.wire.run(1)
    assert pair.starts()[-2:] == ["b BYE", "a 200 BYE"]
    assert pair.is_over()


# Requests inside


def test_responses_to_a_request_inside_are_told() -> None:
    lone = Lone()
    session = lone.call()
    transaction = session.send_request("REFER", lone.now, headers=[("Refer-To", "<sip:c@example.org>")])
    request = lone.take_one()
    for status in (100, 202):
        lone.hear(make_response(request, status))
        event = lone.event()
        assert isinstance(event, sip.SessionResponseReceived)
        assert (event.session, event.transaction, event.response.status) == (session, transaction, status)


@pytest.mark.parametrize(("status", "cause"), [(408, "timeout"), (481, "unknown")])
def test_some_responses_end_the_dialog(status: int, cause: str) -> None:
    lone = Lone()
    session = lone.call()
    session.send_request("INFO", lone.now)
    lone.hear(make_response(lone.take_one(), status))
    assert kinds(events := lone.events()) == ["SessionResponseReceived", "SessionEnded"]
    assert events[1] == sip.SessionEnded(session, cause, None)
    assert lone.take_one().cseq.method == "BYE"


def test_no_response_at_all_ends_the_dialog() -> None:
    lone = Lone()
    session = lone.call()
    transaction = session.send_request("INFO", lone.now)
    lone.walk(33)
    assert lone.events() == [
        sip.SessionRequestFailed(session, transaction, "timeout"),  # type: ignore[arg-type]
        sip.SessionEnded(session, "timeout", None),
    ]
    lone.walk(80)
    assert lone.is_idle


def test_a_broken_connection_ends_the_request_but_not_the_dialog() -> None:
    lone = Lone("TCP")
    session = lone.call()
    session.send_request("INFO", lone.now)
    lone.endpoint.flow_failed(lone.flow, lone.now)
    assert kinds(lone.events()) == ["SessionRequestFailed"]
    assert session.state is sip.State.CONFIRMED
    session.bye(lone.now)
    lone.endpoint.flow_failed(lone.flow, lone.now)
    lone.walk(40)
    assert lone.is_idle


def test_what_comes_for_a_session_that_ended_is_not_told() -> None:
    pair = Pair().up()
    pair.caller.send_request("INFO", pair.wire.now)
    pair.caller.bye(pair.wire.now)
    pair.wire.run(1)
    assert not pair.wire.a.told(sip.SessionResponseReceived)
    assert pair.caller.send_request("INFO", pair.wire.now) is None


@pytest.mark.parametrize("method", ["INVITE", "ACK", "BYE", "CANCEL"])
def test_methods_with_a_way_of_their_own(method: str) -> None:
    with pytest.raises(LocalProtocolError):
        Pair().up().caller.send_request(method, 0.0)


def test_a_caller_can_do_nothing_of_a_callee() -> None:
    session = Pair().caller
    for wrong in (
        lambda: session.ring(180, 0.0),
        lambda: session.answer(0.0),
        lambda: session.reject(486, 0.0),
    ):
        with pytest.raises(LocalProtocolError):
            wrong()


@pytest.mark.parametrize("name", ["From", "Contact"])
def test_an_invite_needs_a_tag_and_a_contact(name: str) -> None:
    lone = Lone()
    request = make_request("INVITE")
    request.remove(name)
    if name == "From":
        request.add("From", "<sip:local@example.org>")
    with pytest.raises(LocalProtocolError):
        lone.endpoint.invite(request, lone.flow, lone.now)
    assert lone.is_idle


def test_the_context_belongs_to_the_owner() -> None:
    pair = Pair()
    pair.caller.context = mark = object()
    pair.up()
    event = pair.wire.a.events[0]
    assert isinstance(event, sip.SessionAnswered)
    assert event.session.context is mark
    assert (pair.caller.is_caller, pair.b.is_caller) == (True, False)


def test_a_request_that_fails_after_the_end_is_not_told() -> None:
    lone = Lone()
    session = lone.call()
    session.send_request("INFO", lone.now)
    session.bye(lone.now)
    lone.hear(make_response(lone.take()[-1], 200))
    lone.walk(40)
    assert lone.events() == []
    assert lone.is_idle
