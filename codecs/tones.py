"""Tones as samples: keys (ITU-T Q.23), call progress by country (E.180 Supplement 2), fax (T.30), beeps.

A tone is a cadence: segments of one or two frequencies or of silence, over and over or once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from .codec import Samples
from .countries import NAMES, PLANS, SAME, SIT

__all__ = ["BEEP", "CED", "CNG", "COUNTRIES", "MILLIWATT", "Segment", "Tone", "dtmf", "find", "sequence"]

_FULL_SCALE = 3.14  # dBm0 of a sine that reaches 32767, as G.711 has it
_RAMP = 0.003  # seconds in which a segment comes and goes, so that nothing clicks
_ROWS, _COLUMNS, _KEYS = (697, 770, 852, 941), (1209, 1336, 1477, 1633), "123A456B789C*0#D"


class Segment(NamedTuple):
    """Frequencies (Hz) that sound together for so many seconds; none: silence. Zero seconds: without end."""

    frequencies: tuple[float, ...]
    seconds: float = 0.0
    modulation: float = 0.0  # Hz by which the level swings


class Tone(NamedTuple):
    """A cadence; ``level`` is that of each frequency, in dBm0."""

    segments: tuple[Segment, ...]
    level: float = -13.0
    is_repeated: bool = True

    @property
    def period(self) -> float:
        """Seconds after which it begins anew; 0: it never ends."""
        return sum(one.seconds for one in self.segments)

    def samples(self, seconds: float, rate: int = 8000) -> Samples:
        """So much of it; a tone that is not repeated ends in silence."""
        found = np.zeros(round(seconds * rate), np.float64)
        amplitude = 32767 * 10 ** ((self.level - _FULL_SCALE) / 20)
        for begin, end, segment in self._spans(len(found), rate):
            at = np.arange(begin, end) / rate
            sound = np.zeros(end - begin)
            for frequency in segment.frequencies:
                sound += amplitude * np.sin(2 * np.pi * frequency * at)
            if segment.modulation:
                sound *= 0.5 * (1 + np.sin(2 * np.pi * segment.modulation * at))
            found[begin:end] = sound * _ramps(end - begin, round(_RAMP * rate))
        return np.asarray(np.rint(np.clip(found, -32768, 32767)), np.int16)

    def _spans(self, count: int, rate: int) -> Iterator[tuple[int, int, Segment]]:
        """Where each segment begins and ends, in samples; silence is left out."""
        at = 0.0
        while round(at * rate) < count:
            for segment in self.segments:
                begin = round(at * rate)
                at += segment.seconds or count / rate
                end = min(round(at * rate), count)
                if segment.frequencies and begin < end:
                    yield begin, end, segment
            if not self.is_repeated:
                return


def _ramps(count: int, length: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    shape = np.ones(count)
    length = min(length, count // 2)
    if length:
        slope = np.sin(np.linspace(0, np.pi / 2, length, endpoint=False)) ** 2
        shape[:length] = slope
        shape[-length:] = slope[::-1]
    return shape


def dtmf(key: str, seconds: float = 0.1, level: float = -7.0) -> Tone:
    """One key; ValueError for what is none."""
    place = _KEYS.find(key.upper()) if len(key) == 1 else -1
    if place < 0:
        raise ValueError(f"key: {key!r}: must be one of {_KEYS}")
    pair = float(_ROWS[place // 4]), float(_COLUMNS[place % 4])
    return Tone((Segment(pair, seconds),), level, is_repeated=False)


def sequence(keys: str, rate: int = 8000, seconds: float = 0.1, pause: float = 0.08) -> Samples:
    """Keys one after the other; "w" is half a second of silence."""
    parts = []
    for key in keys:
        if key in "wW":
            parts.append(np.zeros(round(0.5 * rate), np.int16))
            continue
        parts += [dtmf(key, seconds).samples(seconds, rate), np.zeros(round(pause * rate), np.int16)]
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


CNG = Tone((Segment((1100,), 0.5), Segment((), 3.0)))  # a fax calls; T.30 §4.3.3.4.1
CED = Tone((Segment((), 0.2), Segment((2100,), 3.0)), is_repeated=False)  # and answers; §4.3.3.4.2
BEEP = Tone((Segment((1000,), 0.25),), is_repeated=False)
MILLIWATT = Tone((Segment((1004,)),), level=0.0)  # 0 dBm0, the tone of test numbers


def _cadence(text: str) -> Tone:
    """Read ``400+450/0.4 0/0.2``: frequencies/seconds; ``400*25``: modulated; no seconds: without end."""
    segments = []
    for word in text.split():
        sound, _, seconds = word.partition("/")
        carrier, _, modulation = sound.partition("*")
        frequencies = tuple(float(part) for part in carrier.split("+") if part != "0")
        segments.append(Segment(frequencies, float(seconds or 0), float(modulation or 0)))
    return Tone(tuple(segments))


COUNTRIES: Mapping[str, Mapping[str, Tone]] = MappingProxyType(
    {
        country: MappingProxyType(
            {
                **dict(zip(NAMES, map(_cadence, PLANS[SAME.get(country, country)]), strict=True)),
                "sit": _cadence(SIT),
            }
        )
        for country in sorted({*PLANS, *SAME})
    }
)


def find(name: str, country: str = "us") -> Tone:
    """A tone by name: dial, ringback, busy, congestion, waiting, sit of a country; cng, ced, beep, milliwatt.

    LookupError names what there is.
    """
    everywhere = {"cng": CNG, "ced": CED, "beep": BEEP, "milliwatt": MILLIWATT}
    if name in everywhere:
        return everywhere[name]
    plan = COUNTRIES.get(country.lower())
    if plan is None:
        raise LookupError(f"country: {country!r}: there are {', '.join(COUNTRIES)}")
    if name not in plan:
        raise LookupError(f"tone: {name!r}: there are {', '.join([*plan, *everywhere])}")
    return plan[name]
