"""Routing: from a number dialled to a plan of who rings, when, and with which numbers; pure, no sockets."""

from switchroom.switch.numbering import (
    Rate,
    RatesError,
    RateTable,
    clean_number,
    is_emergency,
    national,
    normalise,
    read_rates,
)

from .forwarding import Forwarding, Overrides, Settings, Why
from .plan import (
    FINAL,
    Credentials,
    Destination,
    Diversion,
    Inquiry,
    Leap,
    Plan,
    Step,
    ToApp,
    ToTrunk,
    ToUri,
    ToUser,
    ToWorker,
    parse_destination,
    show_destination,
)
from .router import Router

__all__ = [
    "FINAL",
    "Credentials",
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
    "ToApp",
    "ToTrunk",
    "ToUri",
    "ToUser",
    "ToWorker",
    "Why",
    "clean_number",
    "is_emergency",
    "national",
    "normalise",
    "parse_destination",
    "read_rates",
    "show_destination",
]
