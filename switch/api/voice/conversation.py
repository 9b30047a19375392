"""One call, and the documents that are carried out with it, one after the other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from switchroom.switch.calls.script import Call, CallEnded, Leg, Outward

from .live import Live
from .performer import Performer
from .program import Program
from .wishes import Place

if TYPE_CHECKING:
    from .means import Means


class Conversation:
    """One call and what is being done with it."""

    def __init__(self, means: Means, live: Live) -> None:
        self.live = live
        self._means = means
        self.call: Call | Leg | None = None
        self.outward: Outward | None = None
        self._step: asyncio.Task[None] | None = None
        self._following: Place | None = None

    async def run(self, call: Call | Leg, place: Place) -> None:
        """Go through the documents, from this one on, and from another when it is told so."""
        self.call = call
        following: Place | None = place
        while following is not None and not call.is_over:
            program = Program(following, is_answered=not isinstance(call, Call) or call.is_answered)
            self._following = None
            step = self._step = asyncio.create_task(Performer(self._means, self.live, call).run(program))
            try:
                await asyncio.wait({step})
            finally:
                if not step.done():
                    step.cancel()
                    await asyncio.wait({step})
            following = self._following
            if not step.cancelled() and (error := step.exception()) is not None:
                if not isinstance(error, CallEnded):
                    raise error
                return

    def redirect(self, place: Place) -> None:
        """Go on with another document at once."""
        self._following = place
        if self._step is not None:
            if self.call is not None:
                self.call.stop()
            self._step.cancel()

    async def hang_up(self) -> None:
        """End it, whatever its state."""
        if self.call is not None:
            await self.call.hang_up()
        elif self.outward is not None:
            self.outward.give_up()


class Called(Conversation):
    """Somebody whom Dial has called: he talks with whoever called him, until he is given a document."""

    def __init__(self, means: Means, live: Live, leg: Leg) -> None:
        super().__init__(means, live)
        self.call = self.leg = leg
        self.taken: asyncio.Future[Place] = asyncio.get_running_loop().create_future()

    def redirect(self, place: Place) -> None:
        """The first document takes him away from whoever called him."""
        if self.taken.done():
            super().redirect(place)
        else:
            self.taken.set_result(place)

    async def go_on(self) -> None:
        """Carry the documents out, to the end."""
        try:
            await self.run(self.leg, self.taken.result())
            await self.hang_up()
        finally:
            self.live.end("completed")
            self._means.conversations.pop(self.live.sid, None)
