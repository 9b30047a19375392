"""The endpoint: what it takes from the wire, where answers go, what it bounds (RFC 3261 §8, §18)."""

from __future__ import annotations

import gc
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols import sip
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError
from switchroom.protocols.sip.transaction import Transaction
from tests.wire import B, Lone, make_request, make_response


def received(lone: Lone, request: sip.Request, flow: sip.Flow | None = None) -> sip.RequestReceived:
    lone.hear(request, flow)
    event = lone.event()
    assert isinstance(event, sip.RequestReceived)
    return event


def with_via(lone: Lone, via: str, method: str = "OPTIONS") -> sip.Request:
    request = lone.request(method)
    request.set("Via", via)
    return request


# Via: where a request came from and where its answers go (§18.2, RFC 3581)


@pytest.mark.parametrize(
    ("sent_by", "source", "received_param", "to_port"),
    [
        ("192.0.2.2:5060", ("192.0.2.2", 5060), None, 5060),
        ("192.0.2.2:5070", ("192.0.2.2", 5060), None, 5070),
        ("192.0.2.2", ("192.0.2.2", 9999), None, 5060),
        ("10.0.0.1:5062", ("192.0.2.2", 9999), "192.0.2.2", 5062),
        ("phone.example.org", ("192.0.2.2", 9999), "192.0.2.2", 5060),
        ("[2001:db8::1]:5062", ("2001:db8::1", 5062), None, 5062),
    ],
)
def test_without_rport_the_answer_goes_to_the_port_in_the_via(
    sent_by: str, source: tuple[str, int], received_param: str | None, to_port: int
) -> None:
    lone = Lone()
    flow = lone.flow.replace(remote=source)
    event = received(lone, with_via(lone, f"SIP/2.0/UDP {sent_by};branch=z9hG4bKx"), flow)
    assert event.flow == flow
    assert event.request.via.received == received_param
    lone.endpoint.reply(event, 200, now=lone.now)
    lone.take()
    assert lone.flows == [flow.replace(remote=(source[0], to_port))]


def test_with_rport_the_answer_goes_to_the_source() -> None:
    lone = Lone()
    flow = lone.flow.replace(remote=("198.51.100.7", 40123))
    event = received(lone, with_via(lone, "SIP/2.0/UDP 10.0.0.1:5062;rport;branch=z9hG4bKx"), flow)
    via = event.request.via
    assert (via.rport, via.received, via.branch) == (40123, "198.51.100.7", "z9hG4bKx")
    transaction = lone.endpoint.begin(event, lone.now)
    transaction.respond(200, lone.now)
    assert str(lone.take_one().via) == str(via)
    assert lone.flows == [flow]


@pytest.mark.parametrize(
    "forged", ["received=203.0.113.9", "received=203.0.113.9;rport=1", "RPORT;received=1.1.1.1"]
)
def test_what_the_sender_made_up_is_written_over(forged: str) -> None:
    lone = Lone()
    event = received(lone, with_via(lone, f"SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKx;{forged}"))
    via = event.request.via
    assert via.received == "192.0.2.2"
    assert via.rport in (None, 5060)


def test_maddr_of_an_unproven_source_is_ignored() -> None:
    lone = Lone()
    event = received(lone, with_via(lone, "SIP/2.0/UDP 192.0.2.2;maddr=203.0.113.9;branch=z9hG4bKx"))
    lone.endpoint.reply(event, 200, now=lone.now)
    lone.take()
    assert lone.flows == [lone.flow]


def test_other_parameters_of_the_via_stay_as_they_are() -> None:
    lone = Lone()
    event = received(lone, with_via(lone, 'SIP/2.0/UDP 10.0.0.1;alias;rport;x="a;rport";branch=z9hG4bKx'))
    via = event.request.via
    assert (via.param("alias"), via.param("x"), via.branch) == ("", "a;rport", "z9hG4bKx")
    assert (via.rport, via.received) == (5060, "192.0.2.2")


def test_only_the_top_via_is_changed() -> None:
    lone = Lone()
    request = with_via(
        lone, "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx;rport, SIP/2.0/TCP 10.0.0.2;branch=z9hG4bKy;rport"
    )
    request.add("Via", "SIP/2.0/UDP 10.0.0.3;branch=z9hG4bKz")
    event = received(lone, request)
    assert [str(via) for via in event.request.vias] == [
        "SIP/2.0/UDP 10.0.0.1;received=192.0.2.2;branch=z9hG4bKx;rport=5060",
        "SIP/2.0/TCP 10.0.0.2;branch=z9hG4bKy;rport",
        "SIP/2.0/UDP 10.0.0.3;branch=z9hG4bKz",
    ]


def test_over_a_stream_the_answer_goes_back_on_the_connection() -> None:
    lone = Lone("TCP")
    event = received(lone, with_via(lone, "SIP/2.0/TCP 10.0.0.1:7;branch=z9hG4bKx"))
    lone.endpoint.reply(event, 200, now=lone.now)
    assert lone.take_one().via.received == "192.0.2.2"
    assert lone.flows == [lone.flow]


def test_a_tombstone_answers_where_the_retransmission_came_from() -> None:
    lone = Lone()
    event = received(lone, lone.request("OPTIONS"))
    lone.endpoint.begin(event, lone.now).respond(200, lone.now)
    lone.take()
    new_port = lone.flow.replace(remote=("192.0.2.2", 6060))
    lone.hear(lone.request("OPTIONS"), new_port)
    lone.take()
    assert lone.flows == [new_port]


# Answering without state (§8.2.7)


def test_a_stateless_answer_keeps_nothing() -> None:
    lone = Lone()
    request = lone.request("REGISTER")
    tags = set()
    for _ in range(3):  # each is a new request to us, and the answer is always the same
        event = received(lone, request)
        lone.endpoint.reply(
            event, 401, now=lone.now, reason="Who are you", headers=[("WWW-Authenticate", "Digest")]
        )
        response = lone.take_one()
        assert isinstance(response, sip.Response)
        assert (response.status, response.reason) == (401, "Who are you")
        assert response.get("WWW-Authenticate") == "Digest"
        tags.add(response.to_tag)
    assert len(tags) == 1
    assert tags != {None}
    assert lone.is_idle


def test_the_ack_to_a_stateless_refusal_is_absorbed() -> None:
    lone = Lone()
    lone.endpoint.reply(received(lone, lone.request("INVITE")), 407, now=lone.now, body=b"no")
    response = lone.take_one()
    lone.hear(lone.request("ACK", to_tag=response.to_tag))
    assert lone.take() == []
    assert lone.events() == []
    assert lone.is_idle


def test_two_requests_get_different_stateless_tags() -> None:
    lone = Lone()
    tags = set()
    for from_tag in ("one", "two"):
        lone.endpoint.reply(received(lone, lone.request("OPTIONS", from_tag=from_tag)), 200, now=lone.now)
        tags.add(lone.take_one().to_tag)
    assert len(tags) == 2


# Merged requests (§8.2.2.2) and copies


def test_a_request_that_came_by_two_ways_gets_482() -> None:
    lone = Lone()
    event = received(lone, lone.request("INVITE"))
    lone.endpoint.accept(event, lone.now, contact="<sip:local@192.0.2.1>")
    lone.take()
    lone.hear(lone.request("INVITE", branch="z9hG4bKotherway"))
    assert lone.events() == []
    assert lone.take_one().status == 482
    assert lone.endpoint.counters.merged == 1


def test_a_copy_that_came_before_the_owner_took_the_first_is_absorbed() -> None:
    lone = Lone()
    for branch in ("z9hG4bKremote", "z9hG4bKremote", "z9hG4bKotherway"):
        lone.hear(lone.request("MESSAGE", branch=branch))
    first = lone.endpoint.next_event()
    assert isinstance(first, sip.RequestReceived)
    transaction = lone.endpoint.begin(first, lone.now)
    assert lone.endpoint.next_event() is None
    assert [message.status for message in lone.take()] == [482]
    transaction.respond(200, lone.now)
    assert lone.endpoint.counters.retransmissions_in == 1
    assert lone.endpoint.counters.merged == 1


def test_the_same_call_id_and_tag_with_another_number_is_no_merge() -> None:
    lone = Lone()
    lone.endpoint.begin(received(lone, lone.request("REGISTER")), lone.now).respond(200, lone.now)
    received(lone, lone.request("REGISTER", branch="z9hG4bKnext", number=2))


def test_merges_are_forgotten_after_a_while() -> None:
    lone = Lone()
    event = received(lone, lone.request("MESSAGE"))
    lone.endpoint.begin(event, lone.now).respond(200, lone.now)
    lone.walk(34)
    assert lone.endpoint.merges == {}
    received(lone, lone.request("MESSAGE", branch="z9hG4bKotherway"))


def test_an_event_is_taken_once() -> None:
    lone = Lone()
    event = received(lone, lone.request("MESSAGE"))
    lone.endpoint.begin(event, lone.now)
    with pytest.raises(LocalProtocolError):
        lone.endpoint.begin(event, lone.now)


def test_an_invite_is_accepted_and_others_are_begun() -> None:
    lone = Lone()
    invited = received(lone, lone.request("INVITE"))
    with pytest.raises(LocalProtocolError):
        lone.endpoint.begin(invited, lone.now)
    asked = received(lone, lone.request("OPTIONS"))
    with pytest.raises(LocalProtocolError):
        lone.endpoint.accept(asked, lone.now, contact="<sip:local@192.0.2.1>")
    assert lone.is_idle


# What belongs to nothing


@pytest.mark.parametrize("method", ["BYE", "INFO", "INVITE", "REFER", "NOTIFY"])
def test_a_request_inside_an_unknown_dialog_gets_481(method: str) -> None:
    lone = Lone()
    lone.hear(lone.request(method, to_tag="nobody"))
    assert lone.take_one().status == 481
    assert lone.events() == []
    assert lone.is_idle


def test_an_ack_for_nothing_is_dropped() -> None:
    lone = Lone()
    for to_tag in (None, "nobody"):
        lone.hear(lone.request("ACK", to_tag=to_tag))
    assert lone.take() == []
    assert lone.endpoint.counters.strays == 2


def test_a_response_for_nothing_is_dropped() -> None:
    lone = Lone()
    for status in (100, 200, 486):
        lone.hear(lone.request("INVITE").response(status, to_tag="x"))
    assert lone.take() == []
    assert lone.endpoint.counters.strays == 3


def test_a_response_whose_branch_is_the_key_of_a_server_transaction_is_dropped() -> None:
    lone = Lone()
    lone.endpoint.begin(received(lone, lone.request("OPTIONS")), lone.now)
    (key,) = lone.endpoint.servers
    response = make_response(lone.request("OPTIONS"), 200)
    response.set("Via", f'SIP/2.0/UDP 192.0.2.1;branch="{key}"')
    lone.hear(response)
    assert lone.events() == []
    assert len(lone.endpoint.servers) == 1


# Malformed input


def test_a_malformed_request_is_answered_without_state() -> None:
    lone = Lone()
    request = lone.request("OPTIONS")
    data = bytes(request).replace(b"Max-Forwards: 70", b"Max-Forwards: many")
    lone.endpoint.receive_datagram(data, lone.flow, lone.now)
    response = lone.take_one()
    assert (response.status, response.call_id, response.via.rport) == (400, "call", 5060)
    assert lone.events() == []
    assert lone.endpoint.counters.parse_errors == 1
    assert lone.is_idle


def test_the_error_says_the_status() -> None:
    lone = Lone()
    data = bytes(lone.request("OPTIONS")).replace(b"SIP/2.0\r\n", b"SIP/7.0\r\n", 1)
    lone.endpoint.receive_datagram(data, lone.flow, lone.now)
    assert lone.take_one().status == 505


def test_with_a_malformed_via_the_answer_goes_to_the_source() -> None:
    lone = Lone()
    data = bytes(lone.request("OPTIONS")).replace(b"branch=z9hG4bKremote", b"branch=")
    lone.endpoint.receive_datagram(data, lone.flow, lone.now)
    ((answer, flow),) = lone.endpoint.datagrams_to_send()
    assert answer.startswith(b"SIP/2.0 400 ")
    assert flow == lone.flow
    assert lone.endpoint.counters.parse_errors == 1


@pytest.mark.parametrize("name", [b"From", b"To", b"Call-ID", b"CSeq", b"Via"])
def test_without_what_an_answer_repeats_there_is_none(name: bytes) -> None:
    lone = Lone()
    data = bytes(lone.request("OPTIONS")).replace(b"\r\n" + name, b"\r\nX")
    lone.endpoint.receive_datagram(data, lone.flow, lone.now)
    assert lone.take() == []
    assert lone.events() == []
    assert lone.endpoint.counters.parse_errors == 1


def test_a_malformed_ack_is_never_answered() -> None:
    lone = Lone()
    data = bytes(lone.request("ACK")).replace(b"Max-Forwards: 70", b"Max-Forwards: many")
    lone.endpoint.receive_datagram(data, lone.flow, lone.now)
    assert lone.take() == []
    assert lone.endpoint.counters.parse_errors == 1


def test_an_invite_without_contact_gets_400() -> None:
    lone = Lone()
    request = lone.request("INVITE")
    request.remove("Contact")
    lone.hear(request)
    assert lone.take_one().status == 400
    assert lone.events() == []


def test_what_a_stream_could_not_parse_is_answered_too() -> None:
    lone = Lone("TCP")
    with pytest.raises(RemoteProtocolError) as caught:
        sip.parse(bytes(lone.request("OPTIONS")).replace(b"SIP/2.0\r\n", b"SIP/7.0\r\n", 1))
    lone.endpoint.receive_malformed(caught.value, lone.flow)
    assert lone.take_one().status == 505


def test_an_error_without_a_request_is_only_counted() -> None:
    lone = Lone()
    lone.endpoint.receive_malformed(RemoteProtocolError("nothing of it could be read"), lone.flow)
    assert lone.take() == []
    assert lone.endpoint.counters.parse_errors == 1


@given(st.binary(max_size=300))
def test_no_octets_whatever_raise_anything(data: bytes) -> None:
    lone = Lone()
    for transport in ("UDP", "TCP"):
        lone.endpoint.receive_datagram(data, lone.flow.replace(transport=transport), 0.0)
    lone.events()


@given(st.data())
def test_no_mutation_of_a_message_raises_anything(data: st.DataObject) -> None:
    lone = Lone()
    session = lone.call()
    lone.endpoint.send_request(make_request("OPTIONS"), lone.flow, 0.0)
    ringing = make_response(lone.take_one(), 183, ("Record-Route", "<sip:p.example.org;lr>"))
    good = data.draw(
        st.sampled_from(
            [
                lone.request("INVITE", ("Record-Route", "<sip:p.example.org;lr>"), body=b"v=0"),
                lone.request("INVITE", to_tag=session.local_tag, number=5),
                lone.request("ACK", to_tag=session.local_tag),
                lone.request("CANCEL"),
                lone.request("BYE", to_tag=session.local_tag, number=6),
                ringing,
            ]
        )
    )
    octets = bytearray(bytes(good))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    lone.endpoint.receive_datagram(bytes(octets), lone.flow, 0.0)
    for event in lone.events():
        if isinstance(event, sip.RequestReceived) and event.request.method == "INVITE":
            lone.endpoint.accept(event, 0.0, contact="<sip:local@192.0.2.1>").answer(0.0)
    lone.walk(400)


# Keep-alives (RFC 5626 §4.4)


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n", b"\0", b"\0\0\0\0", b"\r\n\r\n\r\n\r\n"])
def test_keep_alives_over_udp_are_taken_silently(data: bytes) -> None:
    lone = Lone()
    lone.endpoint.receive_datagram(data, lone.flow, lone.now)
    assert lone.take() == []
    counters = lone.endpoint.counters
    assert (counters.keepalives, counters.parse_errors) == (1, 0)


def test_line_ends_before_a_message_are_no_harm() -> None:
    lone = Lone()
    lone.endpoint.receive_datagram(b"\r\n\r\n" + bytes(lone.request("OPTIONS")), lone.flow, lone.now)
    assert isinstance(lone.event(), sip.RequestReceived)
    assert lone.endpoint.counters.keepalives == 0


BINDING = struct.pack("!HHI12s", 1, 0, 0x2112A442, b"transaction!")


def test_a_stun_binding_request_is_answered() -> None:
    lone = Lone()
    lone.endpoint.receive_datagram(BINDING, lone.flow, lone.now)
    ((data, flow),) = lone.endpoint.datagrams_to_send()
    assert flow == lone.flow
    assert data[:2] == b"\x01\x01"
    assert data[8:20] == b"transaction!"
    assert int.from_bytes(data[26:28], "big") ^ 0x2112 == B[1]
    assert lone.endpoint.counters.keepalives == 1


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("!HHI12s", 0x0101, 0, 0x2112A442, b"transaction!"),  # a response
        struct.pack("!HHI12s", 0x0011, 0, 0x2112A442, b"transaction!"),  # an indication
        struct.pack("!HHI12s", 0x0003, 0, 0x2112A442, b"transaction!"),  # another method
        struct.pack("!HHI12sHHI", 1, 8, 0x2112A442, b"transaction!", 0x7FFF, 4, 0),  # one we do not know
    ],
)
def test_other_stun_is_not_answered(data: bytes) -> None:
    lone = Lone()
    lone.endpoint.receive_datagram(data, lone.flow, lone.now)
    assert lone.take() == []
    assert lone.endpoint.counters.parse_errors == 0


def test_malformed_stun_is_counted() -> None:
    lone = Lone()
    lone.endpoint.receive_datagram(BINDING[:2] + b"\0\4" + BINDING[4:], lone.flow, lone.now)
    assert lone.endpoint.datagrams_to_send() == []
    assert lone.endpoint.counters.parse_errors == 1


# Bounds


def test_too_many_transactions_get_503_and_a_time() -> None:
    lone = Lone(max_transactions=3)
    for number in range(3):
        event = received(lone, lone.request("MESSAGE", branch=f"z9hG4bK{number}", number=number + 1))
        lone.endpoint.begin(event, lone.now)
    for method in ("MESSAGE", "INVITE"):
        lone.hear(lone.request(method, branch="z9hG4bKmore", number=9))
        response = lone.take_one()
        assert response.status == 503
        assert response.get("Retry-After") is not None
    assert lone.events() == []
    assert lone.endpoint.counters.overloads == 2
    assert lone.endpoint.counters.transactions == 3
    lone.walk(33)
    received(lone, lone.request("MESSAGE", branch="z9hG4bKlater", number=9))


def test_calls_that_are_up_can_be_ended_under_overload() -> None:
    lone = Lone(max_transactions=1)
    session = lone.accept()
    session.answer(lone.now)
    lone.hear(lone.request("ACK", branch="z9hG4bKack", to_tag=session.local_tag))
    lone.take(), lone.events()
    lone.hear(lone.request("BYE", branch="z9hG4bKbye", number=2, to_tag=session.local_tag))
    assert lone.take_one().status == 200


def test_even_a_call_that_is_up_cannot_fill_the_memory() -> None:
    lone = Lone(max_transactions=2)
    session = lone.accept()
    session.answer(lone.now)
    lone.hear(lone.request("ACK", branch="z9hG4bKack", to_tag=session.local_tag))
    lone.take(), lone.events()
    statuses = []
    for number in range(2, 9):
        lone.hear(lone.request("INFO", branch=f"z9hG4bK{number}", number=number, to_tag=session.local_tag))
        statuses += [message.status for message in lone.take()]
    assert statuses == [503] * 4
    assert len(lone.events()) == 3
    lone.hear(lone.request("BYE", branch="z9hG4bKbye", number=20, to_tag=session.local_tag))
    assert lone.take_one().status == 200


def test_what_is_finished_is_no_object_any_more() -> None:
    lone = Lone()
    lone.endpoint.send_request(make_request("OPTIONS"), lone.flow, lone.now)
    lone.hear(make_response(lone.take_one(), 200))
    lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    lone.hear(make_response(lone.take_one(), 486))
    lone.take()
    session = lone.call()
    session.bye(lone.now)
    lone.hear(make_response(lone.take_one(), 200))
    lone.events()
    session = lone.accept()
    session.answer(lone.now)
    lone.hear(lone.request("ACK", branch="z9hG4bKack", to_tag=session.local_tag))
    lone.hear(lone.request("BYE", branch="z9hG4bKbye", to_tag=session.local_tag, number=2))
    lone.take(), lone.events()
    del session
    tombstones = [*lone.endpoint.servers.values(), *lone.endpoint.clients.values()]
    assert len(tombstones) == 6
    assert {type(tombstone) for tombstone in tombstones} == {bytes, tuple}
    kept = [one for one in gc.get_objects() if isinstance(one, Transaction | sip.Session)]
    assert not [one for one in kept if one.core is lone.endpoint]


# Counters


def test_messages_are_counted_by_method_and_status() -> None:
    lone = Lone()
    event = received(lone, lone.request("OPTIONS"))
    lone.endpoint.begin(event, lone.now).respond(200, lone.now)
    received(lone, lone.request("FROBNICATE", branch="z9hG4bKfrob"))
    lone.endpoint.send_request(make_request("OPTIONS"), lone.flow, lone.now)
    lone.hear(make_response(lone.take()[-1], 404))
    lone.endpoint.send_request(make_request("FROBNICATE"), lone.flow, lone.now)
    counters = lone.endpoint.counters
    assert (counters.requests_in["OPTIONS"], counters.requests_in["other"]) == (1, 1)
    assert (counters.requests_out["OPTIONS"], counters.requests_out["other"]) == (1, 1)
    assert (counters.responses_out[200], counters.responses_in[404]) == (1, 1)
    assert "FROBNICATE" not in counters.requests_in  # strangers do not fill our memory
    assert counters.transactions == 1


@pytest.mark.parametrize(("header", "left"), [("70", 69), ("1", 0), ("0", None), (None, 70)])
def test_hops_left(header: str | None, left: int | None) -> None:
    request = Lone().request("OPTIONS")
    request.remove("Max-Forwards")
    if header is not None:
        request.add("Max-Forwards", header)
    assert sip.hops_left(request) == left


def test_ipv6_stands_in_brackets() -> None:
    lone = Lone()
    flow = sip.Flow("UDP", ("2001:db8::1", 5060), ("2001:db8::2", 5060))
    lone.endpoint.send_request(make_request("OPTIONS"), flow, lone.now)
    via = lone.take_one().via
    assert (via.host, via.port) == ("[2001:db8::1]", 5060)
    assert sip.bracketed("2001:db8::1") == "[2001:db8::1]"
    assert sip.bracketed("192.0.2.1") == "192.0.2.1"
