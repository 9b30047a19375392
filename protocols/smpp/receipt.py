"""Delivery receipts: their text and their optional parameters (SMPP 3.4 appendix B and §5.3.2)."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import NamedTuple

from .tlv import Tag, Tlvs, value_of

__all__ = ["RECEIPT", "MessageState", "ReceiptText", "has_receipt", "is_intermediate", "parse_receipt"]

RECEIPT = 0x04  # esm_class: a receipt of the message centre
_INTERMEDIATE = 0x20  # esm_class: a notification on the way (§5.2.12)
_TYPE = 0x3C
_STANDARD = re.compile(
    r"id:(\S*) sub:(\S*) dlvrd:(\S*) submit date:(\S*) done date:(\S*) stat:(\S*) err:(\S*)"
    r"(?: text:([^\0]*))?",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"(?<![0-9a-z])(id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat|err|text)\s*:\s*", re.IGNORECASE
)


class MessageState(IntEnum):
    """message_state (SMPP 5.0 §4.7.15)."""

    SCHEDULED = 0
    ENROUTE = 1
    DELIVERED = 2
    EXPIRED = 3
    DELETED = 4
    UNDELIVERABLE = 5
    ACCEPTED = 6
    UNKNOWN = 7
    REJECTED = 8
    SKIPPED = 9

    @property
    def word(self) -> str:
        """What stands behind ``stat:``."""
        return _WORDS[self]


_S = MessageState
_WORDS = {
    _S.SCHEDULED: "SCHEDLD",
    _S.ENROUTE: "ENROUTE",
    _S.DELIVERED: "DELIVRD",
    _S.EXPIRED: "EXPIRED",
    _S.DELETED: "DELETED",
    _S.UNDELIVERABLE: "UNDELIV",
    _S.ACCEPTED: "ACCEPTD",
    _S.UNKNOWN: "UNKNOWN",
    _S.REJECTED: "REJECTD",
    _S.SKIPPED: "SKIPPED",
}
_STATES = {word: state for state, word in _WORDS.items()} | {  # and what else is written for them
    "DELIVERED": _S.DELIVERED,
    "DELVRD": _S.DELIVERED,
    "UNDELIVERABLE": _S.UNDELIVERABLE,
    "UNDELIVERED": _S.UNDELIVERABLE,
    "UNDELVD": _S.UNDELIVERABLE,
    "FAILED": _S.UNDELIVERABLE,
    "ACCEPTED": _S.ACCEPTED,
    "ACCPTD": _S.ACCEPTED,
    "REJECTED": _S.REJECTED,
    "BUFFERD": _S.ENROUTE,
    "BUFFRED": _S.ENROUTE,
    "SCHEDULED": _S.SCHEDULED,
}


class ReceiptText(NamedTuple):
    """What the text of a receipt says, as it is written; empty: it does not."""

    id: str = ""
    sub: str = ""  # how many messages were submitted
    dlvrd: str = ""  # how many of them were delivered
    submit_date: str = ""  # YYMMDDhhmm, with seconds where somebody knows them
    done_date: str = ""
    stat: str = ""
    err: str = ""
    text: str = ""  # the beginning of the message

    @property
    def state(self) -> MessageState | None:
        """What ``stat:`` means; None: nobody knows."""
        return _STATES.get(self.stat.upper())

    def __str__(self) -> str:
        return (
            f"id:{self.id} sub:{self.sub} dlvrd:{self.dlvrd} submit date:{self.submit_date} "
            f"done date:{self.done_date} stat:{self.stat} err:{self.err} text:{self.text}"
        )


def parse_receipt(text: str) -> ReceiptText:
    """Read the text of a receipt, whatever order, case and spaces its fields have."""
    if (standard := _STANDARD.fullmatch(text)) is not None:
        return ReceiptText(*standard.groups(""))
    found: dict[str, str] = {}
    fields = list(_FIELD.finditer(text))
    for i, field in enumerate(fields):
        name = re.sub(r"[ _]?date", "_date", field[1].lower())
        if name in found:
            continue
        end = len(text) if name == "text" or i + 1 == len(fields) else fields[i + 1].start()
        found[name] = text[field.end() : end].strip(" ;,\r\n\t\0")
        if name == "text":
            break
    return ReceiptText(**found)


def has_receipt(esm_class: int, tlvs: Tlvs) -> bool:
    """Whether a deliver_sm or data_sm carries a receipt or a notification of the message centre."""
    if esm_class & _TYPE in (RECEIPT, _INTERMEDIATE):
        return True
    is_told = value_of(tlvs, Tag.RECEIPTED_MESSAGE_ID) is not None
    return is_told and not esm_class & _TYPE and value_of(tlvs, Tag.MESSAGE_STATE) is not None


def is_intermediate(esm_class: int) -> bool:
    """Whether it is about a message that is still on its way."""
    return esm_class & _TYPE == _INTERMEDIATE
