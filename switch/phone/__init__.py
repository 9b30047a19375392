"""A small telephone on the protocol rooms: for newcomers without a phone, for tests and benchmarks."""

from __future__ import annotations

from .audio import AudioReport
from .call import Call
from .events import CallFailedError, PhoneEvent, RegistrationFailedError, TextFailedError
from .line import Account
from .user_agent import Phone
from .wav import WavError, read_wav

__all__ = [
    "Account",
    "AudioReport",
    "Call",
    "CallFailedError",
    "Phone",
    "PhoneEvent",
    "RegistrationFailedError",
    "TextFailedError",
    "WavError",
    "read_wav",
]
