"""Speech to text by a program of the system, which the configuration names."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from switchroom.codecs import Samples
from switchroom.codecs.files import write_header

from .commands import CommandError, run

_TIMEOUT = 120.0
_AT_ONCE = 4
_MAX_HINTS = 1000
_UNSAFE = re.compile(r"[^\w ,.-]")  # in hints: they may be a word of a shell's command


class HearingError(Exception):
    """Nothing can be understood: why."""


class Understood(NamedTuple):
    """What was said, and how sure that is: from 0 to 1."""

    text: str
    confidence: float = 1.0


class Hearing:
    """Understands what is in files."""

    def __init__(self, command: Callable[[], str], folder: Path) -> None:
        """``command``: of the configuration; {file}, {language}, {hints} are filled in; it writes text."""
        self._command, self._folder = command, folder
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._count = 0

    @property
    def is_possible(self) -> bool:
        """Whether there is anybody who understands."""
        return bool(self._command())

    def new_path(self) -> Path:
        """Where something may be recorded that is to be understood, and then removed."""
        self._count += 1
        return self._folder / f"{self._count}.wav"

    async def read(self, samples: Samples, rate: int, language: str, hints: str = "") -> Understood:
        """What is said in some sound; HearingError: that cannot be known here. OSError: the disk is full."""
        path = self.new_path()
        try:
            await asyncio.to_thread(_write, path, samples, rate)
            return await self.understand(path, language, hints)
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def understand(self, path: Path, language: str, hints: str = "") -> Understood:
        """What is said in a file; HearingError: that cannot be known here."""
        command = self._command()
        if not command:
            raise HearingError("api.transcribe_command is empty: nobody understands speech here")
        tongue = language if language.replace("-", "").isalnum() and len(language) <= 16 else "en-US"
        words = _UNSAFE.sub(" ", hints)[:_MAX_HINTS]
        try:
            async with self._room:
                written = await run(command, _TIMEOUT, file=path, language=tongue, hints=words)
        except CommandError as error:
            raise HearingError(str(error)) from None
        return _read(written.decode("utf-8", "replace").strip())


def _write(path: Path, samples: Samples, rate: int) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    data = samples.astype("<i2").tobytes()
    path.write_bytes(write_header(rate, 1, len(data)) + data)


def _read(text: str) -> Understood:
    """Plain text, or JSON with text and confidence."""
    if text.startswith("{"):
        try:
            told = json.loads(text)
            return Understood(
                str(told["text"]).strip(), min(max(float(told.get("confidence", 1.0)), 0.0), 1.0)
            )
        except (ValueError, KeyError, TypeError, RecursionError):
            raise HearingError("its answer is neither text nor JSON with text") from None
    return Understood(" ".join(text.split()))
