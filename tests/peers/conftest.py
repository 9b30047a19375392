"""A switch with short timers for a whole module, and scenes of sipp telephones around it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness import PASSWORD, Switch, Table, users, wait_until
from .phone import Phone
from .ports import free_port
from .sipp import Ladder, Sipp, caller

_names = itertools.count(2001)
FIRST, COUNT = 2001, 200
T1 = 0.1
ANSWER_TIMEOUT = 2.0


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    """Timers five times as fast as in RFC 3261; 200 users, each test takes fresh ones."""
    with Switch(
        tmp_path_factory.mktemp("switch"),
        users=users(range(FIRST, FIRST + COUNT)),
        sip={"t1": T1, "t2": 0.4, "t4": 0.5},
        calls={"answer_timeout": ANSWER_TIMEOUT},
        log={"level": "debug"},
    ) as running:
        yield running


def next_name() -> str:
    return str(FIRST + (next(_names) - FIRST) % COUNT)


class Scene:
    """Two users, their sipp processes, and what became of their call."""

    def __init__(self, switch: Switch, folder: Path) -> None:
        self.switch, self.folder = switch, folder
        self.a, self.b = next_name(), next_name()
        self.cast: list[Sipp] = []

    def register(self, name: str, transport: str = "udp") -> int:
        """Register a contact at a free port, which a sipp process then takes over."""
        with Phone(self.switch.address, name, PASSWORD, transport, local=("127.0.0.1", free_port())) as phone:
            assert phone.register(expires=120).status == 200
            return phone.address[1]

    def callee(self, ladder: Ladder) -> Sipp:
        """A registered contact of user b that follows this ladder."""
        found = Sipp(self.folder, ladder, port=self.register(self.b)).wait_bound()
        self.cast.append(found)
        return found

    def ladder(self, number: str = "") -> Ladder:
        """Of user a, who has a password, towards user b."""
        return caller(number or self.b, self.a, PASSWORD)

    def caller(self, ladder: Ladder, transport: str = "u1") -> Sipp:
        found = Sipp(self.folder, ladder, remote=self.switch.address, transport=transport)
        self.cast.append(found)
        return found

    def succeeds(self, timeout: float = 20.0) -> None:
        """Every ladder went as written; the first one that did not tells what all of them saw."""
        until = time.monotonic() + timeout
        while any(one.process.poll() is None for one in self.cast):
            has_failed = any(one.process.poll() for one in self.cast)
            if has_failed or time.monotonic() > until:
                break
            time.sleep(0.02)
        bad = any(one.process.poll() != 0 for one in self.cast)
        assert not bad, "\n\n".join(one.story() for one in self.cast)

    def record(self, timeout: float = 5.0) -> Table:
        """The one record of the one call between the two."""
        row = self.switch.wait_record(lambda r: r["from_user"] == self.a, timeout)
        assert [r["id"] for r in self.switch.records() if r["from_user"] == self.a] == [row["id"]]
        return row

    def call_is_up(self, timeout: float = 5.0) -> Table:
        """The switch's view of the call, once it is answered."""

        def found() -> Table | None:
            calls = self.switch.calls()
            return next((c for c in calls if c["state"] == "up" and self.a in c["caller"]), None)

        return wait_until(found, timeout, "a call that is up")

    def close(self) -> None:
        for one in self.cast:
            one.stop()


@pytest.fixture
def scene(switch: Switch, tmp_path: Path) -> Iterator[Scene]:
    made = Scene(switch, tmp_path)
    yield made
    made.close()
