"""The engine is compiled as it is; here it answers the same as plain Python, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from switchroom.protocols.sip import endpoint

HERE = Path(__file__).parent
ENGINE = ("dialog", "refresh", "reliable", "session", "session_reinvite", "survivor",
          "transaction_client", "transaction_server", "update")  # fmt: skip
IS_PLAIN = os.environ.get("SWITCHROOM_PLAIN") == "1"


@pytest.mark.skipif(not IS_PLAIN, reason="for the process that the other test starts")
def test_plain_is_the_source() -> None:
    """SWITCHROOM_PLAIN=1 has its effect."""
    assert endpoint.__file__.endswith(".py")


@pytest.mark.skipif(IS_PLAIN, reason="this is plain")
def test_the_engine_runs_plain() -> None:
    """What is tested compiled beside this file, tested from source."""
    files = [str(HERE / f"test_{name}.py") for name in ENGINE]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", "-p", "no:xdist", __file__, *files],
        cwd=HERE.parents[2],
        env={**os.environ, "SWITCHROOM_PLAIN": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
