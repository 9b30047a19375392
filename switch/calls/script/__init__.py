"""Calls whose other side is a program in this switch: one coroutine for each call."""

from __future__ import annotations

from switchroom.switch.calls.routing import Credentials
from switchroom.switch.media.clips import BEEP, MILLIWATT, Progress, Say, Silence, Tone

from .apps import Apps
from .call import Call
from .dialling import NotAnswered
from .house import House
from .leg import Leg
from .meeting import meet
from .outward import Outward
from .party import Party
from .referring import Referred, refer
from .seat import CallEnded
from .stream import Stream
from .targets import Manner

__all__ = [
    "BEEP",
    "MILLIWATT",
    "Apps",
    "Call",
    "CallEnded",
    "Credentials",
    "House",
    "Leg",
    "Manner",
    "NotAnswered",
    "Outward",
    "Party",
    "Progress",
    "Referred",
    "Say",
    "Silence",
    "Stream",
    "Tone",
    "meet",
    "refer",
]
