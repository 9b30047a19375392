"""What every message passes is compiled as it is; here it answers the same as plain Python, in a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from switchroom.switch.net import entrance
from switchroom.switch.ops.trace import ring
from switchroom.switch.store import record, sqlite

TESTS = Path(__file__).parents[2]
FILES = ("switch/net/test_limits.py", "switch/net/test_clock.py", "switch/net/test_udp.py")
IS_PLAIN = os.environ.get("SWITCHROOM_PLAIN") == "1"


@pytest.mark.skipif(not IS_PLAIN, reason="for the process that the other test starts")
@pytest.mark.parametrize("module", [entrance, ring, record, sqlite], ids=lambda module: module.__name__)
def test_plain_is_the_source(module: object) -> None:
    """SWITCHROOM_PLAIN=1 has its effect."""
    assert str(vars(module)["__file__"]).endswith(".py")


@pytest.mark.skipif(IS_PLAIN, reason="this is plain")
def test_the_way_of_a_message_runs_plain() -> None:
    """What is tested compiled beside this file, tested from source."""
    files = [__file__, *(str(TESTS / name) for name in FILES)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", "-p", "no:xdist", *files],
        cwd=TESTS.parent,
        env={**os.environ, "SWITCHROOM_PLAIN": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
