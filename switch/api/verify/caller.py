"""Codes that are read out over the telephone: each digit is a sound of its own, so no file has a code."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from switchroom.switch.calls.identity import Identity
from switchroom.switch.calls.script import Call, NotAnswered
from switchroom.switch.media.clips import Silence

from ..voice.speaking.speech import SpeechError
from .words import language_of, words_of

if TYPE_CHECKING:
    from pathlib import Path

    from ..office import Office
    from ..voice.means import Means

APP = "verify"
_RINGS = 30.0
_TIMES = 3
_PATIENCE = 8.0

log = structlog.get_logger("switchroom.api")


@dataclass(frozen=True, slots=True)
class Reading:
    """A code, and how it is read out to whom."""

    account: str
    verification: str
    to: str
    caller: str
    name: str  # of the service
    code: str
    locale: str
    needs_key: bool


class Caller:
    """Makes the calls."""

    def __init__(self, office: Office, means: Means) -> None:
        self._office, self._means = office, means

    async def check(self, account: str, to: str) -> None:
        """ApiError: nobody may be called there, or not today any more."""
        await self._means.target(account, "number", to)
        self._means.count(account)

    def call(self, reading: Reading, done: Callable[[str], None]) -> None:
        """Call somebody and read the code to him; ``done`` is told what came of it."""
        self._office.spawn(self._call(reading, done))

    async def _call(self, reading: Reading, done: Callable[[str], None]) -> None:
        try:
            sounds = await self._sounds(reading)
            call = await self._means.apps.call(
                reading.to, app=APP, caller=Identity(reading.caller), timeout=_RINGS
            )
        except NotAnswered as error:
            done("busy" if error.status in (486, 600) else "no-answer")
            return
        except SpeechError as error:
            log.error("verify.no_voice", verification=reading.verification, reason=str(error))
            done("failed")
            return
        done("answered")
        self._means.apps.run(lambda call: _read(call, reading, *sounds), call)

    async def _sounds(self, reading: Reading) -> tuple[Path, Path, list[Path]]:
        """What is said, in files that say nothing of the code; SpeechError: there is no voice."""
        words, language = words_of(reading.locale), language_of(reading.locale)

        def speak(text: str) -> asyncio.Task[Path]:
            return asyncio.create_task(self._means.speech.speak(text, "", language))

        texts = [text.format(name=reading.name) for text in (words.press, words.spoken)]
        press, spoken, *digits = await asyncio.gather(*map(speak, [*texts, *map(str, range(10))]))
        return press, spoken, [digits[int(digit)] for digit in reading.code]


async def _read(call: Call, reading: Reading, press: Path, spoken: Path, digits: list[Path]) -> None:
    """Read it out; CallEnded: he has heard enough."""
    if reading.needs_key and not await call.gather(1, timeout=_PATIENCE, finish_on="", prompt=press):
        await call.hang_up()
        return
    between = Silence(0.4)
    for _ in range(_TIMES):
        await call.play(spoken, between)
        for digit in digits:
            await call.play(digit, between)
        await call.play(Silence(1.0))
    await call.hang_up()
