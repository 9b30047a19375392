"""A message centre under load, to be killed: all that customer and carrier see goes into a ledger.

A customer hands over messages and hears receipts. A carrier takes messages, and sends a receipt for each
until it is acknowledged, over several lives of this process: its memory is the ledger.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from switchroom.switch.config import SmsConfig, SmsRouteConfig
from switchroom.switch.net import Clock
from switchroom.switch.sms.centre import Centre
from switchroom.switch.sms.interfaces import Address, Form, Notice, Outcome, Part, Receipt, State, Submission
from switchroom.switch.sms.routing import Routes
from switchroom.switch.store.sms import SqliteMessages

WINDOW = 50
BATCH = 20


class Log:
    def info(self, event: str, **values: object) -> None:
        sys.stderr.write(f"{event} {values}\n")

    debug = warning = error = info


class Ledger:
    """Lines that outlive a kill: the kernel has them when ``write`` returns."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, what: str, *values: object) -> None:
        os.write(self._file, f"{what} {' '.join(map(str, values))}\n".encode())


class Carrier:
    """Answers after a moment, and sends receipts until they are acknowledged."""

    name, form, id_notation = "trunk:a", Form(), "auto"

    def __init__(self, world: World, owed: list[str]) -> None:
        self.world, self.owed = world, owed
        self.in_hand: list[Part] = []
        self.is_due = False

    def room(self, now: float) -> int:
        return WINDOW - len(self.in_hand)

    def send(self, parts: Sequence[Part], now: float) -> None:
        for part in parts:
            self.world.ledger.write("sent", part.message.id)
        self.in_hand += parts
        if not self.is_due:
            self.is_due = True
            asyncio.get_running_loop().call_later(random.random() * 0.004, self.answer)

    def answer(self) -> None:
        self.is_due = False
        parts, self.in_hand = self.in_hand, []
        outcomes = []
        for part in parts:
            remote_id = f"{os.getpid()}x{part.message.id}"
            self.world.ledger.write("took", remote_id, part.message.id)
            self.owed.append(remote_id)
            outcomes.append(Outcome(part, remote_id))
        self.world.centre.report(self.name, outcomes, self.world.now())

    def send_receipts(self) -> None:
        owed, self.owed = self.owed[:100], self.owed[100:]
        receipts = [Receipt(id, State.DELIVERED) for id in owed]
        if receipts:
            self.world.centre.receive_receipts(self, receipts, self.world.now(), self.acknowledged, owed)

    def acknowledged(self, ids: list[str], now: float) -> None:
        for id in ids:
            self.world.ledger.write("receipted", id)


class Customer:
    """Hands over batches, and acknowledges receipts after a moment."""

    name = "account:acme"

    def __init__(self, world: World) -> None:
        self.world = world

    def notice_room(self, now: float) -> int:
        return 1000

    def notify(self, notices: Sequence[Notice], now: float) -> None:
        asyncio.get_running_loop().call_later(random.random() * 0.003, self.hear, notices)

    def hear(self, notices: Sequence[Notice]) -> None:
        for notice in notices:
            self.world.ledger.write("notice", notice.message, notice.state.name)
        self.world.centre.noticed(self.name, [notice.id for notice in notices], self.world.now())

    def submit(self) -> None:
        batch = [
            Submission(self.name, Address("+49301"), Address(f"+4917{n}"), b"x" * 100, wish=1)
            for n in range(BATCH)
        ]
        self.world.centre.submit(batch, self.world.now(), self.submitted)

    def submitted(self, _: Sequence[Submission], results: Sequence[Any], now: float) -> None:
        for result in results:
            self.world.ledger.write("acknowledged", result)


class World:
    """One life."""

    def __init__(self, folder: Path) -> None:
        lines = (folder / "ledger").read_text().splitlines() if (folder / "ledger").exists() else []
        took = [line.split()[1] for line in lines if line.startswith("took ")]
        receipted = {line.split()[1] for line in lines if line.startswith("receipted ")}
        self.ledger = Ledger(folder / "ledger")
        clock = Clock()
        self.now = clock.now
        self.store = SqliteMessages(folder / "messages.db", reserve_size=0)
        self.store.start()
        config = SmsConfig()
        self.centre = Centre(
            config, Routes([SmsRouteConfig(name="a", to="trunk:a")], config), self.store, clock, Log()
        )
        self.carrier = Carrier(self, [id for id in took if id not in receipted])
        self.customer = Customer(self)

    async def run(self, is_last: bool) -> None:
        loop = asyncio.get_running_loop()
        self.store.on_wake = lambda: loop.call_soon_threadsafe(lambda: self.centre.drain(self.now()))
        self.centre.start(self.now())
        self.ledger.write("started", self.centre.book.counters["maybe_twice"])
        self.centre.attach(inlet=self.customer, outlet=self.carrier, now=self.now())
        quiet = 0
        while quiet < 50:
            if not is_last:
                self.customer.submit()
            self.carrier.send_receipts()
            await asyncio.sleep(0.002)
            is_quiet = not (self.centre.waiting or self.carrier.in_hand or self.carrier.owed)
            quiet = quiet + 1 if is_quiet and not self.centre.notices.waiting and is_last else 0
            self.centre.handle_timer(self.now())


if __name__ == "__main__":
    asyncio.run(World(Path(sys.argv[1])).run(sys.argv[2] == "last"))
