"""Another sample rate for a whole recording: a windowed-sinc filter, one row of taps per phase."""

from __future__ import annotations

from math import gcd

import numpy as np
import numpy.typing as npt

from .codec import Samples

__all__ = ["resample", "to_mono"]

_ZERO_CROSSINGS = 16  # of the sinc on each side
_ROLL_OFF = 0.92  # of the lower Nyquist frequency; what lies between it and 1 is attenuated
_KAISER_BETA = 8.0  # side lobes below -80 dB
_CHUNK = 4096  # output samples computed at once: bounds the memory


def to_mono(samples: Samples, channels: int) -> Samples:
    """Mix interleaved channels to one; an incomplete frame at the end is dropped."""
    if channels == 1:
        return samples
    frames = samples[: len(samples) // channels * channels].reshape(-1, channels)
    return np.asarray(np.rint(frames.mean(axis=1)), np.int16)


def resample(samples: Samples, rate: int, to_rate: int) -> Samples:
    """Return mono samples at another rate, as long as before and without delay."""
    if rate <= 0 or to_rate <= 0:
        raise ValueError(f"sample rates are positive, not {rate} and {to_rate}")
    if rate == to_rate or not len(samples):
        return samples
    up, down = to_rate // gcd(rate, to_rate), rate // gcd(rate, to_rate)
    taps = _phases(up, down)
    half = taps.shape[1] // 2
    count = -(-len(samples) * up // down)
    padded = np.concatenate([np.zeros(half), samples, np.zeros(half + 1)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, taps.shape[1])
    result = np.empty(count, np.int16)
    for start in range(0, count, _CHUNK):
        position = np.arange(start, min(start + _CHUNK, count), dtype=np.int64) * down
        values = np.einsum("ij,ij->i", windows[position // up], taps[position % up])
        result[start : start + len(values)] = np.clip(np.rint(values), -32768, 32767).astype(np.int16)
    return result


def _phases(up: int, down: int) -> npt.NDArray[np.float64]:
    """One row of taps for each place that an output sample can have between two input samples."""
    cutoff = _ROLL_OFF * min(1.0, up / down)  # relative to the input's Nyquist frequency
    half = int(np.ceil(_ZERO_CROSSINGS / cutoff))
    offset = np.arange(-half, half + 1) - np.arange(up)[:, np.newaxis] / up
    window = np.i0(_KAISER_BETA * np.sqrt(np.maximum(0, 1 - (offset / (half + 1)) ** 2)))
    taps = np.sinc(cutoff * offset) * window
    return np.asarray(taps / taps.sum(axis=1, keepdims=True), dtype=np.float64)
