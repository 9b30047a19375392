"""Engines to the kernel: UDP in batches, TCP, TLS, WebSocket, local addresses and routes, the clock."""

from __future__ import annotations

from .addresses import Addresses
from .clock import Clock
from .face import SipFace
from .flows import NoListenerError
from .limits import NetCounters, NetLimits
from .public import PublicAddress
from .tls import Tls, TlsError
from .watchdog import LAG_BOUNDS, Watchdog
from .websocket import WebSocketRules

__all__ = [
    "LAG_BOUNDS",
    "Addresses",
    "Clock",
    "NetCounters",
    "NetLimits",
    "NoListenerError",
    "PublicAddress",
    "SipFace",
    "Tls",
    "TlsError",
    "Watchdog",
    "WebSocketRules",
]
