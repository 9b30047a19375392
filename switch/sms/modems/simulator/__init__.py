"""A GSM modem that is none, and the network behind it: for tests, and for who has no hardware."""

from __future__ import annotations

from .device import Faults, Sim, SimulatedModem
from .network import Journal, Network, Rule
from .orders import Orders
from .stand import Stand

__all__ = ["Faults", "Journal", "Network", "Orders", "Rule", "Sim", "SimulatedModem", "Stand"]
