"""Trunks: who may call in, where calls go out and whether that is alive, what we are registered at."""

from __future__ import annotations

from .means import Means
from .numbers import Plan, full_number, read_number, write_number
from .registration import Registration
from .targets import Way
from .trunk import Dress, Trunk
from .trunks import Trunks

__all__ = [
    "Dress",
    "Means",
    "Plan",
    "Registration",
    "Trunk",
    "Trunks",
    "Way",
    "full_number",
    "read_number",
    "write_number",
]
