"""WAV files: what the phone plays and what it records."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from switchroom.codecs import Samples, resample, to_mono

__all__ = ["WavError", "WavWriter", "read_wav"]

MAX_SECONDS = 3600  # of a file to play: it is held in memory


class WavError(Exception):
    """A file cannot be played; the text says why."""


def read_wav(path: Path, rate: int = 8000) -> Samples:
    """Return what a 16-bit file holds, mixed to mono, at the wanted rate."""
    try:
        with wave.open(str(path), "rb") as file:
            if file.getsampwidth() != 2:
                raise WavError(f"{path}: {8 * file.getsampwidth()}-bit samples, only 16-bit files are played")
            if file.getnframes() > MAX_SECONDS * file.getframerate():
                raise WavError(f"{path}: longer than {MAX_SECONDS} seconds")
            data = file.readframes(file.getnframes())
            channels, own_rate = file.getnchannels(), file.getframerate()
    except OSError as error:
        raise WavError(f"{path}: {error.strerror or error}") from error
    except (wave.Error, EOFError) as error:
        raise WavError(f"{path}: not a PCM WAV file ({error or 'it ends too early'})") from error
    samples = np.frombuffer(data, "<i2", count=len(data) // 2).astype(np.int16)
    try:
        return resample(to_mono(samples, channels), own_rate, rate)
    except ValueError as error:
        raise WavError(f"{path}: {error}") from error


class WavWriter:
    """A mono 16-bit file that grows."""

    def __init__(self, path: Path, rate: int = 8000) -> None:
        self.samples_written = 0
        try:
            self._stream = path.open("wb")
        except OSError as error:
            raise WavError(f"{path}: {error.strerror or error}") from error
        self._file = wave.open(self._stream, "wb")  # noqa: SIM115 - closed by close()
        self._file.setnchannels(1)
        self._file.setsampwidth(2)
        self._file.setframerate(rate)

    def write(self, samples: Samples) -> None:
        """Append samples."""
        self._file.writeframesraw(samples.astype("<i2").tobytes())
        self.samples_written += len(samples)

    def close(self) -> None:
        """Write the sizes into the header and close."""
        self._file.writeframes(b"")
        self._file.close()
        self._stream.close()
