"""The switch as a process of its own: a generated configuration, its command line, its records, its end."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from switchroom.switch.ops.control import ControlError, ask

from .ports import TETHER, free_port
from .raw import SilenceError, Wire

PASSWORD = "correct-horse-7"
_TICKS = os.sysconf("SC_CLK_TCK")

Table = dict[str, Any]
Found = TypeVar("Found")


def _toml_value(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml_value(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml_value(v)}" for key, v in value.items()) + " }"
    return json.dumps(value)


def to_toml(config: Table) -> str:
    """TOML of tables and lists of tables, one level deep."""
    lines = []
    for name, table in config.items():
        for one in table if isinstance(table, list) else [table]:
            lines.append(f"[[{name}]]" if isinstance(table, list) else f"[{name}]")
            lines += [f"{key} = {_toml_value(value)}" for key, value in one.items()]
            lines.append("")
    return "\n".join(lines)


def user(name: str, password: str = PASSWORD, **more: Any) -> Table:
    return {"name": name, "password": password, "number": name, **more}


def users(names: Iterable[int | str]) -> list[Table]:
    return [user(str(n)) for n in names]


def wait_until(
    is_done: Callable[[], Found | None], timeout: float, what: str, interval: float = 0.03
) -> Found:
    """Ask again until the answer is true; for states that nobody announces."""
    until = time.monotonic() + timeout
    while True:
        if found := is_done():
            return found
        assert time.monotonic() < until, f"not within {timeout} s: {what}"
        time.sleep(interval)


# A shared machine stands still now and then: what a test does is never so much that it must be refused.
PATIENT: Table = {"lag": 5.0, "drop_lag": 30.0, "max_wait": 5.0}


class Switch:
    """One `switchroom serve` in a folder of its own, on free ports of 127.0.0.1."""

    def __init__(self, folder: Path, *, users: list[Table], **tables: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.state = folder, folder / "state"
        self.port = free_port()
        self.api_port = free_port()
        self.address = ("127.0.0.1", self.port)
        ports = free_port(400)
        self.config: Table = {
            "switch": {"state_dir": str(self.state)},
            "sip": {"listen": [f"udp:127.0.0.1:{self.port}", f"tcp:127.0.0.1:{self.port}"]},
            "media": {"ports": f"{ports + ports % 2}-{ports + 398}"},
            "calls": {},
            "overload": PATIENT,
            "api": {"listen": f"127.0.0.1:{self.api_port}"},
            "users": users,
        }
        for name, table in tables.items():
            if isinstance(table, dict):
                self.config[name] = {**self.config.get(name, {}), **table}
            else:
                self.config[name] = table
        self.file = folder / "switchroom.toml"
        self.log = folder / "serve.log"
        self.arguments: list[str] = []  # more of its command line
        self.process: subprocess.Popen[bytes] | None = None
        self._started_at = 0  # where its log began

    # ---- life

    def write(self) -> None:
        self.file.write_text(to_toml(self.config))

    def start(
        self, *, prefix: Iterable[str] = (), environment: dict[str, str] | None = None, timeout: float = 60.0
    ) -> Switch:
        """Start it and wait until it answers an OPTIONS."""
        self.write()
        command = [*TETHER, *prefix, sys.executable, "-m", "switchroom.switch", "serve", "-c", str(self.file)]
        command += self.arguments
        with self.log.open("ab") as out:
            self._started_at = out.tell()
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self.folder,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        try:
            self.wait_ready(timeout)
        except BaseException:
            self.kill()
            raise
        return self

    def wait_ready(self, timeout: float = 60.0) -> None:
        until = time.monotonic() + timeout
        while True:
            assert self.is_alive, "the switch ended at its start:\n" + self.said()
            with Wire(self.address) as probe:
                try:
                    probe.options(0.2)
                    break
                except SilenceError:
                    assert time.monotonic() < until, "the switch does not answer:\n" + self.said()

        count = self.config["switch"].get("workers", 1)
        if isinstance(count, int) and count > 1:  # one of them answered, and may read for another
            wait_until(lambda: len(self._workers()) == count, until - time.monotonic(), "all workers")

    def _workers(self) -> list[str]:
        try:
            return list(self.status()["workers"])
        except ControlError:
            return []

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """Of the switch itself, below a wrapper such as faketime or prlimit when there is one."""
        assert self.process is not None
        return self.process.pid

    def said(self, size: int = 6000) -> str:
        return self.log.read_text(errors="replace")[-size:]

    def wait_said(self, what: str, timeout: float = 20.0) -> str:
        """The line of its log, since it was started last, that holds a word, as soon as it is there."""

        def found() -> str | None:
            lines = self.log.read_bytes()[self._started_at :].decode(errors="replace").splitlines()
            return next((line for line in lines if what in line), None)

        return wait_until(found, timeout, f"{what} in the log")

    def end(self, how: signal.Signals = signal.SIGINT, timeout: float = 10.0) -> int:
        """Ask it to end, and wait; its exit status."""
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(timeout)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        """The end of a test: whatever state it is in."""
        if self.is_alive:
            try:
                self.end(timeout=8)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError("the switch did not end on SIGINT within 8 s:\n" + self.said()) from None

    def __enter__(self) -> Switch:
        return self if self.is_alive else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ---- its command line

    def cli(self, *arguments: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "switchroom.switch", *arguments, "-c", str(self.file)],
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=self.folder,
        )

    def ask(self, command: str) -> Any:
        """What `status`, `calls` or `registrations` say in JSON; without a process for each question."""
        return ask(Path(self.config["switch"]["state_dir"]) / "control.sock", command, timeout=30.0)

    def status(self) -> Table:
        found: Table = self.ask("status")
        return found

    def calls(self) -> list[Table]:
        found: list[Table] = self.ask("calls")
        return found

    def registrations(self) -> list[Table]:
        found: list[Table] = self.ask("registrations")
        return found

    def metric(self, name: str) -> float:
        """One value of its metrics, without labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.api_port}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
        return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))

    def metric_sum(self, name: str) -> float:
        """All values of one of its metrics, whatever their labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.api_port}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))

    def wait_idle(self, timeout: float = 10.0) -> Table:
        """Until nothing is held any more: no call, no media port, no transaction."""
        last: Table = {}

        def is_idle() -> bool:
            nonlocal last
            last = self.status()
            return not any(held(last).values())

        try:
            wait_until(is_idle, timeout, "idle", interval=0.2)
        except AssertionError:
            raise AssertionError(f"after {timeout} s still held: {held(last)}") from None
        return last

    # ---- what it wrote

    def _rows(self, table: str) -> list[Table]:
        with closing(
            sqlite3.connect(f"file:{self.state}/switchroom.db?mode=ro", uri=True, timeout=5)
        ) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY setup_at")]

    def records(self) -> list[Table]:
        """The calls that ended, oldest first."""
        return self._rows("records")

    def live_records(self) -> list[Table]:
        """The calls whose record is open."""
        return self._rows("live")

    def record_lines(self) -> list[Table]:
        """The same calls as lines of JSON."""
        file = self.state / "cdr.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def wait_record(self, is_it: Callable[[Table], bool] = lambda row: True, timeout: float = 5.0) -> Table:
        """The first closed record that fits, as soon as it is there."""
        return wait_until(
            lambda: next((row for row in self.records() if is_it(row)), None), timeout, "a record"
        )

    # ---- what it costs

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def rss_bytes(self) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))


def held(status: Table) -> dict[str, int]:
    """What must be zero when nothing happens."""
    return {name: status[name] for name in ("calls", "media_ports", "transactions")}
