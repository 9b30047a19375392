"""kill -9 of a switch with a modem: what it deleted is on the disk, what it took goes (THREATS E8, E9).

Some seconds a kill: a switch and a modem start each time. SWITCHROOM_LONG=1 kills 100 times.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

from switchroom.switch.ops.control import ControlError, ask

from .harness import Switch, wait_until
from .modems import FIRST, ModemSimulator

KILLS = 100 if os.environ.get("SWITCHROOM_LONG") else 2
ABROAD = "+33612345678"
IN_FLIGHT = 2  # messages that a modem has at once


class House(Switch):
    def __init__(self, folder: Path, port: str) -> None:
        modem = {"name": "a", "port": port, "poll_interval": 1.0, "reopen_interval": 0.2}
        super().__init__(
            folder,
            users=[{"name": "desk", "password": "x" * 12, "number": "200"}],
            sms={"reserve": 1},
            modems=[modem],
            sms_routes=[
                {"name": "in", "inlets": ["modem:*"], "to": "user:desk"},
                {"name": "out", "to": "modem:a", "retry_first": 0.2},
            ],
        )

    def submit(self, text: str) -> bool:
        try:
            ask(self.state / "control.sock", "sms.send", {"text": text, "to": ABROAD})
        except ControlError:
            return False  # it is not there, or died before it answered
        return True

    def kept(self) -> Counter[str]:
        with closing(connect(self.state / "messages.db")) as store:
            found = store.execute("SELECT body FROM messages WHERE inlet = 'modem:a'").fetchall()
        return Counter(body.decode() for (body,) in found)


def test_kills_lose_nothing(tmp_path: Path) -> None:
    rng = random.Random(7)
    taken: list[str] = []
    told: list[str] = []
    with ModemSimulator(tmp_path, "--delay", "0.01") as simulator:
        switch = House(tmp_path / "switch", simulator.port(1))

        def exchange(count: int) -> None:
            """Until it has taken so many more."""
            until = len(taken) + count
            limit = time.monotonic() + 60.0
            while len(taken) < until:
                assert time.monotonic() < limit, f"{len(taken)} of {until} taken"
                text = f"out {len(taken)}."
                if switch.submit(text):
                    taken.append(text)
                told.append(f"in {len(told)}.")
                simulator.order(f"send +4930123 {FIRST} {told[-1]}")
                time.sleep(0.03)

        for _ in range(KILLS):
            switch.start()
            before = simulator.said().count(f"submitted: {FIRST}")
            exchange(30)
            wait_until(lambda n=before: simulator.said().count(f"submitted: {FIRST}") > n, 60.0, "one to go")
            exchange(rng.randrange(30))
            switch.end(signal.SIGKILL)
        with switch:
            wait_until(lambda: set(switch.kept()) >= set(told), 60.0, "all that came", interval=0.5)
            submitted = f"submitted: {FIRST} to {ABROAD[1:]} "
            wait_until(
                lambda: all(submitted + text in simulator.said() for text in taken), 60.0, "all to go", 0.5
            )
        assert set(switch.kept().values()) == {1}  # nothing came twice, however often it was read
        sent = Counter(line.removeprefix(submitted) for line in simulator.said().splitlines())
        assert sum(sent[text] - 1 for text in taken) <= IN_FLIGHT * KILLS
    assert "Traceback" not in switch.said(200_000)
