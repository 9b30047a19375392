"""How each PDU is laid out on the wire: its mandatory fields in order, and their sizes (SMPP 3.4 §5.2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple, get_args

from .commands import CommandId, Status
from .pdu import Pdu

__all__ = [
    "COMMANDS",
    "DESTINATIONS",
    "INTEGER",
    "LAYOUTS",
    "MESSAGE",
    "TEXT",
    "UNSUCCESSFUL",
    "Field",
    "Layout",
]

# Kinds of fields.
INTEGER: Final = 0  # of ``size`` octets
TEXT: Final = 1  # C-octet string, at most ``size`` octets with its NUL
MESSAGE: Final = 2  # octets behind one octet with their number
DESTINATIONS: Final = 3  # of submit_multi, behind one octet with their number
UNSUCCESSFUL: Final = 4  # of submit_multi_resp, likewise


class Field(NamedTuple):
    """A mandatory field."""

    name: str
    kind: int
    size: int
    status: Status = Status.RINVCMDLEN  # what it is refused with


class Layout(NamedTuple):
    """A PDU: its class, its mandatory fields, and whether optional parameters may follow."""

    pdu: Callable[..., Pdu]
    fields: tuple[Field, ...]
    has_tlvs: bool


_TEXTS = {
    "system_id": 16,
    "password": 65,  # the standard says 9; carriers that hand out longer ones are common
    "system_type": 13,
    "address_range": 41,
    "service_type": 6,
    "source_addr": 21,
    "destination_addr": 21,
    "esme_addr": 65,
    "schedule_delivery_time": 17,
    "validity_period": 17,
    "final_date": 17,
    "message_id": 65,
}
_OTHERS = {  # SMPP 3.4 says 254, 5.0 what the octet before them can say
    "short_message": (MESSAGE, 255),
    "dest_address": (DESTINATIONS, 255),
    "unsuccess_sme": (UNSUCCESSFUL, 255),
}
_REFUSALS = {
    "system_id": Status.RINVSYSID,
    "password": Status.RINVPASWD,
    "system_type": Status.RINVSYSTYP,
    "service_type": Status.RINVSERTYP,
    "source_addr": Status.RINVSRCADR,
    "destination_addr": Status.RINVDSTADR,
    "schedule_delivery_time": Status.RINVSCHED,
    "validity_period": Status.RINVEXPIRY,
    "message_id": Status.RINVMSGID,
}
_LONG_ADDRESSES = {"DataSm", "AlertNotification"}  # where an address may be no phone number
_NOT_MANDATORY = {"tlvs", "status", "sequence_number"}


def _field(pdu: str, name: str) -> Field:
    if name in _OTHERS:
        return Field(name, *_OTHERS[name])
    if name in _TEXTS:
        is_long = pdu in _LONG_ADDRESSES and name.endswith("_addr")
        return Field(name, TEXT, 65 if is_long else _TEXTS[name], _REFUSALS.get(name, Status.RINVCMDLEN))
    return Field(name, INTEGER, 1)


def _layout(pdu: type[Pdu]) -> Layout:
    fields = tuple(_field(pdu.__name__, name) for name in pdu._fields if name not in _NOT_MANDATORY)
    return Layout(pdu, fields, "tlvs" in pdu._fields)


def _command(pdu: type[Pdu]) -> CommandId:
    """SubmitSmResp is SUBMIT_SM_RESP."""
    return CommandId[re.sub(r"(?<!^)(?=[A-Z])", "_", pdu.__name__).upper()]


COMMANDS: dict[type[Pdu], CommandId] = {pdu: _command(pdu) for pdu in get_args(Pdu)}
LAYOUTS: dict[int, Layout] = {int(command_id): _layout(pdu) for pdu, command_id in COMMANDS.items()}
