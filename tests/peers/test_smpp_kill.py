"""kill -9 of a switch between a customer and a carrier over SMPP: both ledgers compared (THREATS E8)."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from pathlib import Path

from .harness import Switch
from .ports import free_port
from .smpp_ends import Carrier, Customer, Ledger

KILLS = int(os.environ.get("SWITCHROOM_KILLS", 200 if os.environ.get("SWITCHROOM_LONG") else 2))
WINDOW = 20
PASSWORD = "secret12"


def made(folder: Path, port: int, carrier: int) -> Switch:
    return Switch(
        folder,
        users=[],
        sms={"reserve": 1},
        smpp={"listen": [f"smpp:127.0.0.1:{port}"], "bind_delay": 0.0, "drain_timeout": 0.1},
        smpp_accounts=[{"name": "acme", "password": PASSWORD, "window": 100}],
        smpp_trunks=[
            {
                "name": "carrier",
                "address": f"smpp:127.0.0.1:{carrier}",
                "system_id": "us",
                "window": WINDOW,
                "reconnect_min": 0.1,
                "reconnect_max": 0.2,
            }
        ],
        sms_routes=[{"name": "all", "to": "trunk:carrier", "retry_first": 0.2}],
    )


async def until(is_so: object, seconds: float, what: str) -> None:
    give_up_at = time.monotonic() + seconds
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < give_up_at, what
        await asyncio.sleep(0.02)


async def one_life(switch: Switch, customer: Customer, port: int) -> asyncio.Task[None]:
    await asyncio.to_thread(switch.start)
    return asyncio.create_task(customer.live(port, PASSWORD))


async def test_kills_lose_nothing_and_repeat_only_what_was_in_flight(tmp_path: Path) -> None:
    ledger, chance = Ledger(), random.Random(3)
    customer, port, carrier_port = Customer(ledger), free_port(), free_port()
    server = await Carrier(ledger).serve(carrier_port)
    switch = made(tmp_path / "switch", port, carrier_port)
    for ledger.life in range(KILLS):
        life = await one_life(switch, customer, port)
        count = len(ledger.acknowledged)
        await until(lambda count=count: len(ledger.acknowledged) > count + 50, 20, "messages are taken")  # type: ignore[misc]
        await asyncio.sleep(chance.random() * 0.3)
        assert switch.process is not None
        switch.process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(switch.process.wait)
        await life
    ledger.life, customer.is_submitting = KILLS, False
    life = await one_life(switch, customer, port)
    texts = ledger.acknowledged
    await until(
        lambda: not ledger.lost and all(ledger.receipted[ledger.ids[text]] for text in texts),
        30 + KILLS,
        "everything arrives",
    )
    await asyncio.to_thread(switch.stop)
    await life
    server.close()
    twice = ledger.repeated
    print(f"{KILLS} kills: {len(texts)} acknowledged, {len(ledger.lost)} lost, {twice.total()} twice {twice}")  # noqa: T201
    assert all(len(set(lives)) == len(lives) for lives in ledger.carried.values())  # never twice in one life
    assert max(twice.values(), default=0) <= WINDOW  # of each life what was in flight at its end
    assert "Traceback" not in switch.said(200_000)
