"""One queue: who waits in it, in which order, and for how long they have waited."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..actions import Dequeued
from ..wishes import (
    Place,
    QueueWish,
)

if TYPE_CHECKING:
    from switchroom.switch.calls.script import Call, Leg
    from switchroom.switch.store.documents import Document

    from ..live import Live

_WEIGHT = 0.2  # of the newest in the average of waiting times


def _future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True)
class Meeting:
    """Somebody who has been taken out of a queue, and whoever took him."""

    wish: QueueWish
    taker: str  # the SID of that call
    ready: asyncio.Future[None] = field(default_factory=_future)  # he has heard what there was to hear
    over: asyncio.Future[None] = field(default_factory=_future)

    def end(self) -> None:
        """They talk no more."""
        for future in (self.ready, self.over):
            if not future.done():
                future.set_result(None)


class Member:
    """A call that waits."""

    def __init__(self, queue: Queue, live: Live, call: Call | Leg) -> None:
        self.queue, self.live, self.call = queue, live, call
        self.since = time.time()
        self.taken: asyncio.Future[Meeting | Place] = asyncio.get_running_loop().create_future()
        self.seconds = -1  # that it had to wait

    @property
    def waited(self) -> int:
        """Seconds, until now or until it was taken."""
        return self.seconds if self.seconds >= 0 else round(time.time() - self.since)

    def take(self, by: Meeting | Place) -> None:
        """It waits no more: it talks with somebody, or goes on elsewhere."""
        self.queue.drop(self)
        self.taken.set_result(by)

    def result(self, how: str, place: Place | None = None) -> Dequeued:
        """What its document is told."""
        return Dequeued(how, self.queue.doc.sid, self.waited, place)

    def params(self) -> tuple[tuple[str, str], ...]:
        """What is told of it while it waits."""
        queue = self.queue
        position = queue.members.index(self) + 1 if self in queue.members else 0
        return (
            ("QueueSid", queue.doc.sid),
            ("QueuePosition", str(position)),
            ("QueueTime", str(self.waited)),
            ("AvgQueueTime", str(round(queue.average))),
            ("CurrentQueueSize", str(len(queue.members))),
            ("MaxQueueSize", str(queue.doc.data["max_size"])),
        )


class Queue:
    """Members in the order in which they came."""

    def __init__(self, doc: Document) -> None:
        self.doc = doc
        self.members: list[Member] = []
        self.average = 0.0
        self._takers: list[asyncio.Future[None]] = []

    @property
    def is_full(self) -> bool:
        """Whether nobody else may wait."""
        return len(self.members) >= int(self.doc.data["max_size"])

    def add(self, member: Member) -> None:
        """The last one."""
        self.members.append(member)
        self._wake()

    def drop(self, member: Member) -> None:
        """It waits no more."""
        if member in self.members:
            self.members.remove(member)
            member.seconds = member.waited
            self.average += (member.seconds - self.average) * (_WEIGHT if self.average else 1.0)

    def _wake(self) -> None:
        """Whoever has asked first gets the first."""
        for taker in self._takers:
            if not taker.done():
                taker.set_result(None)
                return

    async def first(self, seconds: float, gone: asyncio.Future[str]) -> Member | None:
        """Wait for somebody who waits; None: nobody has come in that time."""
        until = time.monotonic() + seconds
        while not self.members:
            taker = _future()
            self._takers.append(taker)
            try:
                left = max(until - time.monotonic(), 0)
                waiting: set[asyncio.Future[None] | asyncio.Future[str]] = {taker, gone}
                await asyncio.wait(waiting, timeout=left, return_when="FIRST_COMPLETED")
            finally:
                self._takers.remove(taker)
            if not taker.done() or gone.done():
                if taker.done() and self.members:
                    self._wake()
                return None
        return self.members[0]
