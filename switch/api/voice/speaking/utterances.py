"""Sound cut into what was said in one breath: frames of 20 ms in, utterances out. No clock, no task."""

from __future__ import annotations

from collections import deque

import numpy as np

from switchroom.codecs import Samples, level

_LOUD = 40  # dB below full scale, as RFC 6464 counts
_FRAMES = 50  # a second
_BEFORE = 15  # frames that belong to it before it was noticed
_BEGINS = 3  # loud frames of the last five


class Utterances:
    """What one side says."""

    def __init__(self, *, pause: float = 0.7, longest: float = 20.0) -> None:
        """``pause``: silence that ends an utterance; ``longest``: it is cut there."""
        self._pause, self._longest = round(pause * _FRAMES), round(longest * _FRAMES)
        self._recent: deque[bool] = deque(maxlen=5)
        self._before: deque[Samples] = deque(maxlen=_BEFORE)
        self._frames: list[Samples] = []
        self._quiet = 0

    @property
    def seconds(self) -> float:
        """How long the one lasts that goes on."""
        return len(self._frames) / _FRAMES

    def hear(self, frame: Samples) -> Samples | None:
        """Take a frame; a whole utterance, if it ends with that one."""
        is_loud = level(np.ascontiguousarray(frame)) <= _LOUD
        if not self._frames:
            self._recent.append(is_loud)
            self._before.append(frame)
            if sum(self._recent) >= _BEGINS:
                self._frames = list(self._before)
                self._quiet = 0
            return None
        self._frames.append(frame)
        self._quiet = 0 if is_loud else self._quiet + 1
        return self.finish() if self._quiet >= self._pause or len(self._frames) >= self._longest else None

    def so_far(self) -> Samples | None:
        """What there is of the one that goes on."""
        return np.concatenate(self._frames) if self._frames else None

    def finish(self) -> Samples | None:
        """Nothing follows: what there is."""
        found = self.so_far()
        self._frames = []
        self._recent.clear()
        self._before.clear()
        return found
