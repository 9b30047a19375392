"""A missing peer: a skip with its reason for people, a failure in CI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")
TESTS = """
import pytest

@pytest.mark.peer("no-such-phone", "sh")
def test_with_a_peer_that_is_missing(): pass

@pytest.mark.peer("sh")
def test_with_a_peer_that_is_there(): pass

def test_without_a_peer(): pass
"""


@pytest.mark.parametrize(
    ("ci", "status", "outcome"), [("", 0, "2 passed, 1 skipped"), ("true", 1, "2 passed, 1 error")]
)
def test_a_missing_peer(tmp_path: Path, ci: str, status: int, outcome: str) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text())
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = peer(name): x\n")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto"],
        cwd=tmp_path,
        env={**os.environ, "CI": ci, "PYTHONPATH": str(CONFTEST.parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == status, result.stdout
    assert outcome in result.stdout
    assert "no-such-phone is not installed (apt install no-such-phone)" in result.stdout
