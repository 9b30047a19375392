"""Other sample rates: of streams (``Resampler``), of whole recordings (``resample``); one channel of many."""

from __future__ import annotations

import numpy as np

from ._resampling import Resampler
from .codec import Samples

__all__ = ["Resampler", "resample", "to_mono"]

_CHUNK = 1 << 20  # samples converted at once: bounds the memory


def to_mono(samples: Samples, channels: int) -> Samples:
    """Mix interleaved channels to one; an incomplete frame at the end is dropped."""
    if channels == 1:
        return samples
    frames = samples[: len(samples) // channels * channels].reshape(-1, channels)
    return np.asarray(np.rint(frames.mean(axis=1)), np.int16)


def resample(samples: Samples, rate: int, to_rate: int) -> Samples:
    """Return mono samples at another rate, as long as before and without delay."""
    resampler = Resampler(rate, to_rate, sharp=True)
    if rate == to_rate or not len(samples):
        return samples
    resampler.align()
    samples = np.ascontiguousarray(samples)
    parts = [resampler.process(samples[at : at + _CHUNK]) for at in range(0, len(samples), _CHUNK)]
    parts.append(resampler.process(np.zeros(round(resampler.delay * rate), np.int16)))
    return np.concatenate(parts)[: -(-len(samples) * to_rate // rate)]
