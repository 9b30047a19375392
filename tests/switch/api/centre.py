"""A message centre in memory, for tests of what stands around it: it takes, tells states, and delivers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import count
from typing import Any

from switchroom.switch.sms import interfaces as sms
from switchroom.switch.sms.interfaces import Address, Notice, Outcome, Part, Refusal, State, Submission


class Message:
    def __init__(self, id: int, submission: Submission) -> None:
        self.id, self.submission = id, submission
        self.source, self.destination = submission.source, submission.destination
        self.accepted_at = time.time()
        self.expires_at, self.attempts = 0.0, 0


class MemoryCentre:
    """Of sms.Centre what the API uses."""

    def __init__(self) -> None:
        self.messages: dict[int, Message] = {}
        self.by_key: dict[str, int] = {}
        self.refuse: dict[str, Refusal] = {}  # by number
        self.inlets: dict[str, sms.Inlet] = {}
        self.outlets: dict[str, sms.Outlet] = {}
        self.heard: list[int] = []
        self.outcomes: list[Outcome] = []
        self.redacted: list[int] = []
        self.batches: list[int] = []
        self._ids = count(1)

    def submit(self, batch: Sequence[Submission], now: float, done: sms.Done) -> None:
        self.batches.append(len(batch))
        results: list[int | Refusal] = []
        for one in batch:
            if refusal := self.refuse.get(one.destination.number):
                results.append(refusal)
                continue
            id = self.by_key.get(one.key) or next(self._ids)
            self.by_key[one.key] = id
            self.messages.setdefault(id, Message(id, one))
            results.append(id)
        done(batch, results, now)

    def attach(self, *, inlet: Any = None, outlet: Any = None, now: float) -> None:
        if inlet is not None:
            self.inlets[inlet.name] = inlet
        if outlet is not None:
            self.outlets[outlet.name] = outlet

    def detach(self, *, inlet: str = "", outlet: str = "", now: float) -> None:
        self.inlets.pop(inlet, None)
        self.outlets.pop(outlet, None)

    def noticed(self, inlet: str, ids: Sequence[int], now: float, *, is_heard: bool = True) -> None:
        self.heard += ids if is_heard else []

    def report(self, outlet: str, outcomes: Sequence[Outcome], now: float) -> None:
        self.outcomes += outcomes

    def cancel(self, id: int, inlet: str, now: float, answered: sms.Answered, context: Any = None) -> None:
        answered(context, None if id in self.messages else sms.NO_SUCH_MESSAGE, now)

    def redact(self, id: int, inlet: str, now: float, answered: sms.Answered, context: Any = None) -> None:
        self.redacted.append(id)
        answered(context, None, now)

    # -- what a test does

    def last(self) -> Message:
        return self.messages[max(self.messages)]

    def tell(self, message: Message, state: State, *, error: str = "") -> None:
        one = message.submission
        notice = Notice(
            id=next(self._ids),
            message=message.id,
            state=state,
            wish=one.wish,
            source=one.source,
            destination=one.destination,
            service_type="",
            accepted_at=message.accepted_at,
            at=time.time(),
            error=error,
            key=one.key,
        )
        self.inlets[one.inlet].notify([notice], 0.0)

    def deliver(self, source: str, destination: str, text: str) -> None:
        one = Submission("trunk:x", Address(source), Address(destination), text.encode())
        message = Message(next(self._ids), one)
        part = Part(message, text.encode(), sms.TEXT)
        self.outlets["api"].send([part], 0.0)


class MemoryRoom:
    """Where the centre is."""

    def __init__(self, centre: MemoryCentre) -> None:
        self.centre, self.is_open, self.clock = centre, True, self
        self.is_of_account = lambda number: False

    def now(self) -> float:
        return time.monotonic()
