"""Reliable provisional responses, both ends of them (RFC 3262)."""

from __future__ import annotations

import pytest

from switchroom.protocols import sip
from switchroom.protocols.errors import LocalProtocolError
from tests.wire import Lone, Wire, invite, make_request, make_response

SUPPORTED, REQUIRED = ("Supported", "100rel"), ("Require", "100rel")
SDP = ("Content-Type", "application/sdp")
OFFER, ANSWER = b"v=0\r\ns=offer\r\n", b"v=0\r\ns=answer\r\n"


def prack(
    lone: Lone,
    progress: sip.Message,
    *headers: tuple[str, str],
    body: bytes = b"",
    number: int = 2,
    rseq: int | None = None,
) -> sip.Request:
    """The other end's PRACK to a response of ours."""
    rseq = rseq or progress.rseq
    return lone.request(
        "PRACK",
        ("RAck", f"{rseq} 1 INVITE"),
        *headers,
        *([SDP] if body else []),
        to_tag=progress.to_tag,
        branch=f"z9hG4bKp{number}",
        number=number,
        body=body,
    )


def reliable(request: sip.Request, rseq: int, *, tag: str = "remote", body: bytes = b"") -> sip.Response:
    """The other end's reliable 183."""
    headers = [("Contact", "<sip:remote@192.0.2.2>"), REQUIRED, ("RSeq", str(rseq)), *([SDP] if body else [])]
    return request.response(183, to_tag=tag, headers=headers, body=body)


def starts(messages: list[sip.Request | sip.Response]) -> list[object]:
    return [m.method if isinstance(m, sip.Request) else (m.status, m.cseq.method) for m in messages]


# The callee


@pytest.mark.parametrize(
    ("headers", "body", "wish", "expected"),
    [
        ([SUPPORTED], b"", None, False),
        ([SUPPORTED], ANSWER, None, True),
        ([SUPPORTED], ANSWER, False, False),
        ([SUPPORTED], b"", True, True),
        ([REQUIRED], b"", None, True),
        ([REQUIRED], b"", False, True),
        ([], ANSWER, True, False),
        ([("Supported", "timer, replaces")], ANSWER, None, False),
    ],
)
def test_what_is_sent_reliably(
    headers: list[tuple[str, str]], body: bytes, wish: bool | None, expected: bool
) -> None:
    lone = Lone()
    session = lone.accept(*headers, body=OFFER)
    lone.take()
    session.ring(183, lone.now, body=body, is_reliable=wish)
    sent = lone.take_one()
    assert (sent.rseq is not None) is expected
    assert ("100rel" in sent.require) is expected
    assert sent.status == 183


def test_a_reliable_response_is_repeated_until_its_prack() -> None:
    lone = Lone("TCP")
    session = lone.accept(REQUIRED, body=OFFER)
    lone.take()
    session.ring(180, lone.now)
    sent = lone.take_one()
    assert [at for at, _ in lone.walk(4)] == pytest.approx([0.5, 1.5, 3.5], abs=0.02)
    lone.hear(prack(lone, sent))
    assert lone.take_one().status == 200
    event = lone.event()
    assert isinstance(event, sip.ProgressAcknowledged)
    assert event.transaction is None
    assert lone.walk(50) == []
    lone.hear(prack(lone, sent, number=3))  # another PRACK for the same: nothing waits for it
    assert lone.take_one().status == 481
    assert lone.events() == []


def test_a_retransmitted_prack_gets_the_same_again() -> None:
    lone = Lone()
    session = lone.accept(REQUIRED, body=OFFER)
    lone.take()
    session.ring(180, lone.now)
    request = prack(lone, lone.take_one())
    lone.hear(request)
    lone.hear(request)
    assert starts(lone.take()) == [(200, "PRACK"), (200, "PRACK")]
    assert len(lone.events()) == 1


@pytest.mark.parametrize("rack", ["99 1 INVITE", "{rseq} 2 INVITE", "{rseq} 1 UPDATE"])
def test_a_wrong_rack_is_refused(rack: str) -> None:
    lone = Lone()
    session = lone.accept(REQUIRED, body=OFFER)
    lone.take()
    session.ring(180, lone.now)
    sent = lone.take_one()
    wrong = prack(lone, sent)
    wrong.set("RAck", rack.format(rseq=sent.rseq))
    lone.hear(wrong)
    assert lone.take_one().status == 481
    assert [start for _, start in lone.walk(1)] == ["180 INVITE"]


def test_a_prack_without_rack_is_malformed() -> None:
    lone = Lone()
    session = lone.accept(REQUIRED, body=OFFER)
    session.ring(180, lone.now)
    sent = lone.take()[-1]
    bad = prack(lone, sent)
    bad.remove("RAck")
    lone.hear(bad)
    assert lone.take_one().status == 400


def test_one_after_the_other() -> None:
    lone = Lone()
    session = lone.accept(REQUIRED, body=OFFER)
    lone.take()
    session.ring(180, lone.now)
    session.ring(183, lone.now, body=ANSWER)
    first = lone.take_one()
    lone.hear(prack(lone, first))
    ok, second = lone.take()
    assert (ok.status, second.status, second.body) == (200, 183, ANSWER)
    assert second.rseq == (first.rseq or 0) + 1


def test_what_waits_is_bounded() -> None:
    lone = Lone()
    session = lone.accept(REQUIRED, body=OFFER)
    lone.take()
    for number in range(20):
        session.ring(180, lone.now, reason=f"Ringing {number}")
    heard = []
    for number in range(2, 12):
        sent = lone.take()[-1]
        heard.append(sent.reason)
        lone.hear(prack(lone, sent, number=number))
        if sent.reason == "Ringing 19":
            break
    assert heard == [f"Ringing {number}" for number in (0, *range(12, 20))]


def test_the_answer_waits_for_sdp_to_be_acknowledged() -> None:
    lone = Lone()
    session = lone.accept(SUPPORTED, body=OFFER)
    lone.take()
    session.ring(183, lone.now, body=ANSWER)
    sent = lone.take_one()
    session.answer(lone.now, body=ANSWER)
    session.ring(180, lone.now)  # too late
    assert lone.take() == []
    assert session.state is sip.State.PROCEEDING
    lone.hear(prack(lone, sent))
    assert starts(lone.take()) == [(200, "PRACK"), (200, "INVITE")]
    assert session.state is sip.State.CONFIRMED


def test_the_2xx_does_not_repeat_an_answer_that_went_before() -> None:
    lone = Lone()
    session = lone.accept(SUPPORTED, body=OFFER)
    session.ring(183, lone.now, body=ANSWER)
    lone.hear(prack(lone, lone.take()[-1]))
    lone.take()
    session.answer(lone.now, body=ANSWER, headers=[SDP, ("X-Y", "z")])
    sent = lone.take_one()
    assert (sent.body, sent.content_type, sent.get("X-Y")) == (b"", None, "z")


def test_the_answer_does_not_wait_for_ringing() -> None:
    lone = Lone()
    session = lone.accept(REQUIRED, body=OFFER)
    session.ring(180, lone.now)
    ringing = lone.take()[-1]
    session.answer(lone.now, body=ANSWER)
    answer = lone.take_one()
    assert (answer.status, answer.body) == (200, ANSWER)
    lone.hear(prack(lone, ringing))  # it was on its way
    assert lone.take_one().status == 200
    assert isinstance(lone.event(), sip.ProgressAcknowledged)


def test_without_prack_the_invite_is_refused() -> None:
    lone = Lone()
    session = lone.accept(SUPPORTED, body=OFFER)
    lone.take()
    session.ring(183, lone.now, body=ANSWER)
    session.answer(lone.now, body=ANSWER)
    sent = lone.walk(40)
    assert [start for _, start in sent].count("183 INVITE") == 7
    assert "504 INVITE" in [start for _, start in sent]
    event = lone.event()
    assert isinstance(event, sip.SessionEnded)
    assert event.cause == "prack-timeout"
    lone.walk(100)
    assert lone.is_idle


@pytest.mark.parametrize("ending", ["cancel", "reject", "bye", "hang_up", "remote bye"])
def test_a_call_may_end_while_a_prack_is_awaited(ending: str) -> None:
    lone = Lone()
    session = lone.accept(SUPPORTED, body=OFFER)
    session.ring(183, lone.now, body=ANSWER)
    session.answer(lone.now, body=ANSWER)
    sent = lone.take()[-1]
    if ending == "cancel":
        lone.hear(lone.request("CANCEL"))
    elif ending == "remote bye":
        lone.hear(lone.request("BYE", to_tag=session.local_tag, number=2, branch="z9hG4bKbye"))
    elif ending == "reject":
        session.reject(486, lone.now)
    elif ending == "bye":
        session.bye(lone.now)
    else:
        session.hang_up(lone.now)
    assert (lone.take()[-1].status or 0) >= 480
    lone.hear(prack(lone, sent))
    assert lone.take()[-1].status == 481
    ack = lone.request("ACK", to_tag=session.local_tag)
    lone.hear(ack)
    lone.walk(100)
    assert lone.is_idle


def test_each_early_dialog_has_numbers_of_its_own() -> None:
    lone = Lone()
    session = lone.accept(SUPPORTED, body=OFFER)
    lone.take()
    session.ring(183, lone.now, body=ANSWER)
    session.ring(183, lone.now, body=b"v=0\r\ns=other\r\n", tag="two")
    one, two = lone.take()
    assert one.rseq != two.rseq
    crossed = prack(lone, two, rseq=one.rseq)
    lone.hear(crossed)
    assert lone.take_one().status == 481
    session.answer(lone.now, body=ANSWER, tag="two")
    assert lone.take() == []
    lone.hear(prack(lone, two, number=3))
    assert starts(lone.take()) == [(200, "PRACK"), (200, "INVITE")]
    assert lone.walk(0.4) == []  # the other early dialog is no more
    assert "183 INVITE" not in [start for _, start in lone.walk(10)]


def test_an_offer_goes_in_the_response_and_its_answer_comes_in_prack() -> None:
    lone = Lone()
    session = lone.accept(REQUIRED)
    session.ring(183, lone.now, body=OFFER)
    sent = lone.take()[-1]
    lone.hear(prack(lone, sent, body=ANSWER))
    assert lone.take_one().status == 200
    event = lone.event()
    assert isinstance(event, sip.ProgressAcknowledged)
    assert (event.transaction, event.request.body) == (None, ANSWER)
    session.answer(lone.now, body=OFFER)  # the owner need not know that all is said
    assert lone.take_one().body == b""


def test_an_offer_in_prack_is_the_owners_to_answer() -> None:
    lone = Lone()
    session = lone.accept(SUPPORTED, body=OFFER)
    session.ring(183, lone.now, body=ANSWER)
    lone.hear(prack(lone, lone.take()[-1], body=OFFER))
    assert lone.take() == []
    event = lone.event()
    assert isinstance(event, sip.ProgressAcknowledged)
    assert event.transaction is not None
    session.update(lone.now, body=OFFER)  # not now
    refused = lone.event()
    assert isinstance(refused, sip.UpdateRejected)
    assert refused.status == 491
    event.transaction.respond(200, lone.now, body=ANSWER)
    sent = lone.take_one()
    assert (sent.body, sent.content_type) == (ANSWER, "application/sdp")
    session.update(lone.now, body=OFFER)
    assert lone.take_one().method == "UPDATE"


# The caller


def calling(lone: Lone, body: bytes = OFFER) -> tuple[sip.Session, sip.Request]:
    session = lone.endpoint.invite(make_request("INVITE", SUPPORTED, body=body), lone.flow, lone.now)
    request = lone.take_one()
    assert isinstance(request, sip.Request)
    return session, request


def test_the_caller_acknowledges_at_once() -> None:
    lone = Lone()
    session, request = calling(lone)
    lone.hear(reliable(request, 7, body=ANSWER))
    sent = lone.take_one()
    assert isinstance(sent, sip.Request)
    assert (sent.method, sent.rack, sent.cseq.number) == ("PRACK", (7, 1, "INVITE"), 2)
    assert sent.to_tag == "remote"
    assert isinstance(lone.event(), sip.SessionProgressed)
    lone.hear(make_response(sent, 200))
    lone.hear(make_response(request, 200))
    assert isinstance(lone.event(), sip.SessionAnswered)
    assert session.dialog is not None
    assert session.dialog.is_agreed
    session.acknowledge(lone.now)
    lone.take()
    session.bye(lone.now)
    assert lone.take_one().cseq.number == 3


def test_repeated_and_early_responses_are_not_heard() -> None:
    lone = Lone()
    _, request = calling(lone)
    for rseq, is_heard in ((7, True), (7, False), (9, False), (8, True), (7, False), (9, True)):
        lone.hear(reliable(request, rseq))
        assert bool(lone.take()) is is_heard, rseq
        assert bool(lone.events()) is is_heard, rseq


def test_forks_count_by_themselves() -> None:
    lone = Lone()
    session, request = calling(lone)
    for rseq, tag in ((7, "one"), (99, "two"), (8, "one"), (100, "two")):
        lone.hear(reliable(request, rseq, tag=tag, body=ANSWER))
        sent = lone.take_one()
        assert isinstance(sent, sip.Request)
        assert (sent.to_tag, sent.rack) == (tag, (rseq, 1, "INVITE"))
        lone.hear(make_response(sent, 200, tag=tag))
    assert sent.cseq.number == 3  # each dialog counts from the INVITE's number
    lone.hear(make_response(request, 200, tag="one"))
    lone.events()
    session.acknowledge(lone.now)
    lone.take()
    lone.hear(make_response(request, 200, tag="two"))  # it did not hear the CANCEL in time
    ack, bye = lone.take()
    assert (ack.cseq, bye.cseq) == (sip.CSeq(1, "ACK"), sip.CSeq(4, "BYE"))
    assert (ack.to_tag, bye.to_tag) == ("two", "two")
    lone.hear(make_response(request, 200, tag="two"))
    assert lone.take_one().method == "ACK"
    lone.hear(make_response(bye, 200))
    session.bye(lone.now)
    lone.hear(make_response(lone.take_one(), 200))
    lone.walk(200)
    assert lone.is_idle


def test_the_answer_to_an_offer_in_a_response_goes_in_prack() -> None:
    lone = Lone()
    session, request = calling(lone, body=b"")
    progress = reliable(request, 7, body=OFFER)
    lone.hear(progress)
    assert lone.take() == []
    event = lone.event()
    assert isinstance(event, sip.SessionProgressed)
    lone.hear(progress)  # repeated until we acknowledge
    assert lone.events() == []
    session.acknowledge_progress(event.response, lone.now, body=ANSWER)
    sent = lone.take_one()
    assert (sent.method, sent.body, sent.content_type) == ("PRACK", ANSWER, "application/sdp")
    session.acknowledge_progress(event.response, lone.now, body=ANSWER)
    assert lone.take() == []
    lone.hear(make_response(sent, 200))
    lone.hear(make_response(request, 200))
    assert isinstance(lone.event(), sip.SessionAnswered)


def test_an_unanswered_prack_ends_nothing_by_itself() -> None:
    lone = Lone()
    session, request = calling(lone)
    lone.hear(reliable(request, 7))
    lone.events()
    lone.walk(40)
    assert lone.events() == []
    lone.hear(make_response(request, 504))
    event = lone.event()
    assert isinstance(event, sip.SessionRejected)
    assert session.state is sip.State.TERMINATED
    lone.walk(100)
    assert lone.is_idle


def test_a_callee_that_refuses_our_prack_goes_on_ringing() -> None:
    lone = Lone()
    _, request = calling(lone)
    lone.hear(reliable(request, 7))
    sent = lone.take_one()
    lone.events()
    lone.hear(make_response(sent, 481))
    assert lone.events() == []
    lone.hear(make_response(request, 200))
    assert isinstance(lone.event(), sip.SessionAnswered)


def test_a_reliable_response_after_cancel_is_not_heard() -> None:
    lone = Lone()
    session, request = calling(lone)
    session.cancel(lone.now)
    lone.hear(reliable(request, 7, body=ANSWER))
    assert starts(lone.take()) == ["CANCEL"]
    assert lone.events() == []


def test_a_callee_cannot_acknowledge_progress() -> None:
    lone = Lone()
    session = lone.accept()
    with pytest.raises(LocalProtocolError):
        session.acknowledge_progress(make_response(make_request("INVITE"), 183), lone.now)


# Both


@pytest.mark.parametrize("seed", range(25))
def test_over_a_bad_wire_all_arrives_in_order(seed: int) -> None:
    wire = Wire(seed=seed, loss=0.2, doubling=0.2, jitter=0.8)
    callees: list[sip.Session] = []

    def on_b(event: sip.Event, now: float) -> None:
        if isinstance(event, sip.RequestReceived):
            callee = wire.b.endpoint.accept(event, now, contact="<sip:b@192.0.2.2>")
            callees.append(callee)
            callee.ring(180, now)
            callee.ring(183, now, body=ANSWER)
            callee.ring(182, now, is_reliable=True)
        elif isinstance(event, sip.ProgressAcknowledged) and event.request.rack is not None:
            acknowledged.append(event.request.rack.rseq)
            if len(acknowledged) == 2:
                event.session.answer(now, body=ANSWER)

    def on_a(event: sip.Event, now: float) -> None:
        if isinstance(event, sip.SessionAnswered):
            event.session.acknowledge(now)

    acknowledged: list[int] = []
    wire.a.on_event, wire.b.on_event = on_a, on_b
    session = invite(wire, headers=(SUPPORTED,))
    wire.run(30)
    heard = [
        event.response.status
        for event in wire.a.told(sip.SessionProgressed)
        if isinstance(event, sip.SessionProgressed) and event.response.rseq is not None
    ]
    assert heard[:2] == [183, 182]
    assert len(heard) == len(set(heard))
    assert acknowledged == sorted(acknowledged)
    assert session.state is callees[0].state is sip.State.CONFIRMED
    session.bye(wire.now)
    wire.settle()
    assert wire.a.is_idle
    assert wire.b.is_idle


def test_a_timed_session_is_agreed_in_reliable_responses() -> None:
    """What stands is known from PRACK and 18x, too: a refresh repeats it."""
    timing = sip.SessionTiming(interval=600)
    lone = Lone()
    request = make_request("INVITE", SUPPORTED, SDP, body=OFFER)
    session = lone.endpoint.invite(request, lone.flow, lone.now, timing=timing)
    sent = lone.take_one()
    assert isinstance(sent, sip.Request)
    lone.hear(reliable(sent, 1, body=ANSWER))
    assert session.refresh is not None
    assert (session.refresh.sent, session.refresh.heard) == (OFFER, ANSWER)
    lone = Lone()
    session = lone.endpoint.invite(make_request("INVITE", SUPPORTED), lone.flow, lone.now, timing=timing)
    sent = lone.take_one()
    assert isinstance(sent, sip.Request)
    progress = reliable(sent, 1, body=OFFER)
    lone.hear(progress)
    session.acknowledge_progress(progress, lone.now, body=ANSWER)
    assert session.refresh is not None
    assert (session.refresh.sent, session.refresh.heard) == (ANSWER, OFFER)
    lone = Lone()
    lone.hear(lone.request("INVITE", SUPPORTED, SDP, body=OFFER))
    event = lone.event()
    assert isinstance(event, sip.RequestReceived)
    session = lone.endpoint.accept(event, lone.now, contact="<sip:l@192.0.2.1>", timing=timing)
    session.ring(183, lone.now, body=ANSWER)
    lone.hear(prack(lone, lone.take()[-1]))
    assert session.refresh is not None
    assert (session.refresh.sent, session.refresh.heard) == (ANSWER, OFFER)


def test_more_forks_than_we_remember_are_not_acknowledged() -> None:
    lone = Lone()
    _, request = calling(lone)
    for number in range(32):
        lone.hear(reliable(request, 7, tag=f"t{number}"))
    assert len(lone.take()) == 32
    lone.events()
    lone.hear(reliable(request, 7, tag="one too many"))
    assert lone.take() == []
    assert lone.events() == []


def test_what_requires_something_else_is_heard_as_it_is() -> None:
    lone = Lone()
    _, request = calling(lone)
    lone.hear(make_response(request, 183, ("Require", "precondition")))
    assert isinstance(lone.event(), sip.SessionProgressed)
    assert lone.take() == []
    lone.hear(make_response(request, 183, REQUIRED))  # and no RSeq
    assert isinstance(lone.event(), sip.SessionProgressed)
    assert lone.take() == []
