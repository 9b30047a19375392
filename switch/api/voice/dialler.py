"""Dial: calls those whom it names, lets the first who answers hear a document, and connects him."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from switchroom.switch.calls.script import CallEnded, Leg, Manner, NotAnswered, Progress
from switchroom.switch.media.clips import Sound
from switchroom.switch.store.documents import Document

from ..wire.errors import ApiError
from ..wire.sids import new_sid
from .actions import (
    Dial,
    Dialled,
)
from .answering import find_out
from .conversation import Called
from .live import Live
from .means import Target
from .performer import Performer
from .program import Program
from .render import CALL, status_of
from .rounds import rounds_of
from .talk import Talk, stop
from .wishes import (
    Callee,
    Place,
)

if TYPE_CHECKING:
    from switchroom.switch.calls.script import Call


class _Child:
    """One who is called: the row of it, and how it is named to the switch."""

    def __init__(self, callee: Callee, live: Live, target: Target) -> None:
        self.callee, self.live, self.target = callee, live, target
        self.is_taken = False  # it has a document of its own, and nothing to do with the caller any more

    def manner(self, *, is_alone: bool) -> Manner:
        """What is for it, and not for others who are called with it."""
        return Manner(() if is_alone else self.target.headers, self.callee.credentials)


class Dialler:
    """One Dial."""

    def __init__(self, performer: Performer, action: Dial) -> None:
        self._performer, self._action = performer, action
        self._means, self._live = performer.means, performer.live
        self._call: Call = performer.call
        self._talk = Talk(performer, action)
        self._sip: tuple[tuple[str, str], ...] = ()  # what is told of a SIP leg that has answered
        self._referred = ""  # where whoever was called has sent the caller

    async def dial(self) -> Dialled:
        """Call them all, or one after the other; what became of it."""
        action = self._action
        caller = self._caller(action)
        groups = rounds_of(action.callees, is_sequential=action.is_sequential, draw=random.random)
        done = Dialled("failed")
        for group in groups:
            children = await self._children(group, caller)
            if not children:
                continue
            try:
                done = await self._try(action, children, caller)
            except CallEnded:
                return self._left(children)
            if done.is_bridged:
                break
        return done

    def _left(self, children: list[_Child]) -> Dialled:
        """The caller has hung up: while he talked, or before anybody had answered."""
        talked = [child for child in children if "answered_at" in child.live.doc.data]
        child = (talked or children)[-1]
        more, duration = (*self._talk.recorded(), *self._sip), child.live.doc.data.get("duration")
        status = "completed" if talked else "canceled"
        return Dialled(status, child.live.sid, duration if talked else None, bool(talked), more)

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
                manners={child.target.to: child.manner(is_alone=len(children) == 1) for child in children},
            )
            winner = by_target[leg.target]
            winner.live.enter("in-progress")
            if winner.callee.kind == "sip":
                self._sip = ("DialSipCallId", leg.call_id), ("DialSipResponseCode", "200")
            for child in children:
                if child is not winner:
                    child.live.end("no-answer", 487)
            if not await self._prepare(leg, winner):
                return self._result(winner, "no-answer", is_bridged=False)
            await stop(waiting)
            await self._talk.run(self._bridge(winner, leg))
            return self._result(winner, "completed", is_bridged=True)
        except NotAnswered as error:
            for child in children:
                child.live.end(status_of(error.status), error.status)
            last = children[-1]
            more = (("DialSipResponseCode", str(error.status)),) if last.callee.kind == "sip" else ()
            return Dialled(status_of(error.status), last.live.sid, more=more)
        finally:
            await stop(waiting)
            for child in children:
                if not child.is_taken:
                    child.live.end("canceled", 487)
            if leg is not None and not leg.is_over and not by_target[leg.target].is_taken:
                await leg.hang_up()

    async def _bridge(self, child: _Child, leg: Leg) -> None:
        """Let the two talk, until one leaves, or the one who was called is given a document."""
        await self._call.answer()  # even where the other has left since he answered
        calls = self._means.conversations
        calls[child.live.sid] = one = Called(self._means, child.live, leg)
        bridge = asyncio.ensure_future(self._call.bridge(leg))
        referred: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        if self._action.may_refer:
            leg.hear_refer(referred.set_result)
        try:
            both: set[asyncio.Future[Any]] = {bridge, one.taken, referred}
            await asyncio.wait(both, return_when="FIRST_COMPLETED")
            if one.taken.done() and not leg.is_over:
                child.is_taken = True
                await stop(bridge)
                self._means.office.spawn(one.go_on())
            elif bridge.done():
                bridge.result()
            elif referred.done() and not leg.is_over:
                self._referred = referred.result()
                await stop(bridge)
                leg.let_go()
        finally:
            leg.hear_refer(None)
            await stop(bridge)
            if not child.is_taken:
                calls.pop(child.live.sid, None)

    def _ringback(self, action: Dial) -> asyncio.Task[str] | None:
        if not self._call.is_answered:
            return None
        tone = Progress("ringback", action.country if len(action.country) == 2 else "us", 6.0)
        return asyncio.create_task(_play(self._call, tone))

    async def _prepare(self, leg: Leg, child: _Child) -> bool:
        """Keys and a document for whoever has answered; False: having heard it, he does not want to talk."""
        callee = child.callee
        if callee.detection is not None:
            self._means.office.spawn(find_out(self._means, child.live, leg, callee.detection))
        try:
            if callee.keys:
                await leg.send_keys(callee.keys)
            if callee.url:
                program = Program(Place(callee.url, callee.method), is_answered=True, is_whisper=True)
                await Performer(self._means, child.live, leg).run(program)
        except CallEnded:
            pass
        return not callee.url or not leg.is_over

    def _result(self, child: _Child, status: str, *, is_bridged: bool) -> Dialled:
        if not child.is_taken:
            child.live.end(status)
        more = (*self._talk.recorded(), *self._sip)
        duration = child.live.doc.data.get("duration")
        return Dialled(status, child.live.sid, duration, is_bridged, more, self._referred)


async def _play(call: Call, tone: Sound) -> str:
    return await call.play(tone, loops=0)
