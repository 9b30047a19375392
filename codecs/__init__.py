"""Samples to bytes and back: codecs, and what is done to samples."""

from __future__ import annotations

from . import tones
from ._native import Config, Decoder, Encoder
from ._sound import (
    Concealer,
    DtmfDetector,
    GainControl,
    NoiseGenerator,
    VoiceDetector,
    amplify,
    describe_noise,
    level,
    mix,
)
from .answering import AnswerDetector, Answered, AnswerRules
from .catalog import CODECS, Codec, find
from .codec import CodecError, Format, Library, PacketTime, Samples
from .fmtp import Parameters
from .progress import Heard, ToneDetector
from .resampling import resample, to_mono

__all__ = [
    "CODECS",
    "AnswerDetector",
    "AnswerRules",
    "Answered",
    "Codec",
    "CodecError",
    "Concealer",
    "Config",
    "Decoder",
    "DtmfDetector",
    "Encoder",
    "Format",
    "GainControl",
    "Heard",
    "Library",
    "NoiseGenerator",
    "PacketTime",
    "Parameters",
    "Samples",
    "ToneDetector",
    "VoiceDetector",
    "amplify",
    "describe_noise",
    "find",
    "level",
    "mix",
    "resample",
    "to_mono",
    "tones",
]
