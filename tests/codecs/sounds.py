"""Sounds for codecs, the same each time, and how well one came through."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from switchroom.codecs import Samples


def voice(rate: int = 8000, seconds: float = 2.0, seed: int = 1) -> Samples:
    """Something like speech: a gliding pitch with formants, words and pauses, a little noise."""
    random = np.random.default_rng(seed)
    at = np.arange(int(rate * seconds)) / rate
    phase = 2 * np.pi * np.cumsum(130 + 40 * np.sin(2 * np.pi * 0.7 * at)) / rate
    sound = np.zeros(len(at))
    for harmonic in range(1, 24):
        frequency = harmonic * 130
        formant = sum(np.exp(-(((frequency - centre) / 200) ** 2)) for centre in (500, 1400, 2500))
        sound += (0.05 + formant) * np.sin(harmonic * phase)
    words = np.clip(1.4 * np.sin(2 * np.pi * 1.9 * at) + 0.6, 0, 1)
    sound = 6000 * sound / np.abs(sound).max() * words + random.normal(0, 12, len(at))
    return np.asarray(np.rint(sound), np.int16)


def tone(frequency: float, rate: int = 8000, seconds: float = 1.0, level: float = 8000) -> Samples:
    at = np.arange(int(rate * seconds)) / rate
    return np.asarray(np.rint(level * np.sin(2 * np.pi * frequency * at)), np.int16)


def loud_noise(rate: int = 8000, seconds: float = 2.0) -> Samples:
    """Full scale up to what 16 bits hold."""
    return np.random.default_rng(9).integers(-32768, 32768, int(rate * seconds)).astype(np.int16)


def snr(sound: Samples, heard: Samples) -> float:
    """How far the error lies below the sound, in dB; both begin at the same sample."""
    count = min(len(sound), len(heard))
    wanted = sound[:count].astype(float)
    error = wanted - heard[:count]
    return float(10 * np.log10(np.sum(wanted**2) / max(np.sum(error**2), 1e-9)))


def aligned_snr(sound: Samples, heard: Samples, most: int) -> float:
    """The same for what comes up to ``most`` samples late."""
    return max(snr(sound, heard[delay:]) for delay in range(most + 1))


def pitch(samples: Samples, rate: int) -> tuple[float, float]:
    """The strongest frequency (Hz) and its amplitude."""
    window: npt.NDArray[np.float64] = np.hanning(len(samples))
    spectrum = np.abs(np.fft.rfft(samples * window, 4 * len(samples)))
    best = int(spectrum.argmax())
    return best * rate / (4 * len(samples)), float(2 * spectrum[best] / window.sum())
