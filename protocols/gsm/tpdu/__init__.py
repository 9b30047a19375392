"""Transfer protocol data units of the short message service (3GPP TS 23.040 §9)."""

from __future__ import annotations

from .address import Address, Plan, TypeOfNumber
from .causes import Fate, failure_meaning, fate, status_meaning
from .parse import from_hex, parse_from_centre, parse_from_telephone, to_hex
from .pdus import (
    Command,
    CommandType,
    Deliver,
    DeliverReport,
    ProtocolId,
    StatusReport,
    Submit,
    SubmitReport,
    Tpdu,
)
from .times import Enhanced, Relative, Timestamp, Validity
from .userdata import UserData, user_data_of

__all__ = [
    "Address",
    "Command",
    "CommandType",
    "Deliver",
    "DeliverReport",
    "Enhanced",
    "Fate",
    "Plan",
    "ProtocolId",
    "Relative",
    "StatusReport",
    "Submit",
    "SubmitReport",
    "Timestamp",
    "Tpdu",
    "TypeOfNumber",
    "UserData",
    "Validity",
    "failure_meaning",
    "fate",
    "from_hex",
    "parse_from_centre",
    "parse_from_telephone",
    "status_meaning",
    "to_hex",
    "user_data_of",
]
