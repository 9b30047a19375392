"""A GSM modem that is none, and the network behind it, as engines: for tests, and for who has no hardware."""

from __future__ import annotations

from .device import Faults, Sim, SimulatedModem
from .network import Journal, Network, Rule

__all__ = ["Faults", "Journal", "Network", "Rule", "Sim", "SimulatedModem"]
