"""The programs of a switch: which calls are theirs, and the tasks in which they run.

A program that fails ends its own call and no other: with 500 when that was not answered, else with BYE.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from switchroom.switch.calls.routing import Inquiry, Leap, Plan, Step, ToApp
from switchroom.switch.config.patterns import match_any, read_patterns
from switchroom.switch.media.recorder import remove_old

from .built_in import BUILT_IN
from .call import Call, Headers
from .dialling import NotAnswered
from .menu import Menu
from .outward import Outward
from .overhearing import OnStart, Overhearing
from .recording import CallRecordings
from .seat import CallEnded
from .supervising import Supervision
from .targets import Manner, aim

if TYPE_CHECKING:
    from switchroom.switch.calls.call import Call as SipCall
    from switchroom.switch.calls.identity import Identity
    from switchroom.switch.calls.ledger import Log
    from switchroom.switch.calls.routing import Credentials
    from switchroom.switch.config import MenuConfig

    from .house import House

_SWEEP = 3600.0  # seconds between two looks for old recordings
Handler = Callable[[Call], Awaitable[object]]


class Apps:
    """Handlers by name and by the numbers that are theirs."""

    def __init__(self, house: House, log: Log) -> None:
        self.house = house
        self.calls: dict[str, Call] = {}  # by id, as long as they are up
        self._log = log
        self._handlers: dict[str, Handler] = dict(BUILT_IN)
        self._patterns = house.exchange.app_numbers
        self.claims = house.exchange.claims  # the names of handlers, by other rules
        self._menus: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.recordings = CallRecordings(house)
        self.supervision = Supervision(self)
        house.exchange.claim = self._claim
        house.exchange.on_app = self._on_app

    # -- who is there

    def set_menus(self, menus: Sequence[MenuConfig]) -> None:
        """Offer the menus of the configuration, and those of before no more."""
        for name in self._menus:
            self._handlers.pop(name, None)
        self._menus = [menu.name for menu in menus]
        self._handlers |= {menu.name: Menu(self, menu) for menu in menus}

    async def go_on(self, call: Call, kind: str, name: str) -> bool:
        """Go on with another program in a call; False: there is none of that name."""
        handler = self._handlers.get(name if kind == "app" else f"{kind}:")
        if handler is None:
            return False
        call.app = name
        await handler(call)
        return True

    def add(self, name: str, handler: Handler) -> None:
        """Let routes lead to ``app:NAME``; ``conference:`` is the handler of all conferences."""
        self._handlers[name] = handler

    def on_call(self, pattern: str) -> Callable[[Handler], Handler]:
        """Take the calls to numbers like this: "sip:9*", "100-199 300"; before routing is asked."""
        patterns = read_patterns(" ".join(part.removeprefix("sip:") for part in pattern.split()))

        def add(handler: Handler) -> Handler:
            name = getattr(handler, "__name__", "handler").strip("<>")
            number = 2
            while name in self._handlers:
                name = f"{name.partition('.')[0]}.{number}"
                number += 1
            self.add(name, handler)
            self._patterns.append((patterns, name))
            return handler

        return add

    def start(self) -> None:
        """Look into the boxes: now, and when what a killed switch left is no more somebody's."""
        for work, name in ((self._recover(), "voicemail"), (self._forget(), "recordings")):
            task = asyncio.get_running_loop().create_task(work, name=name)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _forget(self) -> None:
        """Remove old recordings, once in an hour."""
        while True:
            await self.remove_old_recordings(time.time())
            await asyncio.sleep(_SWEEP)

    async def remove_old_recordings(self, now: float) -> None:
        """Remove those that are kept no longer; ``now``: as the system's clock has it."""
        house = self.house
        if not house.config.keep_recordings:
            return
        before = now - house.config.keep_recordings * 86_400
        try:
            gone = await asyncio.to_thread(remove_old, house.recordings, before)
        except OSError as error:
            self._log.warning("recordings.not_removed", error=str(error))
            return
        if gone:
            self._log.info("recordings.removed", count=len(gone))

    async def _recover(self) -> None:
        for delay in (0.0, 15.0):
            await asyncio.sleep(delay)
            try:
                await self.house.voicemail.recover()
            except OSError as error:
                self._log.warning("voicemail.failed", error=str(error))

    async def stop(self) -> None:
        """End the programs; their calls are ended by the exchange."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self.house.recorder.stop)

    async def overhear(self, call: Call, call_id: str, *, on_start: OnStart | None = None) -> None:
        """Let a call hear both sides of another one, of two telephones, until either ends.

        ``on_start`` gets what lets him be heard: ``whisper``, ``join``, and ``listen`` again. Nobody is told:
        whether that is allowed is the program's affair. LookupError: there is no such call, or its sound is
        not known here.
        """
        other = self.house.exchange.calls.get(call_id)
        if other is None:
            raise LookupError(f"no call {call_id}")
        await Overhearing(self.house, self.recordings, call, other).run(on_start)

    # -- for the exchange

    def _claim(self, inquiry: Inquiry) -> Plan | None:
        number = inquiry.called
        name = None
        for patterns, handler in self._patterns:
            if match_any(patterns, number):
                name = handler
                break
        for claim in self.claims:
            name = name or claim(inquiry)
        if name is None or self.house.exchange.router.is_emergency(number):
            return None
        leap = Leap(ToApp(name), number, inquiry.caller)
        line = f"{number} is taken by the application {name}"
        return Plan(inquiry, (Step((leap,)),), told=(line,))

    def _on_app(self, sip_call: SipCall, to: ToApp, now: float) -> bool:
        """A call's plan has led to a program."""
        handler = self._handlers.get(to.name if to.kind == "app" else f"{to.kind}:")
        if handler is None:
            return False
        self.run(handler, self._take(sip_call, to.name))
        return True

    async def call(
        self,
        target: str,
        *,
        app: str,
        caller: Identity,
        timeout: float = 60.0,  # noqa: ASYNC109 - how long it rings
        headers: Headers = (),
        credentials: Credentials | None = None,
        outward: Outward | None = None,
    ) -> Call:
        """Call somebody who has not called us; it is answered when it is returned. NotAnswered: nobody did.

        ``outward`` is told what happens meanwhile, and can give it up. ``credentials``: for a URI that asks.
        """
        placed = outward or Outward(caller.number)
        found = aim(
            self.house.exchange,
            (target,),
            app=app,
            called=target,
            shown=caller.number,
            timeout=timeout,
            manners={target: Manner((), credentials)},
        )
        if not found.plan.steps:
            raise NotAnswered(found.plan.status or 404, found.plan.reason or "Not Found")
        placed.seat = lambda sip_call: self._seat(sip_call, app)
        placed.begin(self.house, target, found.plan, caller, headers, timeout)
        try:
            return await placed.answered
        except asyncio.CancelledError:
            placed.give_up()
            raise

    def _seat(self, sip_call: SipCall, app: str) -> Call:
        """The program's side of a call that we made and that is answered now."""
        call = self._take(sip_call, app)
        call._listen()
        return call

    def _take(self, sip_call: SipCall, app: str) -> Call:
        call = self.calls[sip_call.id] = Call(self.house, sip_call, app)
        sip_call.on_over = self._on_call_over
        return call

    def run(self, handler: Handler, call: Call) -> None:
        """Give a call to a handler, in a task of its own."""
        task = asyncio.get_running_loop().create_task(self._run(handler, call), name=f"call {call.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, handler: Handler, call: Call) -> None:
        status, reason = 480, "The application did not answer"
        try:
            await handler(call)
        except CallEnded:
            pass
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one program, the others go on
            status, reason = 500, "The application failed"
            said = f"{type(error).__name__}: {error}"
            self._log.warning("app.failed", call=call.id, app=call.app, error=said)
        finally:
            self._finish(call, status, reason)

    def _finish(self, call: Call, status: int, reason: str) -> None:
        sip_call = self.house.exchange.calls.get(call.id)
        if call.is_over or sip_call is None:
            return
        now = self.house.now
        if not call.is_answered:
            sip_call.refuse(status, reason, now, ended_by="switch")
        else:
            sip_call.hang_up(
                "Normal call clearing" if status != 500 else reason, now, cause=500 if status == 500 else None
            )
        self.house.flush()

    def _on_call_over(self, sip_call: SipCall) -> None:
        call = self.calls.pop(sip_call.id, None)
        if call is not None:
            call._over(sip_call.record.reason or "ended")
