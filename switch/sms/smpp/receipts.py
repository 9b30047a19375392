"""Receipts of carriers: from text and optional parameters to what the message centre matches."""

from __future__ import annotations

from typing import Any

from switchroom.protocols.smpp import (
    DataSm,
    DeliverSm,
    MessageState,
    Tag,
    integer,
    is_intermediate,
    parse_receipt,
    value_of,
)

from ..interfaces import Receipt, State
from .times import from_receipt

__all__ = ["read_receipt", "state_of"]

_STATES = {
    MessageState.SCHEDULED: State.SENT,
    MessageState.ENROUTE: State.SENT,
    MessageState.DELIVERED: State.DELIVERED,
    MessageState.EXPIRED: State.EXPIRED,
    MessageState.DELETED: State.DELETED,
    MessageState.UNDELIVERABLE: State.UNDELIVERABLE,
    MessageState.ACCEPTED: State.SENT,  # by the next centre: most that write it send another one later
    MessageState.UNKNOWN: State.UNKNOWN,
    MessageState.REJECTED: State.REJECTED,
    MessageState.SKIPPED: State.SKIPPED,
}
_ON_ITS_WAY = (State.SENT,)
_MAX_ID = 64


def state_of(number: int | None) -> State | None:
    """The end that a message_state tells of; None: it is on its way, or nothing that the standard names."""
    found = _STATES[MessageState(number)] if number in _NUMBERS else None
    return None if found in _ON_ITS_WAY else found


def read_receipt(pdu: DeliverSm | DataSm, context: Any = None) -> Receipt:
    """What a receipt says; of text and optional parameters the latter win, for they are not ambiguous."""
    tlvs = pdu.tlvs
    body = pdu.short_message if isinstance(pdu, DeliverSm) else b""
    if not body and tlvs:
        body = value_of(tlvs, Tag.MESSAGE_PAYLOAD) or b""
    text = body[:1024].decode("latin-1")
    said = parse_receipt(text)
    told = value_of(tlvs, Tag.RECEIPTED_MESSAGE_ID) if tlvs else None
    number = integer(tlvs, Tag.MESSAGE_STATE) if tlvs else None
    state = said.state
    if number is not None and number in _NUMBERS:
        state = MessageState(number)
    entered = _STATES[state] if state is not None else State.UNKNOWN
    return Receipt(
        told.rstrip(b"\0").decode("latin-1")[:_MAX_ID] if told else said.id[:_MAX_ID],
        entered,
        said.err[:16],
        (value_of(tlvs, Tag.NETWORK_ERROR_CODE) or b"")[:3] if tlvs else b"",
        from_receipt(said.done_date),
        pdu.source_addr,
        pdu.destination_addr,
        is_intermediate(pdu.esm_class) or entered in _ON_ITS_WAY,
        text,
        context,
    )


_NUMBERS = frozenset(map(int, MessageState))
