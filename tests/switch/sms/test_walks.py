"""Random lives of a message centre: no message is lost, and none is sent twice without a cause."""

from __future__ import annotations

import random
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from switchroom.switch.sms.centre import lanes
from switchroom.switch.sms.interfaces import Concat, Fault, Form, State

from .world import Inlet, Outlet, World

TWO = {"name": "two", "match": "+49*", "to": ["trunk:a", "trunk:b"]}
ORDERED = {"name": "one", "match": "+44*", "to": "trunk:a", "ordered": True}
WHOLE = {"name": "whole", "match": "+1*", "to": "trunk:w"}


class Life:
    """A world, what was given to it, and what may be done to it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.world = World(folder, TWO, ORDERED, WHOLE, validity=100_000)
        self.taken: list[int] = []
        self.may_be_twice: Counter[int] = Counter()
        self.sent: Counter[int] = Counter()
        self.serial = 0
        self.up: dict[str, Outlet] = {}
        self.owed: list[tuple[str, str]] = []  # receipts of outlets
        self.inlet: Inlet | None = None

    def step(self) -> None:
        getattr(self, self.chance.choice(_STEPS))()
        self.collect()

    def collect(self) -> None:
        for outlet in self.up.values():
            for part in outlet.seen:
                for message in (part.message, *part.message.joined):  # type: ignore[attr-defined]
                    self.sent[message.id] += part.ordinal == 0
            outlet.seen.clear()

    def submit(self) -> None:
        to = self.chance.choice(["+491", "+492", "+441", "+442"])
        texts = [f"{n}" for n in range(self.chance.randint(1, 12))]
        self.taken += self.world.submit(*texts, to=to, wish=1, priority=self.chance.randint(0, 3))

    def submit_parts(self) -> None:
        self.serial += 1
        for number in self.chance.sample((1, 2, 3), 3):
            concat = Concat(self.serial & 0xFFFF, 3, number)
            self.taken += self.world.submit(f"{number}", to="+1555", concat=concat, wish=1)

    def attach(self) -> None:
        name = self.chance.choice(["trunk:a", "trunk:b", "trunk:w"])
        if name not in self.up:
            form = Form(is_whole=name == "trunk:w", is_text=name == "trunk:w")
            self.up[name] = Outlet(name, window=self.chance.randint(1, 5), form=form)
        self.world.attach(self.up[name])

    def detach(self) -> None:
        if self.up:
            name = self.chance.choice(list(self.up))
            outlet = self.up[name]
            count, outlet.window = len(outlet.parts), 0
            self.fail(outlet, count, Fault.UNKNOWN)
            self.collect()
            self.world.centre.detach(outlet=name, now=self.world.now)
            self.world.turn()
            del self.up[name]

    def answer(self) -> None:
        for outlet in list(self.up.values()):
            count = self.chance.randint(0, len(outlet.parts))
            if not count:
                continue
            ids = []
            for _ in range(count):
                self.serial += 1
                ids.append(f"{self.serial}")
            self.owed += [(outlet.name, id) for id in ids]
            self.world.answer(outlet, *ids)

    def refuse(self) -> None:
        if self.up:
            outlet = self.chance.choice(list(self.up.values()))
            fault = self.chance.choice([Fault.TEMPORARY, Fault.THROTTLED, Fault.ROUTE])
            self.fail(outlet, self.chance.randint(0, len(outlet.parts)), fault)

    def fail(self, outlet: Outlet, count: int, fault: Fault) -> None:
        for part in outlet.parts[:count]:
            for message in (part.message, *part.message.joined):  # type: ignore[attr-defined]
                self.may_be_twice[message.id] += 1
        while count:
            before = len(outlet.parts)
            one, outlet.parts = outlet.parts[:1], outlet.parts[1:]
            rest, outlet.parts = outlet.parts, one
            self.world.answer(outlet, fault=fault)
            outlet.parts = rest + outlet.parts
            count -= 1
            assert before

    def receive(self) -> None:
        owed, self.owed = self.owed, []
        for name, id in owed:
            outlet = self.up.get(name) or Outlet(name)
            self.world.receipt(outlet, id)

    def wait(self) -> None:
        self.world.walk(self.chance.choice([1, 30, 700]))

    def hear(self) -> None:
        if self.inlet is None:
            self.inlet = Inlet("account:acme", room=self.chance.randint(1, 20))
            self.world.attach(self.inlet)
        else:
            self.world.hear(self.inlet)

    def crash(self) -> None:
        for outlet in self.up.values():
            for part in outlet.parts:
                for message in (part.message, *part.message.joined):  # type: ignore[attr-defined]
                    self.may_be_twice[message.id] += 1
        self.up.clear()
        self.inlet = None
        self.world.restart()

    def cancel(self) -> None:
        if self.taken:
            self.world.ask("cancel", self.chance.choice(self.taken), "")

    # -- what must hold

    def check(self) -> None:
        with closing(sqlite3.connect(self.world.path)) as other:
            states = dict(other.execute("SELECT id, state FROM messages"))
            queued = Counter(lane for (lane,) in other.execute("SELECT lane FROM queue"))
            waiting = {id for (id,) in other.execute("SELECT message FROM queue")}
        assert set(self.taken) == set(states)
        assert waiting == {id for id, state in states.items() if state == State.QUEUED}
        assert {lane.name: lane.count for lane in self.world.centre.lanes if lane.count} == queued
        for id, count in self.sent.items():
            assert count <= 1 + self.may_be_twice[id], (id, count)

    def end(self) -> None:
        """Everything comes back, and after a while everything is done with."""
        for _ in range(300):
            for name in ("trunk:a", "trunk:b", "trunk:w"):
                if name not in self.up:
                    form = Form(is_whole=name == "trunk:w", is_text=name == "trunk:w")
                    self.up[name] = Outlet(name, form=form)
                self.world.attach(self.up[name])
            for outlet in self.up.values():
                if outlet.parts:
                    self.world.answer(outlet, is_delivered=True)
            self.receive()
            self.hear()
            self.world.walk(100)
            self.collect()
            with closing(sqlite3.connect(self.world.path)) as other:
                states = Counter(State(state) for (state,) in other.execute("SELECT state FROM messages"))
            if all(state.is_final for state in states) and not self.world.centre.notices.waiting:
                return
        raise AssertionError(f"not done: {states}, {self.world.centre.notices.waiting}")


_STEPS = (
    *("submit", "submit", "submit_parts", "attach", "attach", "detach", "answer", "answer", "answer"),
    *("refuse", "receive", "wait", "hear", "hear", "crash", "cancel"),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_random_lives(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(lanes, "_HEADS", 6)  # so that the disk has its part in it
    monkeypatch.setattr(lanes, "_LOW", 2)
    with tempfile.TemporaryDirectory() as folder:
        life = Life(Path(folder), seed)
        for _ in range(40):
            life.step()
            life.check()
        life.end()
        life.check()
        life.world.close()
