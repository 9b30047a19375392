"""Session timers: agreed, refreshed by either end, and expired (RFC 4028)."""

from __future__ import annotations

from typing import Any

import pytest

from switchroom.protocols import sip
from switchroom.protocols.sip.refresh import Refresh
from switchroom.protocols.wheel import Wheel
from tests.wire import Lone, Wire, invite, make_request, make_response

SDP = ("Content-Type", "application/sdp")
OFFER, ANSWER = b"v=0\r\ns=offer\r\n", b"v=0\r\ns=answer\r\n"
ALLOW = ("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE")
TIMER = ("Supported", "timer")


def timing(**options: Any) -> sip.SessionTiming:
    return sip.SessionTiming(**{"interval": 600, "min_se": 90, **options})


def calling(lone: Lone, wish: sip.SessionTiming) -> tuple[sip.Session, sip.Request]:
    session = lone.endpoint.invite(make_request("INVITE", SDP, body=OFFER), lone.flow, lone.now, timing=wish)
    request = lone.take_one()
    assert isinstance(request, sip.Request)
    return session, request


def up(*headers: tuple[str, str], wish: sip.SessionTiming | None = None) -> tuple[Lone, sip.Session]:
    """A call of ours that was answered with these headers."""
    lone = Lone()
    session, request = calling(lone, wish or timing())
    answer = make_response(request, 200, SDP, *headers)
    answer.body = ANSWER
    lone.hear(answer)
    session.acknowledge(lone.now)
    lone.take(), lone.events()
    return lone, session


def accepted(
    *headers: tuple[str, str], wish: sip.SessionTiming | None = None
) -> tuple[Lone, sip.Session, sip.Message]:
    """A call that came with these headers, answered by us and acknowledged; and our 2xx."""
    lone = Lone()
    lone.hear(lone.request("INVITE", SDP, *headers, body=OFFER))
    event = lone.event()
    assert isinstance(event, sip.RequestReceived)
    session = lone.endpoint.accept(event, lone.now, contact="<sip:l@192.0.2.1>", timing=wish or timing())
    session.answer(lone.now, body=ANSWER)
    answer = lone.take()[-1]
    lone.hear(lone.request("ACK", to_tag=session.local_tag, branch="z9hG4bKack"))
    lone.events()
    return lone, session, answer


def inside(
    lone: Lone, session: sip.Session, method: str, number: int, *headers: tuple[str, str], body: bytes = b""
) -> sip.Request:
    return lone.request(
        method,
        *headers,
        *([SDP] if body else []),
        to_tag=session.local_tag,
        branch=f"z9hG4bK{number}",
        number=number,
        body=body,
    )


def ended(lone: Lone) -> str:
    (event,) = [event for event in lone.events() if isinstance(event, sip.SessionEnded)]
    return event.cause


# What is said


@pytest.mark.parametrize(
    ("refresher", "mode", "expires", "option"),
    [
        ("auto", "offer", "600", "Supported"),
        ("local", "offer", "600;refresher=uac", "Supported"),
        ("remote", "require", "600;refresher=uas", "Require"),
    ],
)
def test_what_an_invite_says(refresher: str, mode: str, expires: str, option: str) -> None:
    _, request = calling(Lone(), timing(refresher=refresher, mode=mode))
    assert (request.get("Session-Expires"), request.get("Min-SE")) == (expires, "90")
    assert request.get_list(option) == ("timer",)


def test_off_says_nothing() -> None:
    lone = Lone()
    session, request = calling(lone, timing(mode="off"))
    assert "Session-Expires" not in request
    assert session.refresh is None


@pytest.mark.parametrize(
    ("headers", "wish", "expected", "requires"),
    [
        ([TIMER, ("Session-Expires", "300")], {}, "300;refresher=uac", True),
        ([TIMER, ("Session-Expires", "300;refresher=uas")], {}, "300;refresher=uas", False),
        ([TIMER, ("Session-Expires", "300")], {"refresher": "local"}, "300;refresher=uas", False),
        (
            [TIMER, ("Session-Expires", "300;refresher=uac")],
            {"refresher": "local"},
            "300;refresher=uac",
            True,
        ),
        ([TIMER, ("Session-Expires", "3600")], {}, "600;refresher=uac", True),
        ([TIMER, ("Session-Expires", "3600"), ("Min-SE", "1200")], {}, "1200;refresher=uac", True),
        ([TIMER], {}, "600;refresher=uac", True),
        ([("Require", "timer")], {}, "600;refresher=uac", True),
        ([("Session-Expires", "300")], {}, None, False),
        ([], {}, None, False),
        ([], {"mode": "require"}, "600;refresher=uas", False),
        ([TIMER, ("Session-Expires", "what")], {}, "600;refresher=uac", True),
    ],
)
def test_what_a_2xx_says(
    headers: list[tuple[str, str]], wish: dict[str, Any], expected: str | None, requires: bool
) -> None:
    _, session, answer = accepted(*headers, wish=timing(**wish))
    assert answer.get("Session-Expires") == expected
    assert ("timer" in answer.require) is requires
    assert session.refresh is not None
    assert bool(session.refresh.interval) is (expected is not None)


def test_too_short_an_interval_is_refused() -> None:
    lone = Lone()
    lone.hear(lone.request("INVITE", TIMER, ("Session-Expires", "60")))
    event = lone.event()
    assert isinstance(event, sip.RequestReceived)
    refusal = sip.inspect_timing(event.request, timing())
    assert refusal == sip.Refusal(422, (("Min-SE", "90"),))
    session = lone.endpoint.accept(event, lone.now, contact="<sip:l@192.0.2.1>", timing=timing())
    sent = lone.take()[-1]
    assert (sent.status, sent.min_se) == (422, 90)
    assert ended(lone) == "too-brief"
    session.answer(lone.now)
    assert lone.take() == []


def test_who_knows_no_timer_is_not_refused() -> None:
    request = Lone().request("INVITE", ("Session-Expires", "60"))
    assert sip.inspect_timing(request, timing()) is None
    assert sip.inspect_timing(Lone().request("INVITE", TIMER, ("Session-Expires", "60")), None) is None


def test_a_422_is_obeyed() -> None:
    lone = Lone()
    session, request = calling(lone, timing())
    lone.hear(make_response(request, 422, ("Min-SE", "1000")))
    ack, again = lone.take()
    assert (ack.method, again.method, again.cseq.number) == ("ACK", "INVITE", 2)
    assert (again.get_all("Session-Expires"), again.get_all("Min-SE")) == (["1000"], ["1000"])
    assert again.call_id == request.call_id
    assert again.body == OFFER
    lone.hear(make_response(again, 200, ("Session-Expires", "1000;refresher=uas")))
    assert isinstance(lone.event(), sip.SessionAnswered)
    assert session.refresh is not None
    assert (session.refresh.interval, session.refresh.is_local) == (1000, False)


def test_a_422_is_not_obeyed_for_ever() -> None:
    for minima in ((None,), (90,), (100, 200, 300, 400)):
        lone = Lone()
        _, request = calling(lone, timing())
        for minimum in minima:
            headers = [] if minimum is None else [("Min-SE", str(minimum))]
            lone.hear(make_response(request, 422, *headers))
            request = lone.take()[-1]  # type: ignore[assignment]
        assert request.method == "ACK"
        event = lone.event()
        assert isinstance(event, sip.SessionRejected)
        assert event.status == 422
        lone.walk(100)
        assert lone.is_idle


# Refreshes that are ours


def test_we_refresh_by_update() -> None:
    lone, session = up(("Session-Expires", "600;refresher=uac"), ALLOW)
    assert lone.walk(299) == []
    assert lone.walk(2) == [(pytest.approx(1, abs=0.02), "UPDATE"), (pytest.approx(1.5, abs=0.03), "UPDATE")]
    assert session.refresh is not None


def refresh_sent(lone: Lone, seconds: float) -> sip.Request:
    """Let time pass until the refresh goes out."""
    end = lone.now + seconds
    while (at := lone.endpoint.next_timer()) is not None and at <= end:
        lone.now = max(lone.now, at)
        lone.endpoint.handle_timer(lone.now)
        sent = lone.take()
        if sent:
            (request,) = sent
            assert isinstance(request, sip.Request)
            return request
    raise AssertionError("no refresh")


def test_a_refresh_says_what_was_agreed_and_starts_again() -> None:
    lone, session = up(("Session-Expires", "600;refresher=uac"), ALLOW)
    for _ in range(3):
        request = refresh_sent(lone, 301)
        assert (request.method, request.body) == ("UPDATE", b"")
        assert request.get("Session-Expires") == "600;refresher=uac"
        assert "timer" in request.supported
        assert request.contacts
        lone.hear(make_response(request, 200, ("Session-Expires", "600;refresher=uac")))
        assert lone.events() == []
    assert session.state is sip.State.CONFIRMED


def test_we_refresh_by_reinvite_who_takes_no_update() -> None:
    lone, session = up(("Session-Expires", "600;refresher=uac"))
    request = refresh_sent(lone, 301)
    assert (request.method, request.body) == ("INVITE", OFFER)
    answer = make_response(request, 200, SDP, ("Session-Expires", "600;refresher=uac"))
    answer.body = ANSWER
    lone.hear(answer)
    assert lone.take_one().method == "ACK"
    assert lone.events() == []
    request = refresh_sent(lone, 301)
    answer = make_response(request, 200, SDP, ("Session-Expires", "600;refresher=uac"))
    answer.body = b"v=0\r\ns=other\r\n"  # not what it said before: the owner has to know
    lone.hear(answer)
    assert isinstance(lone.event(), sip.ReinviteAnswered)
    session.acknowledge(lone.now)
    assert lone.take_one().method == "ACK"


def test_an_update_that_is_not_known_becomes_a_reinvite() -> None:
    lone, _ = up(("Session-Expires", "600;refresher=uac"), ALLOW)
    lone.hear(make_response(refresh_sent(lone, 301), 501))
    assert refresh_sent(lone, 1).method == "INVITE"
    assert lone.events() == []


@pytest.mark.parametrize(("status", "least", "most"), [(491, 2.1, 4.1), (500, 30, 31), (503, 74, 77)])
def test_a_refused_refresh_comes_again(status: int, least: float, most: float) -> None:
    lone, session = up(("Session-Expires", "600;refresher=uac"), ALLOW)
    request = refresh_sent(lone, 301)
    headers = [("Retry-After", "30")] if status == 500 else []
    if status == 500:
        assert session.refresh is not None
        session.refresh.interval = 90
    lone.hear(make_response(request, status, *headers))
    start = lone.now
    again = refresh_sent(lone, 100)
    assert least <= lone.now - start <= most
    assert again.method == "UPDATE"
    assert lone.events() == []


@pytest.mark.parametrize("status", [408, 481])
def test_a_refresh_that_nobody_knows_ends_the_session(status: int) -> None:
    lone, _ = up(("Session-Expires", "600;refresher=uac"), ALLOW)
    lone.hear(make_response(refresh_sent(lone, 301), status))
    assert lone.take_one().method == "BYE"
    assert ended(lone) in ("timeout", "unknown")


def test_a_refresh_without_answer_ends_the_session() -> None:
    lone, _ = up(("Session-Expires", "600;refresher=uac"), ALLOW)
    lone.walk(340)
    assert ended(lone) == "timeout"
    lone.walk(100)
    assert lone.is_idle


@pytest.mark.parametrize("headers", [[ALLOW], []])
def test_a_refresh_over_a_connection_that_closed_comes_again(headers: list[tuple[str, str]]) -> None:
    lone, session = up(("Session-Expires", "600;refresher=uac"), *headers)
    first = refresh_sent(lone, 301)
    start = lone.now
    lone.endpoint.flow_failed(lone.flow, lone.now)
    assert lone.events() == []
    again = refresh_sent(lone, 100)
    assert again.method == first.method
    assert 74 <= lone.now - start <= 77
    assert session.state is sip.State.CONFIRMED


def test_what_fails_for_the_owner_refreshes_nothing() -> None:
    lone, session = up(("Session-Expires", "600;refresher=uas"), ALLOW)
    session.update(lone.now)
    lone.take()
    lone.endpoint.flow_failed(lone.flow, lone.now)
    assert isinstance(lone.event(), sip.UpdateRejected)
    assert lone.walk(560) == []


def test_a_refresh_with_422_asks_for_longer() -> None:
    lone, session = up(("Session-Expires", "600;refresher=uac"), ALLOW)
    lone.hear(make_response(refresh_sent(lone, 301), 422, ("Min-SE", "900")))
    again = lone.take_one()
    assert again.get("Session-Expires") == "900;refresher=uac"
    lone.hear(make_response(again, 200, ("Session-Expires", "900;refresher=uac")))
    assert session.refresh is not None
    assert session.refresh.interval == 900


def test_a_refresh_waits_for_what_is_on_its_way() -> None:
    lone, session = up(("Session-Expires", "600;refresher=uac"), ALLOW)
    lone.walk(298)
    session.reinvite(lone.now, body=OFFER)
    request = lone.take_one()
    assert request.get("Session-Expires") == "600;refresher=uac"  # it refreshes, too
    lone.hear(make_response(request, 100))
    assert "UPDATE" not in [start for _, start in lone.walk(10)]
    lone.hear(make_response(request, 200, ("Session-Expires", "600;refresher=uac")))
    session.acknowledge(lone.now)
    lone.take(), lone.events()
    assert lone.walk(290) == []
    assert next(start for _, start in lone.walk(11)) == "UPDATE"


def test_our_reinvite_meets_their_refresh() -> None:
    lone, session = up(("Session-Expires", "600;refresher=uas"), ALLOW)
    session.reinvite(lone.now, body=b"v=0\r\ns=new\r\n")
    lone.take()
    lone.hear(
        inside(lone, session, "INVITE", 5, TIMER, ("Session-Expires", "600;refresher=uac"), body=ANSWER)
    )
    assert lone.take_one().status == 491
    lone.hear(inside(lone, session, "UPDATE", 6, TIMER, ("Session-Expires", "600;refresher=uac")))
    assert lone.take_one().status == 200


def test_whoever_answers_a_silly_interval_gets_ours() -> None:
    _, session = up(("Session-Expires", "1;refresher=uac"), ALLOW)
    assert session.refresh is not None
    assert session.refresh.interval == 90


def test_no_timer_without_an_answer_to_it() -> None:
    lone, session = up()
    assert session.refresh is not None
    assert session.refresh.interval == 0
    assert lone.walk(100_000) == []


# Refreshes of the other end


def test_nobody_refreshes() -> None:
    lone, _ = up(("Session-Expires", "600;refresher=uas"), ALLOW)
    assert lone.walk(567) == []
    assert next(start for _, start in lone.walk(2)) == "BYE"
    assert ended(lone) == "expired"
    lone.walk(100)
    assert lone.is_idle


def test_their_update_refreshes() -> None:
    lone, session, _ = accepted(TIMER, ("Session-Expires", "600;refresher=uac"))
    for number in range(2, 6):
        assert lone.walk(300) == []
        lone.hear(inside(lone, session, "UPDATE", number, TIMER, ("Session-Expires", "600;refresher=uac")))
        answer = lone.take_one()
        assert (answer.status, answer.get("Session-Expires")) == (200, "600;refresher=uac")
        assert lone.events() == []
    lone.walk(570)
    assert ended(lone) == "expired"


def test_their_reinvite_that_changes_nothing_is_answered_here() -> None:
    lone, session, _ = accepted(TIMER, ("Session-Expires", "600;refresher=uac"))
    lone.walk(300)
    again = inside(lone, session, "INVITE", 2, TIMER, ("Session-Expires", "600;refresher=uac"), body=OFFER)
    lone.hear(again)
    answer = lone.take_one()
    assert (answer.status, answer.body) == (200, ANSWER)
    assert answer.get("Session-Expires") == "600;refresher=uac"
    lone.hear(inside(lone, session, "ACK", 2))
    assert lone.events() == []
    assert lone.walk(500) == []
    other = inside(
        lone, session, "INVITE", 3, TIMER, ("Session-Expires", "600;refresher=uac"), body=b"v=0\r\n"
    )
    lone.hear(other)
    event = lone.event()
    assert isinstance(event, sip.ReinviteReceived)
    lone.take()
    session.answer_reinvite(event.transaction, 200, lone.now, body=b"v=0\r\ns=2\r\n")
    assert lone.take_one().get("Session-Expires") == "600;refresher=uac"
    lone.hear(inside(lone, session, "ACK", 3))
    assert isinstance(lone.event(), sip.SessionAcknowledged)
    lone.hear(inside(lone, session, "INVITE", 4, TIMER, ("Session-Expires", "600"), body=b"v=0\r\n"))
    assert lone.take_one().body == b"v=0\r\ns=2\r\n"  # what stands now


def test_too_short_a_refresh_is_refused_and_the_session_goes_on() -> None:
    lone, session, _ = accepted(TIMER, ("Session-Expires", "600;refresher=uac"))
    for number, method in ((2, "UPDATE"), (3, "INVITE")):
        lone.hear(inside(lone, session, method, number, TIMER, ("Session-Expires", "30"), body=OFFER))
        answer = lone.take()[-1]
        assert (answer.status, answer.min_se) == (422, 90)
        assert lone.events() == []
    assert session.state is sip.State.CONFIRMED


def test_the_duty_may_change_hands() -> None:
    lone, session, _ = accepted(TIMER, ALLOW, ("Session-Expires", "600;refresher=uac"))
    lone.hear(inside(lone, session, "UPDATE", 2, TIMER, ("Session-Expires", "600;refresher=uas")))
    assert lone.take_one().get("Session-Expires") == "600;refresher=uas"
    request = refresh_sent(lone, 301)
    assert request.get("Session-Expires") == "600;refresher=uac"  # of the UPDATE, that is us
    lone.hear(make_response(request, 200))  # it forgets to say so: the duty stays ours
    assert refresh_sent(lone, 301)


def test_a_session_that_ended_has_no_timer() -> None:
    lone, session = up(("Session-Expires", "600;refresher=uac"), ALLOW)
    session.bye(lone.now)
    lone.hear(make_response(lone.take_one(), 200))
    assert lone.walk(1000) == []
    assert lone.is_idle


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("refresher", ["local", "remote"])
def test_a_session_lives_over_a_bad_wire_as_long_as_both_ends(seed: int, refresher: Any) -> None:
    wire = Wire(seed=seed, loss=0.15, doubling=0.1, jitter=0.4)
    callees: list[sip.Session] = []

    def on_b(event: sip.Event, now: float) -> None:
        if isinstance(event, sip.RequestReceived):
            callees.append(wire.b.endpoint.accept(event, now, contact="<sip:b@192.0.2.2>", timing=timing()))
            callees[0].answer(now, body=ANSWER, headers=[ALLOW])

    def on_a(event: sip.Event, now: float) -> None:
        if isinstance(event, sip.SessionAnswered):
            event.session.acknowledge(now)

    wire.a.on_event, wire.b.on_event = on_a, on_b
    mint = wire.a.endpoint.mint
    request = make_request("INVITE", SDP, body=OFFER)
    request.set("From", f"<sip:a@example.org>;tag={mint.tag()}")
    caller = wire.a.endpoint.invite(request, wire.flow(wire.a), wire.now, timing=timing(refresher=refresher))
    wire.run(4000)
    assert caller.state is callees[0].state is sip.State.CONFIRMED
    wire.drop = lambda sent: True  # the network is gone
    wire.settle(1000)
    assert [event.cause for event in wire.a.told(sip.SessionEnded)]  # type: ignore[attr-defined]
    assert [event.cause for event in wire.b.told(sip.SessionEnded)]  # type: ignore[attr-defined]
    assert wire.a.is_idle
    assert wire.b.is_idle


def test_a_plain_call_has_none() -> None:
    wire = Wire()
    assert invite(wire).refresh is None


def test_a_malformed_minimum_is_none() -> None:
    lone = Lone()
    _, request = calling(lone, timing())
    lone.hear(make_response(request, 422, ("Min-SE", "much")))
    assert lone.take_one().method == "ACK"
    assert isinstance(lone.event(), sip.SessionRejected)


def test_a_timed_offer_by_update_stands_when_it_is_accepted() -> None:
    lone, session = up(("Session-Expires", "600;refresher=uas"), ALLOW)
    assert session.refresh is not None
    lone.hear(
        inside(lone, session, "UPDATE", 2, TIMER, ("Session-Expires", "600;refresher=uac"), body=b"v=1")
    )
    event = lone.event()
    assert isinstance(event, sip.UpdateReceived)
    event.transaction.respond(200, lone.now, body=b"v=2")
    answer = lone.take_one()
    assert answer.get("Session-Expires") == "600;refresher=uac"
    assert (session.refresh.heard, session.refresh.sent) == (b"v=1", b"v=2")
    session.update(lone.now, body=b"v=3")
    update = lone.take_one()
    answer = make_response(update, 200, SDP, ("Session-Expires", "600;refresher=uas"))
    answer.body = b"v=4"
    lone.hear(answer)
    assert isinstance(lone.event(), sip.UpdateAnswered)
    assert (session.refresh.heard, session.refresh.sent) == (b"v=4", b"v=3")


def test_their_answer_in_ack_stands() -> None:
    lone, session = up(("Session-Expires", "600;refresher=uas"), ALLOW)
    lone.hear(inside(lone, session, "INVITE", 2, TIMER, ("Session-Expires", "600;refresher=uac")))
    event = lone.event()
    assert isinstance(event, sip.ReinviteReceived)
    session.answer_reinvite(event.transaction, 200, lone.now, body=b"v=5")
    lone.take()
    lone.hear(inside(lone, session, "ACK", 2, body=b"v=6"))
    assert session.refresh is not None
    assert (session.refresh.heard, session.refresh.sent) == (b"v=6", b"v=5")


class Idle:
    """A session with something else on its way."""

    def __init__(self):
        self.core = self
        self.wheel = Wheel()

    @staticmethod
    def glare_delay():
        return 1.0


def test_a_timer_that_a_late_refusal_set_is_stopped_too():
    session = Idle()
    refresh = Refresh(session, timing())
    refresh.stop()
    refresh.on_refused("UPDATE", 491, None, 100.0)  # to what was on its way when the timer was stopped
    assert len(session.wheel) == 1
    refresh.stop()
    assert len(session.wheel) == 0
