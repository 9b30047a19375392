"""THREATS G10, G12, G13: packets get lost, trunks die half, the switch is restarted under load."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ..peers.answerer import Answerer
from ..peers.harness import Switch, users, wait_until
from ..peers.phone import Phone
from ..peers.ports import TETHER
from ..peers.raw import Wire
from .conftest import size
from .test_reliability import call, trunked

ROOT = Path(__file__).parents[2]


# ---- G12


@pytest.mark.peer("sipp")
@pytest.mark.peer("iptables")
@pytest.mark.parametrize(("percent", "share"), [(5, 0.999), (20, 0.95)])
def test_packets_get_lost(tmp_path: Path, percent: float, share: float) -> None:
    """G12 (100 calls; SWITCHROOM_LONG=1: 2000): >= 99.9 % at 5 % loss, >= 95 % at 20 %; no double CDR."""
    calls = size(100, 2000)
    child = str(Path(__file__).with_name("lossy.py"))
    done = subprocess.run(
        [*TETHER, "unshare", "-n", sys.executable, child, str(ROOT), str(tmp_path), str(percent), str(calls)],
        capture_output=True,
        text=True,
        timeout=calls / 20 + 240,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["retransmitted"] > 0  # packets did get lost
    assert found["succeeded"] >= share * calls, found
    assert found["duplicates"] == 0
    assert found["records"] == calls


# ---- G13

CARRIER = """
import sys, time
sys.path.append(sys.argv[1])
from tests.peers.answerer import Answerer
with Answerer() as carrier:
    print(carrier.address[1], flush=True)
    time.sleep(3600)
"""


@contextmanager
def carrier_process() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A carrier that can be stopped in the middle of everything: its port stays open, nobody reads."""
    command = [*TETHER, sys.executable, "-c", CARRIER, str(ROOT)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_trunk_that_is_stopped(tmp_path: Path) -> None:
    """G13: SIGSTOP of a trunk: fail-over < 4 s, later calls at once; back after two good probes."""
    with carrier_process() as (process, port), Answerer() as second:
        trunks = [
            {"name": "in", "sources": ["127.0.0.0/8"]},
            {"name": "first", "address": f"sip:127.0.0.1:{port}", "options_interval": 1},
            {"name": "second", "address": f"sip:127.0.0.1:{second.address[1]}", "options_interval": 1},
        ]
        with (
            Switch(
                tmp_path,
                users=users([1001]),
                trunks=trunks,
                routes=[{"match": "7*", "to": ["trunk:first", "trunk:second"], "order": "sequential"}],
            ) as switch,
            Phone(switch.address) as phone,
        ):

            def took() -> float:
                began = time.monotonic()
                dialog = call(phone)
                assert dialog is not None
                seconds = time.monotonic() - began
                assert dialog.bye().status == 200
                return seconds

            assert took() < 1.0
            assert second.count("INVITE") == 0
            process.send_signal(signal.SIGSTOP)
            stat = Path(f"/proc/{process.pid}/stat")
            wait_until(lambda: ") T " in stat.read_text(), 5, "the end of the carrier's work")
            assert took() < 4.0
            assert second.count("INVITE") == 1
            assert took() < 0.5  # nobody waits for it twice
            process.send_signal(signal.SIGCONT)
            switch.wait_said("trunk.up", 30)
            wait_until(lambda: took() < 1.0 and second.count("INVITE") < 20, 5, "a call")
            before = second.count("INVITE")
            assert took() < 1.0
            assert second.count("INVITE") == before  # it went to the first again


# ---- G10


def test_drain_and_restart_under_calls(tmp_path: Path) -> None:
    """G10: drain at 5 calls/s: what is up ends well, new ones get 503; it stops, the next start serves."""
    with Answerer() as answerer:
        switch = trunked(tmp_path, answerer)
        switch.start()
        try:
            with Phone(switch.address) as phone:
                up = [dialog for dialog in (call(phone) for _ in range(size(10, 50))) if dialog is not None]
                assert len(up) == size(10, 50)
                draining = threading.Thread(target=switch.cli, args=("drain",), kwargs={"timeout": 60})
                draining.start()

                def is_refused() -> bool:
                    dialog = call(phone)
                    if dialog is not None:
                        up.append(dialog)  # it came before the command
                    return dialog is None

                wait_until(is_refused, 10, "503 for new calls")
                for dialog in up:
                    assert dialog.bye().status == 200  # 0 failed in dialogs
                    time.sleep(0.02)
                draining.join(60)
            assert switch.process is not None
            assert switch.process.wait(15) == 0
            switch.start()
            with Phone(switch.address) as phone:
                dialog = call(phone)
                assert dialog is not None
                assert dialog.bye().status == 200
            wait_until(lambda: not switch.live_records(), 10, "the end of all calls in the books")
        finally:
            switch.stop()


@pytest.mark.parametrize("percent", [0])
def test_a_restart_leaves_at_most_a_second_without_service(
    tmp_path: Path, percent: int, record_property: Callable[[str, object], None]
) -> None:
    """G10: SIGTERM and a start at once: what it costs until somebody answers, a start of Python included."""
    with Answerer() as answerer:
        switch = trunked(tmp_path, answerer)
        switch.start()
        try:
            assert switch.end(signal.SIGTERM) == 0
            began = time.monotonic()
            switch.start()
            with Wire(switch.address) as probe:
                assert probe.options() < 5.0
            record_property("seconds without service", f"{time.monotonic() - began:.2f}")
            assert switch.cpu_seconds() < 5.0  # however long others kept it waiting
        finally:
            switch.stop()
