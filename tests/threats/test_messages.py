"""THREATS E9, E10, G5, G6 for messages: clocks that jump, full disks, dead carriers, modems that rave."""

from __future__ import annotations

import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest

from switchroom.switch.ops.control import ControlError, ask

from ..peers.harness import PASSWORD, Switch, users, wait_until
from ..peers.phone import Phone
from ..peers.ports import free_port
from .conftest import ALICE
from .test_reliability import FakeClock

__all__ = ["clock"]


class Centre(Switch):
    """A switch whose only carrier is not there."""

    def __init__(self, folder: Path, **tables: Any) -> None:
        trunk = {"name": "down", "address": f"smpp:127.0.0.1:{free_port()}", "system_id": "x"}
        tables = {
            "smpp_trunks": [{**trunk, "password": PASSWORD}],
            "sms_routes": [{"name": "all", "match": "*", "to": "trunk:down"}],
            **tables,
        }
        super().__init__(folder, users=users([ALICE]), **tables)

    def question(self, name: str, **arguments: Any) -> Any:
        return ask(self.state / "control.sock", name, arguments)

    def send(self, text: str, **options: Any) -> int:
        return int(self.question("sms.send", text=text, to="+491701", **options)["id"])

    def state_of(self, id: int) -> str:
        return str(self.question("message", id=id)["state"])

    def kept(self) -> set[int]:
        with closing(connect(self.state / "messages.db")) as store:
            assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return {id for (id,) in store.execute("SELECT id FROM messages")}


@pytest.fixture
def clock(tmp_path: Path) -> FakeClock:
    return FakeClock(tmp_path)


@pytest.mark.peer("faketime")
def test_the_clock_jumps_while_messages_wait(tmp_path: Path, clock: FakeClock) -> None:
    """G5: nothing expires, nothing is sent early; what is new goes on."""
    switch = Centre(tmp_path / "switch", sms={"validity": 1800})
    switch.start(environment=clock.environment)
    try:
        waits, later = switch.send("waits"), switch.send("later", delay=600.0)
        for offset in ("+3600", "-3600", "+2592000"):
            clock.jump(offset)
            time.sleep(0.3)
            assert switch.state_of(waits) == "queued"
            assert switch.state_of(later) == "scheduled"
            assert switch.state_of(switch.send("new")) == "queued"
        switch.wait_said("messages.clock_stepped")
    finally:
        switch.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("a small disk needs root: mount -t tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_the_disk_is_full(tmp_path: Path, small_disk: Path) -> None:
    """G6: nothing more is taken, calls go on, nothing that was taken is lost; it goes on by itself."""
    switch = Centre(tmp_path / "switch", switch={"state_dir": str(small_disk)}, sms={"reserve": 1})
    switch.state = small_disk
    ballast = small_disk / "ballast"
    taken: list[int] = []
    with switch, Phone(switch.address, ALICE, PASSWORD) as phone:
        taken.append(switch.send("before"))
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        wait_until(lambda: not _takes(switch, taken), 60.0, "the first refusal", interval=0.0)
        switch.wait_said("messages.failed")
        assert phone.options() < 0.5
        ballast.unlink()
        wait_until(lambda: _takes(switch, taken), 10.0, "that it goes on")
        switch.wait_said("messages.recovered")
        switch.kill()
        switch.start()
        assert set(taken) <= switch.kept()


def _takes(switch: Centre, taken: list[int]) -> bool:
    """Whether a message is taken; what is refused says why."""
    try:
        taken.append(switch.send("x" * 3000))
    except ControlError as error:
        if not str(error).startswith("refused: the disk"):
            raise
        return False
    return True


def test_a_dead_carrier_and_a_modem_that_raves(tmp_path: Path) -> None:
    """E10, E9: what waits for a carrier that is down costs less than 5 % of a core; octets without sense and
    floods of reports, as fast as a port carries them, keep nobody else from being served.
    """
    ours, port = os.openpty()
    os.set_blocking(ours, False)
    rng = random.Random(1)
    floods = [
        rng.randbytes(4096),
        b'\r\n+CMTI: "SM",%d\r\n' * 100 % tuple(range(100)),
        b"\r\nRING\r\n" * 400,
        b"x" * 4096,
        b"\r\nOK\r\n" * 400,
    ]
    is_over = threading.Event()
    written = 0

    def rave() -> None:
        nonlocal written
        while not is_over.wait(0.002):
            with suppress(BlockingIOError):
                written += os.write(ours, rng.choice(floods))
            with suppress(BlockingIOError):
                os.read(ours, 65536)

    modems = [{"name": "mad", "port": os.ttyname(port)}]
    with (
        Centre(tmp_path / "switch", modems=modems) as switch,
        Phone(switch.address, ALICE, PASSWORD) as phone,
    ):
        for n in range(100):
            switch.send(f"{n}")
        before, began = switch.cpu_seconds(), time.monotonic()
        time.sleep(3.0)
        assert switch.cpu_seconds() - before < 0.05 * (time.monotonic() - began)
        assert len(switch.question("messages", state="queued", limit=1000)) == 100
        size = switch.rss_bytes()
        thread = threading.Thread(target=rave)
        thread.start()
        try:
            for _ in range(8):
                assert phone.options() < 0.5
                time.sleep(0.5)
            assert isinstance(switch.send("meanwhile"), int)
            assert written > 100_000
            assert switch.rss_bytes() - size < 50_000_000
            assert len(switch.log.read_bytes()) < 100_000
            assert "Traceback" not in switch.said(100_000)
        finally:
            is_over.set()
            thread.join()
    os.close(ours)
    os.close(port)
