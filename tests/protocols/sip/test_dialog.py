"""Dialogs: RFC 3261 §12: identifiers, route sets loose and strict, sequence numbers, remote targets."""

from __future__ import annotations

import pytest

from switchroom.protocols import sip
from switchroom.protocols.errors import LocalProtocolError
from tests.wire import Lone, make_request, make_response

PROXIES = (("Record-Route", "<sip:p1.example.org;lr>"), ("Record-Route", '"P 2" <sip:p2.example.org;lr;x=y>'))


def called(lone: Lone, *headers: tuple[str, str], body: bytes = b"") -> sip.Session:
    """A call that the other end made and we answered; acknowledged."""
    session = lone.accept(*headers, body=body or b"v=0\r\n")
    session.answer(lone.now)
    lone.hear(lone.request("ACK", branch="z9hG4bKack", to_tag=session.local_tag))
    lone.take(), lone.events()
    return session


def calling(lone: Lone, *headers: tuple[str, str]) -> sip.Session:
    """A call that we made and the other end answered; acknowledged."""
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    lone.hear(make_response(lone.take_one(), 200, *headers))
    session.acknowledge(lone.now)
    lone.take(), lone.events()
    return session


def inside(
    lone: Lone, session: sip.Session, method: str, number: int, *headers: tuple[str, str]
) -> sip.Request:
    """A request of the other end inside the dialog."""
    request = lone.request(
        method, *headers, branch=f"z9hG4bK{method}{number}", to_tag=session.local_tag, number=number
    )
    if session.is_caller:
        request.set("From", "<sip:remote@example.org>;tag=remote")
    return request


def routes(request: sip.Request | sip.Response) -> list[str]:
    return [str(route) for route in request.routes]


# Requests that we make inside a dialog (§12.2.1.1)


def test_a_request_of_the_callee_swaps_from_and_to() -> None:
    lone = Lone()
    session = called(lone)
    session.send_request("INFO", lone.now, headers=[("Info-Package", "x")], body=b"hm")
    request = lone.take_one()
    assert isinstance(request, sip.Request)
    assert str(request.uri) == "sip:remote@192.0.2.2"
    assert (request.from_tag, request.to_tag) == (session.local_tag, "remote")
    assert str(request.from_.uri) == "sip:local@example.org"
    assert str(request.to.uri) == "sip:remote@example.org"
    assert request.call_id == "call"
    assert request.cseq == sip.CSeq(1, "INFO")
    assert request.max_forwards == 70
    assert request.body == b"hm"
    assert request.get("User-Agent") == "Switchroom"
    assert routes(request) == []
    assert lone.flows == [lone.flow]


def test_sequence_numbers_of_the_caller_go_on_from_the_invite() -> None:
    lone = Lone()
    session = calling(lone)
    for _ in range(3):
        session.send_request("INFO", lone.now)
    session.reinvite(lone.now)
    session.send_request("INFO", lone.now)
    assert [str(message.cseq) for message in lone.take()] == [
        "2 INFO",
        "3 INFO",
        "4 INFO",
        "5 INVITE",
        "6 INFO",
    ]


def test_the_user_agent_can_be_left_out() -> None:
    lone = Lone(user_agent="")
    session = called(lone)
    session.send_request("INFO", lone.now)
    assert lone.take_one().get("User-Agent") is None


def test_the_callee_takes_the_route_set_in_order() -> None:
    lone = Lone()
    session = called(lone, *PROXIES)
    session.bye(lone.now)
    request = lone.take_one()
    assert isinstance(request, sip.Request)
    assert str(request.uri) == "sip:remote@192.0.2.2"
    assert routes(request) == ["<sip:p1.example.org;lr>", '"P 2" <sip:p2.example.org;lr;x=y>']


def test_the_caller_takes_the_route_set_in_reverse() -> None:
    lone = Lone()
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    lone.hear(make_response(lone.take_one(), 200, *PROXIES))
    session.acknowledge(lone.now)
    ack = lone.take_one()
    session.bye(lone.now)
    for request in (ack, lone.take_one()):
        assert isinstance(request, sip.Request)
        assert str(request.uri) == "sip:remote@192.0.2.2"
        assert routes(request) == ['"P 2" <sip:p2.example.org;lr;x=y>', "<sip:p1.example.org;lr>"]


def test_a_strict_router_gets_its_own_uri_and_the_target_comes_last() -> None:
    lone = Lone()
    session = called(
        lone,
        ("Record-Route", "<sip:strict.example.org;method=INVITE>"),
        ("Record-Route", "<sip:p2.example.org;lr>"),
    )
    session.bye(lone.now)
    request = lone.take_one()
    assert isinstance(request, sip.Request)
    assert str(request.uri) == "sip:strict.example.org"
    assert routes(request) == ["<sip:p2.example.org;lr>", "<sip:remote@192.0.2.2>"]


def test_a_response_repeats_record_route() -> None:
    lone = Lone()
    session = lone.accept(*PROXIES)
    session.ring(180, lone.now)
    session.answer(lone.now)
    trying, ringing, answer = lone.take()
    assert trying.record_routes == ()
    for response in (ringing, answer):
        assert [str(route.uri) for route in response.record_routes] == [
            "sip:p1.example.org;lr",
            "sip:p2.example.org;lr;x=y",
        ]
        assert response.get("Contact") == "<sip:local@192.0.2.1>"


def test_a_2xx_without_contact_is_a_call_nevertheless() -> None:
    lone = Lone()
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    request = lone.take_one()
    assert isinstance(request, sip.Request)
    lone.hear(request.response(200, to_tag="remote"))
    session.acknowledge(lone.now)
    ack = lone.take_one()
    assert isinstance(ack, sip.Request)
    assert str(ack.uri) == "sip:remote@192.0.2.2"  # where the INVITE went


def test_a_2xx_without_tag_is_a_call_nevertheless() -> None:
    lone = Lone()  # RFC 2543; §12.1.2
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    request = lone.take_one()
    assert isinstance(request, sip.Request)
    lone.hear(request.response(200, headers=[("Contact", "<sip:remote@192.0.2.2>")]))
    session.acknowledge(lone.now)
    lone.take()
    bye = inside(lone, session, "BYE", 7)
    bye.set("From", "<sip:remote@example.org>")
    lone.hear(bye)
    assert lone.take_one().status == 200
    assert isinstance(lone.events()[-1], sip.SessionEnded)


# Requests of the other end (§12.2.2)


def test_a_request_inside_the_dialog_is_told_and_answered_by_the_owner() -> None:
    lone = Lone()
    session = called(lone)
    lone.hear(inside(lone, session, "INFO", 2))
    event = lone.event()
    assert isinstance(event, sip.SessionRequestReceived)
    assert event.session is session
    event.transaction.respond(200, lone.now)
    response = lone.take_one()
    assert (response.status, response.to_tag) == (200, session.local_tag)


def test_gaps_in_the_sequence_are_no_fault_but_going_back_is() -> None:
    lone = Lone()
    session = called(lone)
    lone.hear(inside(lone, session, "INFO", 9))
    assert isinstance(lone.event(), sip.SessionRequestReceived)
    for number in (8, 9):
        lone.hear(inside(lone, session, "MESSAGE", number))
        assert lone.take_one().status == 500
    assert lone.events() == []
    lone.hear(inside(lone, session, "INVITE", 3))
    assert lone.take_one().status == 500
    assert lone.events() == []


def test_the_first_request_of_the_callee_may_have_any_number() -> None:
    lone = Lone()
    session = calling(lone)
    lone.hear(inside(lone, session, "INFO", 2**31 - 1))
    assert isinstance(lone.event(), sip.SessionRequestReceived)


@pytest.mark.parametrize("wrong", ["call", "from", "to"])
@pytest.mark.parametrize("method", ["BYE", "INFO", "INVITE", "UPDATE"])
def test_all_three_identifiers_must_agree(method: str, wrong: str) -> None:
    lone = Lone()
    session = called(lone)
    request = inside(lone, session, method, 2)
    if wrong == "call":
        request.set("Call-ID", "another")
    elif wrong == "from":
        request.set("From", "<sip:remote@example.org>;tag=another")
    else:
        request.set("To", "<sip:local@example.org>;tag=another")
    lone.hear(request)
    assert lone.take_one().status == 481
    assert lone.events() == []
    assert session.state is sip.State.CONFIRMED


def test_an_ack_with_foreign_tags_does_not_count() -> None:
    lone = Lone()
    session = lone.accept()
    session.answer(lone.now)
    lone.take()
    lone.hear(lone.request("ACK", branch="z9hG4bKx", to_tag=session.local_tag, from_tag="another"))
    lone.hear(lone.request("ACK", branch="z9hG4bKy", to_tag="another"))
    assert lone.events() == []
    assert not session.is_acknowledged
    assert lone.endpoint.counters.strays == 2


# Remote target refresh (§12.2.1.2, §12.2.2)


def moved(host: str) -> tuple[str, str]:
    return "Contact", f"<sip:remote@{host}>"


def target(lone: Lone, session: sip.Session) -> str:
    session.send_request("INFO", lone.now)
    request = lone.take()[-1]
    assert isinstance(request, sip.Request)
    return request.uri.host


def reinvited(lone: Lone, session: sip.Session, number: int, host: str) -> sip.ReinviteReceived:
    request = inside(lone, session, "INVITE", number)
    request.set(*moved(host))
    lone.hear(request)
    event = lone.event()
    assert isinstance(event, sip.ReinviteReceived)
    return event


def test_a_reinvite_moves_the_remote_target_when_it_is_accepted() -> None:
    lone = Lone()
    session = called(lone)
    event = reinvited(lone, session, 2, "192.0.2.55")
    assert target(lone, session) == "192.0.2.2"
    session.answer_reinvite(event.transaction, 200, lone.now)
    assert target(lone, session) == "192.0.2.55"


def test_a_refused_reinvite_moves_nothing() -> None:
    lone = Lone()
    session = called(lone)
    event = reinvited(lone, session, 2, "192.0.2.55")
    session.answer_reinvite(event.transaction, 488, lone.now)
    assert target(lone, session) == "192.0.2.2"


def test_an_update_moves_the_remote_target() -> None:
    lone = Lone()
    session = called(lone)
    lone.hear(inside(lone, session, "UPDATE", 2, moved("192.0.2.56")))
    assert target(lone, session) == "192.0.2.56"


def test_another_request_does_not() -> None:
    lone = Lone()
    session = called(lone)
    lone.hear(inside(lone, session, "INFO", 2, moved("192.0.2.56")))
    assert target(lone, session) == "192.0.2.2"


def test_the_2xx_to_our_update_moves_the_remote_target() -> None:
    lone = Lone()
    session = called(lone)
    session.update(lone.now)
    lone.hear(make_response(lone.take_one(), 200, moved("192.0.2.57")))
    assert target(lone, session) == "192.0.2.57"


def test_the_2xx_to_our_reinvite_moves_the_remote_target() -> None:
    lone = Lone()
    session = calling(lone)
    session.reinvite(lone.now)
    request = lone.take_one()
    assert isinstance(request, sip.Request)
    lone.hear(request.response(200, headers=[moved("192.0.2.58")]))
    session.acknowledge(lone.now)
    ack = lone.take_one()
    assert isinstance(ack, sip.Request)
    assert ack.uri.host == "192.0.2.58"


def test_the_flow_follows_a_new_port_but_not_another_host() -> None:
    lone = Lone()
    session = called(lone)
    new_port = lone.flow.replace(remote=("192.0.2.2", 6060))
    lone.hear(inside(lone, session, "UPDATE", 2, moved("192.0.2.2")), new_port)
    assert session.flow == new_port
    lone.hear(
        inside(lone, session, "UPDATE", 3, moved("192.0.2.2")), lone.flow.replace(remote=("192.0.2.9", 5060))
    )
    assert session.flow == new_port


# Early dialogs (§12.1, §13.2.2.4)


def test_each_fork_is_an_early_dialog_of_its_own() -> None:
    lone = Lone()
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    request = lone.take_one()
    with pytest.raises(LocalProtocolError):
        session.send_request("INFO", lone.now)
    for tag, host in (("one", "192.0.2.31"), ("two", "192.0.2.32")):
        assert isinstance(request, sip.Request)
        lone.hear(request.response(183, to_tag=tag, headers=[moved(host)]))
    assert [event.response.to_tag for event in lone.events() if isinstance(event, sip.SessionProgressed)] == [
        "one",
        "two",
    ]
    session.update(lone.now)  # in the latest
    update = lone.take_one()
    assert isinstance(update, sip.Request)
    assert (update.to_tag, update.uri.host, update.cseq.number) == ("two", "192.0.2.32", 2)
    for tag in ("one", "two"):  # both may send requests, each with numbers of its own
        early = inside(lone, session, "UPDATE", 5)
        early.set("From", f"<sip:remote@example.org>;tag={tag}")
        early.set("Via", f"SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK{tag}")
        lone.hear(early)
        assert lone.take_one().status == 200
    stranger = inside(lone, session, "UPDATE", 5)
    stranger.set("From", "<sip:remote@example.org>;tag=three")
    lone.hear(stranger)
    assert lone.take_one().status == 481


def test_the_answered_early_dialog_keeps_its_sequence_numbers() -> None:
    lone = Lone()
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    request = lone.take_one()
    lone.hear(make_response(request, 183))
    session.update(lone.now)
    lone.take()
    lone.hear(make_response(request, 183))  # a repeated one changes nothing
    early = inside(lone, session, "UPDATE", 5)
    lone.hear(early)
    lone.hear(make_response(request, 200, ("Record-Route", "<sip:late.example.org;lr>")))
    session.acknowledge(lone.now)
    lone.take(), lone.events()
    session.send_request("INFO", lone.now)
    info = lone.take_one()
    assert info.cseq.number == 3
    assert routes(info) == ["<sip:late.example.org;lr>"]  # the route set is computed again from the 2xx
    lone.hear(inside(lone, session, "INFO", 5))
    assert lone.take_one().status == 500


def test_after_the_answer_the_other_forks_are_strangers() -> None:
    lone = Lone()
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    request = lone.take_one()
    for tag in ("one", "two"):
        assert isinstance(request, sip.Request)
        lone.hear(request.response(183, to_tag=tag, headers=[moved("192.0.2.2")]))
    lone.hear(make_response(request, 200, tag="one"))
    session.acknowledge(lone.now)
    lone.take()
    late = inside(lone, session, "INFO", 5)
    late.set("From", "<sip:remote@example.org>;tag=two")
    lone.hear(late)
    assert lone.take_one().status == 481


def test_early_dialogs_are_bounded() -> None:
    lone = Lone()
    session = lone.endpoint.invite(make_request("INVITE"), lone.flow, lone.now)
    request = lone.take_one()
    for number in range(40):
        lone.hear(make_response(request, 180, tag=f"t{number}"))
    assert len(lone.events()) == 40
    assert session.has_remote("t31")
    assert not session.has_remote("t32")


def test_a_callee_may_have_several_early_dialogs() -> None:
    lone = Lone()
    session = lone.accept()
    first = session.local_tag
    for tag in (None, "two", "three"):
        session.ring(180, lone.now, tag=tag)
    assert [message.to_tag for message in lone.take()] == [None, first, "two", "three"]
    for tag in (first, "two"):
        request = lone.request("UPDATE", to_tag=tag, branch=f"z9hG4bK{tag}", number=2)
        lone.hear(request)
        assert lone.take_one().status == 200
    session.send_request("INFO", lone.now)  # in the first, its own
    assert lone.take_one().from_tag == first
    session.answer(lone.now, tag="two")
    assert lone.take_one().to_tag == "two"
    assert session.local_tag == "two"
    assert set(lone.endpoint.sessions) == {"two"}
    lone.hear(lone.request("UPDATE", to_tag="two", branch="z9hG4bKlow", number=2))
    assert lone.take_one().status == 500  # the early dialog's numbers go on
    lone.hear(lone.request("INFO", to_tag="three", branch="z9hG4bKgone", number=9))
    assert lone.take_one().status == 481
    assert lone.endpoint.counters.sessions == 1


def test_all_early_dialogs_end_with_a_refusal() -> None:
    lone = Lone()
    session = lone.accept()
    session.ring(180, lone.now, tag="two")
    session.reject(486, lone.now)
    assert lone.endpoint.sessions == {}
    assert lone.endpoint.counters.sessions == 0
