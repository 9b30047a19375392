"""A message centre whose clock and disk the tests walk, with outlets and inlets that remember."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from switchroom.switch.config import SmsConfig, SmsRouteConfig, SmsRuleConfig
from switchroom.switch.net import Clock
from switchroom.switch.numbering import RateTable
from switchroom.switch.sms.centre import Centre
from switchroom.switch.sms.interfaces import (
    Address,
    Fault,
    Form,
    Notice,
    Outcome,
    Part,
    Receipt,
    Refusal,
    State,
    Submission,
)
from switchroom.switch.sms.routing import Routes
from switchroom.switch.store.sms import SqliteMessages

EPOCH = 1_800_000_000.0


class Log:
    """Remembers what was logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def info(self, event: str, **values: object) -> None:
        self.lines.append((event, values))

    debug = warning = error = info


class Outlet:
    """Takes parts up to its window; ``answer`` says what became of them."""

    def __init__(self, name: str, window: int = 10, form: Form | None = None, notation: str = "auto") -> None:
        self.name, self.window, self.form, self.id_notation = name, window, form or Form(), notation
        self.parts: list[Part] = []  # in hand
        self.seen: list[Part] = []

    def room(self, now: float) -> int:
        return self.window - len(self.parts)

    def send(self, parts: Sequence[Part], now: float) -> None:
        assert len(parts) <= self.room(now)
        self.parts += parts
        self.seen += parts

    @property
    def bodies(self) -> list[bytes]:
        return [part.body for part in self.seen]


class Inlet:
    """Hears notices."""

    def __init__(self, name: str, room: int = 100) -> None:
        self.name, self.window = name, room
        self.notices: list[Notice] = []
        self.open: list[Notice] = []

    def notice_room(self, now: float) -> int:
        return self.window - len(self.open)

    def notify(self, notices: Sequence[Notice], now: float) -> None:
        self.notices += notices
        self.open += notices


class World:
    """One switch's message room; ``restart`` is a crash after what is on the disk."""

    def __init__(
        self, folder: Path, *routes: dict[str, Any], rules: Sequence[dict[str, Any]] = (), **config: Any
    ) -> None:
        self.path = folder / "messages.db"
        self.config = SmsConfig(**{"retry_first": 10.0, **config})
        self.routes = [SmsRouteConfig(**route) for route in routes]
        self.now = 1000.0
        self.offset = EPOCH  # of the wall clock
        self.clock = Clock(lambda: self.now, lambda: self.now + self.offset)
        self.log = Log()
        self.results: list[int | Refusal] = []
        self.users: dict[str, str] = {}
        self.rates: RateTable | None = None
        self.rules = [SmsRuleConfig(**rule) for rule in rules]
        self.open()

    def open(self) -> None:
        self.store = SqliteMessages(self.path, reserve_size=0)
        self.store.start(has_threads=False)
        routes = Routes(
            self.routes,
            self.config,
            users=self.users,
            rates=self.rates,
            country=self.config.country,
            draw=lambda: 0.5,
        )
        self.centre = Centre(self.config, routes, self.store, self.clock, self.log, self.rules)
        self.centre.fates._draw = lambda: 0.5
        self.centre.start(self.now)
        self.turn()

    def close(self) -> None:
        self.store.close()

    def restart(self) -> None:
        """What is not on the disk is lost."""
        self.store.close()
        self.open()

    def turn(self) -> None:
        """Let the disk do what it was asked to."""
        while self.store.step(self.now):
            self.centre.drain(self.now)

    def walk(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now + seconds
        while (at := self.centre.next_timer()) is not None and at <= until:
            self.now = max(self.now, at)
            self.centre.handle_timer(self.now)
            self.turn()
            if self.centre.next_timer() == at:
                self.now += 0.01
        self.now = max(self.now, until)
        self.centre.handle_timer(self.now)
        self.turn()

    def submit(self, *texts: str | bytes, to: str = "+491701", **fields: Any) -> list[int]:
        """Hand over texts; the results are those of this batch."""
        batch = [self.message(text, to=to, **fields) for text in texts]
        before = len(self.results)
        self.centre.submit(batch, self.now, lambda _, results, now: self.results.extend(results))
        self.turn()
        return self.results[before:]  # type: ignore[return-value]

    def message(self, text: str | bytes = "hello", *, to: str = "+491701", **fields: Any) -> Submission:
        values = {"inlet": "account:acme", "source": Address("+49301", 1, 1), **fields}
        body = text if isinstance(text, bytes) else text.encode()
        if isinstance(text, bytes):
            values.setdefault("coding", 0)
        return Submission(destination=Address(to, 1, 1), body=body, **values)

    def attach(self, *things: Outlet | Inlet) -> None:
        for thing in things:
            if isinstance(thing, Outlet):
                self.centre.attach(outlet=thing, now=self.now)
            else:
                self.centre.attach(inlet=thing, now=self.now)
        self.turn()

    def answer(
        self, outlet: Outlet, *ids: str, fault: Fault | None = None, code: int = 0, is_delivered: bool = False
    ) -> None:
        """The next hop answers for what it has, the oldest first: each with an id, or all with a fault."""
        count = len(ids) or len(outlet.parts)
        parts, outlet.parts = outlet.parts[:count], outlet.parts[count:]
        outcomes = [
            Outcome(part, ids[n] if ids else "", fault, code, is_delivered=is_delivered)
            for n, part in enumerate(parts)
        ]
        self.centre.report(outlet.name, outcomes, self.now)
        self.turn()

    def receipt(self, outlet: Outlet, *ids: str, state: State = State.DELIVERED, **fields: Any) -> list[int]:
        """Receipts come; gives what was acknowledged."""
        heard: list[int] = []
        receipts = [Receipt(id, state, **fields) for id in ids]
        self.centre.receive_receipts(outlet, receipts, self.now, lambda n, at: heard.append(n), len(ids))
        self.turn()
        return heard

    def hear(self, inlet: Inlet) -> None:
        """The inlet acknowledges all that it has."""
        ids, inlet.open = [notice.id for notice in inlet.open], []
        self.centre.noticed(inlet.name, ids, self.now)
        self.turn()

    def ask(self, what: str, *values: Any) -> Any:
        """Query, cancel, redact ... and what it answers."""
        heard: list[Any] = []
        getattr(self.centre, what)(*values, self.now, lambda context, answer, now: heard.append(answer))
        self.turn()
        [answer] = heard
        return answer

    def state(self, id: int) -> State:
        return State(self.ask("query", id, "").state)

    def history(self, id: int) -> list[State]:
        return [State(row[1]) for row in self.store._once("history", id)]
