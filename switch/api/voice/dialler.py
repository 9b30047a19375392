"""Dial: calls those whom it names, lets the first who answers hear a document, and connects him."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from switchroom.switch.calls.script import CallEnded, Leg, NotAnswered, Progress
from switchroom.switch.media.clips import Sound
from switchroom.switch.store.documents import Document

from ..wire.errors import ApiError
from ..wire.sids import new_sid
from .actions import Callee, Dial, Dialled, Place
from .live import Live
from .means import Target
from .performer import Performer
from .program import Program
from .render import CALL, status_of

if TYPE_CHECKING:
    from switchroom.switch.calls.script import Call

_DAY = 86400.0


class _Child:
    """One who is called: the row of it, and how it is named to the switch."""

    def __init__(self, callee: Callee, live: Live, target: Target) -> None:
        self.callee, self.live, self.target = callee, live, target


class Dialler:
    """One Dial."""

    def __init__(self, performer: Performer) -> None:
        self._performer = performer
        self._means, self._live = performer.means, performer.live
        self._call: Call = performer.call
        self._recorded: Document | None = None

    async def dial(self, action: Dial) -> Dialled:
        """Call them all, or one after the other; what became of it."""
        caller = self._caller(action)
        groups: list[tuple[Callee, ...]] = [action.callees]
        if action.is_sequential:
            groups = [(one,) for one in action.callees]
        done = Dialled("failed")
        for group in groups:
            children = await self._children(group, caller)
            if children:
                done = await self._try(action, children, caller)
                if done.is_bridged:
                    break
        return done

    def _caller(self, action: Dial) -> str:
        """Who is shown: the caller, or a number of the account."""
        doc = self._live.doc
        shown = action.caller_id
        if not shown:
            return doc.source if doc.data["direction"] == "inbound" else doc.target
        if shown in (doc.source, doc.target):
            return shown
        try:
            return self._means.check_caller(doc.account, shown)
        except ApiError as error:
            self._live.complain(13247, f"Dial: callerId: {error.message}")
            return doc.source if doc.data["direction"] == "inbound" else doc.target

    async def _children(self, group: Sequence[Callee], caller: str) -> list[_Child]:
        found = []
        for callee in group:
            try:
                target = await self._means.target(self._live.account, callee.kind, callee.name)
                self._means.count(self._live.account)
            except ApiError as error:
                self._live.complain(error.code, f"Dial: {error.message}")
                continue
            live = Live(self._means.office, self._row(callee, caller))
            live.begin()
            found.append(_Child(callee, live, target))
        return found

    def _row(self, callee: Callee, caller: str) -> Document:
        data: dict[str, Any] = {"direction": "outbound-dial"}
        if callee.callback:
            data["callback"] = {
                "url": callee.callback,
                "method": callee.callback_method,
                "events": callee.callback_events,
            }
        now = time.time()
        name = f"client:{callee.name}" if callee.kind == "client" else callee.name
        seq = self._means.office.library.next_seq()
        return Document(
            *(seq, new_sid("CA"), self._live.account, CALL, now, now, data),
            parent=self._live.sid,
            state="queued",
            source=caller,
            target=name,
        )

    async def _try(self, action: Dial, children: list[_Child], caller: str) -> Dialled:
        by_target = {child.target.to: child for child in children}
        call, waiting = self._call, self._ringback(action)
        leg: Leg | None = None
        try:
            leg = await call.dial(
                *list(by_target),
                timeout=action.timeout,
                caller=caller,
                headers=children[0].target.headers if len(children) == 1 else (),
                on_ringing=lambda target: by_target[target].live.enter("ringing"),
            )
            winner = by_target[leg.target]
            winner.live.enter("in-progress")
            for child in children:
                if child is not winner:
                    child.live.end("no-answer", 487)
            if not await self._prepare(leg, winner):
                return self._result(winner, "no-answer", is_bridged=False)
            await _stop(waiting)
            await self._talk(action, leg)
            return self._result(winner, "completed", is_bridged=True)
        except NotAnswered as error:
            for child in children:
                child.live.end(status_of(error.status), error.status)
            return Dialled(status_of(error.status), children[-1].live.sid)
        finally:
            await _stop(waiting)
            if leg is not None and not leg.is_over:
                await leg.hang_up()
            for child in children:
                child.live.end("canceled", 487)

    def _ringback(self, action: Dial) -> asyncio.Task[str] | None:
        if not self._call.is_answered:
            return None
        tone = Progress("ringback", action.country if len(action.country) == 2 else "us", 6.0)
        return asyncio.create_task(_play(self._call, tone))

    async def _prepare(self, leg: Leg, child: _Child) -> bool:
        """Keys and a document for whoever has answered; False: he does not want to talk."""
        callee = child.callee
        try:
            if callee.keys:
                await leg.send_keys(callee.keys)
            if callee.url:
                program = Program(Place(callee.url, callee.method), is_answered=True, is_whisper=True)
                await Performer(self._means, child.live, leg).run(program)
        except CallEnded:
            pass
        return not leg.is_over

    async def _talk(self, action: Dial, leg: Leg) -> None:
        """Let the two talk; the time and the star of the caller end it."""
        call = self._call
        bridge = asyncio.create_task(call.bridge(leg))
        star = None
        if action.hangs_up_on_star:
            star = asyncio.create_task(call.gather(timeout=_DAY, finish_on="*"))
        try:
            await asyncio.sleep(0)
            self._live.enter("in-progress")
            self._record(action)
            await asyncio.wait(
                {bridge, *([star] if star is not None else [])},
                timeout=action.time_limit,
                return_when="FIRST_COMPLETED",
            )
            if not bridge.done() and not leg.is_over:
                await leg.hang_up()
            await bridge
        finally:
            await _stop(star)
            await _stop(bridge)

    def _record(self, action: Dial) -> None:
        if not action.record or self._recorded is not None:
            return
        channels = 2 if action.record.endswith("dual") else 1
        try:
            start = self._means.tapes.start
            self._recorded = start(self._live, self._call, "DialVerb", channels, action.tell)
        except OSError as error:
            self._live.complain(13217, f"Dial: record: {error}")

    def _result(self, child: _Child, status: str, *, is_bridged: bool) -> Dialled:
        child.live.end(status)
        more: tuple[tuple[str, str], ...] = ()
        if (doc := self._recorded) is not None:
            tapes = self._means.tapes
            if (recording := tapes.running.get(doc.sid)) is not None:
                recording.stop()
            more = (("RecordingSid", doc.sid), ("RecordingUrl", tapes.url(doc)))
        return Dialled(status, child.live.sid, child.live.doc.data.get("duration"), is_bridged, more)


async def _play(call: Call, tone: Sound) -> str:
    return await call.play(tone, loops=0)


async def _stop(task: asyncio.Task[str] | None) -> None:
    """End what goes on beside; what came of it is of no interest."""
    if task is not None and not task.done():
        task.cancel()
        await asyncio.wait({task})
    if task is not None and not task.cancelled():
        task.exception()
