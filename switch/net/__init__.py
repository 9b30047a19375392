"""Engines to the kernel: UDP in batches, TCP, local addresses and routes, the clock."""

from __future__ import annotations

from .addresses import Addresses
from .clock import Clock
from .face import SipFace
from .flows import NoListenerError
from .limits import NetCounters, NetLimits
from .watchdog import LAG_BOUNDS, Watchdog

__all__ = [
    "LAG_BOUNDS",
    "Addresses",
    "Clock",
    "NetCounters",
    "NetLimits",
    "NoListenerError",
    "SipFace",
    "Watchdog",
]
