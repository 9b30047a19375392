"""Texts and presence with phones in memory: the doors that the exchange opens, no exchange behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from switchroom.protocols import sip
from switchroom.switch.calls.access.auth import Authenticated, Authenticator, Challenged, Refused
from switchroom.switch.calls.access.guard import Guard
from switchroom.switch.calls.presence import Dialogs, Mailboxes, Presence, Registrations, Statuses
from switchroom.switch.calls.registration.registrar import Registrar
from switchroom.switch.calls.rules import Caller
from switchroom.switch.calls.texts.texts import Texts
from switchroom.switch.config import (
    AuthConfig,
    MessagesConfig,
    PresenceConfig,
    RegistrarConfig,
    UserConfig,
)
from switchroom.switch.net import Clock
from switchroom.switch.store import SqliteStore

SWITCH = ("127.0.0.1", 5060)
USERS = {"alice": "100", "bob": "200", "carol": "201"}
TRUNK = "127.0.0.9"  # what comes from here is a trunk's


class Walked(Clock):
    """A clock that tests move."""

    def __init__(self, at: float = 1000.0) -> None:
        self.at = at
        super().__init__(monotonic=lambda: self.at, wall=lambda: 1.7e9 + self.at)


class Lines:
    """Keeps what was logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def info(self, event: str, **values: object) -> None:
        self.lines.append((event, values))

    warning = info


@dataclass
class Phone:
    """A SIP engine at an address, with one account."""

    office: Office
    user: str
    address: tuple[str, int]
    endpoint: sip.Endpoint
    mint: sip.Mint
    events: list[Any] = field(default_factory=list)
    got: list[sip.Request] = field(default_factory=list)  # the texts that came
    answers: Callable[[sip.Request], int | None] = lambda request: 200  # None: says nothing
    is_deaf: bool = False

    @property
    def flow(self) -> sip.Flow:
        return sip.Flow("UDP", self.address, SWITCH)

    @property
    def contact(self) -> str:
        return f"<sip:phone@{self.address[0]}:{self.address[1]}>"

    @property
    def bodies(self) -> list[bytes]:
        return [request.body for request in self.got]

    def request(
        self, method: str, number: str, *headers: tuple[str, str], body: bytes = b"", name: str = ""
    ) -> sip.Request:
        """A request outside of dialogs to somebody at the switch."""
        return sip.Request(
            method,
            f"sip:{number}@127.0.0.1" if number else "sip:127.0.0.1",
            [
                ("Max-Forwards", "70"),
                ("From", f"{name}<sip:{self.user}@127.0.0.1>;tag={self.mint.tag()}"),
                ("To", f"<sip:{number or self.user}@127.0.0.1>"),
                ("Call-ID", self.mint.call_id()),
                ("CSeq", "1 " + method),
                *headers,
            ],
            body,
        )

    def send(self, request: sip.Request, *, is_honest: bool = True) -> sip.ClientTransaction:
        """Send it, and answer the challenge."""
        client = sip.DigestClient(self.user, "secret-" + self.user)
        authorizer = sip.DigestAuthorizer(client) if is_honest else None
        transaction = self.endpoint.send_request(request, self.flow, self.office.now, authorizer=authorizer)
        self.office.settle()
        return transaction

    def ask(self, request: sip.Request, *, is_honest: bool = True) -> sip.Response | None:
        """Send it; the final answer, None when there is none yet."""
        transaction = self.send(request, is_honest=is_honest)
        return self.answer_to(transaction)

    def answer_to(self, transaction: sip.ClientTransaction) -> sip.Response | None:
        found = [
            e.response
            for e in self.events
            if isinstance(e, sip.ResponseReceived) and e.transaction is transaction
        ]
        return found[-1] if found else None

    def register(self, expires: int = 600, *, contact: str = "") -> None:
        headers = (("Contact", contact or self.contact), ("Expires", str(expires)))
        request = self.request("REGISTER", "", *headers)
        request.set("Call-ID", f"registers-{self.address[1]}")
        self.office.registers += 10
        request.set("CSeq", f"{self.office.registers} REGISTER")
        answer = self.ask(request)
        assert answer is not None
        assert answer.status == 200

    def text(self, number: str, body: bytes, *headers: tuple[str, str], kind: str = "text/plain") -> Any:
        """Send a text; its transaction."""
        return self.send(self.request("MESSAGE", number, ("Content-Type", kind), *headers, body=body))

    def subscribe(
        self, number: str, event: str, *headers: tuple[str, str], expires: int = 300
    ) -> sip.Subscriber:
        fixed = (("Contact", self.contact), ("Event", event), ("Expires", str(expires)))
        authorizer = sip.DigestAuthorizer(sip.DigestClient(self.user, "secret-" + self.user))
        subscriber = self.endpoint.subscribe(
            self.request("SUBSCRIBE", number, *fixed, *headers), self.flow, self.office.now, authorizer
        )
        self.office.settle()
        return subscriber

    def told(self, subscriber: sip.Subscriber) -> list[bytes]:
        """What NOTIFYs said."""
        return [
            e.request.body
            for e in self.events
            if isinstance(e, sip.NotifyReceived) and e.subscription is subscriber
        ]

    def end_of(self, subscriber: sip.Subscriber) -> tuple[str, int]:
        [end] = [
            e for e in self.events if isinstance(e, sip.SubscriptionEnded) and e.subscription is subscriber
        ]
        return end.cause, end.status


class NoCalls:
    """An exchange in which nobody talks."""

    def __init__(self) -> None:
        self.calls: dict[str, Any] = {}
        self.on_call_state: list[Any] = []


class Office:
    """The switch's side, and the phones around it."""

    def __init__(
        self,
        folder: Path,
        *,
        messages: dict[str, Any] | None = None,
        presence: dict[str, Any] | None = None,
        at: float = 1000.0,
    ) -> None:
        self.clock, self.log = Walked(at), Lines()
        self.phones: dict[tuple[str, int], Phone] = {}
        self.registers = 0
        self.store = SqliteStore(folder / "office.db")
        self.store.start()
        self.mint = sip.Mint()
        self.endpoint = sip.Endpoint(mint=self.mint)
        self.users = {
            name: UserConfig(name=name, password="secret-" + name, number=number)
            for name, number in USERS.items()
        }
        self.numbers = {name: name for name in USERS} | {number: name for name, number in USERS.items()}
        self.guard = Guard(on_alert=lambda _: None)
        self.authenticator = Authenticator(self.users.values(), AuthConfig(), "test", self.guard)
        is_local = {"127.0.0.1", "office.test"}.__contains__
        self.registrar = Registrar(self.store.bindings, RegistrarConfig(), self.clock, is_local_host=is_local)
        self.registrar.load(self.now)
        self.texts = Texts(
            MessagesConfig(**(messages or {})),
            self.numbers,
            domain="office.test",
            endpoint=self.endpoint,
            mint=self.mint,
            lookup=self.registrar.lookup,
            is_local=is_local,
            store=self.store.texts,
            clock=self.clock,
            log=self.log,
        )
        self.texts.load(self.now)
        dialogs = Dialogs(self.mint, lambda: "office.test")
        self.presence = Presence(
            PresenceConfig(**(presence or {})),
            self.numbers,
            endpoint=self.endpoint,
            calls=NoCalls(),
            is_local=is_local,
            dialogs=dialogs,
            statuses=Statuses(self.registrar.lookup, dialogs.is_talking, self.mint),
            mailboxes=Mailboxes(self.texts.count),
            registrations=Registrations(self.registrar.lookup, self.mint),
        )
        self.registrar.on_change += [self.texts.on_registration, self.presence.on_registration]
        self.texts.on_waiting.append(self.presence.mailboxes.on_change)
        self.doors = {
            "MESSAGE": self.texts.handle,
            "SUBSCRIBE": self.presence.subscribe,
            "PUBLISH": self.presence.publish,
        }

    @property
    def now(self) -> float:
        return self.clock.at

    def close(self) -> None:
        self.store.close()

    def phone(self, user: str, host: str = "", *, register: bool = True, port: int = 5060) -> Phone:
        """A phone of a user, registered or not."""
        mint = sip.Mint()
        host = host or f"127.0.0.{2 + len(self.phones)}"
        phone = Phone(self, user, (host, port), sip.Endpoint(mint=mint, udp_request_limit=0), mint)
        self.phones[phone.address] = phone
        if register:
            phone.register()
            self.walk(0.2)  # what waits for it comes a moment later
        return phone

    def sync(self) -> None:
        """Wait for the disk, as the writer's thread tells."""

        async def flush() -> None:
            await self.store.flush()

        asyncio.run(flush())
        self.texts.handle_durable(self.now)
        self.settle()

    def settle(self) -> None:
        """Move datagrams until nobody has anything to say."""
        moved = True
        while moved:
            moved = False
            while (event := self.endpoint.next_event()) is not None:
                self._on_event(event)
                moved = True
            for data, flow in self.endpoint.datagrams_to_send():
                moved = True
                phone = self.phones.get(flow.remote)
                if phone is not None and not phone.is_deaf:
                    back = sip.Flow("UDP", flow.remote, SWITCH)
                    phone.endpoint.receive_datagram(data, back, self.now)
            for phone in self.phones.values():
                while (event := phone.endpoint.next_event()) is not None:
                    self._on_phone(phone, event)
                for data, _ in phone.endpoint.datagrams_to_send():
                    moved = True
                    if not phone.is_deaf:
                        self.endpoint.receive_datagram(data, sip.Flow("UDP", SWITCH, phone.address), self.now)

    def walk(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        until = self.now + seconds
        phones = [phone.endpoint for phone in self.phones.values()]
        owners: Sequence[Any] = [self.endpoint, self.texts, self.presence, self.registrar, *phones]
        while due := [at for one in owners if (at := one.next_timer()) is not None and at <= until]:
            self.clock.at = max(self.now, min(due))
            for owner in owners:
                at = owner.next_timer()
                if at is not None and at <= self.now:
                    owner.handle_timer(self.now)
            self.settle()
        self.clock.at = until
        self.settle()

    def _on_event(self, event: Any) -> None:
        if not isinstance(event, sip.RequestReceived):
            owner = event.subscription if hasattr(event, "subscription") else event.transaction
            if owner.context is not None:
                owner.context.handle_event(event, self.now)
            return
        request = event.request
        if event.flow.remote[0] == TRUNK:
            self.doors[request.method](event, Caller("trunk:acme", ""), self.now)
            return
        verdict = self.authenticator.authenticate(request, event.flow, self.now)
        if isinstance(verdict, Challenged | Refused):
            self.endpoint.reply(event, verdict.status, now=self.now, headers=verdict.headers)
        elif not isinstance(verdict, Authenticated):
            return
        elif request.method == "REGISTER":
            status, reason, headers = self.registrar.handle(request, event.flow, verdict.user.name, self.now)
            self.endpoint.begin(event, self.now).respond(status, self.now, reason, headers)
        else:
            user = verdict.user
            self.doors[request.method](event, Caller(user.name, user.number, user=user), self.now)

    def _on_phone(self, phone: Phone, event: Any) -> None:
        if isinstance(event, sip.RequestReceived) and event.request.method == "MESSAGE":
            phone.got.append(event.request)
            status = phone.answers(event.request)
            transaction = phone.endpoint.begin(event, self.now)
            if status is not None:
                transaction.respond(status, self.now)
        else:
            phone.events.append(event)
