"""All queues of the API: how a call waits in one, and how another takes it out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from switchroom.switch.calls.script import CallEnded, Progress, meet
from switchroom.switch.store.documents import Document

from ...office import Shelf
from ..actions import (
    Dequeued,
    Dial,
    Dialled,
    Enqueue,
)
from ..performer import Performer
from ..program import QUEUEING, WAITING, Program
from ..talk import Talk, stop
from ..waiting import Waiting
from ..wishes import (
    Place,
    QueueWish,
)
from .queue import Meeting, Member, Queue

if TYPE_CHECKING:
    from ..means import Means

QUEUE = "queue"
MAX_SIZE = 5000


class Queues:
    """By account and name; the rows last, who waits does not."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self.shelf = Shelf(means.office, QUEUE, "QU")
        self._open: dict[str, Queue] = {}

    def of(self, doc: Document) -> Queue:
        """The queue of a row."""
        queue = self._open.get(doc.sid)
        if queue is None:
            queue = self._open[doc.sid] = Queue(doc)
        queue.doc = doc
        return queue

    def named(self, account: str, name: str) -> Queue | None:
        """The one of that name."""
        doc = self._means.office.library.named(QUEUE, f"{account}/{name}")
        return None if doc is None else self.of(doc)

    def make(self, account: str, name: str, max_size: int) -> Document:
        """A new row, not written yet."""
        data = {"friendly_name": name, "max_size": max_size}
        return self.shelf.new(account, data, name=f"{account}/{name}")

    def forget(self, doc: Document) -> None:
        """There is no such queue any more."""
        self._open.pop(doc.sid, None)

    # -- whoever waits

    async def wait(self, performer: Performer, action: Enqueue) -> Dequeued:
        """Until somebody takes the call out, or it has enough."""
        live, call = performer.live, performer.party
        queue = self.named(live.account, action.name)
        if queue is None:
            doc = self.make(live.account, action.name, action.max_size)
            self._means.office.begin([doc])
            queue = self.of(doc)
        member = Member(queue, live, call)
        if queue.is_full or len(queue.members) >= action.max_size:
            return member.result("queue-full")
        queue.add(member)
        self._tell("joined", member)
        try:
            done = await self._stay(member, action)
        finally:
            queue.drop(member)
            if not member.taken.done():
                member.taken.cancel()
            self._note(member)
        return done

    async def _stay(self, member: Member, action: Enqueue) -> Dequeued:
        means, call = self._means, member.call
        music = Waiting(means, member.live, call, action.wait, allowed=QUEUEING, params=member.params)
        try:
            waiting: set[asyncio.Future[object]] = {member.taken, music.left, call.ended}  # type: ignore[arg-type]
            await asyncio.wait(waiting, return_when="FIRST_COMPLETED")
        finally:
            await music.stop()
        if call.is_over:
            return member.result("hangup")
        if not member.taken.done():
            return member.result("leave")
        by = member.taken.result()
        if isinstance(by, Place):
            return member.result("redirected", by)
        return await self._meet(member, by)

    async def _meet(self, member: Member, meeting: Meeting) -> Dequeued:
        """Hear a document, and then whoever has taken the call."""
        wish = meeting.wish
        told = (
            ("QueueSid", member.queue.doc.sid),
            ("QueueTime", str(member.waited)),
            ("DequeingCallSid", meeting.taker),
        )
        try:
            if wish.url:
                performer = Performer(self._means, member.live, member.call, lambda: told)
                program = Program(Place(wish.url, wish.method), is_answered=True, allowed=WAITING)
                await performer.run(program)
            meeting.ready.set_result(None)
            await meeting.over
        except CallEnded:
            return member.result("hangup")
        finally:
            meeting.end()
        return member.result("bridged")

    def _note(self, member: Member) -> None:
        live = member.live
        live.keep(queue_time=int(live.doc.data.get("queue_time", 0)) + member.waited)
        self._tell("left", member)

    def _tell(self, what: str, member: Member) -> None:
        data = {"call": member.live.sid, "seconds": member.waited, "size": len(member.queue.members)}
        data["queue"] = member.queue.doc.data["friendly_name"]
        event = (member.live.account, f"queue.{what}", member.queue.doc.sid, data)
        self._means.office.begin(events=[event])

    # -- whoever takes

    async def take_first(self, performer: Performer, action: Dial, wish: QueueWish) -> Dialled:
        """Talk with the first who waits; when nobody does, wait for one."""
        live, call = performer.live, performer.party
        queue = self.named(live.account, wish.name)
        if queue is None:
            live.complain(13223, f"Dial->Queue: there is no queue {wish.name[:100]}")
            return Dialled("failed")
        meeting = Meeting(wish, live.sid)
        member = await self._first(queue, performer, action, meeting)
        if member is None:
            return Dialled("no-answer")
        talk = Talk(performer, action)
        try:
            waiting: set[asyncio.Future[object]] = {meeting.ready, member.call.ended, call.ended}  # type: ignore[arg-type]
            await asyncio.wait(waiting, return_when="FIRST_COMPLETED")
            is_bridged = meeting.ready.done() and not meeting.over.done()
            if is_bridged:
                await talk.run(meet(call, member.call, meeting.over))
        finally:
            meeting.end()
        more = (("QueueSid", queue.doc.sid), ("QueueTime", str(member.waited)), *talk.recorded())
        return Dialled("completed" if is_bridged else "failed", member.live.sid, None, is_bridged, more)

    async def _first(
        self, queue: Queue, performer: Performer, action: Dial, meeting: Meeting
    ) -> Member | None:
        call = performer.party
        tone = None
        if not queue.members:
            country = action.country if len(action.country) == 2 else "us"
            tone = asyncio.ensure_future(call.play(Progress("ringback", country, 6.0), loops=0))
        try:
            member = await queue.first(action.timeout, call.ended)
            if member is not None:
                member.take(meeting)
        finally:
            await stop(tone)
        if call.is_over:
            meeting.end()
            raise CallEnded(call.ended.result())
        return member
