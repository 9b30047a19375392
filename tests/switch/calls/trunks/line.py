"""Trunks on an engine and a walked clock; the test plays the carriers at the other ends."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from switchroom.protocols import sip
from switchroom.protocols.sip.digest import Challenge, Credentials, Nonces, compute_a1
from switchroom.protocols.sip.locating import Hop
from switchroom.switch.calls.trunks import Means, Trunk, Trunks
from switchroom.switch.config import TrunkConfig

HERE = "192.0.2.1"
PORTS = {"UDP": 5060, "TCP": 5060, "TLS": 5061, "WS": 80, "WSS": 443}
Answer = Callable[[sip.Request, float], "sip.Response | None"]


class Names:
    """A resolver that knows what it is told; addresses are known by themselves."""

    def __init__(self) -> None:
        self.hops: dict[str, list[Hop]] = {}
        self.now = lambda: 0.0
        self.asked: list[str] = []
        self.is_dead = False

    def known(
        self, target: str, port: int | None = None, transport: str | None = None, is_secure: bool = False
    ) -> list[Hop] | None:
        if target[0].isdigit() or ":" in target:
            transport = transport or "UDP"
            return [Hop(transport, target, port or PORTS[transport])]
        return None if self.is_dead else self.hops.get(target)

    def locate(
        self, target: str, port: int | None, transport: str | None, is_secure: bool, done: Any
    ) -> None:
        self.asked.append(target)
        hops = self.known(target, port, transport, is_secure)
        if hops is not None or not self.is_dead:
            done(hops or [], self.now())


class Registrar:
    """A carrier that asks for digest and keeps one contact, as RFC 3261 §10.3 and §22 say."""

    def __init__(self, password: str = "secret", realm: str = "carrier.example", least: int = 0) -> None:
        self.a1 = compute_a1("acct", realm, password)
        self.realm = realm
        self.least = least
        self.granted = 600
        self.nonces = Nonces(b"x" * 32, lifetime=300.0)
        self.contact = ""
        self.headers: list[tuple[str, str]] = []
        self.has_accepted = 0
        self.says_stale = True

    def __call__(self, request: sip.Request, now: float) -> sip.Response | None:
        if request.method == "OPTIONS":
            return request.response(200, to_tag="o")
        if request.method != "REGISTER":
            return request.response(405, to_tag="r")
        text = request.get("Authorization")
        found = None if text is None else Credentials.parse(text)
        is_fresh = found is not None and self.nonces.is_valid(found.nonce, "x", now)
        if found is None or not is_fresh or not found.is_proof_of(self.a1, "REGISTER"):
            is_stale = self.says_stale and found is not None and found.is_proof_of(self.a1, "REGISTER")
            challenge = Challenge(self.realm, self.nonces.mint("x", now), is_stale=is_stale)
            return request.response(401, to_tag="r", headers=[("WWW-Authenticate", str(challenge))])
        asked = request.expires or 0
        if 0 < asked < self.least:
            return request.response(423, to_tag="r", headers=[("Min-Expires", str(self.least))])
        self.has_accepted += 1
        contact = str(request.contacts[0].uri)
        self.contact = contact if asked else ""
        granted = min(asked, self.granted)
        kept = [("Contact", f"<{contact}>;expires={granted}")] if asked else []
        return request.response(200, to_tag="r", headers=[*kept, *self.headers])


class Line:
    """The switch's side, and the carriers by address."""

    def __init__(self, *configs: dict[str, Any], seed: int = 1, **means: Any) -> None:
        self.now = 1000.0
        self.names = Names()
        self.names.now = lambda: self.now
        self.endpoint = sip.Endpoint(mint=sip.Mint(random=random.Random(seed).randbytes))
        self.lines: list[tuple[str, dict[str, object]]] = []
        self.carriers: dict[str, Answer] = {}
        self.sent: list[tuple[float, sip.Request, sip.Flow]] = []
        self.no_way: set[str] = set()
        self.means = Means(
            self.endpoint, self.names, self.flow_to, self, chance=random.Random(seed).random, **means
        )
        self.trunks = Trunks([TrunkConfig.model_validate(one) for one in configs], self.means)

    def flow_to(self, host: str, port: int, transport: str, name: str = "") -> sip.Flow:
        if host in self.no_way:
            raise OSError("no route to host")
        local = "2001:db8::1" if ":" in host else HERE
        return sip.Flow(transport, (local, PORTS[transport]), (host, port), 0, name)

    def info(self, event: str, **values: object) -> None:
        self.lines.append((event, values))

    warning = info

    @property
    def trunk(self) -> Trunk:
        """The first trunk."""
        return next(iter(self.trunks))

    def logged(self, event: str) -> list[dict[str, object]]:
        """What was logged of one kind."""
        return [values for name, values in self.lines if name == event]

    def requests(self, method: str, host: str = "") -> list[sip.Request]:
        """What was sent of one method, retransmissions left out."""
        found: dict[str | None, sip.Request] = {}
        for _, request, flow in self.sent:
            if request.method == method and host in ("", flow.remote[0]):
                found.setdefault(request.via.branch, request)
        return list(found.values())

    def start(self) -> None:
        self.trunks.start(self.now)
        self.settle()

    def settle(self) -> None:
        """Let the carriers answer until nobody has anything to say."""
        while out := self.endpoint.datagrams_to_send():
            for data, flow in out:
                request = sip.parse(data)
                assert isinstance(request, sip.Request)
                self.sent.append((self.now, request, flow))
                answer = self.carriers.get(flow.remote[0])
                response = None if answer is None else answer(request, self.now)
                if response is not None:
                    self.endpoint.receive_datagram(bytes(response), flow, self.now)
                self.tell()
        self.tell()

    def tell(self) -> None:
        """Give events to whom they are for, as the exchange does."""
        while (event := self.endpoint.next_event()) is not None:
            owner: Any = event.transaction.context  # type: ignore[union-attr]
            if owner is not None:
                owner.handle_event(event, self.now)

    def walk(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        until = self.now + seconds
        while True:
            due = [at for o in (self.endpoint, self.trunks) if (at := o.next_timer()) is not None]
            if not due or min(due) > until:
                break
            self.now = max(self.now, min(due))
            for owner in (self.endpoint, self.trunks):
                at = owner.next_timer()
                if at is not None and at <= self.now:
                    owner.handle_timer(self.now)
            self.settle()
        self.now = until

    def request(self, method: str = "INVITE", user: str = "200", **headers: str) -> sip.Request:
        """A request as a carrier sends it."""
        request = sip.Request(
            method,
            f"sip:{user}@{HERE}",
            [
                ("Via", "SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKx"),
                ("From", "<sip:+49301@carrier.example>;tag=1"),
                ("To", f"<sip:{user}@{HERE}>"),
                ("Call-ID", "x"),
                ("CSeq", f"1 {method}"),
            ],
        )
        for name, value in headers.items():
            request.set(name.replace("_", "-"), value)
        return request


def silent(request: sip.Request, now: float) -> None:
    """A carrier that is stopped."""


def well(request: sip.Request, now: float) -> sip.Response:
    """A carrier that is up."""
    return request.response(200, to_tag="c")


def flow(host: str, transport: str = "UDP", port: int = 5060) -> sip.Flow:
    """How a request from there comes."""
    return sip.Flow(transport, (HERE, PORTS[transport]), (host, port), 0 if transport == "UDP" else 7)
