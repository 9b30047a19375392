"""SMPP without the rest of the switch: a centre in memory that says what it was asked, and raw customers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import structlog

from switchroom.protocols import smpp
from switchroom.switch.config import Config
from switchroom.switch.net import Clock, Tls
from switchroom.switch.sms.interfaces import (
    NO_SUCH_MESSAGE,
    TEXT,
    Address,
    Inlet,
    Notice,
    Outcome,
    Outlet,
    Part,
    Receipt,
    Refusal,
    Standing,
    State,
    Submission,
)
from switchroom.switch.sms.smpp.room import SmppRoom

PASSWORD = "correct-7"
CUSTOMER = smpp.BindTransceiver("customer", PASSWORD)
SUBMIT = smpp.SubmitSm("", 1, 1, "491711", 1, 1, "4917123", registered_delivery=1, short_message=b"hello")


class Stored(NamedTuple):
    """What the centre tells an outlet of a message."""

    id: int
    submission: Submission
    source: Address
    destination: Address
    accepted_at: float = 0.0
    expires_at: float = 0.0
    attempts: int = 0


@dataclass
class MemoryCentre:
    """Takes everything at once and keeps it; ``delay`` makes it as slow as a disk."""

    delay: float = 0.0
    refusal: Refusal | None = None
    submissions: list[Submission] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    heard: list[tuple[int, bool]] = field(default_factory=list)
    inlets: dict[str, Inlet] = field(default_factory=dict)
    outlets: dict[str, Outlet] = field(default_factory=dict)
    cancelled: list[int] = field(default_factory=list)
    replaced: list[tuple[int, Submission]] = field(default_factory=list)
    unsent: list[Part] = field(default_factory=list)

    def submit(self, batch: Sequence[Submission], now: float, done: Any) -> None:
        results: list[int | Refusal] = []
        for submission in batch:
            if self.refusal is None:
                self.submissions.append(submission)
                results.append(len(self.submissions))
            else:
                results.append(self.refusal)
        self._later(done, batch, results, now)

    def attach(self, *, inlet: Inlet | None = None, outlet: Outlet | None = None, now: float) -> None:
        if inlet is not None:
            self.inlets[inlet.name] = inlet
        if outlet is not None:
            self.outlets[outlet.name] = outlet
            self.feed(outlet.name, now)

    def detach(self, *, inlet: str = "", outlet: str = "", now: float) -> None:
        self.inlets.pop(inlet, None)
        self.outlets.pop(outlet, None)

    def report(self, outlet: str, outcomes: Sequence[Outcome], now: float) -> None:
        self.outcomes += outcomes

    def receive_receipts(
        self, outlet: str, receipts: Sequence[Receipt], now: float, done: Any, context: Any
    ) -> None:
        self.receipts += receipts
        self._later(done, context, now)

    def noticed(self, inlet: str, ids: Sequence[int], now: float, *, is_heard: bool = True) -> None:
        self.heard += [(id, is_heard) for id in ids]

    def query(self, id: int, inlet: str, now: float, answered: Any, context: Any = None) -> None:
        found: Any = NO_SUCH_MESSAGE
        if 0 < id <= len(self.submissions) and self.submissions[id - 1].inlet == inlet:
            found = Standing(id, State.DELIVERED, self.submissions[id - 1], 1.7e9, 1.7e9)
        answered(context, found, now)

    def cancel(self, id: int, inlet: str, now: float, answered: Any, context: Any = None) -> None:
        if 0 < id <= len(self.submissions):
            self.cancelled.append(id)
            answered(context, Standing(id, State.DELETED, self.submissions[id - 1], 0, 0), now)
        else:
            answered(context, NO_SUCH_MESSAGE, now)

    def cancel_all(
        self, source: str, destination: str, service_type: str, inlet: str, now: float, answered: Any,
        context: Any = None,
    ) -> None:  # fmt: skip
        found = [
            s for s in self.submissions if (s.source.number, s.destination.number) == (source, destination)
        ]
        answered(context, len(found), now)

    def members(self, name: str, inlet: str, now: float, answered: Any, context: Any = None) -> None:
        found = [
            Standing(n, State.DELIVERED, s, 1.7e9, 1.7e9)
            for n, s in enumerate(self.submissions, 1)
            if s.inlet == inlet and s.key.startswith(f"{name}/")
        ]
        answered(context, found, now)

    def replace(self, id: int, new: Submission, now: float, answered: Any, context: Any = None) -> None:
        self.replaced.append((id, new))
        answered(context, Standing(id, State.QUEUED, new, 0, 0), now)

    def redact(self, id: int, inlet: str, now: float, answered: Any, context: Any = None) -> None:
        raise NotImplementedError

    def follow(self, changes: Any) -> None:
        raise NotImplementedError

    # -- what a test does

    def feed(self, name: str, now: float) -> None:
        """Hand over what waits, as much as there is room for."""
        outlet = self.outlets.get(name)
        if outlet is None:
            return
        while self.unsent and (room := outlet.room(now)) > 0:
            parts, self.unsent = self.unsent[:room], self.unsent[room:]
            outlet.send(parts, now)

    def _later(self, call: Callable[..., Any], *values: Any) -> None:
        if self.delay:
            asyncio.get_running_loop().call_later(self.delay, call, *values)
        else:
            call(*values)


def part(body: bytes = b"hello", id: int = 1, **keys: Any) -> Part:
    """A message on its way out."""
    source, destination = Address("+491711", 1, 1), Address("+4917123", 1, 1)
    about = {
        key: keys.pop(key) for key in ("wish", "tlvs", "service_type", "esm_class", "priority") if key in keys
    }
    submission = Submission("account:x", source, destination, body, 0, **about)
    expires_at = keys.pop("expires_at", 0.0)
    return Part(
        Stored(id, submission, source, destination, expires_at=expires_at),
        body,
        keys.pop("coding", 0),
        **keys,
    )


def notice(id: int = 1, state: State = State.DELIVERED, **keys: Any) -> Notice:
    """A receipt on its way to a customer."""
    values = {"error": "000", "beginning": b"hello", "coding": TEXT, "parts_delivered": 1, **keys}
    return Notice(
        id,
        100 + id,
        state,
        1,
        Address("+491711", 1, 1),
        Address("+4917123", 1, 1),
        "",
        1.7e9,
        1.7e9,
        **values,
    )


class Attempts:
    """Counts wrong passwords as the guard does."""

    def __init__(self, allowed: int = 1000) -> None:
        self.allowed, self.names = allowed, list[str]()

    def is_banned(self, host: str, now: float) -> bool:
        return len(self.names) >= self.allowed

    def failed(self, host: str, user: str, now: float, *, is_known: bool = True) -> None:
        self.names.append(user)


class Desk:
    """The room, its centre and where it listens."""

    def __init__(self, room: SmppRoom, centre: MemoryCentre, guard: Attempts) -> None:
        self.room, self.centre, self.guard = room, centre, guard
        self.customers: list[Customer] = []

    @property
    def port(self) -> int:
        return self.room.server.bound[0][2]

    async def connect(self, bind: smpp.Bind | None = CUSTOMER, **keys: Any) -> Customer:
        """A customer that is connected, and bound; it goes when the desk does."""
        customer = Customer(*await asyncio.open_connection("127.0.0.1", self.port, **keys))
        self.customers.append(customer)
        if bind is not None:
            answer = await customer.ask(bind)
            assert answer is not None
            assert answer.status == 0, answer
        return customer


def config_of(**tables: Any) -> Config:
    """A configuration with one customer, unless tables say otherwise."""
    tables.setdefault("smpp_accounts", [{"name": "customer", "password": PASSWORD}])
    smpp_table = {"listen": ["smpp:127.0.0.1:0"], "bind_delay": 0.05, "drain_timeout": 0.5} | tables.pop(
        "smpp", {}
    )
    return Config.model_validate({"smpp": smpp_table, **tables})


@asynccontextmanager
async def desk(*, guard: Attempts | None = None, **tables: Any) -> AsyncIterator[Desk]:
    """SMPP, running."""
    centre, attempts = MemoryCentre(), guard or Attempts()
    config = config_of(**tables)
    log = structlog.get_logger("smpp")
    room = SmppRoom(config, centre, guard=attempts, tls=Tls(config.tls), clock=Clock(), log=log)
    room.start()
    one = Desk(room, centre, attempts)
    try:
        yield one
    finally:
        for customer in one.customers:
            customer.close()
        await room.stop()


class Customer:
    """A raw customer: writes PDUs, and reads what comes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def write(self, *pdus: smpp.Pdu) -> None:
        self.writer.write(b"".join(smpp.pack(pdu) for pdu in pdus))

    async def read(self, timeout: float = 5.0) -> Any:
        """The next PDU; None: the connection has ended."""
        try:
            async with asyncio.timeout(timeout):
                head = await self.reader.readexactly(4)
                rest = await self.reader.readexactly(int.from_bytes(head) - 4)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        (pdu,), _ = smpp.parse_pdus(head + rest)
        return pdu

    async def ask(self, pdu: smpp.Pdu) -> Any:
        self.write(pdu)
        return await self.read()

    def close(self) -> None:
        self.writer.transport.abort()


async def until(is_so: Callable[[], object], what: str, timeout: float = 5.0) -> None:
    """Wait for what nobody announces."""
    for _ in range(round(timeout / 0.01)):
        if is_so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"not within {timeout} s: {what}")
