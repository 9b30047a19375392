"""What the threat tests share: a switch under attack, and how to see that it is well."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from ..peers.harness import PASSWORD, Switch, users
from ..peers.phone import Phone

IS_LONG = os.environ.get("SWITCHROOM_LONG") == "1"
ALICE, BOB = "1001", "1002"
FRESH = range(3001, 3301)
_numbers = itertools.cycle(FRESH)


def size(short: int, full: int) -> int:
    """The number of a quick run, or the one that the row names (SWITCHROOM_LONG=1)."""
    return full if IS_LONG else short


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    """A switch with its default limits, except that one address may send as much as a test needs."""
    with Switch(
        tmp_path_factory.mktemp("target"),
        users=users([ALICE, BOB, *FRESH]),
        sip={"source_rate": 100000, "source_burst": 100000},
        auth={"max_failures": 1000, "max_unanswered": 100000},
        calls={"user_rate": 1000},
        messages={"user_rate": 1000},
    ) as running:
        yield running
        assert "Traceback" not in running.log.read_text(errors="replace")


def fresh_phone(target: Switch, transport: str = "udp") -> Phone:
    """A telephone of a user that no other test has used."""
    return Phone(target.address, str(next(_numbers)), PASSWORD, transport)


@pytest.fixture
def alice(target: Switch) -> Iterator[Phone]:
    """A caller."""
    with fresh_phone(target) as phone:
        yield phone


@pytest.fixture
def bob(target: Switch) -> Iterator[Phone]:
    """A registered callee."""
    with fresh_phone(target) as phone:
        assert phone.register().status == 200
        yield phone
