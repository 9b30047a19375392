"""What do millions of waiting messages cost: at the start, in memory, and for those that come and go?

    python bench/sms_queue.py [--counts 0,1000,100000,1000000] [--messages 20000] [--rounds 1]

For each count a store is filled, then a process of its own starts a message centre on it ("start" is the time
until the next messages are in memory), takes new messages while a next hop takes waiting ones, each with a
receipt, all durable, and ends. What waits is for that next hop ("ahead": new messages go behind it, on the
disk, and what is taken comes from there) or for another one ("elsewhere": new messages pass it). CPU is that
of the whole process, its threads and SQLite, for one message that came and one that went; memory is the most
it ever had. Rounds are in turn, and the middle of each measurement is shown: a machine has its moods.
5,000,000 take about two minutes to fill and 1.5 GB, for each of both.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import report
import uvloop

from switchroom.switch.config import SmsConfig, SmsRouteConfig
from switchroom.switch.net import Clock
from switchroom.switch.sms.centre import Centre
from switchroom.switch.sms.interfaces import (
    Address,
    Form,
    Notice,
    Outcome,
    Part,
    Receipt,
    State,
    Submission,
)
from switchroom.switch.sms.routing import Routes
from switchroom.switch.store.sms import Queued, Row, SqliteMessages
from switchroom.switch.store.sms.pending import Accepted

BATCH, WINDOW, BODY = 50, 1000, b"x" * 80
FILL = 5000
LANES = {"ahead": "trunk:a", "elsewhere": "account:later"}


class Log:
    def debug(self, event: str, **values: object) -> None: ...

    info = warning = error = debug


def fill(path: Path, count: int, lane: str = "trunk:a") -> None:
    """Put so many messages into a lane."""
    store = SqliteMessages(path, reserve_size=0)
    store.start(has_threads=False)
    now = time.time()
    for at in range(0, count, FILL):
        rows = [
            Row(
                *(store.next_id(), "account:acme", "+4930123", 257, f"+49171{n:07d}", 257, BODY, 0, None),
                *(1, 0, now + 600_000, now, State.QUEUED, lane, "all", 0, now, "", "", 1),
            )
            for n in range(at, min(at + FILL, count))
        ]
        queued = [Queued(lane, 3, row.id, row.expires_at) for row in rows]
        store.pending.accept(Accepted(rows, queued, [], [], {}, (lambda *_: None, None)))
        store.step(0.0)
    store.close()


class Carrier:
    """Takes messages and answers in the next turn of the loop, with a receipt."""

    name, form, id_notation = "trunk:a", Form(), "auto"

    def __init__(self, world: World) -> None:
        self.world = world
        self.in_hand: list[Part] = []
        self.count = 0

    def room(self, now: float) -> int:
        return WINDOW - len(self.in_hand) if self.count < self.world.wanted else 0

    def send(self, parts: Sequence[Part], now: float) -> None:
        if not self.in_hand:
            asyncio.get_running_loop().call_soon(self.answer)
        self.in_hand += parts

    def answer(self) -> None:
        parts, self.in_hand = self.in_hand, []
        first, self.count = self.count, self.count + len(parts)
        ids = [f"{first + n + 0x10000000:x}" for n in range(len(parts))]
        now = self.world.clock.now()
        self.world.centre.report(self.name, [Outcome(p, id) for p, id in zip(parts, ids, strict=True)], now)
        receipts = [Receipt(id, State.DELIVERED, "000") for id in ids]
        self.world.centre.receive_receipts(self, receipts, now, lambda *_: None)


class Customer:
    """Hears receipts and acknowledges them."""

    name = "account:acme"

    def __init__(self, world: World) -> None:
        self.world = world
        self.heard = 0

    def notice_room(self, now: float) -> int:
        return 10_000

    def notify(self, notices: Sequence[Notice], now: float) -> None:
        asyncio.get_running_loop().call_soon(self.acknowledge, [notice.id for notice in notices])

    def acknowledge(self, ids: list[int]) -> None:
        self.heard += len(ids)
        self.world.centre.noticed(self.name, ids, self.world.clock.now())


class World:
    """A centre on a store that is there."""

    def __init__(self, path: Path, wanted: int) -> None:
        self.wanted, self.clock = wanted, Clock()
        self.began_at = time.monotonic()
        self.store = SqliteMessages(path, reserve_size=0)
        self.store.start()
        config = SmsConfig()
        routes = Routes(
            [
                SmsRouteConfig(name="later", match="+999*", to="account:later"),
                SmsRouteConfig(name="all", to="trunk:a"),
            ],
            config,
        )
        self.centre = Centre(config, routes, self.store, self.clock, Log())
        self.carrier, self.customer = Carrier(self), Customer(self)
        self.taken = 0
        self._is_woken = False

    def wake(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._is_woken:
            self._is_woken = True
            loop.call_soon_threadsafe(self.drain)

    def drain(self) -> None:
        self._is_woken = False
        self.centre.drain(self.clock.now())

    async def run(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        self.store.on_wake = lambda: self.wake(loop)
        self.centre.start(self.clock.now())
        for lane in self.centre.lanes:
            self.centre.lanes.fill(lane)
        await until(lambda: all(lane.heads or not lane.count for lane in self.centre.lanes))
        start = time.monotonic() - self.began_at
        self.centre.attach(inlet=self.customer, outlet=self.carrier, now=self.clock.now())
        began_at, cpu = time.monotonic(), time.process_time()
        given = 0
        while given < self.wanted:
            if given - self.taken >= 2000:
                await asyncio.sleep(0.001)
                continue
            batch = [self.message(n) for n in range(given, given + BATCH)]
            self.centre.submit(batch, self.clock.now(), self.hear)
            given += BATCH
            await asyncio.sleep(0)
        await until(lambda: self.customer.heard >= self.wanted and self.taken >= self.wanted)
        seconds, cpu = time.monotonic() - began_at, time.process_time() - cpu
        await asyncio.to_thread(self.store.close)
        return {
            "start_s": round(start, 2),
            "messages_per_s": round(self.wanted / seconds),
            "cpu_s_per_1000": round(cpu / self.wanted * 1000, 4),
            "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }

    def message(self, number: int) -> Submission:
        to = Address(f"+49172{number:07d}", 1, 1)
        return Submission("account:acme", Address("+4930123", 1, 1), to, BODY, 0, wish=1)

    def hear(self, _: Sequence[Submission], results: Sequence[Any], now: float) -> None:
        assert all(isinstance(result, int) for result in results)
        self.taken += len(results)


def measured(path: Path, count: int) -> dict[str, Any]:
    """One process on this file, which is gone afterwards."""
    command = [sys.executable, __file__, "--on", str(path), "--messages", str(count)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for file in path.parent.glob(path.name + "*"):
        file.unlink()
    found: dict[str, Any] = json.loads(said)
    return found


def middle(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each figure."""
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}


async def until(is_so: Callable[[], bool]) -> None:
    """Look again each millisecond: nobody announces it."""
    while not is_so():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


def main() -> None:
    """Measure each count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--counts", default="0,1000,100000,1000000")
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--on", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.on:
        gc.set_threshold(10_000, 50, 1_000)  # as the switch does
        print(json.dumps(uvloop.run(World(Path(options.on), options.messages).run())))  # noqa: T201
        return
    kinds = [
        (count, where)
        for count in map(int, options.counts.split(","))
        for where in (LANES if count else ("nowhere",))
    ]
    found: dict[tuple[int, str], list[dict[str, Any]]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds:
            fill(Path(folder) / f"{kind[1]}{kind[0]}.db", kind[0], LANES.get(kind[1], ""))
        for _ in range(options.rounds):
            for count, where in kinds:
                path = Path(folder) / "messages.db"
                shutil.copy(path.with_name(f"{where}{count}.db"), path)
                with path.open("rb") as file:
                    os.fsync(file.fileno())  # else the disk is busy with it meanwhile
                found[count, where].append(measured(path, options.messages))
    rows = [{"waiting": count, "where": where, **middle(found[count, where])} for count, where in kinds]
    report.show("Messages that wait", rows)
    report.save("sms_queue", rows, {"messages": options.messages, "window": WINDOW, "rounds": options.rounds})
    report.plot_lines(
        "sms_queue",
        [{**row, "where": where} for row in rows for where in LANES if row["where"] in (where, "nowhere")],
        x="waiting",
        y="cpu_s_per_1000",
        line="where",
        title="CPU for 1,000 messages while others wait",
    )


if __name__ == "__main__":
    main()
