"""Subscriptions between two endpoints, on a wire that loses and with the clock walked (RFC 6665)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from switchroom.protocols import sip
from switchroom.protocols.errors import LocalProtocolError
from tests.wire import End, Lone, Wire

TERMS = sip.Terms(min_expires=60, max_expires=600, default_expires=300, min_interval=1.0)


class State:
    """What a notifier's owner knows: a number."""

    def __init__(self) -> None:
        self.value = 0

    def content(self, subscription: sip.Notifier, now: float) -> tuple[str, bytes]:
        return "text/plain", b"%d v%d" % (self.value, subscription.version)


class Desk:
    """``a`` subscribes at ``b``."""

    def __init__(self, wire: Wire, terms: sip.Terms = TERMS) -> None:
        self.wire, self.terms, self.state = wire, terms, State()
        self.notifiers: list[sip.Notifier] = []
        wire.b.on_event = self._on_event

    def _on_event(self, event: sip.Event, now: float) -> None:
        if isinstance(event, sip.RequestReceived):
            self.notifiers.append(
                self.wire.b.endpoint.accept_subscription(
                    event, now, contact="<sip:b@192.0.2.2>", source=self.state, terms=self.terms
                )
            )

    def subscribe(self, expires: int = 300, event: str = "dialog") -> sip.Subscriber:
        mint = self.wire.a.endpoint.mint
        request = sip.Request(
            "SUBSCRIBE",
            "sip:b@192.0.2.2",
            [
                ("Max-Forwards", "70"),
                ("From", f"<sip:a@example.org>;tag={mint.tag()}"),
                ("To", "<sip:b@example.org>"),
                ("Call-ID", mint.call_id()),
                ("CSeq", "1 SUBSCRIBE"),
                ("Contact", "<sip:a@192.0.2.1>"),
                ("Event", event),
                ("Expires", str(expires)),
            ],
        )
        return self.wire.a.endpoint.subscribe(request, self.wire.flow(self.wire.a), self.wire.now)

    def set(self, value: int) -> None:
        self.state.value = value
        for notifier in self.notifiers:
            notifier.changed(self.wire.now)

    def told(self) -> list[bytes]:
        return [e.request.body for e in self.wire.a.events if isinstance(e, sip.NotifyReceived)]


def ended(end: End) -> list[tuple[str, int]]:
    return [(e.cause, e.status) for e in end.events if isinstance(e, sip.SubscriptionEnded)]


def test_a_subscription_from_its_beginning_to_its_end() -> None:
    wire = Wire()
    desk = Desk(wire)
    subscriber = desk.subscribe()
    wire.run(1)
    assert wire.starts() == ["a SUBSCRIBE", "b 200 SUBSCRIBE", "b NOTIFY", "a 200 NOTIFY"]
    notify = wire.sent[2].message
    assert notify.get("Subscription-State") == "active;expires=300"
    assert (notify.get("Event"), notify.get("Contact")) == ("dialog", "<sip:b@192.0.2.2>")
    assert desk.told() == [b"0 v0"]
    wire.run(2)
    desk.set(1)
    wire.run(1)
    assert desk.told()[1:] == [b"1 v1"]
    subscriber.unsubscribe(wire.now)
    wire.run(1)
    assert wire.sent[-2].message.get("Subscription-State") == "terminated;reason=timeout"
    assert ended(wire.a) == ended(wire.b) == [("unsubscribed", 0)]
    wire.settle()
    assert wire.a.is_idle
    assert wire.b.is_idle
    assert wire.a.endpoint.counters.subscriptions == wire.b.endpoint.counters.subscriptions == 0


def test_what_changes_while_a_notify_is_on_its_way_is_told_once_and_as_it_is_then() -> None:
    wire = Wire()
    desk = Desk(wire, TERMS._replace(min_interval=0.0))
    desk.subscribe()
    wire.run(1)
    for value in range(1, 50):
        desk.set(value)
    wire.run(1)
    assert desk.told()[1:] == [b"1 v1", b"49 v2"]


def test_one_notify_follows_another_after_the_interval_at_least() -> None:
    wire = Wire()
    desk = Desk(wire)
    desk.subscribe()
    wire.run(0.5)
    for value in range(1, 40):
        desk.set(value)
        wire.run(0.1)
    wire.run(2)
    times = [sent.at for sent in wire.sent if sent.start == "NOTIFY"]
    assert 4 <= len(times) <= 6
    assert min(b - a for a, b in itertools.pairwise(times)) >= 1.0
    assert desk.told()[-1].startswith(b"39 ")


def test_it_is_refreshed_before_it_expires_for_as_long_as_it_is_wanted() -> None:
    wire = Wire()
    desk = Desk(wire)
    subscriber = desk.subscribe()
    wire.run(1000)
    assert wire.starts().count("a SUBSCRIBE") >= 4
    assert not ended(wire.a)
    assert not ended(wire.b)
    # a refresh gets the state again, although it has not changed (§4.2.1.2)
    assert len(desk.told()) == wire.starts().count("a SUBSCRIBE")
    subscriber.unsubscribe(wire.now)
    wire.settle()
    assert wire.b.is_idle


def test_a_subscriber_that_is_gone_is_forgotten() -> None:
    wire = Wire()
    desk = Desk(wire)
    desk.subscribe()
    wire.run(1)
    wire.drop = lambda sent: sent.sender == "a"
    desk.set(1)
    wire.run(40)
    assert ended(wire.b) == [("timeout", 408)]
    assert wire.b.endpoint.counters.subscriptions == 0


def test_a_subscription_that_nobody_refreshes_expires_with_a_last_notify() -> None:
    wire = Wire()
    desk = Desk(wire)
    desk.subscribe()
    wire.run(1)
    wire.drop = lambda sent: sent.sender == "a" and sent.start == "SUBSCRIBE"
    wire.run(310)
    assert ended(wire.b) == [("expired", 0)]
    assert ended(wire.a) == [("expired", 0)]  # by its own clock: the last NOTIFY comes a moment too late
    wire.settle()
    assert wire.a.is_idle


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("seed", range(25))
def test_on_a_bad_wire_the_latest_state_arrives_and_nothing_is_left(seed: int, transport: str) -> None:
    wire = Wire(seed=seed, loss=0.3, doubling=0.2, jitter=0.5, transport=transport)
    desk = Desk(wire)
    subscriber = desk.subscribe()
    wire.run(60)
    for value in range(1, 20):
        desk.set(value)
        wire.run(3)
    wire.run(40)
    if not ended(wire.a) and not ended(wire.b):
        assert desk.told()[-1].startswith(b"19 ")
        assert len(desk.notifiers) == 1
    subscriber.unsubscribe(wire.now)
    wire.run(700)
    wire.settle()
    assert wire.a.is_idle
    assert wire.b.is_idle


def test_the_notify_may_overtake_the_200() -> None:
    wire = Wire()
    desk = Desk(wire)
    lost: list[str] = []

    def drop(sent: Any) -> bool:
        if sent.start == "200 SUBSCRIBE" and not lost:
            lost.append(sent.start)
            return True
        return False

    wire.drop = drop
    subscriber = desk.subscribe()
    wire.run(2)
    assert [type(e) for e in wire.a.events] == [sip.NotifyReceived, sip.SubscriptionAnswered]
    assert subscriber.remote_tag == desk.notifiers[0].local_tag
    assert len(desk.notifiers) == 1


def test_the_notify_that_never_comes_ends_it() -> None:
    wire = Wire()
    desk = Desk(wire)
    wire.drop = lambda sent: sent.start == "NOTIFY"
    desk.subscribe()
    wire.run(60)
    assert ended(wire.a) == [("timeout", 408)]  # timer N


def test_a_fetch_gets_the_state_once() -> None:
    wire = Wire()
    desk = Desk(wire)
    desk.subscribe(expires=0)
    wire.run(1)
    assert desk.told() == [b"0 v0"]
    assert wire.sent[2].message.get("Subscription-State") == "terminated;reason=timeout"
    wire.settle()
    assert wire.a.is_idle
    assert wire.b.is_idle


def test_the_owner_ends_it_with_a_reason() -> None:
    wire = Wire()
    desk = Desk(wire)
    desk.subscribe()
    wire.run(1)
    desk.set(5)  # its answer is awaited
    desk.notifiers[0].terminate(wire.now, "probation", 30)
    desk.notifiers[0].terminate(wire.now, "giveup")
    desk.set(6)
    wire.run(2)
    [end] = wire.a.told(sip.SubscriptionEnded)
    assert isinstance(end, sip.SubscriptionEnded)
    assert (end.cause, end.retry_after) == ("probation", 30)
    assert not ended(wire.b)  # the owner knows
    wire.settle()
    assert wire.b.is_idle


def subscribe(lone: Lone, *headers: tuple[str, str], **more: Any) -> sip.Notifier:
    contact = ("Contact", "<sip:remote@192.0.2.2>")
    lone.hear(lone.request("SUBSCRIBE", contact, *(headers or (("Event", "dialog"),)), **more))
    event = lone.event()
    assert isinstance(event, sip.RequestReceived)
    return lone.endpoint.accept_subscription(
        event, lone.now, contact="<sip:local@192.0.2.1>", source=State(), terms=TERMS
    )


def inside(lone: Lone, subscription: sip.Notifier, number: int, *headers: tuple[str, str]) -> Any:
    """The answer to a SUBSCRIBE in the dialog."""
    lone.hear(
        lone.request(
            "SUBSCRIBE",
            ("Contact", "<sip:moved@192.0.2.2:5070>"),
            *(headers or (("Event", "dialog"),)),
            branch=f"z9hG4bKinside{number}",
            to_tag=subscription.local_tag,
            number=number,
        )
    )
    return lone.take()


def answer(lone: Lone, notify: Any, status: int, *headers: tuple[str, str]) -> None:
    lone.hear(notify.response(status, headers=headers))


@pytest.mark.parametrize("status", [481, 404, 489, 405, 603, 500])
def test_a_notify_that_is_refused_ends_it(status: int) -> None:
    lone = Lone()
    subscribe(lone)
    answer(lone, lone.take()[1], status)
    assert [(e.cause, e.status) for e in lone.events()] == [("refused", status)]  # type: ignore[union-attr]
    lone.walk(60)
    assert lone.is_idle


def test_a_notify_that_is_put_off_comes_again() -> None:
    lone = Lone()
    subscribe(lone)
    answer(lone, lone.take()[1], 503, ("Retry-After", "20 (busy)"))
    assert not lone.events()
    assert [round(at) for at, start in lone.walk(30) if start == "NOTIFY"][:1] == [20]


def test_a_481_with_retry_after_is_the_end_nevertheless() -> None:
    lone = Lone()
    subscribe(lone)
    answer(lone, lone.take()[1], 481, ("Retry-After", "20"))
    assert [e.cause for e in lone.events()] == ["refused"]  # type: ignore[union-attr]


def test_what_comes_inside_the_dialog() -> None:
    lone = Lone()
    subscription = subscribe(lone)
    answer(lone, lone.take()[1], 200)
    refreshed, notify = inside(lone, subscription, 2)
    assert (refreshed.status, refreshed.get("Expires")) == (200, "300")
    assert str(notify.uri) == "sip:moved@192.0.2.2:5070"  # the remote target is refreshed
    answer(lone, notify, 200)
    assert [m.status for m in inside(lone, subscription, 2, ("Event", "dialog;id=1"))] == [200]  # again
    assert [m.status for m in inside(lone, subscription, 1)] == [500]  # overtaken
    assert [m.status for m in inside(lone, subscription, 3, ("Event", "presence"))] == [489]
    assert [m.status for m in inside(lone, subscription, 4, ("Event", "dialog;id=1"))] == [489]
    assert [m.status for m in inside(lone, subscription, 5, ("Expires", "5"))] == [489]  # no Event at all
    brief = inside(lone, subscription, 6, ("Event", "dialog"), ("Expires", "5"))
    assert [(m.status, m.get("Min-Expires")) for m in brief] == [(423, "60")]
    lone.hear(lone.request("BYE", branch="z9hG4bKbye", to_tag=subscription.local_tag, number=9))
    assert [m.status for m in lone.take()] == [405]
    ack = lone.request("ACK", branch="z9hG4bKack", to_tag=subscription.local_tag, number=9)
    lone.hear(ack)
    assert lone.endpoint.counters.strays == 1
    other = lone.request("SUBSCRIBE", branch="z9hG4bKx", to_tag=subscription.local_tag, from_tag="other")
    lone.hear(other)
    assert [m.status for m in lone.take()] == [481]


def test_after_the_end_a_refresh_finds_nothing() -> None:
    lone = Lone()
    subscription = subscribe(lone)
    lone.take()
    subscription.terminate(lone.now, "deactivated")
    assert [m.status for m in inside(lone, subscription, 2)] == [481]  # the last NOTIFY still waits
    subscription.drop()
    subscription.changed(lone.now)
    assert [m.status for m in inside(lone, subscription, 3)] == [481]


def test_the_event_is_repeated_with_its_id() -> None:
    lone = Lone()
    subscription = subscribe(lone, ("Event", "refer;id=93809824"))
    assert lone.take()[1].get("Event") == "refer;id=93809824"
    assert subscription.event.id == "93809824"


def test_a_repeated_subscribe_makes_no_second_subscription() -> None:
    lone = Lone()
    subscribe(lone)
    first = lone.take()[0]
    lone.hear(lone.request("SUBSCRIBE", ("Contact", "<sip:remote@192.0.2.2>"), ("Event", "dialog")))
    assert bytes(lone.take_one()) == bytes(first)
    assert not lone.events()


def test_a_connection_that_breaks_ends_what_is_told_over_it() -> None:
    lone = Lone("TCP")
    subscribe(lone)
    lone.take()
    lone.endpoint.flow_failed(lone.flow, lone.now, "closed")
    assert [e.cause for e in lone.events()] == ["transport"]  # type: ignore[union-attr]


class Password:
    """Answers challenges with a header of its own."""

    def __init__(self) -> None:
        self.asked = 0

    def authorize(self, response: sip.Response, request: sip.Request) -> bool:
        self.asked += 1
        request.set("Authorization", f"Digest {self.asked}")
        return self.asked < 3


def ask(lone: Lone, authorizer: Any = None) -> sip.Subscriber:
    request = sip.Request(
        "SUBSCRIBE",
        "sip:remote@192.0.2.2",
        [
            ("From", "<sip:local@example.org>;tag=local"),
            ("To", "<sip:remote@example.org>"),
            ("Call-ID", "call"),
            ("CSeq", "1 SUBSCRIBE"),
            ("Contact", "<sip:local@192.0.2.1>"),
            ("Event", "presence"),
            ("Expires", "100"),
        ],
    )
    return lone.endpoint.subscribe(request, lone.flow, lone.now, authorizer)


def notify(lone: Lone, *headers: tuple[str, str], number: int = 1, **more: Any) -> Any:
    """The answer to a NOTIFY of the other end."""
    lone.hear(
        lone.request(
            "NOTIFY",
            *(("Contact", "<sip:remote@192.0.2.2>"), ("Event", "presence"))[: 2 - more.pop("without", 0)],
            *headers,
            to_tag="local",
            number=number,
            branch=f"z9hG4bKnotify{number}",
            **more,
        )
    )
    return lone.take_one()


ACTIVE = ("Subscription-State", "active;expires=100")


def test_a_challenge_is_answered_and_a_second_one_too() -> None:
    lone = Lone()
    password = Password()
    ask(lone, password)
    for number in (2, 3):
        lone.hear(lone.take_one().response(401, to_tag="x"))  # type: ignore[union-attr]
        assert lone.endpoint.counters.requests_out["SUBSCRIBE"] == number
    request = lone.take_one()
    assert (request.get("Authorization"), request.get("CSeq")) == ("Digest 2", "3 SUBSCRIBE")
    lone.hear(request.response(401, to_tag="x"))  # type: ignore[union-attr]
    assert [(e.cause, e.status) for e in lone.events()] == [("refused", 401)]  # type: ignore[union-attr]


def test_without_a_password_a_challenge_is_a_refusal() -> None:
    lone = Lone()
    ask(lone)
    lone.hear(lone.take_one().response(407, to_tag="x"))  # type: ignore[union-attr]
    assert [(e.cause, e.status) for e in lone.events()] == [("refused", 407)]  # type: ignore[union-attr]
    lone.walk(10)
    assert lone.is_idle


def test_too_brief_is_asked_again_for_longer() -> None:
    lone = Lone()
    ask(lone)
    lone.hear(lone.take_one().response(423, to_tag="x", headers=[("Min-Expires", "120")]))  # type: ignore[union-attr]
    request = lone.take_one()
    assert request.get("Expires") == "120"
    lone.hear(request.response(423, to_tag="x", headers=[("Min-Expires", "60")]))  # type: ignore[union-attr]
    assert [(e.cause, e.status) for e in lone.events()] == [("refused", 423)]  # type: ignore[union-attr]


def test_the_first_notify_says_whose_dialog_it_is() -> None:
    lone = Lone()
    subscriber = ask(lone)
    request = lone.take_one()
    assert isinstance(request, sip.Request)
    lone.hear(request.response(200, to_tag="fork1", headers=[("Contact", "<sip:f@192.0.2.2>")]))
    assert notify(lone, ACTIVE, from_tag="fork2").status == 200
    assert subscriber.remote_tag == "fork2"
    assert notify(lone, ACTIVE, from_tag="fork1", number=2).status == 481
    assert notify(lone, ACTIVE, from_tag="fork2", number=2).status == 200
    subscriber.refresh(lone.now)
    refresh = lone.take_one()
    assert (refresh.to_tag, refresh.cseq.number) == ("fork2", 2)


def test_a_notify_that_is_none() -> None:
    lone = Lone()
    ask(lone)
    lone.take()
    assert notify(lone, number=1).status == 400  # no state
    assert notify(lone, ACTIVE, number=2, without=2).status == 489
    assert notify(lone, ("Event", "presence"), ACTIVE, number=3, without=2).status == 400  # no Contact
    assert notify(lone, ("Event", "dialog"), ACTIVE, number=4, without=1).status == 489
    assert not lone.events()


def test_a_refresh_that_fails_leaves_what_was_granted_but_481_does_not() -> None:
    lone = Lone()
    subscriber = ask(lone)
    lone.hear(lone.take_one().response(200, to_tag="remote"))  # type: ignore[union-attr]
    notify(lone, ACTIVE)
    lone.events()
    subscriber.refresh(lone.now)
    lone.hear(lone.take_one().response(500, to_tag="remote"))  # type: ignore[union-attr]
    assert not lone.events()
    subscriber.refresh(lone.now, 50)
    lone.hear(lone.take_one().response(481, to_tag="remote"))  # type: ignore[union-attr]
    assert [(e.cause, e.status) for e in lone.events()] == [("refused", 481)]  # type: ignore[union-attr]
    subscriber.unsubscribe(lone.now)
    assert not lone.take()


def test_the_notifier_may_end_it_at_once_or_shorten_it() -> None:
    lone = Lone()
    ask(lone)
    lone.hear(lone.take_one().response(200, to_tag="remote"))  # type: ignore[union-attr]
    notify(lone, ("Subscription-State", "active;expires=20"))
    assert next(round(at) for at, start in lone.walk(15) if start == "SUBSCRIBE") == 10
    notify(lone, ("Subscription-State", "terminated;reason=deactivated;retry-after=3"), number=2)
    end = lone.events()[-1]
    assert isinstance(end, sip.SubscriptionEnded)
    assert (end.cause, end.retry_after) == ("deactivated", 3)


def test_nobody_there() -> None:
    lone = Lone()
    ask(lone)
    lone.walk(40)
    assert [(e.cause, e.status) for e in lone.events()] == [("timeout", 408)]  # type: ignore[union-attr]
    lone.walk(10)
    assert lone.is_idle


def test_given_up_before_an_answer() -> None:
    lone = Lone()
    subscriber = ask(lone)
    lone.take()
    subscriber.unsubscribe(lone.now)
    assert notify(lone, ACTIVE).status == 481
    lone.walk(40)
    assert lone.is_idle


def test_what_a_subscribe_needs() -> None:
    lone = Lone()
    nobody = sip.Request("SUBSCRIBE", "sip:x", [("From", "<sip:x>;tag=1")])
    with pytest.raises(LocalProtocolError):
        lone.endpoint.subscribe(nobody, lone.flow, 0.0)
    lone.hear(lone.request("SUBSCRIBE", ("Contact", "<sip:remote@192.0.2.2>")))
    event = lone.event()
    assert isinstance(event, sip.RequestReceived)
    with pytest.raises(LocalProtocolError):
        lone.endpoint.accept_subscription(event, 0.0, contact="<sip:x>", source=State(), terms=TERMS)


def test_an_end_that_nobody_hears_is_told_to_nobody() -> None:
    lone = Lone()
    subscription = subscribe(lone)
    first = lone.take()[1]
    assert isinstance(first, sip.Request)
    lone.hear(first.response(100))  # goes on
    subscription.terminate(lone.now, "giveup")  # waits for the answer to the first
    answer(lone, first, 481)
    assert not lone.events()
    assert lone.endpoint.counters.subscriptions == 0


def test_a_password_that_is_not_for_this_realm_is_not_given() -> None:
    lone = Lone()
    password = Password()
    password.asked = 5
    ask(lone, password)
    lone.hear(lone.take_one().response(401, to_tag="x"))  # type: ignore[union-attr]
    assert [(e.cause, e.status) for e in lone.events()] == [("refused", 401)]  # type: ignore[union-attr]


def test_a_refresh_that_is_challenged_goes_on_in_the_dialog() -> None:
    lone = Lone()
    subscriber = ask(lone, Password())
    lone.hear(lone.take_one().response(200, to_tag="remote"))  # type: ignore[union-attr]
    notify(lone, ACTIVE)
    subscriber.refresh(lone.now)
    lone.hear(lone.take_one().response(401, to_tag="remote"))  # type: ignore[union-attr]
    again = lone.take_one()
    assert (again.cseq.number, again.to_tag) == (3, "remote")
    lone.hear(again.response(200, to_tag="remote"))  # type: ignore[union-attr]
    subscriber.refresh(lone.now)
    assert lone.take_one().cseq.number == 4
