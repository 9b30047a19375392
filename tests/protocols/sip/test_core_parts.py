"""What all transactions share: who we say that we are, and dialogs found by their names."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from switchroom.protocols import sip
from switchroom.protocols.errors import LocalProtocolError
from switchroom.protocols.sip.identifiers import identifier, plain_identifier
from tests.wire import Lone, make_request, make_response


def test_a_public_address_stands_in_every_via() -> None:
    lone = Lone(advertise=lambda flow: ("203.0.113.9", flow.local[1] + 1))
    assert lone.endpoint.advertised(lone.flow) == ("203.0.113.9", 5061)
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    request = lone.take_one()
    assert request.via.sent_by == "203.0.113.9:5061"
    lone.hear(make_response(request, 200))  # and its response is recognised
    session.acknowledge(lone.now)
    assert lone.take_one().via.sent_by == "203.0.113.9:5061"


def test_without_one_the_flow_says_it() -> None:
    flow = sip.Flow("UDP", ("2001:db8::1", 5060), ("2001:db8::2", 5060))
    lone = Lone()
    assert lone.endpoint.advertised(flow) == ("2001:db8::1", 5060)
    assert lone.endpoint.sent_by(flow) == "[2001:db8::1]:5060"


@pytest.mark.parametrize(
    ("transport", "is_secure"), [("UDP", False), ("TCP", False), ("WS", False), ("TLS", True), ("WSS", True)]
)
def test_secure_flows(transport: str, is_secure: bool) -> None:
    flow = sip.Flow(transport, ("192.0.2.1", 1), ("192.0.2.2", 2), name="example.org")
    assert flow.is_secure is is_secure
    assert flow.is_reliable is (transport != "UDP")


def test_a_dialog_is_found_by_its_names_as_the_other_end_sees_them() -> None:
    lone = Lone()
    session = lone.call()
    find = lone.endpoint.find_dialog
    assert find("call", "local", "remote") is session
    assert find("call", "remote", "local") is None  # RFC 3891 §3: to-tag is ours
    assert find("other", "local", "remote") is None
    assert find("call", "local", "0") is None
    session.bye(lone.now)
    lone.hear(make_response(lone.take_one(), 200))
    assert find("call", "local", "remote") is None


def test_early_dialogs_are_found_too() -> None:
    lone = Lone()
    session = lone.accept()
    session.ring(180, lone.now, tag="two")
    assert lone.endpoint.find_dialog("call", session.local_tag, "remote") is session
    assert lone.endpoint.find_dialog("call", "two", "remote") is session
    lone = Lone()
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    request = lone.take_one()
    assert lone.endpoint.find_dialog("call", "local", "one") is None
    lone.hear(make_response(request, 180, tag="one"))
    assert lone.endpoint.find_dialog("call", "local", "one") is session


def test_zero_means_that_the_other_end_has_no_tag() -> None:
    lone = Lone()
    request = lone.request("INVITE")
    request.set("From", "<sip:remote@example.org>")
    lone.hear(request)
    event = lone.event()
    assert isinstance(event, sip.RequestReceived)
    session = lone.endpoint.accept(event, lone.now, contact="<sip:l@192.0.2.1>")
    assert lone.endpoint.find_dialog("call", session.local_tag, "0") is session


@pytest.mark.parametrize("method", ["PRACK", "UPDATE"])
def test_some_requests_have_a_way_of_their_own(method: str) -> None:
    lone = Lone()
    session = lone.call()
    with pytest.raises(LocalProtocolError):
        session.send_request(method, lone.now)


def test_a_prack_to_the_caller_is_for_nothing() -> None:
    lone = Lone()
    session = lone.call()
    lone.hear(lone.request("PRACK", ("RAck", "1 1 INVITE"), to_tag=session.local_tag, number=2))
    assert lone.take_one().status == 481


def test_an_authorizer_says_no_to_a_reinvite_of_an_ended_session() -> None:
    lone = Lone()
    session = lone.call()
    session.authorizer = sip.DigestAuthorizer(sip.DigestClient("us", "secret"))
    session.send_request("INFO", lone.now)
    info = lone.take_one()
    assert isinstance(info, sip.Request)
    session.bye(lone.now)
    lone.take()
    lone.hear(info.response(401, headers=[("WWW-Authenticate", 'Digest realm="r", nonce="n"')]))
    assert lone.take() == []


@pytest.mark.parametrize("write", [identifier, plain_identifier])
def test_an_identifier_is_a_head_and_eight_octets(write: Callable[[str, bytes, int], str]) -> None:
    assert write("z9hG4bK00", bytes(range(0xF0, 0xFF)), 4) == "z9hG4bK00f4f5f6f7f8f9fafb"


def test_identifiers_are_written_within_bounds() -> None:
    for head, at in (("head", -1), ("head", 1), ("\xe4", 0)):
        with pytest.raises(ValueError, match="octets"):
            identifier(head, bytes(8), at)
