"""Samples to bytes and back: codecs, and what is done to samples."""

from __future__ import annotations

from ._native import Config, Decoder, Encoder
from .catalog import CODECS, Codec, find
from .codec import CodecError, Format, Library, PacketTime, Samples
from .fmtp import Parameters
from .resampling import resample, to_mono

__all__ = [
    "CODECS",
    "Codec",
    "CodecError",
    "Config",
    "Decoder",
    "Encoder",
    "Format",
    "Library",
    "PacketTime",
    "Parameters",
    "Samples",
    "find",
    "resample",
    "to_mono",
]
