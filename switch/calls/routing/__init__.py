"""Routing: from a number dialled to a plan of who rings, when, and with which numbers; pure, no sockets."""

from .forwarding import Forwarding, Overrides, Settings, Why
from .numbers import clean_number, is_emergency, national, normalise
from .plan import (
    FINAL,
    Destination,
    Diversion,
    Inquiry,
    Leap,
    Plan,
    Step,
    ToTrunk,
    ToUri,
    ToUser,
    parse_destination,
    show_destination,
)
from .rates import Rate, RatesError, RateTable, read_rates
from .router import Router

__all__ = [
    "FINAL",
    "Destination",
    "Diversion",
    "Forwarding",
    "Inquiry",
    "Leap",
    "Overrides",
    "Plan",
    "Rate",
    "RateTable",
    "RatesError",
    "Router",
    "Settings",
    "Step",
    "ToTrunk",
    "ToUri",
    "ToUser",
    "Why",
    "clean_number",
    "is_emergency",
    "national",
    "normalise",
    "parse_destination",
    "read_rates",
    "show_destination",
]
