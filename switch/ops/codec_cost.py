"""What 20 ms of sound cost a codec on this machine."""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time
from typing import NamedTuple, TypeVar

import numpy as np

from switchroom.codecs import Codec, Samples

__all__ = ["Cost", "measure", "voice"]

T = TypeVar("T")

_FRAME_MS = 20
_ROUNDS = 3  # the best counts: the others were disturbed


class Cost(NamedTuple):
    """Microseconds of one core for 20 ms of sound."""

    encode: float
    decode: float


def measure(codec: Codec, seconds: float = 0.05, **settings: int) -> Cost:
    """Encode and decode something like speech for so long, in this thread."""
    config = codec.config(**settings)
    encoder, decoder = codec.encoder(**settings), codec.decoder(**settings)
    size = config.sample_rate * _FRAME_MS // 1000 * config.channels
    sound = np.repeat(voice(config.sample_rate), config.channels)
    frames = [sound[i : i + size] for i in range(0, len(sound) - size + 1, size)]
    payloads = [encoder.encode(frame) for frame in frames]
    share = seconds / 2 / _ROUNDS
    return Cost(_best(encoder.encode, frames, share), _best(decoder.decode, payloads, share))


def voice(rate: int, seconds: float = 0.4) -> Samples:
    """Harmonics of a gliding pitch over a little noise: codecs that look for either find it."""
    at = np.arange(int(rate * seconds)) / rate
    pitch = 2 * np.pi * (120 * at + 15 * at * at)
    sound = sum(np.sin(pitch * harmonic) / harmonic for harmonic in range(1, 20))
    noise = np.random.default_rng(1).normal(0, 40, len(at))
    samples: Samples = np.rint(4000 * np.asarray(sound) + noise).astype(np.int16)
    return samples


def _best(code: Callable[[T], object], frames: list[T], seconds: float) -> float:
    """Microseconds a call, the best of a few rounds."""
    return min(_round(code, frames, seconds) for _ in range(_ROUNDS))


def _round(code: Callable[[T], object], frames: list[T], seconds: float) -> float:
    begin, count = thread_time(), 0
    while True:
        for frame in frames:
            code(frame)
        count += len(frames)
        spent = thread_time() - begin
        if spent >= seconds:
            return spent / count * 1e6
