"""What the threat tests share: a switch under attack, and how to see that it is well."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..peers.harness import PASSWORD, Switch, users
from ..peers.phone import Phone

IS_LONG = os.environ.get("SWITCHROOM_LONG") == "1"
ALICE, BOB = "1001", "1002"


def size(short: int, full: int) -> int:
    """The number of a quick run, or the one that the row names (SWITCHROOM_LONG=1)."""
    return full if IS_LONG else short


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    """A switch with its default limits, except that one address may send as much as a test needs."""
    with Switch(
        tmp_path_factory.mktemp("target"),
        users=users(range(1001, 1011)),
        sip={"source_rate": 100000, "source_burst": 100000},
        auth={"max_failures": 1000, "max_unanswered": 100000},
    ) as running:
        yield running
        assert "Traceback" not in running.log.read_text(errors="replace")


@pytest.fixture
def alice(target: Switch) -> Iterator[Phone]:
    with Phone(target.address, ALICE, PASSWORD) as phone:
        yield phone


@pytest.fixture
def bob(target: Switch) -> Iterator[Phone]:
    """A registered callee."""
    with Phone(target.address, BOB, PASSWORD) as phone:
        assert phone.register().status == 200
        yield phone
        phone.register(expires=0)
