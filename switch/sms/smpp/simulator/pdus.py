"""What a simulated message centre makes of a message: receipts and replies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from switchroom.protocols import smpp
from switchroom.protocols.smpp import MessageState, Tag

from ..times import to_absolute, to_receipt
from .conduct import Rule

__all__ = [
    "Message",
    "is_asked_for",
    "is_broadcast",
    "receipt_of",
    "reply_to",
    "standing_of",
    "submit_of",
    "submit_of_broadcast",
]

_DELIVERED = MessageState.DELIVERED


@dataclass(slots=True)
class Message:
    """One that was taken."""

    id: int
    account: str
    submitted: smpp.SubmitSm
    accepted_at: float  # in seconds since 1970
    state: MessageState = MessageState.ENROUTE
    done_at: float = 0.0
    rule: Rule | None = None


def is_asked_for(message: Message) -> bool:
    """Whether there is to be a receipt: registered_delivery of SMPP 5.0 §4.7.21."""
    asked = message.submitted.registered_delivery & 3
    return asked == 1 or asked == (3 if message.state is _DELIVERED else 2)


def receipt_of(message: Message, id: str, form: str) -> smpp.DeliverSm:
    """The receipt as text, as parameters, or both."""
    text = "" if form == "parameters" else _text(message, id)
    tlvs: smpp.Tlvs = ()
    if form != "text":
        tlvs = (
            (Tag.RECEIPTED_MESSAGE_ID, id.encode() + b"\0"),
            (Tag.MESSAGE_STATE, bytes((message.state,))),
        )
    return _towards(message.submitted, smpp.RECEIPT, text.encode("ascii", "replace"), tlvs)


def submit_of_broadcast(request: smpp.BroadcastSm) -> smpp.SubmitSm:
    """A broadcast as a message to nobody; its text and its areas are in the optional parameters."""
    return smpp.SubmitSm(
        *request[:4],
        priority_flag=request.priority_flag,
        data_coding=request.data_coding,
        tlvs=request.tlvs,
    )


def is_broadcast(message: Message) -> bool:
    """Whether it was broadcast_sm."""
    return not message.submitted.destination_addr


def standing_of(message: Message) -> smpp.Tlvs:
    """What query_broadcast_sm_resp tells: every area has heard it when it is done with."""
    success = bytes((100 if message.state is _DELIVERED else 0,))
    found: list[tuple[int, bytes]] = [(Tag.MESSAGE_STATE, bytes((message.state,)))]
    for tag, value in message.submitted.tlvs:
        if tag == Tag.BROADCAST_AREA_IDENTIFIER:
            found += [(tag, value), (Tag.BROADCAST_AREA_SUCCESS, success)]
    if message.done_at:
        found.append((Tag.BROADCAST_END_TIME, to_absolute(message.done_at).encode() + b"\0"))
    return tuple(found)


def _text(message: Message, id: str) -> str:
    submitted, is_there = message.submitted, message.state is _DELIVERED
    beginning = submitted.short_message[:20].decode("ascii", "replace") if not submitted.data_coding else ""
    return str(
        smpp.ReceiptText(
            id,
            "001",
            f"00{is_there:d}",
            to_receipt(message.accepted_at),
            to_receipt(message.done_at),
            message.state.word,
            "000" if is_there else "001",
            beginning,
        )
    )


def reply_to(submitted: smpp.SubmitSm) -> smpp.DeliverSm:
    """The same message from whom it was for, to whom it was from."""
    reply = _towards(submitted, submitted.esm_class & 0x40, submitted.short_message, submitted.tlvs)
    return reply._replace(data_coding=submitted.data_coding)


def submit_of(request: smpp.DataSm) -> smpp.SubmitSm:
    """A data_sm as the submit_sm that says the same."""
    values: tuple[Any, ...] = request[:8]
    one = smpp.SubmitSm(*values)
    return one._replace(
        registered_delivery=request.registered_delivery,
        data_coding=request.data_coding,
        short_message=smpp.value_of(request.tlvs, Tag.MESSAGE_PAYLOAD) or b"",
    )


def _towards(submitted: smpp.SubmitSm, esm_class: int, text: bytes, tlvs: smpp.Tlvs) -> smpp.DeliverSm:
    return smpp.DeliverSm(
        submitted.service_type,
        submitted.dest_addr_ton,
        submitted.dest_addr_npi,
        submitted.destination_addr,
        submitted.source_addr_ton,
        submitted.source_addr_npi,
        submitted.source_addr,
        esm_class,
        short_message=text,
        tlvs=tlvs,
    )
