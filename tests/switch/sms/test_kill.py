"""kill -9 under load: nothing acknowledged is lost, only what was in flight is sent twice (THREATS E8)."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.peers.ports import TETHER

from .child_centre import WINDOW

KILLS = 200 if os.environ.get("SWITCHROOM_LONG") else 4
CHILD = "tests.switch.sms.child_centre"


def lines(folder: Path, what: str) -> list[list[str]]:
    text = (folder / "ledger").read_text()
    return [line.split()[1:] for line in text.splitlines() if line.startswith(f"{what} ")]


def spawn(folder: Path, which: str) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen([*TETHER, sys.executable, "-m", CHILD, str(folder), which], stderr=log)


def test_nothing_is_lost_and_only_what_was_in_flight_is_sent_twice(tmp_path: Path) -> None:
    chance = random.Random(8)
    for life in range(1, KILLS + 1):
        child = spawn(tmp_path, "life")
        try:
            give_up_at = time.monotonic() + 30
            while not (tmp_path / "ledger").exists() or len(lines(tmp_path, "started")) < life:
                assert time.monotonic() < give_up_at
                time.sleep(0.01)
            time.sleep(0.05 + chance.random() * 0.4)
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
    child = spawn(tmp_path, "last")
    try:
        assert child.wait(timeout=60 + KILLS) == 0, (tmp_path / "log").read_text()[-2000:]
    finally:
        child.kill()

    acknowledged = [id for [id] in lines(tmp_path, "acknowledged")]
    sent = Counter(id for [id] in lines(tmp_path, "sent"))
    noticed = Counter(id for id, _ in lines(tmp_path, "notice"))
    assert len(acknowledged) > 100 * KILLS
    assert [id for id in acknowledged if id not in sent] == []  # lost: 0
    assert [id for id in acknowledged if id not in noticed] == []
    twice = sum(count - 1 for count in sent.values())
    assert twice <= WINDOW * KILLS
    maybe = sum(int(count) for [count] in lines(tmp_path, "started"))
    assert twice <= maybe  # and whoever looks at the log knows of them


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_each_acknowledgement_is_behind_a_sync(tmp_path: Path) -> None:
    """Between a message's write to the ledger and whatever was acknowledged before, the disk was synced."""
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-qq", "-o", str(trace), "-e", "trace=fdatasync,fsync,write"]
    # Both are bound to who started them: a traced process outlives a strace that is killed
    child = subprocess.Popen(
        [*TETHER, *command, *TETHER, sys.executable, "-m", CHILD, str(tmp_path), "life"],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        give_up_at = time.monotonic() + 60
        while not (tmp_path / "ledger").exists() or len(lines(tmp_path, "acknowledged")) < 200:
            assert time.monotonic() < give_up_at
            time.sleep(0.05)
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    unsynced = 0
    is_synced = False
    for line in trace.read_text(errors="replace").splitlines():
        if "fdatasync(" in line or "fsync(" in line or "fdatasync resumed" in line:
            is_synced = True
        elif '"acknowledged ' in line:
            unsynced += not is_synced
        elif '"sent ' in line or '"started ' in line:
            is_synced = is_synced and '"sent ' in line
    assert unsynced == 0
    assert is_synced
