"""Whatever the wire loses, doubles and reorders, and whatever the owners do: everything ends."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from switchroom.protocols import sip
from tests.wire import End, Wire, invite

LIMIT = 400.0  # seconds in which all must be over: the owners hang up after 60, the rest is timers

ACTIONS: dict[str, Callable[[sip.Session, float], object]] = {
    "ring": lambda session, now: session.is_caller or session.ring(180, now),
    "ring as a fork": lambda session, now: session.is_caller or session.ring(183, now, tag="fork"),
    "ring reliably": lambda session, now: (
        session.is_caller or session.ring(183, now, body=b"answer", is_reliable=True)
    ),
    "ring reliably as a fork": lambda session, now: (
        session.is_caller or session.ring(180, now, tag="fork", is_reliable=True)
    ),
    "update": lambda session, now: session.dialog and session.update(now, body=b"offer"),
    "answer": lambda session, now: session.is_caller or session.answer(now, body=b"answer"),
    "reject": lambda session, now: session.is_caller or session.reject(486, now),
    "cancel": lambda session, now: session.is_caller and session.cancel(now),
    "reinvite": lambda session, now: session.reinvite(now, body=b"offer"),
    "info": lambda session, now: session.dialog and session.send_request("INFO", now),
    "bye": lambda session, now: session.bye(now),
    "hang up": lambda session, now: session.hang_up(now, status=480),
    "fail": lambda session, now: session.core.flow_failed(session.flow, now),
}

actions = st.lists(
    st.tuples(st.floats(0, 8), st.sampled_from("ab"), st.sampled_from(sorted(ACTIONS))), max_size=8
)


class Owner:
    """Reacts to events in the plainest way and remembers what it was told of each session."""

    def __init__(self, end: End) -> None:
        self.end = end
        self.sessions: list[sip.Session] = []
        self.told: dict[int, list[str]] = {}
        end.on_event = self.on_event

    def on_event(self, event: sip.Event, now: float) -> None:
        session = getattr(event, "session", None)
        if session is not None:
            self.told.setdefault(id(session), []).append(type(event).__name__)
        match event:
            case sip.RequestReceived(request) if request.method == "INVITE":
                self.sessions.append(self.end.endpoint.accept(event, now, contact="<sip:x@192.0.2.9>"))
            case sip.SessionAnswered(session) | sip.ReinviteAnswered(session):
                session.acknowledge(now)
            case sip.ReinviteReceived(session, transaction):
                session.answer_reinvite(transaction, 200, now, body=b"answer")
            case sip.ProgressAcknowledged(_, transaction, _) if transaction is not None:
                transaction.respond(200, now, body=b"answer")
            case sip.UpdateReceived(_, transaction):
                transaction.respond(200, now, body=b"answer")
            case sip.SessionRequestReceived(_, transaction):
                transaction.respond(200, now)

    def check(self) -> None:
        for session in self.sessions:
            told = self.told.get(id(session), [])
            outcomes = [name for name in told if name in ("SessionAnswered", "SessionRejected")]
            ends = [name for name in told if name in ("SessionEnded", "SessionCancelled", "SessionRejected")]
            assert len(outcomes) <= 1, told
            assert len(ends) <= 1, told
            if ends:
                assert told[-1] == ends[0], told  # nothing is told of what has ended
            assert session.state is sip.State.TERMINATED
            if session.is_caller:
                assert outcomes, "an INVITE always has an outcome"


@settings(deadline=None, max_examples=150)
@given(
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.1, 0.4, 0.8, 1.0]),
    st.sampled_from([0.0, 0.3]),
    st.sampled_from([0.0, 0.7, 3.0]),
    st.sampled_from(["UDP", "TCP"]),
    actions,
)
def test_everything_ends(
    seed: int, loss: float, doubling: float, jitter: float, transport: str, plan: list[tuple[float, str, str]]
) -> None:
    wire = Wire(seed=seed, loss=loss, doubling=doubling, jitter=jitter, transport=transport)
    owners = {"a": Owner(wire.a), "b": Owner(wire.b)}
    owners["a"].sessions.append(invite(wire, headers=(("Supported", "100rel"),)))
    start = wire.now
    for at, who, action in sorted(plan):
        wire.run(max(0.0, start + at - wire.now))
        for session in owners[who].sessions:
            ACTIONS[action](session, wire.now)
    wire.run(60)
    for owner in owners.values():
        for session in owner.sessions:
            session.hang_up(wire.now, status=480)
    wire.settle(LIMIT)
    for owner in owners.values():
        owner.check()
    assert wire.a.is_idle
    assert wire.b.is_idle


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32))
def test_many_datagrams_are_lost_and_calls_go_through(seed: int) -> None:
    wire = Wire(seed=seed, loss=0.3, doubling=0.2, jitter=0.4)
    owners = {"a": Owner(wire.a), "b": Owner(wire.b)}
    calls = [invite(wire) for _ in range(5)]
    owners["a"].sessions += calls
    wire.run(10)
    for session in owners["b"].sessions:
        session.ring(180, wire.now)
    wire.run(2)
    for session in owners["b"].sessions:
        session.answer(wire.now, body=b"answer")
    wire.run(20)
    up = [session for session in calls if session.state is sip.State.CONFIRMED]
    assert len(up) >= 4  # six tries in ten seconds
    for owner in owners.values():
        for session in owner.sessions:
            session.hang_up(wire.now, status=480)
    wire.settle(LIMIT)
    for owner in owners.values():
        owner.check()
    assert wire.a.is_idle
    assert wire.b.is_idle


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.5, 0.9]), st.sampled_from(["UDP", "TCP"]))
def test_requests_outside_dialogs_end_too(seed: int, loss: float, transport: str) -> None:
    wire = Wire(seed=seed, loss=loss, doubling=0.3, jitter=2.0, transport=transport)

    def on_b(event: sip.Event, now: float) -> None:
        assert isinstance(event, sip.RequestReceived)
        if wire.random.random() < 0.8:
            transaction = wire.b.endpoint.begin(event, now)
            if wire.random.random() < 0.5:
                transaction.respond(100, now)
            if wire.random.random() < 0.8:
                transaction.respond(200, now)
        else:
            wire.b.endpoint.reply(event, 401, now=now)

    wire.b.on_event = on_b
    transactions = []
    for number in range(10):
        request = sip.Request(
            "MESSAGE",
            "sip:b@192.0.2.2",
            [
                ("Max-Forwards", "70"),
                ("From", f"<sip:a@example.org>;tag=t{number}"),
                ("To", "<sip:b@example.org>"),
                ("Call-ID", f"c{number}"),
                ("CSeq", "1 MESSAGE"),
            ],
        )
        transactions.append(wire.a.endpoint.send_request(request, wire.flow(wire.a), wire.now))
        wire.run(0.3)
    wire.settle(LIMIT)
    outcomes = [
        event.transaction
        for event in wire.a.events
        if isinstance(event, sip.RequestFailed)
        or (isinstance(event, sip.ResponseReceived) and event.response.status >= 200)
    ]
    assert sorted(map(id, outcomes)) == sorted(map(id, transactions))  # exactly one outcome each
    assert wire.a.is_idle
    assert wire.b.is_idle
