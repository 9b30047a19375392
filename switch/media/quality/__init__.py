"""How calls sound: losses, delay and MOS, reports of our own, and calls of which one side is not heard."""

from .emodel import Impairment, mos, r_factor
from .observer import Observer, Quality

__all__ = ["Impairment", "Observer", "Quality", "mos", "r_factor"]
