"""What the kernel does for the engine: it relays streams, and brings many ports to one socket."""

from .gathering import Gathering, open_gathering
from .relay import KernelRelay, open_kernel
from .ways import NoWay, Way

__all__ = ["Gathering", "KernelRelay", "NoWay", "Way", "open_gathering", "open_kernel"]
