"""Two or more who talk because of Dial: how long they may, the star that ends it, and the recording of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from switchroom.switch.store.documents import Document

    from .actions import Dial
    from .performer import Performer

_DAY = 86400.0


class Talk:
    """What Dial says of the time in which the caller talks."""

    def __init__(self, performer: Performer, action: Dial) -> None:
        self._performer, self._action = performer, action
        self._party = performer.party
        self._recorded: Document | None = None

    async def run(self, talking: Coroutine[Any, Any, object]) -> bool:
        """Let them talk; False: time, or the star of the caller, has ended it."""
        action = self._action
        work = asyncio.ensure_future(talking)
        star = None
        if action.hangs_up_on_star:
            star = asyncio.ensure_future(self._party.gather(timeout=_DAY, finish_on="*"))
        try:
            await asyncio.sleep(0)
            self._performer.live.enter("in-progress")
            self._record()
            both = {work, *([star] if star is not None else [])}
            await asyncio.wait(both, timeout=action.time_limit, return_when="FIRST_COMPLETED")
            if work.done():
                work.result()
                return True
            return False
        finally:
            await stop(star)
            await stop(work)

    def _record(self) -> None:
        action = self._action
        if not action.record or self._recorded is not None:
            return
        channels = 2 if action.record.endswith("dual") else 1
        live = self._performer.live
        try:
            start = self._performer.means.tapes.start
            self._recorded = start(
                *(live, self._party, "DialVerb", channels, action.tell),
                is_trimmed=action.is_trimmed,
                track=action.track,
            )
        except OSError as error:
            live.complain(13217, f"Dial: record: {error}")

    def recorded(self) -> tuple[tuple[str, str], ...]:
        """End the recording; what is told of it."""
        doc = self._recorded
        if doc is None:
            return ()
        tapes = self._performer.means.tapes
        if (recording := tapes.running.get(doc.sid)) is not None:
            recording.stop()
        return ("RecordingSid", doc.sid), ("RecordingUrl", tapes.url(doc))


async def stop(task: asyncio.Future[Any] | None) -> None:
    """End what goes on beside; what came of it is of no interest."""
    if task is not None and not task.done():
        task.cancel()
        await asyncio.wait({task})
    if task is not None and not task.cancelled():
        task.exception()
