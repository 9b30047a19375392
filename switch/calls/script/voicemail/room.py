"""All boxes of the switch: whose they are, and who is told what is in them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from switchroom.switch.config import VoicemailConfig

from .box import Box

if TYPE_CHECKING:
    from switchroom.switch.calls.exchange import Exchange

Tell = Callable[[str, int, int], object]  # a user, and how many messages are new and old


class Voicemail:
    """Users with ``voicemail = true`` have a box."""

    def __init__(self, exchange: Exchange, state_dir: Path, kind: Callable[[], str]) -> None:
        """``kind``: wav or ogg, for what is recorded."""
        self.tell: Tell = lambda user, new, old: None
        self.config = VoicemailConfig()
        self._exchange, self._state_dir, self._kind = exchange, state_dir, kind

    def box(self, user: str) -> Box | None:
        """A user's; None: that one has none."""
        known = self._exchange.config.users.get(user)
        if known is None or not known.voicemail:
            return None
        return Box((self.config.folder or self._state_dir / "voicemail") / user, self._kind())

    @property
    def time_ms(self) -> int:
        """The wall clock, in ms since 1970."""
        clock = self._exchange.clock
        return round(clock.posix(clock.now()) * 1000)

    async def changed(self, user: str) -> None:
        """Let the lamp of a user's phones follow."""
        box = self.box(user)
        if box is not None:
            self.tell(user, *await asyncio.to_thread(box.counts))

    async def recover(self) -> None:
        """Count what is in all boxes, with what a switch that was killed has left."""
        for user in list(self._exchange.config.users):
            box = self.box(user)
            if box is not None:
                await asyncio.to_thread(box.recover, self.time_ms)
                await self.changed(user)
