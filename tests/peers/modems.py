"""`switchroom modem-simulator` as a process, and a program of others that has one of its ports."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from .harness import wait_until
from .ports import TETHER

FIRST, SECOND = "+491700000001", "+491700000002"


class ModemSimulator:
    """Two modems; what happens in their network stands in ``said``."""

    def __init__(self, folder: Path, *arguments: str, sims: Iterable[str] = (FIRST, SECOND)) -> None:
        # Links of its own, with short names: some programs keep no long ones
        self.folder = folder
        self._ports = Path(tempfile.mkdtemp(prefix="modem", dir="/tmp"))
        self._control = str(self._ports / "control")
        self._log = folder / "simulator.log"
        command = [*TETHER, sys.executable, "-m", "switchroom.switch", "modem-simulator", *arguments]
        command += ["--link", str(self._ports / "modem"), "--control", self._control]
        for sim in sims:
            command += ["--sim", sim]
        with self._log.open("wb") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        wait_until(lambda: self._is_there(), 15.0, "the simulator's control socket")

    def _is_there(self) -> bool:
        assert self.process.poll() is None, self.said()
        with socket.socket(socket.AF_UNIX) as sock:  # the file is there a little before who listens
            return sock.connect_ex(self._control) == 0

    def __enter__(self) -> ModemSimulator:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self._ports)
        if kind is not None:
            print(self.said())  # noqa: T201

    def port(self, number: int) -> str:
        """Of the first modem or another one."""
        return str(self._ports / f"modem{number}")

    def order(self, line: str) -> list[str]:
        """What it answers, without the ok."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5.0)
            sock.connect(self._control)
            sock.sendall(f"{line}\n".encode())
            answer = list(_lines(sock))
        assert answer[-1] == "ok", answer
        return answer[:-1]

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_said(self, what: str, timeout: float = 20.0) -> None:
        wait_until(lambda: what in self.said(), timeout, f"{what!r} of the simulator")


def _lines(sock: socket.socket) -> Iterator[str]:
    for line in sock.makefile():
        said = line.rstrip("\n")
        yield said
        if said == "ok" or said.startswith("error: "):
            return


class Program:
    """A program in the foreground, with its output in a file."""

    def __init__(self, folder: Path, name: str, *command: str) -> None:
        self._log = folder / f"{name}.out"
        with self._log.open("wb") as out:
            self.process = subprocess.Popen(
                [*TETHER, *command], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder
            )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(8)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(8)
        if kind is not None:
            print(self.said())  # noqa: T201

    def said(self) -> str:
        return self._log.read_text(errors="replace")
