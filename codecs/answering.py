"""Who has answered a call: somebody, a machine that plays a greeting, a fax; and when the greeting is over.

People say a word or two and wait; a machine talks on, and ends with a beep or with silence. Time is counted
in samples: there is no clock.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ._sound import VoiceDetector
from .codec import Samples
from .progress import ToneDetector

__all__ = ["AnswerDetector", "AnswerRules", "Answered"]

_RATE = 8000
_FRAME = 160
_LEAST = 3  # frames of speech; the edges of a tone are shorter
_FAX = ("cng", "ced")


class AnswerRules(NamedTuple):
    """How long, in seconds."""

    speech: float = 2.4  # who talks for longer is a machine
    pause: float = 1.2  # who is quiet for so long after less is somebody
    silence: float = 5.0  # nothing was said for so long: unknown
    end: float = 2.0  # a greeting is over when it is quiet for so long
    timeout: float = 30.0  # for all


class Answered(NamedTuple):
    """human, machine, fax, unknown; of a machine also its end: beep, silence, unknown."""

    kind: str
    at: float  # seconds of sound


class AnswerDetector:
    """Listens to mono sound at 8 kHz from the answer on."""

    def __init__(self, rules: AnswerRules | None = None) -> None:
        self.rules = rules or AnswerRules()
        self.answered: Answered | None = None
        self.ended: Answered | None = None  # of a machine's greeting
        self._voice, self._tones = VoiceDetector(_RATE), ToneDetector()
        self._left = np.zeros(0, np.int16)
        self._frames = self._spoken = 0
        self._began: float | None = None  # of speech
        self._quiet_since: float | None = 0.0

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be learnt."""
        return self.answered is not None and (self.answered.kind != "machine" or self.ended is not None)

    def process(self, samples: Samples) -> None:
        """Listen on; samples in parts of any size."""
        sound = np.concatenate([self._left, samples])
        at = 0
        while at + _FRAME <= len(sound) and not self.is_over:
            self._hear(sound[at : at + _FRAME])
            at += _FRAME
        self._left = sound[at:]

    def _hear(self, frame: Samples) -> None:
        self._frames += 1
        now = self._frames * _FRAME / _RATE
        kinds = [heard.kind for heard in self._tones.process(frame)]
        self._note(self._voice.is_speech(frame) and self._tones.is_other, now)
        kind = self._end(kinds, now) if self.answered is not None else self._kind(kinds, now)
        if kind:
            said = Answered(kind, round(now, 2))
            if self.answered is None:
                self.answered = said
            else:
                self.ended = said
            if kind == "machine" and "beep" in kinds:
                self.ended = Answered("beep", said.at)

    def _note(self, is_speech: bool, now: float) -> None:
        self._spoken = self._spoken + 1 if is_speech else 0
        if self._spoken >= _LEAST:
            self._quiet_since = None
            if self._began is None:
                self._began = now
        elif not is_speech and self._quiet_since is None:
            self._quiet_since = now

    def _quiet(self, now: float) -> float:
        return 0.0 if self._quiet_since is None else now - self._quiet_since

    def _kind(self, kinds: list[str], now: float) -> str:
        rules, quiet = self.rules, self._quiet(now)
        if any(kind in _FAX for kind in kinds):
            return "fax"
        if now >= rules.timeout or (self._began is None and now >= rules.silence):
            return "unknown"
        if self._began is None:
            return ""
        if "beep" in kinds:
            return "machine"  # a short greeting, or none
        if now - quiet - self._began >= rules.speech:
            return "machine"
        return "human" if quiet >= rules.pause and not self._tones.is_tone else ""

    def _end(self, kinds: list[str], now: float) -> str:
        if "beep" in kinds:
            return "beep"
        if self._quiet(now) >= self.rules.end:
            return "silence"
        return "unknown" if now >= self.rules.timeout else ""
