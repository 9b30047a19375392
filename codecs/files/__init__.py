"""Sound in files: WAV, Opus in Ogg, and samples without a header."""

from __future__ import annotations

import numpy as np

from ..catalog import find
from ..codec import CodecError, Samples
from .ogg import OggWriter, read_opus
from .wav import WavHeader, read_wav, wav_header, write_header

__all__ = ["OggWriter", "WavHeader", "read_file", "read_opus", "read_wav", "wav_header", "write_header"]

_RAW = {"ulaw": "PCMU", "ul": "PCMU", "alaw": "PCMA", "al": "PCMA", "g722": "G722"}
_LINEAR = {"sln": 8000, "raw": 8000, "sln16": 16000, "sln48": 48000}


def read_file(name: str, data: bytes) -> tuple[Samples, int]:
    """Return a file's samples, all channels mixed into one, and their rate. What it is its first octets tell;
    where there are none to tell it, the end of its name does. CodecError: it cannot be read."""
    if data.startswith(b"RIFF"):
        return read_wav(data)
    if data.startswith(b"OggS"):
        return read_opus(data)
    kind = name.rpartition(".")[2].lower()
    if kind in _LINEAR:
        return np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2").astype(np.int16), _LINEAR[kind]
    if kind in _RAW and data:
        codec = find(_RAW[kind])
        return codec.decoder().decode(data), codec.format.sample_rate
    raise CodecError(name, "neither WAV nor Opus in Ogg, nor samples of a form that its name tells")
