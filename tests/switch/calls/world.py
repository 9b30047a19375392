"""An exchange and some phones in memory: datagrams move when told to, time moves when told to."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from switchroom.protocols import sip
from switchroom.protocols.sip.locating import Hop
from switchroom.switch.calls.access.auth import Authenticator
from switchroom.switch.calls.access.guard import Guard
from switchroom.switch.calls.exchange import Exchange
from switchroom.switch.calls.features.features import Features
from switchroom.switch.calls.registration.registrar import Registrar
from switchroom.switch.calls.routing import Router
from switchroom.switch.calls.rules import ExchangeConfig
from switchroom.switch.calls.trunks.means import Means
from switchroom.switch.calls.trunks.trunks import Trunks
from switchroom.switch.config import (
    AuthConfig,
    FeaturesConfig,
    MediaConfig,
    NumbersConfig,
    RegistrarConfig,
    RouteConfig,
    TrunkConfig,
    UserConfig,
)
from switchroom.switch.media import MediaPlane
from switchroom.switch.net import Clock
from switchroom.switch.net.bus import Bus
from switchroom.switch.store import SqliteStore

SWITCH = ("127.0.0.1", 5060)
MEDIA_HOST = f"127.77.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"  # ports that no other run has
OFFER = (
    b"v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\n"
    b"m=audio %d RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n%s"
)


def sdp(host: str, port: int, attributes: bytes = b"") -> bytes:
    """A phone's description."""
    return OFFER % (host.encode(), host.encode(), port, attributes)


class Walked(Clock):
    """A clock that tests move."""

    def __init__(self) -> None:
        self.at = 1000.0
        super().__init__(monotonic=lambda: self.at, wall=lambda: 1.7e9 + self.at)


class LogLines:
    """Keeps what was logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def info(self, event: str, **values: object) -> None:
        self.lines.append((event, values))

    warning = info


@dataclass
class Phone:
    """A SIP engine at an address, and what it was told."""

    world: World
    address: tuple[str, int]
    endpoint: sip.Endpoint
    mint: sip.Mint
    events: list[Any] = field(default_factory=list)
    path: str = ""  # the proxy before it, for its REGISTER

    @property
    def flow(self) -> sip.Flow:
        return sip.Flow("UDP", self.address, SWITCH)

    @property
    def contact(self) -> str:
        return f"<sip:phone@{self.address[0]}:{self.address[1]}>"

    @property
    def sdp(self) -> bytes:
        return sdp(self.address[0], 4000)

    def call(
        self,
        number: str,
        body: bytes | None = None,
        *,
        headers: Sequence[tuple[str, str]] = (),
        content_type: str = "application/sdp",
        account: str = "",
    ) -> Any:
        """INVITE the number through the switch; ``account``: with its credentials."""
        offer = self.sdp if body is None else body
        request = sip.Request(
            "INVITE",
            f"sip:{number}@127.0.0.1",
            [
                *(() if any(n == "Max-Forwards" for n, _ in headers) else (("Max-Forwards", "70"),)),
                ("From", f'"Alice" <sip:{account or "alice"}@127.0.0.1>;tag={self.mint.tag()}'),
                ("To", f"<sip:{number}@127.0.0.1>"),
                ("Call-ID", self.mint.call_id()),
                ("CSeq", "1 INVITE"),
                ("Contact", self.contact),
                *headers,
                *((("Content-Type", content_type),) if offer else ()),
            ],
            offer,
        )
        session = self.endpoint.invite(request, self.flow, self.world.now)
        if account:
            session.authorizer = sip.DigestAuthorizer(sip.DigestClient(account, "secret-" + account))
        self.world.settle()
        return session

    def take(self, kind: type) -> Any:
        """The oldest event of this kind; it must be there."""
        for index, event in enumerate(self.events):
            if isinstance(event, kind):
                return self.events.pop(index)
        raise AssertionError(
            f"{self.address}: no {kind.__name__} in {[type(e).__name__ for e in self.events]}"
        )

    def has(self, kind: type) -> bool:
        """Whether such an event waits."""
        return any(isinstance(event, kind) for event in self.events)

    def accept(self) -> Any:
        """Take the waiting INVITE as a session."""
        event = self.take(sip.RequestReceived)
        assert event.request.method == "INVITE"
        return self.endpoint.accept(event, self.world.now, contact=self.contact)


class World:
    """The exchange under test and the phones around it."""

    def __init__(self, folder: Path, **config: Any) -> None:
        self.clock = Walked()
        self.log = LogLines()
        self.phones: dict[tuple[str, int], Phone] = {}
        self.store = SqliteStore(folder / "test.db")
        self.store.start()
        self.mint = sip.Mint()
        self.endpoint = sip.Endpoint(mint=self.mint)
        settings = config.pop("users", {})
        users = [
            UserConfig(name=name, password="secret-" + name, number=number, **settings.get(name, {}))
            for name, number in USERS
        ]
        auth = AuthConfig()
        self.registrar = Registrar(
            self.store.bindings, RegistrarConfig(), self.clock, is_local_host=lambda host: host == "127.0.0.1"
        )
        self.media = MediaPlane(
            MediaConfig(ports=config.pop("ports", "31000-31199")),
            lambda _: MEDIA_HOST,
            lambda s: self.exchange.on_media_timeout(s),
        )
        self.loop = asyncio.new_event_loop()  # the media plane reports to one; it need not run
        self.media.start(self.loop)
        routes = config.pop("routes", [])
        self.router = Router(
            users,
            [r if isinstance(r, RouteConfig) else RouteConfig(match=r[0], to=r[1]) for r in routes],
            numbers=NumbersConfig(country="DE"),
        )
        self.hosts: dict[str, list[tuple[str, str, int]]] = {}  # what the DNS knows
        self.trunks = Trunks(
            config.pop("trunks", TRUNKS), Means(self.endpoint, self, self.flow_to, self.log, "Switchroom")
        )
        self.trunks.start(self.now)
        features = FeaturesConfig(**config.pop("features", {}))
        self.config = ExchangeConfig(
            domains=frozenset({"example.test"}),
            domain="example.test",
            users={user.name: user for user in users},
            **config,
        )
        self.exchange = Exchange(
            self.config,
            endpoint=self.endpoint,
            mint=self.mint,
            authenticator=Authenticator(users, auth, "example.test", Guard(on_alert=lambda _: None)),
            registrar=self.registrar,
            router=self.router,
            trunks=self.trunks,
            resolver=self,
            media=self.media,
            records=self.store.records,
            clock=self.clock,
            flow_to=self.flow_to,
            is_local=lambda host: host == "127.0.0.1",
            log=self.log,
        )
        self.features = Features(features, self.exchange, self.store.settings, Bus(), self.log)

    @property
    def now(self) -> float:
        return self.clock.at

    def flow_to(self, host: str, port: int, transport: str, name: str = "") -> sip.Flow:
        """The way to an address."""
        return sip.Flow(transport, SWITCH, (host, port))

    def known(
        self, target: Any, port: int | None = None, transport: str | None = None, is_secure: bool = False
    ) -> list[Hop] | None:
        """What the DNS says: an address is what it is, a name leads where the test says."""
        if isinstance(target, sip.Uri):
            target, port = target.host, target.port
        if target in self.hosts:
            return [Hop(*hop) for hop in self.hosts[target]]
        return [Hop("UDP", target, port or 5060)]

    def locate(
        self, target: Any, port: int | None, transport: str | None, is_secure: bool, done: Any
    ) -> None:
        """The same, told at once."""
        done(self.known(target, port, transport, is_secure), self.now)

    def close(self) -> None:
        self.media.stop()
        self.loop.close()
        self.store.close()

    def phone(self, host: str, port: int = 5060, *, user: str = "") -> Phone:
        """A phone at an address, registered for a user when one is named."""
        mint = sip.Mint()
        phone = Phone(self, (host, port), sip.Endpoint(mint=mint), mint)
        self.phones[phone.address] = phone
        if user:
            self.register(phone, user)
        return phone

    def register(self, phone: Phone, user: str, *, q: str = "") -> None:
        """Register with digest, as a phone does."""
        client = sip.DigestClient(user, "secret-" + user)
        for sequence in (1, 2):
            request = sip.Request(
                "REGISTER",
                "sip:127.0.0.1",
                [
                    ("Max-Forwards", "70"),
                    ("From", f"<sip:{user}@127.0.0.1>;tag={phone.mint.tag()}"),
                    ("To", f"<sip:{user}@127.0.0.1>"),
                    ("Call-ID", f"reg-{phone.address[0]}-{phone.address[1]}"),
                    ("CSeq", f"{sequence} REGISTER"),
                    ("Contact", phone.contact + (f";q={q}" if q else "")),
                    ("Expires", "600"),
                    *((("Path", phone.path), ("Supported", "path")) if phone.path else ()),
                ],
            )
            if sequence == 2:
                client.authorize(request)
            phone.endpoint.send_request(request, phone.flow, self.now)
            self.settle()
            response = phone.take(sip.ResponseReceived).response
            if sequence == 1:
                assert response.status == 401
                assert client.receive_challenge(response, request)
        assert response.status == 200, response.reason

    def settle(self) -> None:
        """Move datagrams until nobody has anything to say."""
        moved = True
        while moved:
            moved = False
            while (event := self.endpoint.next_event()) is not None:
                self.exchange.handle_event(event, self.now)
                moved = True
            for data, flow in self.endpoint.datagrams_to_send():
                moved = True
                if flow.remote in self.phones:
                    back = sip.Flow("UDP", flow.remote, SWITCH)
                    self.phones[flow.remote].endpoint.receive_datagram(data, back, self.now)
            for phone in self.phones.values():
                while (event := phone.endpoint.next_event()) is not None:
                    phone.events.append(event)
                for data, _ in phone.endpoint.datagrams_to_send():
                    moved = True
                    self.endpoint.receive_datagram(data, sip.Flow("UDP", SWITCH, phone.address), self.now)

    def walk(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        until = self.now + seconds
        while True:
            owners = [
                self.endpoint,
                self.exchange,
                self.trunks,
                self.features,
                *(phone.endpoint for phone in self.phones.values()),
            ]
            due = [at for owner in owners if (at := owner.next_timer()) is not None and at <= until]
            if not due:
                break
            self.clock.at = max(self.now, *due[:1], min(due))
            for owner in owners:
                at = owner.next_timer()
                if at is not None and at <= self.now:
                    owner.handle_timer(self.now)
            self.settle()
        self.clock.at = until
        self.settle()


USERS = [("bob", "200"), ("carol", "201"), ("alice", "100")]


def trunk(name: str, source: str, host: str = "", **settings: Any) -> TrunkConfig:
    """A trunk that may call in from one address; nobody probes it unless the test says so."""
    address = [f"sip:{one}" for one in host.split()]
    return TrunkConfig(
        name=name,
        sources=[source] if source else [],
        address=address,
        **{"options_interval": 0.0, **settings},
    )


TRUNKS = (trunk("desk", "127.0.0.2/32"),)
