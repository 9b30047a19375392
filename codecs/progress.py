"""Tones heard in the sound: call progress (ITU-T E.180), fax (T.30), the beep of a machine.

Every 20 ms the strongest one or two frequencies are looked for in the last 40; where nearly all power is in
them it is a tone. Runs of the same tone and of silence make cadences.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ._tonal import SIZE, Lens
from .codec import Samples
from .tones import find

__all__ = ["Heard", "ToneDetector"]

_HOP = 0.020  # seconds between two looks
_RATE = 8000
_STEP = round(_HOP * _RATE)
_SAME = 30.0  # Hz that one tone may waver
_BLINK = 2  # looks that a run may miss: an answering fax turns its phase, a window has edges
_AGAIN = 6.5  # seconds after which the same kind is news; ringback comes every six

_PROGRESS = (300.0, 660.0)  # Hz of dial tone, ringback, busy
_LONG_PAUSES = 1.3, 6.0  # seconds that only ringback has
_LENGTH_OFF = 0.06  # seconds that a part of a cadence may be off: three looks
_PAUSE = 0.1  # seconds of silence behind a beep
_SIT = (950.0, 1400.0, 1800.0)


class Heard(NamedTuple):
    """dial, ringback, busy, congestion, sit, cng, ced or beep; when it was sure, in seconds of sound."""

    kind: str
    at: float


class _Run(NamedTuple):
    """A tone, or silence (no frequency), or something else (-1)."""

    frequency: float
    looks: int

    @property
    def seconds(self) -> float:
        return self.looks * _HOP

    @property
    def is_tone(self) -> bool:
        return self.frequency > 0

    def is_at(self, frequency: float, tolerance: float) -> bool:
        return abs(self.frequency - frequency) <= tolerance

    @property
    def is_progress(self) -> bool:
        return _PROGRESS[0] <= self.frequency <= _PROGRESS[1]

    def goes_on_as(self, frequency: float) -> bool:
        """Two frequencies close together beat: what is found of them wanders from one to the other."""
        if self.is_progress and _PROGRESS[0] <= frequency <= _PROGRESS[1]:
            return True
        return frequency > 0 and abs(frequency - self.frequency) <= _SAME


class ToneDetector:
    """Listens to mono sound at 8 kHz; each kind is told once as long as it goes on."""

    def __init__(self, country: str = "") -> None:
        """``country``: whose cadences are told from each other exactly; empty: what most countries have."""
        self._cadences = _cadences(country)
        self._lens = Lens()
        self._left = np.zeros(0, np.int16)
        self._looks = 0
        self._runs: list[_Run] = [_Run(0.0, 0)]  # the last one goes on
        self._missed = 0
        self._last = 0.0  # the frequency of the last look
        self._seen_at: dict[str, float] = {}

    @property
    def is_tone(self) -> bool:
        """Whether a tone goes on, or has just ended."""
        last = self._runs[-1]
        return last.is_tone or (len(self._runs) > 1 and self._runs[-2].is_tone and last.seconds < _PAUSE)

    @property
    def is_other(self) -> bool:
        """Whether what was heard last is neither a tone nor silence: speech, music, noise."""
        return self._last < 0

    def process(self, samples: Samples) -> list[Heard]:
        """Listen on; samples in parts of any size."""
        sound = np.concatenate([self._left, samples])
        found = []
        at = 0
        while at + SIZE <= len(sound):
            self._last = self._lens.look(sound[at : at + SIZE])
            self._note(self._last)
            self._looks += 1
            now = self._looks * _HOP + _HOP
            kind = self._kind()
            if kind == "ringback" and self._is_busy(now):
                kind = ""  # the last sound of it, and then nobody is there
            if kind:
                if now - self._seen_at.get(kind, -_AGAIN) >= _AGAIN:
                    found.append(Heard(kind, round(now, 2)))
                self._seen_at[kind] = now
            at += _STEP
        self._left = sound[at:]
        return found

    def _is_busy(self, now: float) -> bool:
        return any(now - self._seen_at.get(kind, -_AGAIN) < _AGAIN for kind in ("busy", "congestion"))

    def _note(self, frequency: float) -> None:
        """Make the run longer, or begin another; a look that a tone misses is forgiven when it comes back."""
        run = self._runs[-1]
        if frequency == run.frequency or (run.is_tone and run.goes_on_as(frequency)):
            self._runs[-1] = _Run(run.frequency, run.looks + 1 + self._missed)
            self._missed = 0
        elif run.is_tone and frequency < 0 and self._missed < _BLINK:
            self._missed += 1
        else:
            if run.looks <= _BLINK and not run.is_tone and len(self._runs) > 1 and run.frequency < 0:
                self._runs.pop()  # the edge of a tone: half a window of it is no tone and no silence
                self._missed += run.looks
            self._runs.append(_Run(frequency, 1 + self._missed))
            self._missed = 0
            del self._runs[:-12]

    def _kind(self) -> str:
        run = self._runs[-1]
        if run.is_tone:
            if run.is_at(2100, 25) and run.seconds >= 0.9:
                return "ced"
            if run.is_progress and run.seconds >= 2.6:
                return "dial"
            return ""
        if run.frequency < 0 or len(self._runs) < 2:
            return ""
        return self._after_tone(self._runs[-2], run)

    def _after_tone(self, tone: _Run, silence: _Run) -> str:
        """A tone ended, and it is quiet since."""
        if not tone.is_tone or silence.seconds < 0.06:
            return ""
        if tone.is_at(1100, 40) and 0.4 <= tone.seconds <= 0.62:
            return "cng"
        if self._is_sit():
            return "sit"
        if tone.is_progress:
            return self._cadence(tone, silence)
        # The parts of SIT follow each other at once: they never get so far
        if 0.1 <= tone.seconds <= 1.2 and silence.seconds >= _PAUSE:
            return "beep"
        return ""

    def _is_sit(self) -> bool:
        tones = [run for run in self._runs[-5:] if run.is_tone][-3:]
        return len(tones) == 3 and all(
            run.is_at(frequency, 60) and 0.2 <= run.seconds <= 0.5
            for run, frequency in zip(tones, _SIT, strict=True)
        )

    def _cadence(self, tone: _Run, silence: _Run) -> str:
        """Busy and congestion come again and again; ringback is followed by a long pause."""
        if _LONG_PAUSES[0] <= silence.seconds <= _LONG_PAUSES[1] and 0.3 <= tone.seconds <= 2.3:
            return "ringback"
        if not 0.1 <= silence.seconds < _LONG_PAUSES[0]:
            return ""
        for name, lengths in self._cadences:
            if self._follows(lengths):
                return name
        last = self._runs[-6:-1]
        if self._cadences or len(last) < 5 or not _alternate(last):
            return ""
        ons, offs = [run.seconds for run in last[::2]], [run.seconds for run in last[1::2]]
        if min(ons) < 0.1 or max(ons) > 0.85 or max(offs) > 0.85:
            return ""
        is_even = max(ons) - min(ons) <= 0.08 and max(offs) - min(offs) <= 0.08
        return "busy" if is_even and sum(ons) / 3 >= 0.3 and 0.5 <= ons[0] / offs[0] <= 1.8 else "congestion"

    def _follows(self, lengths: tuple[float, ...]) -> bool:
        """Whether the runs up to now are this cadence, wherever it began."""
        last = self._runs[-1 - max(len(lengths) + 1, 5) : -1]
        if len(last) < max(len(lengths) + 1, 5) or not _alternate(last):
            return False
        return any(
            all(
                abs(run.seconds - lengths[(end - back) % len(lengths)]) <= _LENGTH_OFF
                for back, run in enumerate(reversed(last))
            )
            for end in range(0, len(lengths), 2)
        )


def _alternate(runs: list[_Run]) -> bool:
    """Whether they are tones of call progress with silence between, a tone at either end."""
    return all(run.is_progress for run in runs[::2]) and not any(run.frequency for run in runs[1::2])


def _cadences(country: str) -> tuple[tuple[str, tuple[float, ...]], ...]:
    if not country:
        return ()
    found = [(name, find(name, country)) for name in ("busy", "congestion", "dial")]
    return tuple((name, tuple(one.seconds for one in tone.segments)) for name, tone in found if tone.period)
