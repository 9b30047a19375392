"""Who waits and who takes, in their order."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from switchroom.switch.api.voice.queues.queue import Member, Queue
from switchroom.switch.store.documents import Document


def queue(size: int = 2) -> Queue:
    return Queue(Document(1, "QU1", "AC1", "queue", 0, 0, {"friendly_name": "q", "max_size": size}))


def member(of: Queue) -> Member:
    one = Member(of, cast(Any, None), cast(Any, None))
    of.add(one)
    return one


async def test_the_first_comes_first() -> None:
    waiting = queue()
    one, two = member(waiting), member(waiting)
    assert waiting.is_full
    assert dict(two.params()) == {
        "QueueSid": "QU1",
        "QueuePosition": "2",
        "QueueTime": "0",
        "AvgQueueTime": "0",
        "CurrentQueueSize": "2",
        "MaxQueueSize": "2",
    }
    gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    assert await waiting.first(1, gone) is one
    waiting.drop(one)
    assert await waiting.first(1, gone) is two
    waiting.drop(two)
    assert await waiting.first(0, gone) is None


async def test_who_has_asked_first_gets_the_first() -> None:
    waiting = queue()
    here, gone = (asyncio.get_running_loop().create_future() for _ in range(2))

    async def take(hangs_up: asyncio.Future[str]) -> Member | None:
        found = await waiting.first(5, hangs_up)
        if found is not None:
            waiting.drop(found)
        return found

    takers = [asyncio.create_task(take(one)) for one in (gone, here, here)]
    await asyncio.sleep(0)
    gone.set_result("hung up")
    first = member(waiting)
    assert [await taker for taker in takers[:2]] == [None, first]
    second = member(waiting)
    assert await takers[2] is second
