"""SIP endpoints on a clock that is walked: two on a wire that loses, doubles and reorders, or a lone one."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, NamedTuple

from switchroom.protocols import sip

A = ("192.0.2.1", 5060)
B = ("192.0.2.2", 5060)


class Sent(NamedTuple):
    """A message that was given to the wire, whether it arrived or not."""

    at: float
    sender: str
    data: bytes

    @property
    def start(self) -> str:
        """Method, or status and the method it answers: enough to read a call's course."""
        return _start(self.data)

    @property
    def message(self) -> sip.Request | sip.Response:
        """What it is."""
        return sip.parse(self.data)


@dataclass
class End:
    """One endpoint, what it told, and what its owner does about it."""

    name: str
    address: tuple[str, int]
    endpoint: sip.Endpoint
    events: list[sip.Event] = field(default_factory=list)
    on_event: Callable[[sip.Event, float], None] | None = None

    def told(self, kind: type[sip.Event]) -> list[sip.Event]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left of all calls: no transaction, session, timer or tombstone."""
        return is_idle(self.endpoint)


class Lone:
    """One endpoint; the test plays the other end by hand."""

    def __init__(self, transport: str = "UDP", **options: Any) -> None:
        self.endpoint = sip.Endpoint(mint=sip.Mint(random=random.Random(0).randbytes), **options)
        self.flow = sip.Flow(transport, A, B, 0 if transport == "UDP" else 1)
        self.now = 0.0
        self.flows: list[sip.Flow] = []  # where what was taken last went

    def take(self) -> list[sip.Request | sip.Response]:
        """What was sent since the last time."""
        sent = self.endpoint.datagrams_to_send()
        self.flows = [flow for _, flow in sent]
        return [sip.parse(data) for data, _ in sent]

    def take_one(self) -> sip.Request | sip.Response:
        """What was sent, and it was one message."""
        (message,) = self.take()
        return message

    def hear(self, message: sip.Request | sip.Response, flow: sip.Flow | None = None) -> None:
        """Let a message arrive."""
        self.endpoint.receive_datagram(bytes(message), flow or self.flow, self.now)

    def events(self) -> list[sip.Event]:
        """What it has told since the last time."""
        events = []
        while (event := self.endpoint.next_event()) is not None:
            events.append(event)
        return events

    def event(self) -> sip.Event:
        """What it has told, and it was one thing."""
        (event,) = self.events()
        return event

    def accept(self, *headers: tuple[str, str], body: bytes = b"") -> sip.Session:
        """Take an INVITE of the other end."""
        self.hear(self.request("INVITE", *headers, body=body))
        event = self.event()
        assert isinstance(event, sip.RequestReceived)
        return self.endpoint.accept(event, self.now, contact="<sip:local@192.0.2.1>")

    def call(self, *headers: tuple[str, str]) -> sip.Session:
        """A call of ours that the other end answered and we acknowledged."""
        session = self.endpoint.invite(make_request("INVITE"), self.flow, self.now)
        self.hear(make_response(self.take_one(), 200, *headers))
        session.acknowledge(self.now)
        self.take()
        self.events()
        return session

    def walk(self, seconds: float) -> list[tuple[float, str]]:
        """Let time pass: what was sent when, counted from now."""
        start, sent = self.now, []
        while (at := self.endpoint.next_timer()) is not None and at <= start + seconds:
            self.now = max(self.now, at)
            self.endpoint.handle_timer(self.now)
            sent += [(self.now - start, _start(data)) for data, _ in self.endpoint.datagrams_to_send()]
        self.now = start + seconds
        return sent

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left."""
        return is_idle(self.endpoint)

    def request(
        self,
        method: str,
        *headers: tuple[str, str],
        branch: str = "z9hG4bKremote",
        to_tag: str | None = None,
        from_tag: str = "remote",
        number: int = 1,
        body: bytes = b"",
        via: str = "192.0.2.2:5060",
    ) -> sip.Request:
        """A request of the other end."""
        fixed: list[tuple[str, str]] = [
            ("Via", f"SIP/2.0/{self.flow.transport} {via};branch={branch};rport"),
            ("Max-Forwards", "70"),
            ("From", f"<sip:remote@example.org>;tag={from_tag}"),
            ("To", "<sip:local@example.org>" + (f";tag={to_tag}" if to_tag else "")),
            ("Call-ID", "call"),
            ("CSeq", f"{number} {method}"),
        ]
        if method == "INVITE":
            fixed.append(("Contact", "<sip:remote@192.0.2.2>"))
        return sip.Request(method, "sip:local@192.0.2.1", [*fixed, *headers], body)


def make_request(method: str, *headers: tuple[str, str], body: bytes = b"", number: int = 1) -> sip.Request:
    """A request of ours, without a Via."""
    return sip.Request(
        method,
        "sip:remote@192.0.2.2",
        [
            ("Max-Forwards", "70"),
            ("From", "<sip:local@example.org>;tag=local"),
            ("To", "<sip:remote@example.org>"),
            ("Call-ID", "call"),
            ("CSeq", f"{number} {method}"),
            *([("Contact", "<sip:local@192.0.2.1>")] if method == "INVITE" else []),
            *headers,
        ],
        body,
    )


def make_response(
    request: sip.Request | sip.Response, status: int, *headers: tuple[str, str], tag: str = "remote"
) -> sip.Response:
    """The other end's response to a request of ours, with a Contact where one belongs."""
    assert isinstance(request, sip.Request)
    contact = [("Contact", "<sip:remote@192.0.2.2>")] if request.method == "INVITE" and status < 300 else []
    return request.response(status, to_tag=tag, headers=[*contact, *headers])


def is_idle(endpoint: sip.Endpoint) -> bool:
    """Whether nothing is left of all calls: no transaction, session, timer or tombstone."""
    watchers = [watcher for watcher in endpoint._watchers if watcher is not None]
    tables = (endpoint.clients, endpoint.servers, endpoint.sessions, endpoint.merges, watchers)
    gauges = endpoint.counters.transactions, endpoint.counters.sessions
    return not any(tables) and not any(gauges) and not len(endpoint.wheel) and endpoint.next_timer() is None


def _start(data: bytes) -> str:
    """Method, or status and the method it answers: enough to read the course of things."""
    words = data.split(b"\r\n", 1)[0].decode().split(" ")
    if words[0] != "SIP/2.0":
        return words[0]
    return f"{words[1]} {(sip.parse(data).get('CSeq') or '').split(' ')[-1]}"


class Wire:
    """Carries messages between ``a`` and ``b`` and walks the clock of both."""

    def __init__(
        self,
        *,
        transport: str = "UDP",
        seed: int = 0,
        loss: float = 0.0,
        doubling: float = 0.0,
        jitter: float = 0.0,
        timers: sip.Timers | None = None,
        udp_request_limit: int = 0,
    ) -> None:
        self.random = random.Random(seed)
        self.transport = transport
        self.loss, self.doubling, self.jitter = loss, doubling, jitter
        self.delay = 0.01
        self.now = 1000.0
        self.sent: list[Sent] = []
        self.drop: Callable[[Sent], bool] = lambda sent: False
        self.a, self.b = (
            End(
                name,
                address,
                sip.Endpoint(
                    timers=timers,
                    mint=sip.Mint(slot, random=self.random.randbytes),
                    udp_request_limit=udp_request_limit,
                ),
            )
            for slot, (name, address) in enumerate((("a", A), ("b", B)))
        )
        self._flying: list[tuple[float, int, End, bytes, sip.Flow]] = []

    def flow(self, sender: End, transport: str | None = None) -> sip.Flow:
        """The way from an end to the other."""
        other = self.other(sender)
        transport = transport or self.transport
        return sip.Flow(transport, sender.address, other.address, 0 if transport == "UDP" else 1)

    def other(self, end: End) -> End:
        """The end across the wire."""
        return self.b if end is self.a else self.a

    def starts(self, since: float = 0.0) -> list[str]:
        """The course of things: "a INVITE", "b 180 INVITE", ..."""
        return [f"{sent.sender} {sent.start}" for sent in self.sent if sent.at >= since]

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        self.flush()
        while (at := self._next_at()) is not None and at <= end:
            self._step(at)
        self.now = end

    def settle(self, seconds: float = 400.0) -> None:
        """Let time pass until nobody waits for anything; it must not take longer than that."""
        end = self.now + seconds
        self.flush()
        while (at := self._next_at()) is not None:
            assert at <= end, f"still not at rest after {seconds} s: {self.a.endpoint.next_timer()}"
            self._step(at)

    def flush(self) -> None:
        """Hand over what the endpoints have to say."""
        for end in (self.a, self.b):
            while (event := end.endpoint.next_event()) is not None:
                end.events.append(event)
                if end.on_event is not None:
                    end.on_event(event, self.now)
            for data, flow in end.endpoint.datagrams_to_send():
                self._carry(end, data, flow)

    def _carry(self, sender: End, data: bytes, flow: sip.Flow) -> None:
        target = self.other(sender)
        sent = Sent(self.now, sender.name, data)
        self.sent.append(sent)
        if flow.remote != target.address or self.drop(sent):
            return
        is_reliable = flow.is_reliable
        if not is_reliable and self.random.random() < self.loss:
            return
        copies = 2 if not is_reliable and self.random.random() < self.doubling else 1
        for _ in range(copies):
            delay = self.delay + (0.0 if is_reliable else self.random.random() * self.jitter)
            arrived = sip.Flow(flow.transport, target.address, sender.address, 0 if not is_reliable else 1)
            heappush(self._flying, (self.now + delay, len(self.sent) * 2 + _, target, data, arrived))

    def _next_at(self) -> float | None:
        times = [self.a.endpoint.next_timer(), self.b.endpoint.next_timer()]
        if self._flying:
            times.append(self._flying[0][0])
        return min((at for at in times if at is not None), default=None)

    def _step(self, at: float) -> None:
        self.now = max(self.now, at)
        while self._flying and self._flying[0][0] <= self.now:
            _, _, target, data, flow = heappop(self._flying)
            target.endpoint.receive_datagram(data, flow, self.now)
        for end in (self.a, self.b):
            end.endpoint.handle_timer(self.now)
        self.flush()


def invite(wire: Wire, *, body: bytes = b"v=0\r\n", headers: tuple[tuple[str, str], ...] = ()) -> sip.Session:
    """a calls b."""
    mint = wire.a.endpoint.mint
    request = sip.Request(
        "INVITE",
        "sip:b@192.0.2.2",
        [
            ("Max-Forwards", "70"),
            ("From", f"<sip:a@example.org>;tag={mint.tag()}"),
            ("To", "<sip:b@example.org>"),
            ("Call-ID", mint.call_id()),
            ("CSeq", "1 INVITE"),
            ("Contact", f"<sip:a@192.0.2.1{';transport=tcp' if wire.transport == 'TCP' else ''}>"),
            *headers,
        ],
        body,
    )
    return wire.a.endpoint.invite(request, wire.flow(wire.a), wire.now)
