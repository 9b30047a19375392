"""Tones to play and to find again."""

from __future__ import annotations

import numpy as np

from switchroom.codecs import Samples


def tone(hertz: float, seconds: float = 0.5) -> Samples:
    """A sine wave at a quarter of full scale."""
    turns = hertz * np.arange(int(8000 * seconds)) / 8000
    samples: Samples = np.rint(8000 * np.sin(2 * np.pi * turns)).astype(np.int16)
    return samples


def share_of(samples: Samples, hertz: float) -> float:
    """The part of the energy that lies around a frequency."""
    if not len(samples):
        return 0.0
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    where = np.fft.rfftfreq(len(samples), 1 / 8000)
    total = power.sum()
    return float(power[np.abs(where - hertz) < 15].sum() / total) if total else 0.0
