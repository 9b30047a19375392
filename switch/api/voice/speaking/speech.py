"""Text to speech by a program of the system: espeak-ng, or what the configuration names."""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from .commands import CommandError, run
from .sounds import make_room

if TYPE_CHECKING:
    from collections.abc import Callable

_TIMEOUT = 20.0
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_AT_ONCE = 2
_MAX_KEPT = 128 << 20
_MALE = ("man", "male", "matthew", "brian", "joey", "justin", "hans", "giorgio", "enrique", "mathieu")


class SpeechError(Exception):
    """Nothing can be said: why."""


class Speech:
    """Says texts into files; the same text once."""

    def __init__(self, command: Callable[[], str], folder: Path) -> None:
        """``command``: of the configuration; {voice}, {language}, {name}, {file} are filled in."""
        self._command, self._folder = command, folder
        self._coming: dict[Path, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def speak(self, text: str, voice: str, language: str) -> Path:
        """The file in which a text is said; SpeechError: that cannot be done here."""
        command, name = self._command(), voice_of(voice, language)
        if not command:
            raise SpeechError("api.say_command is empty: there is no voice")
        words = {"voice": name, "language": _word(language) or "en-US", "name": _word(voice) or "none"}
        known_by = "\0".join((command, *words.values(), text))
        key = hashlib.sha256(known_by.encode("utf-8", "replace")).hexdigest()[:32]
        path = self._folder / f"{key}.wav"
        if path.exists():
            return path
        work = self._coming.get(path)
        if work is None:
            work = self._coming[path] = asyncio.create_task(self._say(command, text, words, path))
            work.add_done_callback(lambda _: self._coming.pop(path, None))
        await asyncio.shield(work)
        return path

    async def _say(self, command: str, text: str, words: dict[str, str], path: Path) -> None:
        fresh = path.with_name(path.stem + "~.wav")
        async with self._room:
            await asyncio.to_thread(self._folder.mkdir, mode=0o700, exist_ok=True)
            try:
                await run(command, _TIMEOUT, text.encode("utf-8", "replace"), **words, file=fresh)
            except CommandError as error:
                raise SpeechError(str(error)) from None
        if not fresh.exists():
            raise SpeechError("the command has written no file")
        fresh.replace(path)
        await asyncio.to_thread(make_room, self._folder, _MAX_KEPT)


def _word(text: str) -> str:
    """What a command may be given, even where a shell reads it."""
    return text if _WORD.fullmatch(text) else ""


def voice_of(voice: str, language: str) -> str:
    """A voice of espeak-ng: "alice", "Polly.Hans" and a language become "de+m3"."""
    name = voice.rpartition(".")[2].lower().removesuffix("-neural")
    tongue = language.lower() or "en-us"
    if not tongue.replace("-", "").isalnum() or len(tongue) > 16:
        tongue = "en-us"
    base, _, region = tongue.partition("-")
    if (base, region) not in (("en", "us"), ("en", "gb"), ("es", "419"), ("pt", "br"), ("fr", "be")):
        tongue = {"zh": "cmn", "no": "nb"}.get(base, base)
    return f"{tongue}+m3" if name in _MALE else f"{tongue}+f3"
