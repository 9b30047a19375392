"""What every message passes is compiled as it is; here it answers the same as plain Python, in a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchroom.switch.net import entrance
from switchroom.switch.ops.trace import ring
from switchroom.switch.store import record, sqlite
from tests import twins

TESTS = Path(__file__).parents[2]
FILES = ("switch/net/test_limits.py", "switch/net/test_clock.py", "switch/net/test_udp.py")


@twins.only_plain
@pytest.mark.parametrize("module", [entrance, ring, record, sqlite], ids=lambda module: module.__name__)
def test_plain_is_the_source(module: object) -> None:
    """SWITCHROOM_PLAIN=1 has its effect."""
    assert str(vars(module)["__file__"]).endswith(".py")


@twins.only_compiled
def test_the_way_of_a_message_runs_plain() -> None:
    """What is tested compiled beside this file, tested from source."""
    twins.run_plain(__file__, *(TESTS / name for name in FILES))
