"""An answered session goes on in another endpoint, from what the first one kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from switchroom.protocols import sip
from switchroom.protocols.errors import LocalProtocolError
from switchroom.protocols.sip.survivor import CSEQ_GAP

CALLER, CALLEE = ("192.0.2.1", 5060), ("192.0.2.2", 5062)
OUT = sip.Flow("UDP", CALLER, CALLEE)
BACK = sip.Flow("UDP", CALLEE, CALLER)
TIMING = sip.SessionTiming(1800, 90, "local")
SDP = b"v=0\r\nsecond line: \xe4\r\n"


class Pair:
    """Two endpoints; either may be replaced by a new one that knows only what was kept."""

    def __init__(
        self, timing: sip.SessionTiming | None = None, flows: tuple[sip.Flow, sip.Flow] = (OUT, BACK)
    ):
        self.now = 1000.0
        self.flows = flows
        self.a, self.b = sip.Endpoint(mint=sip.Mint()), sip.Endpoint(mint=sip.Mint())
        request = sip.Request(
            "INVITE",
            sip.Uri.parse("sip:bob@192.0.2.2:5062"),
            [
                ("From", "<sip:alice@192.0.2.1>;tag=a1"),
                ("To", "<sip:bob@192.0.2.2>"),
                ("Call-ID", "call-1"),
                ("CSeq", "7 INVITE"),
                ("Max-Forwards", "70"),
                ("Contact", "<sip:alice@192.0.2.1:5060;ob>"),
                ("Allow", "INVITE, ACK, BYE, UPDATE"),
                ("Content-Type", "application/sdp"),
            ],
            SDP,
        )
        self.calling = self.a.invite(request, flows[0], self.now, timing=timing)
        self.pump()
        [event] = self.news(self.b)
        self.called = self.b.accept(event, self.now, contact="<sip:bob@192.0.2.2:5062>", timing=timing)
        self.called.answer(self.now, body=SDP, headers=[("Allow", "INVITE, ACK, BYE, INFO")])
        self.pump()
        assert isinstance(self.news(self.a)[-1], sip.SessionAnswered)
        self.calling.acknowledge(self.now)
        self.pump()
        self.news(self.b)

    def pump(self) -> None:
        for _ in range(6):
            for source, target, flow in ((self.a, self.b, self.flows[1]), (self.b, self.a, self.flows[0])):
                for data, _ in source.datagrams_to_send():
                    target.receive_datagram(data, flow, self.now)

    @staticmethod
    def news(endpoint: sip.Endpoint) -> list[Any]:
        found = []
        while (event := endpoint.next_event()) is not None:
            found.append(event)
        return found

    def crash(self, which: str, timing: sip.SessionTiming | None = None) -> sip.Session:
        """Put a new endpoint in the place of one."""
        session = self.calling if which == "a" else self.called
        state = sip.export_session(session)
        kept = json.loads(json.dumps(state, default=_as_json))
        new = sip.Endpoint(mint=sip.Mint())
        survivor = new.restore(kept, self.now, timing=timing)
        setattr(self, which, new)
        setattr(self, "calling" if which == "a" else "called", survivor)
        assert kept == json.loads(json.dumps(_as_before(survivor, session.flow.connection), default=_as_json))
        return survivor


def _as_json(value: Any) -> Any:
    return value.decode("latin-1") if isinstance(value, bytes) else sorted(value)


def _as_before(session: sip.Session, connection: int) -> list[Any]:
    """What the survivor would keep, with the numbers that were kept before."""
    state = list(sip.export_session(session) or ())
    state[8] -= CSEQ_GAP
    state[11] = sip.Flow(*state[11]).replace(connection=connection).fields()
    return state


@pytest.fixture(params=["a", "b"])
def which(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_bye_to_a_survivor_ends_it(which: str) -> None:
    pair = Pair()
    survivor = pair.crash(which)
    other = pair.called if which == "a" else pair.calling
    other.bye(pair.now)
    pair.pump()
    [ended] = pair.news(pair.a if which == "a" else pair.b)
    assert isinstance(ended, sip.SessionEnded)
    assert (ended.session, ended.cause) == (survivor, "bye")
    assert not pair.a.sessions
    assert not pair.b.sessions


def test_a_survivor_says_bye_with_a_higher_number(which: str) -> None:
    pair = Pair()
    (pair.calling if which == "a" else pair.called).send_request("INFO", pair.now)
    pair.pump()
    survivor = pair.crash(which)
    other = pair.b if which == "a" else pair.a
    pair.news(other)
    survivor.bye(pair.now)
    pair.pump()
    [ended] = pair.news(other)
    assert isinstance(ended, sip.SessionEnded)
    assert ended.request is not None
    assert ended.request.cseq.number >= CSEQ_GAP
    assert not pair.a.sessions
    assert not pair.b.sessions


def test_a_survivor_takes_and_makes_a_reinvite(which: str) -> None:
    pair = Pair()
    survivor = pair.crash(which)
    mine, theirs = (pair.a, pair.b) if which == "a" else (pair.b, pair.a)
    other = pair.called if which == "a" else pair.calling
    other.reinvite(pair.now, body=SDP)
    pair.pump()
    [asked] = pair.news(mine)
    survivor.answer_reinvite(asked.transaction, 200, pair.now, body=SDP)
    pair.pump()
    [answered] = pair.news(theirs)
    other.acknowledge(pair.now)
    pair.pump()
    assert isinstance(pair.news(mine)[0], sip.SessionAcknowledged)
    survivor.reinvite(pair.now, body=SDP)
    pair.pump()
    [asked] = pair.news(theirs)
    other.answer_reinvite(asked.transaction, 200, pair.now, body=SDP)
    pair.pump()
    [answered] = pair.news(mine)
    assert answered.response.status == 200
    survivor.acknowledge(pair.now)
    pair.pump()
    assert isinstance(pair.news(theirs)[0], sip.SessionAcknowledged)


def test_a_survivor_knows_what_the_other_end_takes(which: str) -> None:
    pair = Pair()
    before = pair.calling if which == "a" else pair.called
    takes = {method: before.allows(method) for method in ("INFO", "UPDATE", "REFER")}
    survivor = pair.crash(which)
    assert {method: survivor.allows(method) for method in takes} == takes
    assert survivor.has_remote(before.remote_tag)
    assert survivor.is_caller == before.is_caller
    assert survivor.request.call_id == "call-1"
    assert (survivor.request.from_tag, survivor.request.to_tag) != (None, None)


def test_a_survivor_refreshes_soon_when_that_is_its_part() -> None:
    pair = Pair(TIMING)
    assert pair.calling.refresh is not None
    assert pair.calling.refresh.is_local
    survivor = pair.crash("a", TIMING)
    assert survivor.refresh is not None
    assert (survivor.refresh.interval, survivor.refresh.sent, survivor.refresh.heard) == (1800, SDP, SDP)
    at = pair.a.next_timer()
    assert at is not None
    assert at < pair.now + 10
    pair.now = at
    pair.a.handle_timer(at)
    [(data, _)] = pair.a.datagrams_to_send()
    assert data.startswith(b"INVITE ")  # the callee did not say that it takes UPDATE
    assert data.endswith(SDP)


def test_a_survivor_that_nobody_refreshes_ends() -> None:
    pair = Pair(TIMING)
    survivor = pair.crash("b", TIMING)
    while pair.b.sessions and (at := pair.b.next_timer()) is not None and at < pair.now + 1801:
        pair.b.handle_timer(at)
        if ended := pair.news(pair.b):
            assert [(event.session, event.cause) for event in ended] == [(survivor, "expired")]
            break
    else:
        raise AssertionError("it goes on for ever")


def test_a_connection_is_not_taken_for_the_one_that_died() -> None:
    flows = (OUT.replace(transport="TCP", connection=3), BACK.replace(transport="TCP", connection=4))
    pair = Pair(flows=flows)
    survivor = pair.crash("a")
    assert survivor.flow == OUT.replace(transport="TCP")


def test_what_is_over_or_not_answered_is_not_kept() -> None:
    pair = Pair()
    pair.calling.bye(pair.now)
    assert sip.export_session(pair.calling) is None
    pair.now += 1.0
    request = sip.parse(bytes(pair.called.request).replace(b"call-1", b"call-2"))
    assert isinstance(request, sip.Request)
    assert sip.export_session(pair.a.invite(request, OUT, pair.now)) is None


def test_a_survivor_cannot_be_refused(which: str) -> None:
    survivor = Pair().crash(which)
    with pytest.raises(LocalProtocolError):
        survivor.reject(486, 0.0)
