"""kill -9 of a switch that takes messages over REST: what was answered with 201 arrives (THREATS E8, F)."""

from __future__ import annotations

import asyncio
import base64
import os
import random
import signal
from pathlib import Path
from urllib.parse import urlencode

import httpcore
from twilio.rest import Client

from .harness import Switch
from .ports import free_port
from .smpp_ends import Carrier, Ledger
from .test_smpp_kill import until

SID, TOKEN = "AC" + "0" * 31 + "1", "0123456789abcdef0123456789abcdef"
OURS = "+15017122661"
KILLS = 50 if os.environ.get("SWITCHROOM_LONG") else 2
WINDOW, CLIENTS = 20, 8


def made(folder: Path, port: int, carrier: int) -> Switch:
    return Switch(
        folder,
        users=[],
        api={
            "rest": [f"http:127.0.0.1:{port}"],
            "account_sid": SID,
            "auth_token": TOKEN,
            "numbers": [OURS],
            "rate": 10_000.0,
            "burst": 10_000,
        },
        sms={"reserve": 1},
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


class Sender:
    """Posts messages until the switch is gone, and writes down which of them were answered with 201."""

    def __init__(self, port: int, taken: dict[str, str]) -> None:
        self.url = f"http://127.0.0.1:{port}/2010-04-01/Accounts/{SID}/Messages.json"
        self.taken = taken  # SID by text
        self.count = 0
        proof = base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
        self._headers = [
            ("Authorization", f"Basic {proof}"),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ]

    async def live(self) -> None:
        async with httpcore.AsyncConnectionPool(max_connections=CLIENTS) as pool:
            await asyncio.gather(*(self._post(pool) for _ in range(CLIENTS)))

    async def _post(self, pool: httpcore.AsyncConnectionPool) -> None:
        while True:
            self.count += 1
            text = f"message {self.count}"
            form = {"From": OURS, "To": f"+4917{random.randrange(10**8):08d}", "Body": text}
            try:
                response = await pool.request(
                    "POST", self.url, headers=self._headers, content=urlencode(form).encode()
                )
            except (httpcore.NetworkError, httpcore.ProtocolError):
                return
            assert response.status == 201, response.content
            self.taken[text] = response.content.decode().partition('"sid":"')[2][:34]


async def begin(switch: Switch, port: int) -> None:
    """Start it, and wait until REST is served."""
    await asyncio.to_thread(switch.start)
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


async def test_what_was_answered_with_201_arrives(tmp_path: Path) -> None:
    ledger, chance, taken = Ledger(), random.Random(5), dict[str, str]()
    port, carrier_port = free_port(), free_port()
    server = await Carrier(ledger).serve(carrier_port)
    switch = made(tmp_path / "switch", port, carrier_port)
    sender = Sender(port, taken)
    client = Client(SID, TOKEN)
    client.api.base_url = f"http://127.0.0.1:{port}"
    for life in range(KILLS):
        await begin(switch, port)
        if not life:
            await asyncio.to_thread(client.incoming_phone_numbers.create, phone_number=OURS)
        posting = asyncio.create_task(sender.live())
        count = len(taken)
        await until(lambda count=count: len(taken) > count + 50, 20, "messages are taken")  # type: ignore[misc]
        await asyncio.sleep(chance.random() * 0.3)
        assert switch.process is not None
        switch.process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(switch.process.wait)
        await posting
    await begin(switch, port)
    await until(lambda: all(text in ledger.carried for text in taken), 30 + KILLS, "everything arrives")
    await asyncio.sleep(0.5)  # the last receipts come back
    statuses = {sid: (await asyncio.to_thread(client.messages(sid).fetch)).status for sid in _last(taken)}
    await asyncio.to_thread(switch.stop)
    server.close()
    assert [text for text in taken if text not in ledger.carried] == []  # lost: 0
    assert ledger.repeated.total() <= WINDOW * KILLS
    assert set(statuses.values()) == {"delivered"}
    assert "Traceback" not in switch.said(200_000)


def _last(taken: dict[str, str]) -> list[str]:
    return list(taken.values())[-10:]
