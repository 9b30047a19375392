"""Gather with speech: keys or words, whichever come; the words are recorded and then understood."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from switchroom.switch.calls.script import Call, Leg
from switchroom.switch.media.clips import Sound

from ..actions import (
    Gather,
    Keys,
)
from ..recordings.tapes import trim
from ..talk import stop
from .hearing import HearingError
from .partials import Partials

if TYPE_CHECKING:
    from ..performer import Performer

_PAUSE = 1.0  # seconds of silence after which somebody has said what he wanted
_KNOWN_BY = 0.5  # seconds of silence after which it is told
_NONE = "-"  # no key ends it


class Listening:
    """One Gather that takes speech."""

    def __init__(self, performer: Performer, action: Gather) -> None:
        self._performer, self._action = performer, action
        self._party: Call | Leg = performer.party
        self._news = asyncio.Event()
        self._is_talking = self._has_talked = False

    async def gather(self, prompt: list[Sound]) -> Keys:
        """What was pressed or said; CallEnded: the party is gone."""
        action, party = self._action, self._party
        hearing = self._performer.means.hearing
        path = hearing.new_path()
        recording = party.start_recording(path, sides="heard", max_length=action.timeout + 120)
        party.hear_talk(self._on_talk)
        partials = Partials(self._performer, action) if action.partial.url else None
        keys = asyncio.ensure_future(
            party.gather(
                action.count if action.hears_keys else None,
                timeout=action.timeout,
                finish_on=action.finish_on if action.hears_keys else _NONE,
                prompt=tuple(prompt),
            )
        )
        try:
            has_said = await self._wait(keys)
            if partials is not None:
                partials.stop()
            pressed = keys.result() if keys.done() and action.hears_keys else ""
            recording.stop()
            done = await asyncio.shield(recording.ended)
            if pressed or not has_said or done.reason != "stopped":
                return Keys(pressed, party.finished_by if keys.done() else "")
            if not await asyncio.to_thread(trim, path):
                return Keys("")
            found = await hearing.understand(path, action.language, action.hints)
            return Keys("", "", found.text, found.confidence)
        except HearingError as error:
            self._performer.live.complain(13326, f"Gather: {error}")
            return Keys("")
        finally:
            await stop(keys)
            if partials is not None:
                partials.stop()
            if not party.is_over:
                party.hear_talk(None)
            recording.stop()
            await asyncio.to_thread(path.unlink, missing_ok=True)

    def _on_talk(self, is_talking: bool) -> None:
        self._is_talking = is_talking
        if is_talking:
            self._has_talked = True
            if self._action.is_interruptible:
                self._party.stop()
        self._news.set()

    async def _wait(self, keys: asyncio.Future[str]) -> bool:
        """Until keys have come, or something was said and then nothing; whether something was said."""
        pause = (self._action.speech_timeout or _PAUSE) - _KNOWN_BY
        until = asyncio.get_running_loop().time() + self._action.max_speech
        while True:
            left = max(until - asyncio.get_running_loop().time(), 0)
            if self._has_talked and not self._is_talking:
                left = min(left, max(pause, 0.1))
            self._news.clear()
            news = asyncio.ensure_future(self._news.wait())
            both: set[asyncio.Future[object]] = {news, keys}  # type: ignore[arg-type]
            await asyncio.wait(both, timeout=left, return_when="FIRST_COMPLETED")
            has_news = news.done()
            await stop(news)
            if keys.done():
                if keys.result() or not self._is_talking:
                    return self._has_talked and not keys.result()
                keys = asyncio.get_running_loop().create_future()  # time is over, but he speaks
            elif not has_news:
                return self._has_talked
