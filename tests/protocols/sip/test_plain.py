"""The engine is compiled as it is; here it answers the same as plain Python, in a process of its own."""

from __future__ import annotations

from pathlib import Path

from switchroom.protocols.sip import endpoint
from tests import twins

HERE = Path(__file__).parent
ENGINE = ("dialog", "refresh", "reliable", "session", "session_reinvite", "survivor",
          "transaction_client", "transaction_server", "update")  # fmt: skip


@twins.only_plain
def test_plain_is_the_source() -> None:
    """SWITCHROOM_PLAIN=1 has its effect."""
    assert endpoint.__file__.endswith(".py")


@twins.only_compiled
def test_the_engine_runs_plain() -> None:
    """What is tested compiled beside this file, tested from source."""
    twins.run_plain(__file__, *(HERE / f"test_{name}.py" for name in ENGINE))
