"""THREATS G6, G7 for messages over SMPP: a running switch whose disk becomes read-only, or slow."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from switchroom.protocols import smpp
from switchroom.protocols.smpp import Status

from ..peers.harness import PASSWORD, Switch, users, wait_until
from ..peers.phone import Phone
from ..peers.ports import free_port
from ..peers.smsc import PASSWORD as SMPP_PASSWORD
from .conftest import ALICE
from .test_smpp import MESSAGE, Esme

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, ptrace")


class Centre(Switch):
    """A switch that keeps what one customer sends for another who is not there."""

    def __init__(self, folder: Path, state: Path, **sms: Any) -> None:
        self.smpp_port = free_port()
        super().__init__(
            folder,
            users=users([ALICE]),
            switch={"state_dir": str(state)},
            sms={"reserve": 1, **sms},
            smpp={"listen": [f"smpp:127.0.0.1:{self.smpp_port}"], "bind_delay": 0.05},
            smpp_accounts=[
                {"name": name, "password": SMPP_PASSWORD, "window": 1000} for name in ("acme", "never")
            ],
            sms_routes=[{"name": "all", "to": "account:never"}],
        )
        self.state = state

    def bound(self) -> Esme:
        """A customer; it may take a moment after the start."""

        def bind() -> Esme | None:
            try:
                return Esme(port=self.smpp_port, timeout=60.0)
            except ConnectionRefusedError:
                return None

        return cast(Esme, wait_until(bind, 10.0, "the customers' port"))

    def kept(self) -> set[int]:
        with closing(sqlite3.connect(self.state / "messages.db")) as store:
            assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return {id for (id,) in store.execute("SELECT id FROM messages")}


def submit(one: Esme, count: int) -> list[Any]:
    """The answers to so many messages that are sent at once."""
    one.send(*[MESSAGE._replace(sequence_number=number) for number in range(2, count + 2)])
    return [one.read() for _ in range(count)]


def taken(answers: list[Any]) -> set[int]:
    return {int(answer.message_id) for answer in answers if answer.status == Status.ROK}


class Disk:
    """A file system of its own that can fail: it is read-only from then on, as ext4 is after an error."""

    def __init__(self, folder: Path) -> None:
        self._image, self.path = folder / "disk.img", folder / "disk"
        self.path.mkdir()
        with self._image.open("wb") as image:
            image.truncate(48 << 20)
        self._run("mkfs.ext4", "-q", str(self._image))
        self.mount()

    def mount(self) -> None:
        self._run("mount", "-o", "loop,errors=remount-ro", str(self._image), str(self.path))

    def fail(self) -> None:
        device = self._run("findmnt", "-no", "SOURCE", str(self.path)).strip().rpartition("/")[2]
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("1")

    def mend(self) -> None:
        """As after a repair; some other process's copy of the mount may keep the broken one alive."""
        self.unmount()
        self._image = Path(shutil.copy(self._image, self._image.with_suffix(".mended")))
        done = subprocess.run(["fsck.ext4", "-fy", str(self._image)], capture_output=True, text=True)
        assert done.returncode <= 1, done.stdout  # 1: mended
        self.mount()

    def unmount(self) -> None:
        self._run("umount", str(self.path))

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"a disk of its own needs loop devices: {' '.join(command)}: {done.stderr.strip()}")
        return done.stdout


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("mkfs.ext4 is not installed")
    made = Disk(tmp_path)
    yield made
    subprocess.run(["umount", "-l", str(made.path)], capture_output=True)


def test_the_disk_becomes_read_only(tmp_path: Path, disk: Disk) -> None:
    """Nothing more is taken, with one line that says why; calls go on; what was taken is there afterwards."""
    switch = Centre(tmp_path / "switch", disk.path / "state")
    with switch, Phone(switch.address, ALICE, PASSWORD) as phone:
        with switch.bound() as one:
            ids = taken(submit(one, 50))
            assert len(ids) == 50
            disk.fail()
            wait_until(lambda: not taken(submit(one, 1)), 10.0, "the first refusal", interval=0.0)
            size = switch.rss_bytes()
            answers = [answer for _ in range(20) for answer in submit(one, 100)]
            assert {answer.status for answer in answers} == {Status.RMSGQFUL}
            assert one.ask(smpp.EnquireLink(sequence_number=9)).status == Status.ROK
            assert switch.rss_bytes() - size < 20 << 20
        assert phone.options() < 0.5
        assert "read-only file system" in switch.wait_said("messages.failed")
        assert switch.said(200_000).count("messages.failed") == 1
        assert "Traceback" not in switch.said(200_000)
    disk.mend()
    with switch.start(), switch.bound() as one:
        ids |= taken(submit(one, 1))
        assert len(ids) >= 51
        assert ids <= switch.kept()


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace, which can hold up a system call")
def test_the_disk_is_slow(tmp_path: Path) -> None:
    """Each sync takes 1.5 s: what does not fit into memory is refused, all else is taken, others go on."""
    switch = Centre(tmp_path / "switch", tmp_path / "state", max_unwritten=200)
    with switch, Phone(switch.address, ALICE, PASSWORD) as phone:
        with switch.bound() as one, slowed(switch, 1.5):
            began_at = time.monotonic()
            messages = [MESSAGE._replace(sequence_number=number) for number in range(2, 802)]
            one.send(*messages[:400])
            assert phone.options() < 1.0  # the loop does not wait for the disk
            one.send(*messages[400:])
            assert phone.options() < 1.0
            answers = [one.read() for _ in range(800)]
            assert time.monotonic() - began_at > 1.5
        statuses = {answer.status for answer in answers}
        assert statuses == {Status.ROK, Status.RMSGQFUL}
        ids = taken(answers)
        assert 200 <= len(ids) < 800
        switch.wait_said("messages.slow_disk")
        with switch.bound() as one:
            wait_until(lambda: len(taken(submit(one, 100))) == 100, 20.0, "that it goes on")
        assert ids <= switch.kept()


class slowed:  # noqa: N801
    """While this lasts each sync of a process takes longer."""

    def __init__(self, switch: Switch, seconds: float) -> None:
        inject = f"inject=fdatasync,fsync:delay_enter={int(seconds * 1e6)}"
        self._command = ["strace", "-f", "-p", str(switch.pid), "-o", str(switch.folder / "trace")]
        self._command += ["-e", "trace=fdatasync,fsync", "-e", inject]

    def __enter__(self) -> None:
        self._strace = subprocess.Popen(self._command, stderr=subprocess.PIPE)
        assert self._strace.stderr is not None
        said = self._strace.stderr.readline().decode()
        if "attached" not in said:
            pytest.skip(f"strace: {said.strip()}")

    def __exit__(self, *_: object) -> None:
        self._strace.send_signal(signal.SIGINT)
        self._strace.communicate(timeout=20)
