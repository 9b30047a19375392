"""Who may ask for what, and when (SMPP 3.4 §2.2 and table 2-1; SMPP 5.0 §2.3 and §2.4)."""

from __future__ import annotations

from enum import IntEnum, auto

from .broadcast import BroadcastSm, CancelBroadcastSm, QueryBroadcastSm
from .commands import RESPONSE
from .layout import COMMANDS, LAYOUTS
from .pdu import (
    AlertNotification,
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    CancelSm,
    DataSm,
    DeliverSm,
    EnquireLink,
    Outbind,
    Pdu,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
    SubmitSm,
    Unbind,
)

__all__ = ["ALLOWED", "BOUND", "BOUND_AS", "MESSAGES", "OTHER", "RESPONSE_TO", "Role", "State"]


class Role(IntEnum):
    """The two ends of a session."""

    ESME = auto()  # who binds
    MC = auto()  # the message centre, which is bound to


OTHER = {Role.ESME: Role.MC, Role.MC: Role.ESME}


class State(IntEnum):
    """The states of a session, the same on both ends."""

    OPEN = auto()  # connected, not bound
    OUTBOUND = auto()  # the message centre has asked to be bound to
    BOUND_TX = auto()  # the ESME submits
    BOUND_RX = auto()  # the ESME is delivered to
    BOUND_TRX = auto()  # both
    UNBOUND = auto()  # unbind is answered; the connection is about to be closed
    CLOSED = auto()


_TX = frozenset({State.BOUND_TX, State.BOUND_TRX})
_RX = frozenset({State.BOUND_RX, State.BOUND_TRX})
BOUND = _TX | _RX
_OPEN = frozenset({State.OPEN, State.OUTBOUND})
_ANY = _OPEN | BOUND | {State.UNBOUND}

# Table 2-1: who may ask for what in which states; enquire_link in any (SMPP 5.0 §2.4).
_FROM: dict[Role, dict[type[Pdu], frozenset[State]]] = {
    Role.ESME: {
        BindTransmitter: _OPEN,
        BindReceiver: _OPEN,
        BindTransceiver: _OPEN,
        SubmitSm: _TX,
        SubmitMulti: _TX,
        DataSm: _TX,
        QuerySm: _TX,
        CancelSm: _TX,
        ReplaceSm: _TX,
        BroadcastSm: _TX,
        QueryBroadcastSm: _TX,
        CancelBroadcastSm: _TX,
        Unbind: BOUND,
        EnquireLink: _ANY,
    },
    Role.MC: {
        Outbind: frozenset({State.OPEN}),
        DeliverSm: _RX,
        DataSm: _RX,
        AlertNotification: _RX,
        Unbind: BOUND,
        EnquireLink: _ANY,
    },
}

ALLOWED: dict[tuple[Role, State], frozenset[type[Pdu]]] = {
    (role, state): frozenset(pdu for pdu, states in table.items() if state in states)
    for role, table in _FROM.items()
    for state in State
}

BOUND_AS: dict[type[Pdu], State] = {
    BindTransmitter: State.BOUND_TX,
    BindReceiver: State.BOUND_RX,
    BindTransceiver: State.BOUND_TRX,
}

_CONTROL = {BindTransmitter, BindReceiver, BindTransceiver, Outbind, Unbind, EnquireLink}
MESSAGES: frozenset[type[Pdu]] = frozenset(
    pdu for pdu, command_id in COMMANDS.items() if not command_id & RESPONSE and pdu not in _CONTROL
)  # requests that the owner of a session deals with

RESPONSE_TO: dict[type[Pdu], type[Pdu]] = {
    pdu: LAYOUTS[command_id | RESPONSE].pdu  # type: ignore[misc]  # a layout's callable is its class
    for pdu, command_id in COMMANDS.items()
    if not command_id & RESPONSE and command_id | RESPONSE in LAYOUTS
}
