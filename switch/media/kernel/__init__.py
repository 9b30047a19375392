"""Streams that the kernel relays: a program at tc, the memory that it shares with the engine, and ways."""

from .relay import KernelRelay, open_kernel
from .ways import NoWay, Way

__all__ = ["KernelRelay", "NoWay", "Way", "open_kernel"]
