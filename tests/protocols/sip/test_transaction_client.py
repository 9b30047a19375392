"""Client transactions: figures 5 and 6 of RFC 3261, RFC 6026 §7.2, and every timer by the clock."""

from __future__ import annotations

import pytest

from switchroom.protocols import sip
from switchroom.protocols.errors import LocalProtocolError
from switchroom.protocols.sip.transaction import (
    INVITE_CLIENT,
    INVITE_SERVER,
    REQUEST_CLIENT,
    REQUEST_SERVER,
    Came,
    TransactionState,
)
from tests.wire import B, Lone, make_request, make_response


def send(lone: Lone, method: str = "OPTIONS", **options: bytes) -> sip.ClientTransaction:
    return lone.endpoint.send_request(make_request(method, **options), lone.flow, lone.now)


def invite(lone: Lone, *headers: tuple[str, str], body: bytes = b"") -> sip.Session:
    return lone.endpoint.invite(make_request("INVITE", *headers, body=body), lone.flow, lone.now)


# Figure 6: requests other than INVITE


def test_timer_e_doubles_up_to_t2_and_f_ends() -> None:
    lone = Lone()
    transaction = send(lone)
    lone.take()
    sent = lone.walk(40)
    assert [at for at, _ in sent] == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert lone.event() == sip.RequestFailed(transaction, "timeout")
    assert lone.endpoint.counters.timeouts == 1
    assert lone.endpoint.counters.retransmissions == 10
    assert lone.is_idle


def test_timer_e_runs_at_t2_after_a_provisional_response() -> None:
    lone = Lone()
    transaction = send(lone)
    request = lone.take_one()
    lone.walk(0.2)
    lone.hear(make_response(request, 100))
    assert isinstance(lone.event(), sip.ResponseReceived)
    sent = lone.walk(60)
    # the one that was under way at 0.5, then every T2
    assert [at for at, _ in sent] == [pytest.approx(0.3 + 4 * n, abs=0.01) for n in range(8)]
    assert lone.event() == sip.RequestFailed(transaction, "timeout")


def test_a_reliable_transport_needs_no_retransmission_but_f_ends() -> None:
    lone = Lone("TCP")
    send(lone)
    lone.take()
    assert lone.walk(31.9) == []
    assert lone.events() == []
    assert lone.walk(0.2) == []
    assert isinstance(lone.event(), sip.RequestFailed)
    assert lone.is_idle


@pytest.mark.parametrize("status", [200, 302, 404, 503, 603])
def test_final_response_ends_and_timer_k_absorbs_the_repeated(status: int) -> None:
    lone = Lone()
    transaction = send(lone)
    response = make_response(lone.take_one(), status)
    lone.hear(response)
    event = lone.event()
    assert isinstance(event, sip.ResponseReceived)
    assert event.transaction is transaction
    assert event.response.status == status
    assert transaction.is_finished
    lone.hear(response)
    assert lone.events() == []
    assert lone.endpoint.counters.retransmissions_in == 1
    assert lone.walk(4.9) == []
    assert not lone.is_idle  # timer K
    lone.walk(1.1)
    assert lone.is_idle
    lone.hear(response)
    assert lone.endpoint.counters.strays == 1


def test_timer_k_is_zero_on_a_reliable_transport() -> None:
    lone = Lone("TCP")
    send(lone)
    lone.hear(make_response(lone.take_one(), 200))
    lone.walk(8)  # the stale timer falls out
    assert lone.is_idle


def test_every_provisional_response_is_told() -> None:
    lone = Lone()
    send(lone)
    request = lone.take_one()
    for status in (100, 183, 183):
        lone.hear(make_response(request, status))
    assert len(lone.events()) == 3


# Figure 5 and RFC 6026: INVITE


def test_timer_a_doubles_without_bound_and_b_ends() -> None:
    lone = Lone()
    session = invite(lone)
    lone.take()
    assert [at for at, _ in lone.walk(40)] == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert lone.event() == sip.SessionRejected(session, None, 408, "timeout")
    assert lone.is_idle


def test_timer_b_ends_on_a_reliable_transport() -> None:
    lone = Lone("TCP")
    invite(lone)
    lone.take()
    assert lone.walk(40) == []
    event = lone.event()
    assert isinstance(event, sip.SessionRejected)
    assert event.status == 408


def test_a_provisional_response_stops_timer_a() -> None:
    lone = Lone()
    invite(lone)
    lone.hear(make_response(lone.take_one(), 100))
    assert lone.events() == []  # 100 says nothing
    assert lone.walk(170) == []


def test_timer_c_cancels_what_nothing_is_heard_of() -> None:
    lone = Lone()
    session = invite(lone)
    request = lone.take_one()
    lone.hear(make_response(request, 180))
    lone.events()
    lone.walk(100)
    lone.hear(make_response(request, 180))  # starts C again
    lone.events()
    assert lone.walk(179) == []
    sent = lone.walk(1.1)
    assert [start for _, start in sent] == ["CANCEL"]
    assert lone.events() == []
    lone.walk(40)  # nobody answers the CANCEL either: §9.1 gives it 64*T1
    assert lone.event() == sip.SessionRejected(session, None, 408, "timeout")
    assert lone.is_idle


def test_no_invite_lasts_for_ever_however_often_it_rings() -> None:
    lone = Lone(timers=sip.Timers(invite_lifetime=300))
    session = invite(lone)
    request = lone.take_one()
    sent: list[tuple[float, str]] = []
    for _ in range(7):
        lone.hear(make_response(request, 180))
        sent += lone.walk(60)
    assert "CANCEL" in [start for _, start in sent]
    lone.walk(10)
    assert lone.events()[-1] == sip.SessionRejected(session, None, 408, "timeout")
    lone.walk(10)
    assert lone.is_idle


def test_a_repeated_100_does_not_start_timer_c_again() -> None:
    lone = Lone()
    invite(lone)
    request = lone.take_one()
    for _ in range(4):
        lone.hear(make_response(request, 100))
        lone.walk(50)
    assert lone.endpoint.counters.requests_out["CANCEL"] == 1


@pytest.mark.parametrize("status", [301, 404, 486, 500, 603])
def test_a_refusal_gets_its_ack_and_timer_d_repeats_it(status: int) -> None:
    lone = Lone()
    session = invite(lone, ("Route", "<sip:proxy.example.org;lr>"), ("Authorization", "Digest x=y"))
    request = lone.take_one()
    response = make_response(request, status)
    lone.hear(response)
    ack = lone.take_one()
    assert isinstance(ack, sip.Request)
    assert (ack.method, str(ack.uri)) == ("ACK", "sip:remote@192.0.2.2")
    assert ack.via == request.via  # the same branch: §17.1.1.3
    assert ack.cseq == sip.CSeq(1, "ACK")
    assert (ack.from_tag, ack.to_tag, ack.call_id) == ("local", "remote", "call")
    assert ack.get("Route") == "<sip:proxy.example.org;lr>"
    assert ack.get("Authorization") == "Digest x=y"
    event = lone.event()
    assert isinstance(event, sip.SessionRejected)
    assert (event.session, event.status, event.reason) == (session, status, response.reason)
    assert event.response is not None
    lone.walk(20)
    lone.hear(response)
    assert bytes(lone.take_one()) == bytes(ack)
    assert lone.flows == [lone.flow]
    lone.walk(11)
    lone.hear(response)
    assert bytes(lone.take_one()) == bytes(ack)
    lone.walk(2)
    assert lone.is_idle
    lone.hear(response)
    assert lone.take() == []
    assert lone.events() == []


def test_timer_d_is_32_seconds_even_when_our_t1_is_short() -> None:
    lone = Lone(timers=sip.Timers(t1=0.05))
    invite(lone)
    response = make_response(lone.take_one(), 486)
    lone.hear(response)
    lone.take()
    lone.walk(31.9)
    lone.hear(response)
    assert lone.take_one().cseq.method == "ACK"


def test_provisional_and_success_after_a_refusal_are_ignored() -> None:
    lone = Lone()
    invite(lone)
    request = lone.take_one()
    lone.hear(make_response(request, 486))
    lone.take(), lone.events()
    for status in (180, 200):
        lone.hear(make_response(request, status))
    assert lone.take() == []
    assert lone.events() == []


def test_timer_d_is_zero_on_a_reliable_transport() -> None:
    lone = Lone("TCP")
    invite(lone)
    lone.hear(make_response(lone.take_one(), 486))
    assert lone.take_one().cseq.method == "ACK"
    lone.walk(8)
    assert lone.is_idle


def test_provisional_after_success_is_ignored() -> None:
    lone = Lone()
    session = invite(lone)
    request = lone.take_one()
    lone.hear(make_response(request, 200))
    lone.hear(make_response(request, 180))
    lone.hear(make_response(request, 200))
    assert [type(event) for event in lone.events()] == [sip.SessionAnswered]
    assert lone.take() == []  # no ACK without the owner
    session.acknowledge(lone.now)
    lone.take()
    lone.hear(make_response(request, 180))
    assert lone.take() == []


def test_timer_m_ends_accepted() -> None:
    lone = Lone()
    session = invite(lone)
    response = make_response(lone.take_one(), 200)
    lone.hear(response)
    session.acknowledge(lone.now)
    ack = lone.take_one()
    lone.walk(31)
    lone.hear(response)
    assert bytes(lone.take_one()) == bytes(ack)
    lone.walk(2)
    lone.hear(response)
    assert lone.take() == []
    assert not lone.endpoint.clients


def test_an_answer_that_the_owner_forgets_is_acknowledged_and_ended_at_timer_m() -> None:
    lone = Lone()
    session = invite(lone)
    lone.hear(make_response(lone.take_one(), 200))
    lone.events()
    assert [(at, start) for at, start in lone.walk(32)] == [(32.0, "ACK"), (32.0, "BYE")]
    assert lone.event() == sip.SessionEnded(session, "ack-timeout", None)
    lone.walk(70)
    assert lone.is_idle


# Matching (§17.1.3, §18.1.2)


@pytest.mark.parametrize(
    "change",
    [
        ("branch=z9hG4bK", "branch=z9hG4bKother"),
        ("192.0.2.1:5060", "192.0.2.9:5060"),
        ("1 OPTIONS", "1 MESSAGE"),
    ],
)
def test_a_response_that_is_not_ours_is_dropped(change: tuple[str, str]) -> None:
    lone = Lone()
    send(lone)
    data = bytes(make_response(lone.take_one(), 200)).decode()
    assert change[0] in data
    lone.endpoint.receive_datagram(data.replace(*change, 1).encode(), lone.flow, lone.now)
    assert lone.events() == []
    assert lone.endpoint.counters.strays == 1


def test_a_response_with_two_vias_is_dropped_and_counted() -> None:
    lone = Lone()
    send(lone)
    response = make_response(lone.take_one(), 200)
    response.add("Via", "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKx")
    lone.hear(response)
    assert lone.events() == []
    assert lone.endpoint.counters.parse_errors == 1
    assert lone.take() == []


def test_a_malformed_response_is_dropped_and_counted() -> None:
    lone = Lone()
    send(lone)
    data = bytes(make_response(lone.take_one(), 200))
    lone.endpoint.receive_datagram(data.replace(b"Call-ID", b"X"), lone.flow, lone.now)
    assert lone.events() == []
    assert lone.endpoint.counters.parse_errors == 1


def test_each_request_has_its_own_branch_with_the_magic_cookie() -> None:
    lone = Lone()
    branches = set()
    for _ in range(50):
        send(lone)
        branch = lone.take_one().via.branch
        assert branch is not None
        assert branch.startswith("z9hG4bK")
        branches.add(branch)
    assert len(branches) == 50


# Transport errors (§8.1.3.1, §17.1.4) and long requests (§18.1.1)


def test_a_transport_error_ends_a_request() -> None:
    lone = Lone("TCP")
    transaction = send(lone)
    lone.endpoint.flow_failed(lone.flow, lone.now, "reset")
    assert lone.event() == sip.RequestFailed(transaction, "transport")
    lone.walk(8)
    assert lone.is_idle


def test_a_transport_error_ends_an_invite_even_while_it_rings() -> None:
    lone = Lone("TCP")
    session = invite(lone)
    lone.hear(make_response(lone.take_one(), 180))
    lone.events()
    lone.endpoint.flow_failed(lone.flow, lone.now)
    assert lone.event() == sip.SessionRejected(session, None, 503, "transport")


def test_icmp_ends_an_invite_only_before_anybody_answered() -> None:
    lone = Lone()
    invite(lone)
    request = lone.take_one()
    lone.hear(make_response(request, 180))
    lone.events()
    lone.endpoint.flow_failed(lone.flow, lone.now)
    assert lone.events() == []
    other = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    lone.endpoint.flow_failed(lone.flow, lone.now)
    assert lone.event() == sip.SessionRejected(other, None, 503, "transport")


def test_another_flow_that_fails_is_none_of_our_business() -> None:
    lone = Lone("TCP")
    send(lone)
    for flow in (
        lone.flow.replace(connection=2),
        lone.flow.replace(transport="UDP", connection=0),
        lone.flow.replace(remote=("192.0.2.77", 5060)),
    ):
        lone.endpoint.flow_failed(flow, lone.now)
    assert lone.events() == []


def test_a_connection_that_could_not_be_opened_fails_what_waits_for_it() -> None:
    lone = Lone("TCP")
    flow = lone.flow.replace(connection=0)
    transaction = lone.endpoint.send_request(make_request("OPTIONS"), flow, lone.now)
    lone.endpoint.flow_failed(flow.replace(connection=7), lone.now)
    assert lone.event() == sip.RequestFailed(transaction, "transport")


LONG = b"x" * 1300


def test_a_long_request_goes_by_tcp() -> None:
    lone = Lone()
    send(lone, "MESSAGE", body=LONG)
    request = lone.take_one()
    assert lone.flows == [sip.Flow("TCP", lone.flow.local, B)]
    assert request.via.transport == "TCP"
    lone.hear(make_response(request, 200), sip.Flow("TCP", lone.flow.local, B, 3))
    assert isinstance(lone.event(), sip.ResponseReceived)
    lone.walk(8)
    assert lone.is_idle


def test_a_long_request_falls_back_to_udp_when_there_is_no_connection() -> None:
    lone = Lone()
    send(lone, "MESSAGE", body=LONG)
    first = lone.take_one()
    lone.endpoint.flow_failed(sip.Flow("TCP", lone.flow.local, B), lone.now)
    assert lone.events() == []
    request = lone.take_one()
    assert lone.flows == [lone.flow]
    assert request.via.transport == "UDP"
    assert request.via.branch == first.via.branch
    assert [start for _, start in lone.walk(2)] == ["MESSAGE", "MESSAGE"]  # E runs
    lone.hear(make_response(request, 200))
    assert isinstance(lone.event(), sip.ResponseReceived)


@pytest.mark.parametrize("method", ["MESSAGE", "INVITE"])
def test_a_long_request_falls_back_to_udp_when_the_connection_takes_too_long(method: str) -> None:
    lone = Lone()
    if method == "INVITE":
        invite(lone, body=LONG)
    else:
        send(lone, method, body=LONG)
    lone.take()
    sent = lone.walk(31.9)
    assert sent[0] == (2.0, method)
    assert len(sent) > 4
    assert lone.events() == []
    lone.walk(0.2)
    assert len(lone.events()) == 1


def test_a_long_request_that_was_answered_stays_on_its_connection() -> None:
    lone = Lone()
    session = invite(lone, body=LONG)
    lone.hear(make_response(lone.take_one(), 180))
    assert lone.walk(20) == []
    lone.events()
    lone.endpoint.flow_failed(sip.Flow("TCP", lone.flow.local, B), lone.now)
    assert lone.event() == sip.SessionRejected(session, None, 503, "transport")


def test_the_limit_can_be_switched_off() -> None:
    lone = Lone(udp_request_limit=0)
    send(lone, "MESSAGE", body=LONG)
    lone.take_one()
    assert lone.flows == [lone.flow]


def test_an_abandoned_request_is_forgotten() -> None:
    lone = Lone()
    transaction = send(lone)
    lone.take()
    transaction.abandon()
    transaction.abandon()
    assert lone.walk(60) == []
    assert lone.events() == []
    assert lone.is_idle


def test_the_context_belongs_to_the_owner() -> None:
    lone = Lone()
    transaction = send(lone)
    transaction.context = mark = object()
    assert transaction.method == "OPTIONS"
    lone.hear(make_response(lone.take_one(), 200))
    event = lone.event()
    assert isinstance(event, sip.ResponseReceived)
    assert event.transaction.context is mark


@pytest.mark.parametrize("method", ["INVITE", "ACK", "CANCEL"])
def test_some_methods_are_not_sent_by_send_request(method: str) -> None:
    with pytest.raises(LocalProtocolError):
        send(Lone(), method)


# The tables themselves


@pytest.mark.parametrize("table", [INVITE_CLIENT, REQUEST_CLIENT, INVITE_SERVER, REQUEST_SERVER])
def test_no_machine_goes_backwards(table: dict[tuple[TransactionState, Came], TransactionState]) -> None:
    assert all(state <= to for (state, _), to in table.items())


@pytest.mark.parametrize(
    ("table", "first"),
    [
        (INVITE_CLIENT, TransactionState.CALLING),
        (REQUEST_CLIENT, TransactionState.TRYING),
        (INVITE_SERVER, TransactionState.PROCEEDING),
        (REQUEST_SERVER, TransactionState.TRYING),
    ],
)
def test_before_a_final_response_everything_has_its_place(
    table: dict[tuple[TransactionState, Came], TransactionState], first: TransactionState
) -> None:
    for state in (first, TransactionState.PROCEEDING):
        for came in Came:
            to = table[state, came]
            assert (to is TransactionState.PROCEEDING) == (came is Came.PROVISIONAL)
