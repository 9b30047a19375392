"""What a plain call asks of the media is compiled as it is; here it answers the same as plain Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from switchroom.switch.media import leg, plane, ports, report, said, session
from switchroom.switch.media.quality import observer
from switchroom.switch.media.security import security

HERE = Path(__file__).parent
FILES = ("test_session.py", "test_bundle.py", "test_ports.py", "quality/test_observer.py")
MODULES = (leg, observer, plane, ports, report, said, security, session)
IS_PLAIN = os.environ.get("SWITCHROOM_PLAIN") == "1"


@pytest.mark.skipif(not IS_PLAIN, reason="for the process that the other test starts")
@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_plain_is_the_source(module: object) -> None:
    """SWITCHROOM_PLAIN=1 has its effect."""
    assert str(vars(module)["__file__"]).endswith(".py")


@pytest.mark.skipif(IS_PLAIN, reason="this is plain")
def test_sessions_run_plain() -> None:
    """What is tested compiled beside this file, tested from source."""
    files = [__file__, *(str(HERE / name) for name in FILES)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", "-p", "no:xdist", *files],
        cwd=HERE.parents[2],
        env={**os.environ, "SWITCHROOM_PLAIN": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
