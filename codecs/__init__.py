"""Samples to bytes and back: codecs, and what is done to samples."""

from __future__ import annotations

from .catalog import CODECS, find
from .codec import Codec, Decoder, Encoder, Format, Samples
from .resampling import resample, to_mono

__all__ = ["CODECS", "Codec", "Decoder", "Encoder", "Format", "Samples", "find", "resample", "to_mono"]
