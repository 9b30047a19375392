"""Partial results of Gather: what was understood of somebody who still speaks, told while he does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from switchroom.codecs import Samples

from ...webhooks.courier import Letter
from ..render import call_params
from .hearing import HearingError
from .utterances import Utterances

if TYPE_CHECKING:
    from ..actions import Gather
    from ..performer import Performer

_RATE = 16000
_INTERVAL = 1.0  # seconds of speech between two of them


class Partials:
    """Listens beside, and understands again and again what there is."""

    def __init__(self, performer: Performer, action: Gather) -> None:
        self._performer, self._action = performer, action
        self._speech = Utterances(pause=action.max_speech, longest=action.max_speech)
        self._told_at, self._sequence = 0.0, 0
        self._before: list[str] = []  # the words of the last one
        self._task: asyncio.Task[None] | None = None
        self._stream = performer.party.stream(_RATE)
        self._stream.on_frame = self._on_frame

    def stop(self) -> None:
        """He has said all."""
        self._stream.close()
        if self._task is not None:
            self._task.cancel()

    def _on_frame(self, frame: Samples) -> None:
        self._speech.hear(frame)
        is_free = self._task is None or self._task.done()
        if is_free and self._speech.seconds >= self._told_at + _INTERVAL:
            self._told_at = self._speech.seconds
            if (samples := self._speech.so_far()) is not None:
                self._task = asyncio.create_task(self._understand(samples))

    async def _understand(self, samples: Samples) -> None:
        action, hearing = self._action, self._performer.means.hearing
        try:
            found = await hearing.read(samples, _RATE, action.language, action.hints)
        except (HearingError, OSError) as error:
            self._performer.live.complain(13326, f"Gather: partialResultCallback: {error}")
            return
        if found.text:
            self._tell(found.text.split())

    def _tell(self, words: list[str]) -> None:
        stable = 0
        for one, before in zip(words, self._before, strict=False):
            if one != before:
                break
            stable += 1
        live, tell = self._performer.live, self._action.partial
        params = [
            *call_params(live.doc),
            ("UnstableSpeechResult", " ".join(words[stable:])),
            ("StableSpeechResult", " ".join(words[:stable])),
            ("Stability", f"{stable / len(words):.4f}"),
            ("SequenceNumber", str(self._sequence)),
            ("Language", self._action.language),
        ]
        self._sequence += 1
        self._before = words
        letter = Letter(live.account, f"{live.sid}.partial", "partial", tell.url, params, tell.method)
        self._performer.means.office.note([], [letter], [])
