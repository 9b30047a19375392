"""Challenges to requests of ours: answered by whoever was given a password, by nobody else (RFC 3261 §22)."""

from __future__ import annotations

import pytest

from switchroom.protocols import sip
from tests.wire import Lone, Wire, invite, make_request, make_response

CHALLENGE = ("WWW-Authenticate", 'Digest realm="trunk", nonce="n1", qop="auth"')
PROXY = ("Proxy-Authenticate", 'Digest realm="trunk", nonce="n1", qop="auth"')
STALE = ("WWW-Authenticate", 'Digest realm="trunk", nonce="n2", qop="auth", stale=true')
STALER = ("WWW-Authenticate", 'Digest realm="trunk", nonce="n3", qop="auth", stale=true')


def authorizer(realm: str = "trunk") -> sip.DigestAuthorizer:
    return sip.DigestAuthorizer(sip.DigestClient("us", "secret", realm=realm))


def calling(lone: Lone, *, realm: str = "trunk") -> tuple[sip.Session, sip.Request]:
    session = lone.endpoint.invite(make_request("INVITE", body=b"offer"), lone.flow, lone.now)
    session.authorizer = authorizer(realm)
    request = lone.take_one()
    assert isinstance(request, sip.Request)
    return session, request


def refused(request: sip.Request, status: int, *headers: tuple[str, str], tag: str = "uas") -> sip.Response:
    return request.response(status, to_tag=tag, headers=headers)


@pytest.mark.parametrize(
    ("status", "challenge", "answer"),
    [(401, CHALLENGE, "Authorization"), (407, PROXY, "Proxy-Authorization")],
)
def test_a_challenged_invite_is_sent_again_in_the_same_session(
    status: int, challenge: tuple[str, str], answer: str
) -> None:
    lone = Lone()
    session, first = calling(lone)
    lone.hear(refused(first, status, challenge))
    ack, second = lone.take()
    assert isinstance(ack, sip.Request)
    assert isinstance(second, sip.Request)
    assert (ack.method, ack.via.branch, ack.cseq.number) == ("ACK", first.via.branch, 1)
    assert second.cseq == sip.CSeq(2, "INVITE")
    assert (second.call_id, second.from_tag, second.to_tag) == (first.call_id, first.from_tag, None)
    assert second.body == first.body
    assert second.via.branch != first.via.branch
    assert len(second.vias) == 1
    assert "secret" not in str(second.get(answer))
    assert sip.Credentials.parse(second.get(answer) or "").nonce == "n1"
    assert lone.events() == []
    lone.hear(make_response(second, 200))
    assert isinstance(lone.event(), sip.SessionAnswered)
    session.acknowledge(lone.now)
    ack = lone.take_one()
    assert isinstance(ack, sip.Request)
    assert ack.cseq.number == 2
    assert ack.get(answer) == second.get(answer)  # §22.1
    lone.hear(refused(first, status, challenge))  # a late copy: the first transaction's tombstone has the ACK
    assert lone.take_one().cseq == sip.CSeq(1, "ACK")
    session.bye(lone.now)
    bye = lone.take_one()
    assert bye.cseq.number == 3
    lone.hear(make_response(bye, 200))
    lone.walk(100)
    assert lone.is_idle


def test_without_an_authorizer_nothing_is_ever_answered() -> None:
    """THREATS C2: a callee that challenges our BYE learns nothing."""
    lone = Lone()
    session = lone.call()
    for ask in (lambda: session.send_request("INFO", lone.now), lambda: session.reinvite(lone.now)):
        ask()
        request = lone.take_one()
        assert isinstance(request, sip.Request)
        lone.hear(refused(request, 401, CHALLENGE))
        assert all(message.method == "ACK" for message in lone.take())
    session.bye(lone.now)
    bye = lone.take_one()
    assert isinstance(bye, sip.Request)
    lone.hear(refused(bye, 407, PROXY))
    assert lone.take() == []
    lone.walk(100)
    assert lone.is_idle


def test_another_realm_learns_nothing() -> None:
    lone = Lone()
    _, first = calling(lone, realm="elsewhere")
    lone.hear(refused(first, 401, CHALLENGE))
    assert lone.take_one().method == "ACK"
    event = lone.event()
    assert isinstance(event, sip.SessionRejected)
    assert event.status == 401


def test_a_stale_nonce_is_renewed_but_not_for_ever() -> None:
    lone = Lone()
    _, request = calling(lone)
    nonces = []
    for challenge in (CHALLENGE, STALE):
        lone.hear(refused(request, 401, challenge))
        _, again = lone.take()
        assert isinstance(again, sip.Request)
        request = again
        nonces.append(sip.Credentials.parse(request.get("Authorization") or "").nonce)
    assert nonces == ["n1", "n2"]
    assert request.cseq.number == 3
    assert len(request.get_all("Authorization")) == 1
    lone.hear(refused(request, 401, STALER))
    assert lone.take_one().method == "ACK"
    assert isinstance(lone.event(), sip.SessionRejected)
    lone.walk(100)
    assert lone.is_idle


def test_a_wrong_password_is_tried_once() -> None:
    lone = Lone()
    _, request = calling(lone)
    lone.hear(refused(request, 401, CHALLENGE))
    _, again = lone.take()
    assert isinstance(again, sip.Request)
    lone.hear(refused(again, 401, CHALLENGE))
    assert lone.take_one().method == "ACK"
    assert isinstance(lone.event(), sip.SessionRejected)


def test_what_was_given_up_is_not_tried_again() -> None:
    lone = Lone()
    session, request = calling(lone)
    session.cancel(lone.now)
    lone.hear(refused(request, 401, CHALLENGE))
    assert lone.take_one().method == "ACK"
    event = lone.event()
    assert isinstance(event, sip.SessionRejected)
    assert event.status == 487
    lone.walk(100)
    assert lone.is_idle


def test_the_second_invite_can_be_cancelled_and_retransmitted() -> None:
    lone = Lone()
    session, request = calling(lone)
    lone.hear(refused(request, 401, CHALLENGE))
    _, again = lone.take()
    assert isinstance(again, sip.Request)
    assert [start for _, start in lone.walk(1.6)] == ["INVITE", "INVITE"]
    session.cancel(lone.now)
    lone.hear(again.response(100))
    cancel = lone.take_one()
    assert (cancel.cseq, cancel.via.branch) == (sip.CSeq(2, "CANCEL"), again.via.branch)
    lone.hear(make_response(cancel, 200))
    lone.hear(make_response(again, 487))
    lone.walk(100)
    assert lone.is_idle


@pytest.mark.parametrize("method", ["INVITE", "BYE", "UPDATE", "INFO"])
def test_requests_inside_the_dialog_are_sent_again(method: str) -> None:
    lone = Lone()
    session = lone.call()
    session.authorizer = authorizer()
    ask = {"INVITE": session.reinvite, "BYE": session.bye, "UPDATE": session.update}.get(method)
    if ask is not None:
        ask(lone.now)
    else:
        sent = session.send_request(method, lone.now)
        assert sent is not None
        sent.context = "mine"
    request = lone.take_one()
    assert isinstance(request, sip.Request)
    lone.hear(refused(request, 401, CHALLENGE, tag="remote"))
    again = lone.take()[-1]
    assert isinstance(again, sip.Request)
    assert again.cseq == sip.CSeq(3, method)
    assert again.get("Authorization") is not None
    assert lone.events() == []
    lone.hear(make_response(again, 200))
    if method == "BYE":
        lone.walk(100)
        assert lone.is_idle
        return
    event = lone.event()
    if method == "INFO":
        assert isinstance(event, sip.SessionResponseReceived)
        assert event.transaction.context == "mine"
    session.bye(lone.now)
    assert lone.take()[-1].cseq.number == 4


def test_requests_outside_dialogs_go_on_in_the_same_transaction() -> None:
    lone = Lone()
    sent = lone.endpoint.send_request(make_request("REGISTER"), lone.flow, lone.now, authorizer=authorizer())
    request = lone.take_one()
    assert isinstance(request, sip.Request)
    lone.hear(refused(request, 401, CHALLENGE))
    again = lone.take_one()
    assert isinstance(again, sip.Request)
    assert (again.cseq.number, again.call_id, len(again.vias)) == (2, request.call_id, 1)
    assert lone.events() == []
    lone.hear(make_response(again, 200))
    event = lone.event()
    assert isinstance(event, sip.ResponseReceived)
    assert event.transaction is sent
    assert sent.request.cseq.number == 2
    lone.walk(10)
    assert lone.is_idle


def test_a_repeated_request_can_time_out() -> None:
    lone = Lone()
    lone.endpoint.send_request(make_request("OPTIONS"), lone.flow, lone.now, authorizer=authorizer())
    request = lone.take_one()
    assert isinstance(request, sip.Request)
    lone.hear(refused(request, 401, CHALLENGE))
    lone.take()
    assert len(lone.walk(33)) == 10
    event = lone.event()
    assert isinstance(event, sip.RequestFailed)
    assert event.reason == "timeout"
    lone.walk(10)
    assert lone.is_idle


@pytest.mark.parametrize("seed", range(12))
def test_a_challenged_call_survives_a_bad_wire(seed: int) -> None:
    wire = Wire(seed=seed, loss=0.25, doubling=0.2, jitter=0.5)
    sessions = []

    def on_b(event: sip.Event, now: float) -> None:
        if isinstance(event, sip.RequestReceived):
            if "Authorization" not in event.request:
                wire.b.endpoint.reply(event, 401, now=now, headers=[CHALLENGE])
            else:
                sessions.append(wire.b.endpoint.accept(event, now, contact="<sip:b@192.0.2.2>"))
                sessions[-1].answer(now, body=b"answer")

    def on_a(event: sip.Event, now: float) -> None:
        if isinstance(event, sip.SessionAnswered):
            event.session.acknowledge(now)

    wire.a.on_event, wire.b.on_event = on_a, on_b
    session = invite(wire)
    session.authorizer = authorizer()
    wire.run(20)
    assert session.state is sip.State.CONFIRMED
    assert len(sessions) == 1
    session.bye(wire.now)
    wire.settle()
    assert wire.a.is_idle
    assert wire.b.is_idle
