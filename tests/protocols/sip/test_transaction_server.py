"""Server transactions: figures 7 and 8 of RFC 3261, RFC 6026 §7.1, and every timer by the clock."""

from __future__ import annotations

import pytest

from switchroom.protocols import sip
from switchroom.protocols.errors import LocalProtocolError
from tests.wire import Lone


def begin(lone: Lone, method: str = "OPTIONS") -> tuple[sip.ServerTransaction, sip.Request]:
    request = lone.request(method)
    lone.hear(request)
    event = lone.event()
    assert isinstance(event, sip.RequestReceived)
    return lone.endpoint.begin(event, lone.now), request


def accept(lone: Lone, *headers: tuple[str, str]) -> tuple[sip.Session, sip.Request]:
    request = lone.request("INVITE", *headers)
    lone.hear(request)
    event = lone.event()
    assert isinstance(event, sip.RequestReceived)
    return lone.endpoint.accept(event, lone.now, contact="<sip:local@192.0.2.1>"), request


def ack(lone: Lone, response: sip.Request | sip.Response, branch: str = "z9hG4bKremote") -> sip.Request:
    return lone.request("ACK", branch=branch, to_tag=response.to_tag)


def starts(lone: Lone) -> list[int]:
    return [message.status for message in lone.take()]


# Figure 8: requests other than INVITE


def test_a_retransmission_before_any_answer_is_absorbed() -> None:
    lone = Lone()
    _, request = begin(lone)
    lone.hear(request)
    assert lone.events() == []
    assert lone.take() == []
    assert lone.endpoint.counters.retransmissions_in == 1


def test_a_retransmission_gets_the_last_response_again() -> None:
    lone = Lone()
    transaction, request = begin(lone)
    transaction.respond(100, lone.now)
    transaction.respond(183, lone.now)
    provisional = lone.take()[-1]
    lone.hear(request)
    assert bytes(lone.take_one()) == bytes(provisional)
    transaction.respond(200, lone.now, "Fine", [("X-Y", "z")], b"body")
    final = lone.take_one()
    assert isinstance(final, sip.Response)
    assert (final.status, final.reason, final.get("X-Y"), final.body) == (200, "Fine", "z", b"body")
    for _ in range(2):
        lone.hear(request)
        assert bytes(lone.take_one()) == bytes(final)
    assert lone.events() == []


def test_timer_j_ends_completed() -> None:
    lone = Lone()
    transaction, request = begin(lone)
    transaction.respond(200, lone.now)
    lone.take()
    assert lone.walk(31.9) == []
    lone.hear(request)
    assert starts(lone) == [200]
    lone.walk(1.2)
    assert lone.is_idle
    lone.hear(request)  # by now it is a new one
    assert isinstance(lone.event(), sip.RequestReceived)


def test_timer_j_is_zero_on_a_reliable_transport() -> None:
    lone = Lone("TCP")
    transaction, _ = begin(lone)
    transaction.respond(404, lone.now)
    assert not lone.endpoint.servers


def test_only_one_final_response() -> None:
    lone = Lone()
    transaction, _ = begin(lone)
    transaction.respond(404, lone.now)
    transaction.respond(200, lone.now)
    transaction.respond(100, lone.now)
    assert starts(lone) == [404]


def test_a_request_that_the_owner_forgets_is_forgotten() -> None:
    lone = Lone()
    transaction, _ = begin(lone)
    lone.walk(33)
    assert lone.is_idle
    transaction.respond(200, lone.now)
    assert lone.take() == []


def test_all_responses_bear_the_same_tag() -> None:
    lone = Lone()
    transaction, _ = begin(lone)
    transaction.respond(183, lone.now)
    transaction.respond(200, lone.now)
    first, second = lone.take()
    assert first.to_tag == second.to_tag == transaction.to_tag


def test_cancel_has_no_effect_on_another_request() -> None:
    lone = Lone()
    transaction, _ = begin(lone, "MESSAGE")
    lone.hear(lone.request("CANCEL"))
    # §9.2: it cancels only what it names; a CANCEL names an INVITE here
    assert starts(lone) == [481]
    transaction.respond(200, lone.now)
    assert starts(lone) == [200]


def test_the_client_has_gone_and_the_answer_comes_to_nothing() -> None:
    lone = Lone("TCP")
    transaction, _ = begin(lone)
    lone.endpoint.flow_failed(lone.flow, lone.now)
    transaction.respond(200, lone.now)
    assert not lone.endpoint.servers


def test_an_ack_to_what_is_no_invite_is_a_stray() -> None:
    lone = Lone()
    transaction, _ = begin(lone)
    lone.hear(lone.request("ACK"))
    assert lone.endpoint.counters.strays == 1
    assert lone.take() == []
    transaction.respond(200, lone.now)
    assert starts(lone) == [200]


# Figure 7 and RFC 6026: INVITE


def test_100_is_sent_at_once_and_again() -> None:
    lone = Lone()
    session, request = accept(lone)
    trying = lone.take_one()
    assert (trying.status, trying.to_tag) == (100, None)
    lone.hear(request)
    assert starts(lone) == [100]
    session.ring(180, lone.now)
    ringing = lone.take_one()
    lone.hear(request)
    assert bytes(lone.take_one()) == bytes(ringing)
    assert lone.events() == []


def test_ringing_is_repeated_each_minute() -> None:
    lone = Lone()
    session, _ = accept(lone)
    lone.take()
    session.ring(180, lone.now)
    assert starts(lone) == [180]
    assert lone.walk(190) == [(60.0, "180 INVITE"), (120.0, "180 INVITE"), (180.0, "180 INVITE")]


def test_timer_g_doubles_up_to_t2_and_h_ends() -> None:
    lone = Lone()
    session, _ = accept(lone)
    session.reject(486, lone.now)
    assert starts(lone) == [100, 486]
    sent = lone.walk(40)
    assert [at for at, _ in sent] == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert lone.events() == []
    assert lone.is_idle


def test_a_retransmission_gets_the_refusal_again() -> None:
    lone = Lone()
    session, request = accept(lone)
    session.reject(486, lone.now, reason="Not now", headers=[("X-Y", "z")])
    refusal = lone.take()[-1]
    assert isinstance(refusal, sip.Response)
    assert (refusal.reason, refusal.get("X-Y")) == ("Not now", "z")
    lone.hear(request)
    assert bytes(lone.take_one()) == bytes(refusal)


def test_the_ack_to_a_refusal_stops_timer_g_and_timer_i_absorbs() -> None:
    lone = Lone()
    session, request = accept(lone)
    session.reject(486, lone.now)
    refusal = lone.take()[-1]
    lone.hear(ack(lone, refusal))
    for again in (ack(lone, refusal), request):
        lone.hear(again)
    assert lone.walk(4.9) == []
    assert lone.events() == []
    assert lone.endpoint.servers
    lone.walk(35)
    assert lone.is_idle


def test_a_reliable_transport_needs_no_timer_g() -> None:
    lone = Lone("TCP")
    session, _ = accept(lone)
    session.reject(486, lone.now)
    refusal = lone.take()[-1]
    assert lone.walk(10) == []
    lone.hear(ack(lone, refusal))
    assert not lone.endpoint.servers  # I is zero


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_the_2xx_is_repeated_until_the_ack(transport: str) -> None:
    lone = Lone(transport)
    session, request = accept(lone)
    session.answer(lone.now)
    answer = lone.take()[-1]
    assert lone.walk(4) == [(0.5, "200 INVITE"), (1.5, "200 INVITE"), (3.5, "200 INVITE")]
    lone.hear(request)
    assert lone.take() == []  # RFC 6026 §7.1: the transaction does not answer again
    lone.hear(ack(lone, answer, "z9hG4bKack"))
    event = lone.event()
    assert isinstance(event, sip.SessionAcknowledged)
    assert event.session is session
    assert session.is_acknowledged
    lone.hear(request)
    lone.hear(ack(lone, answer, "z9hG4bKack"))
    assert lone.walk(60) == []
    assert [event for event in lone.events() if not isinstance(event, sip.RequestReceived)] == []


def test_timer_l_absorbs_the_invite_for_32_seconds_from_the_answer() -> None:
    lone = Lone()
    session, request = accept(lone)
    session.answer(lone.now)
    answer = lone.take()[-1]
    lone.hear(ack(lone, answer, "z9hG4bKack"))
    lone.events()
    lone.walk(31)
    lone.hear(request)
    assert lone.events() == []
    lone.walk(2)
    assert not lone.endpoint.servers


def test_some_send_the_ack_to_a_2xx_with_the_branch_of_the_invite() -> None:
    lone = Lone()
    session, _ = accept(lone)
    session.answer(lone.now)
    lone.hear(ack(lone, lone.take()[-1]))
    assert isinstance(lone.event(), sip.SessionAcknowledged)
    assert lone.walk(10) == []


def test_an_ack_before_the_answer_is_a_stray() -> None:
    lone = Lone()
    session, _ = accept(lone)
    lone.take()
    lone.hear(lone.request("ACK"))
    assert lone.endpoint.counters.strays == 1
    session.answer(lone.now)
    assert starts(lone) == [200]


def test_an_invite_that_the_owner_never_answers_ends() -> None:
    lone = Lone(timers=sip.Timers(invite_lifetime=100))
    session, _ = accept(lone)
    lone.take()
    assert lone.walk(100.1) == [(100.0, "408 INVITE")]
    assert lone.event() == sip.SessionEnded(session, "timeout", None)
    lone.walk(40)
    assert lone.is_idle


def test_a_caller_whose_connection_closes_gives_up() -> None:
    lone = Lone("TCP")
    session, _ = accept(lone)
    lone.take()
    lone.endpoint.flow_failed(lone.flow, lone.now)
    assert lone.event() == sip.SessionEnded(session, "transport", None)
    lone.walk(40)
    assert lone.is_idle


def test_an_answered_call_outlives_its_connection() -> None:
    lone = Lone("TCP")
    session, _ = accept(lone)
    session.answer(lone.now)
    lone.endpoint.flow_failed(lone.flow, lone.now)
    lone.hear(ack(lone, lone.take()[-1], "z9hG4bKack"))
    lone.events()
    lone.endpoint.flow_failed(lone.flow, lone.now)
    assert lone.events() == []
    assert session.state is sip.State.CONFIRMED


def test_provisional_and_final_are_not_mistaken_for_each_other() -> None:
    lone = Lone()
    session, _ = accept(lone)
    for wrong in (
        lambda: session.ring(100, 0.0),
        lambda: session.ring(200, 0.0),
        lambda: session.answer(0.0, status=180),
        lambda: session.reject(200, 0.0),
        lambda: session.cancel(0.0),
    ):
        with pytest.raises(LocalProtocolError):
            wrong()


# RFC 2543 clients have no magic cookie (§17.2.3)


@pytest.mark.parametrize("branch", ["1", "z9hG4bK", "z9hg4bkx"])
def test_old_branches_are_told_apart_by_all_that_names_a_request(branch: str) -> None:
    lone = Lone()
    session, request = accept_old(lone, branch)
    lone.take()
    lone.hear(request)
    assert lone.events() == []
    assert starts(lone) == [100]
    lone.hear(lone.request("INVITE", branch=branch, number=2))
    event = lone.event()
    assert isinstance(event, sip.RequestReceived)
    session.reject(486, lone.now)
    refusal = lone.take()[-1]
    lone.hear(ack(lone, refusal, branch))
    assert lone.walk(3) == []


def test_an_old_client_can_cancel() -> None:
    lone = Lone()
    session, _ = accept_old(lone, "1")
    lone.take()
    lone.hear(lone.request("CANCEL", branch="1"))
    assert starts(lone) == [200, 487]
    event = lone.event()
    assert isinstance(event, sip.SessionCancelled)
    assert event.session is session


def accept_old(lone: Lone, branch: str) -> tuple[sip.Session, sip.Request]:
    request = lone.request("INVITE", branch=branch)
    lone.hear(request)
    event = lone.event()
    assert isinstance(event, sip.RequestReceived)
    return lone.endpoint.accept(event, lone.now, contact="<sip:local@192.0.2.1>"), request
