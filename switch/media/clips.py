"""What can be played: files, tones and silence, made ready in a thread and kept as long as there is room."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from switchroom.codecs import Samples, resample, tones
from switchroom.codecs.files import read_file
from switchroom.switch.config.checks import split_sound

from ._sound import Clip

_MAX_FILE = 64 << 20  # octets
_MAX_KEPT = 48_000_000  # samples, of all that is kept
_RATES = (8000, 16000, 24000, 32000, 48000)


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing, for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Tone:
    """Frequencies (Hz) at once."""

    frequencies: tuple[float, ...]
    seconds: float = 1.0
    level: float = -13.0  # dBm0 of each


@dataclass(frozen=True, slots=True)
class Progress:
    """A tone by its name: dial, ringback, busy, congestion, waiting, sit of a country; beep, milliwatt."""

    name: str
    country: str = "us"
    seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Say:
    """A text, spoken by what the configuration names (api.say_command)."""

    text: str
    language: str = "en"
    voice: str = ""


def parse_sound(text: str) -> Sound:
    """A sound as the configuration names it: tone:440+480:0.5, silence:2, or a file."""
    found = split_sound(text)
    if found is None:
        return text
    pitches, seconds = found
    return Tone(pitches, seconds) if pitches else Silence(seconds)


BEEP = Progress("beep", seconds=0.25)
MILLIWATT = Progress("milliwatt", seconds=10.0)

Sound = str | Path | Silence | Tone | Progress | Say
Speak = Callable[[str, str, str], Awaitable[Path]]


async def _mute(text: str, voice: str, language: str) -> Path:
    raise OSError("nothing here can speak")


class Clips:
    """Loads sounds; the same one, at the same rate, once."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder  # where files without a path are looked for
        self.speak: Speak = _mute  # the file in which a text is said, by a voice, in a language
        self._coming: dict[tuple[object, ...], asyncio.Task[Clip]] = {}
        self._kept: OrderedDict[tuple[object, ...], tuple[Clip, int]] = OrderedDict()
        self._size = 0

    async def load(self, *sounds: Sound, rate: int) -> Clip:
        """Make sounds ready, several as one. OSError: no such file; CodecError: it cannot be read."""
        sounds = tuple([await self._spoken(sound) for sound in sounds])
        rate = min((one for one in _RATES if one >= rate), default=_RATES[-1])
        key = (*[await self._version(sound) for sound in sounds], rate)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found[0]
        work = self._coming.get(key)
        if work is None:  # whoever asks while it is made ready waits for the same one
            work = self._coming[key] = asyncio.create_task(self._make(key, sounds, rate))
            work.add_done_callback(lambda _: self._coming.pop(key, None))
        return await asyncio.shield(work)

    async def _make(self, key: tuple[object, ...], sounds: tuple[Sound, ...], rate: int) -> Clip:
        parts = [await self._samples(sound, rate) for sound in sounds]
        samples = parts[0] if len(parts) == 1 else np.concatenate(parts)[: _MAX_KEPT // 4 - 1]
        return self._keep(key, samples, rate)

    async def _spoken(self, sound: Sound) -> Sound:
        return await self.speak(sound.text, sound.voice, sound.language) if isinstance(sound, Say) else sound

    async def _version(self, sound: Sound) -> object:
        """What a sound is known by: a file that was changed is another one."""
        if not isinstance(sound, str | Path):
            return sound
        path = self._path(sound)
        stat = await asyncio.to_thread(path.stat)
        return path, stat.st_mtime_ns, stat.st_size

    async def _samples(self, sound: Sound, rate: int) -> Samples:
        if isinstance(sound, str | Path):
            return await asyncio.to_thread(_read, self._path(sound), rate)
        return make(sound, rate)

    def _path(self, sound: str | Path) -> Path:
        path = Path(sound)
        if not path.is_absolute() and ".." in path.parts:
            raise OSError(f"{path}: leads out of the folder of prompts")
        return path if path.is_absolute() or self.folder is None else self.folder / path

    def _keep(self, key: tuple[object, ...], samples: Samples, rate: int) -> Clip:
        clip = Clip(samples, rate)
        if len(samples) < _MAX_KEPT // 4:
            self._kept[key] = clip, len(samples)
            self._size += len(samples)
        while self._size > _MAX_KEPT:
            _, (_, count) = self._kept.popitem(last=False)
            self._size -= count
        return clip


def _read(path: Path, rate: int) -> Samples:
    size = path.stat().st_size
    if size > _MAX_FILE:
        raise OSError(f"{path}: {size} octets are too many to play")
    samples, own = read_file(path.name, path.read_bytes())
    return samples if own == rate or not len(samples) else resample(samples, own, rate)


def make(sound: Tone | Progress | Silence | Say, rate: int) -> Samples:
    """The samples of a tone or of silence."""
    assert not isinstance(sound, Say)
    if isinstance(sound, Silence):
        return np.zeros(max(1, round(rate * sound.seconds)), dtype=np.int16)
    if isinstance(sound, Progress):
        return tones.find(sound.name, sound.country).samples(sound.seconds, rate)
    tone = tones.Tone((tones.Segment(sound.frequencies, sound.seconds),), sound.level)
    return tone.samples(sound.seconds, rate)
