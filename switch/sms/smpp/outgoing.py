"""Messages and receipts of the message centre as PDUs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from switchroom.protocols import gsm
from switchroom.protocols.smpp import (
    RECEIPT,
    BroadcastSm,
    DataSm,
    DeliverSm,
    MessageState,
    ReceiptText,
    SubmitSm,
    Tag,
    Tlvs,
)

from ..interfaces import TEXT, Concat, Form, Notice, Part, Wish
from .addresses import NUMBERING, Numbering
from .times import to_absolute, to_receipt, to_relative

__all__ = ["NoticeStyle", "Style", "message_id"]

_UDHI = 0x40
_INTERMEDIATE = 0x20
_ACKNOWLEDGEMENTS = Wish.SME_DELIVERY | Wish.SME_USER
_MAX_SHORT_MESSAGE = 254
_SHOWN = 20  # characters of the text of a receipt; appendix B


@dataclass(frozen=True, slots=True)
class Style:
    """How one remote end wants its messages."""

    numbering: Numbering = NUMBERING
    is_latin: bool = False  # its data_coding 0 is Latin-1
    long_messages: Literal["udh", "sar", "payload"] = "udh"
    is_wide: bool = False  # the reference in a user data header has 16 bits
    max_parts: int = 255
    is_transliterated: bool = False
    validity: Literal["relative", "absolute", "none"] = "none"
    service_type: str = ""
    has_receipts: bool = True  # whether receipts may be asked for
    is_new: bool = False  # whether it knows what SMPP 5.0 adds

    @property
    def form(self) -> Form:
        """The same as the centre needs to know it."""
        return Form(
            is_whole=self.long_messages == "payload",
            is_16_bit=self.is_wide or self.long_messages == "sar",
            is_transliterated=self.is_transliterated,
            max_parts=self.max_parts,
        )

    def submit_sm(self, part: Part, now: float) -> SubmitSm:
        """A message for a carrier; ``now`` is in seconds since 1970."""
        message, submission = part.message, part.message.submission
        esm_class, body, tlvs = self._body(part)
        return SubmitSm(
            submission.service_type or self.service_type,
            *self.numbering.write(message.source),
            *self.numbering.write(message.destination),
            submission.esm_class | esm_class,
            submission.protocol_id,
            submission.priority,
            "",
            self._validity(message.expires_at, now),
            self._registered(message.wish),
            0,
            max(part.coding, 0),
            0,
            body,
            tlvs,
        )

    def deliver_sm(self, part: Part) -> DeliverSm:
        """A message for a customer."""
        message, submission = part.message, part.message.submission
        esm_class, body, tlvs = self._body(part)
        return DeliverSm(
            submission.service_type,
            *self.numbering.write(message.source),
            *self.numbering.write(message.destination),
            submission.esm_class & 0x3C | esm_class,
            submission.protocol_id,
            submission.priority,
            data_coding=max(part.coding, 0),
            short_message=body,
            tlvs=tlvs,
        )

    def data_sm(self, part: Part, now: float) -> DataSm:
        """The same for a carrier that wants data_sm."""
        one = self.submit_sm(part, now)
        tlvs = one.tlvs
        if one.short_message:
            tlvs = ((Tag.MESSAGE_PAYLOAD, one.short_message), *tlvs)
        if part.message.expires_at > now and self.validity != "none":
            life = min(round(part.message.expires_at - now), 0xFFFFFFFF)
            tlvs = ((Tag.QOS_TIME_TO_LIVE, life.to_bytes(4)), *tlvs)
        return DataSm(*one[:8], one.registered_delivery, one.data_coding, tlvs)

    def broadcast_sm(self, part: Part, now: float) -> BroadcastSm:
        """A message for everybody in an area."""
        message, submission, body = part.message, part.message.submission, part.body
        if self.is_latin and part.coding == 0:
            body = gsm.decode(body, gsm.Charset.GSM7).encode("latin-1", "replace")
        return BroadcastSm(
            submission.service_type or self.service_type,
            *self.numbering.write(message.source),
            priority_flag=submission.priority,
            validity_period=self._validity(message.expires_at, now),
            data_coding=max(part.coding, 0),
            tlvs=((Tag.MESSAGE_PAYLOAD, body), *submission.tlvs),
        )

    def _body(self, part: Part) -> tuple[int, bytes, Tlvs]:
        """Bits of esm_class, short_message, optional parameters."""
        body, udh, tlvs = part.body, part.udh, part.message.submission.tlvs
        if self.is_latin and part.coding == 0:
            body = gsm.decode(body, gsm.Charset.GSM7).encode("latin-1", "replace")
        if part.concat.total:
            if self.long_messages == "sar":
                tlvs = (*_sar(part.concat), *tlvs)
            else:
                udh = _concatenation(part.concat, is_wide=self.is_wide) + udh
        if udh:
            body = bytes((len(udh),)) + udh + body
        if len(body) > _MAX_SHORT_MESSAGE:
            return _UDHI if udh else 0, b"", ((Tag.MESSAGE_PAYLOAD, body), *tlvs)
        return _UDHI if udh else 0, body, tlvs

    def _registered(self, wish: int) -> int:
        """registered_delivery; receipts of success only are of SMPP 5.0."""
        if not self.has_receipts:
            return wish & _ACKNOWLEDGEMENTS
        asked = int(wish & Wish.SUCCESS)
        if asked == Wish.SUCCESS and not self.is_new:
            asked = int(Wish.FINAL)
        return asked | int(wish & (Wish.INTERMEDIATE | _ACKNOWLEDGEMENTS))

    def _validity(self, expires_at: float, now: float) -> str:
        if self.validity == "none" or not expires_at:
            return ""
        return to_absolute(expires_at) if self.validity == "absolute" else to_relative(expires_at - now)


def _sar(concat: Concat) -> Tlvs:
    return (
        (Tag.SAR_MSG_REF_NUM, (concat.reference & 0xFFFF).to_bytes(2)),
        (Tag.SAR_TOTAL_SEGMENTS, bytes((concat.total,))),
        (Tag.SAR_SEGMENT_SEQNUM, bytes((concat.number,))),
    )


def _concatenation(concat: Concat, *, is_wide: bool) -> bytes:
    if is_wide:
        return bytes(
            (8, 4, concat.reference >> 8 & 0xFF, concat.reference & 0xFF, concat.total, concat.number)
        )
    return bytes((0, 3, concat.reference & 0xFF, concat.total, concat.number))


# -- receipts


def message_id(id: int, key: str = "") -> str:
    """How a message is called over SMPP; those of one submit_multi share the name that is in their key."""
    return key.partition("/")[0] if key.startswith("multi-") else str(id)


@dataclass(frozen=True, slots=True)
class NoticeStyle:
    """How one customer wants its receipts."""

    numbering: Numbering = NUMBERING
    has_text: bool = True
    has_parameters: bool = True

    def deliver_sm(self, notice: Notice) -> DeliverSm:
        """A receipt; from whom the message was for, to whom it was from."""
        id = message_id(notice.message, notice.key)
        state = MessageState(notice.state.smpp)
        return DeliverSm(
            notice.service_type,
            *self.numbering.write(notice.destination),
            *self.numbering.write(notice.source),
            _INTERMEDIATE if notice.is_intermediate else RECEIPT,
            short_message=self._text(notice, id, state) if self.has_text else b"",
            tlvs=_parameters(notice, id, state) if self.has_parameters else (),
        )

    def _text(self, notice: Notice, id: str, state: MessageState) -> bytes:
        receipt = ReceiptText(
            id,
            f"{min(notice.parts, 999):03}",
            f"{min(notice.parts_delivered, 999):03}",
            to_receipt(notice.accepted_at),
            to_receipt(notice.at),
            state.word,
            notice.error[:3].rjust(3, "0"),
            _beginning(notice),
        )
        return str(receipt).encode("ascii", "replace")


def _beginning(notice: Notice) -> str:
    if notice.coding == TEXT:
        text = notice.beginning.decode("utf-8", "replace")
    else:
        charset = _charset(notice.coding)
        if charset is gsm.Charset.BINARY:
            return ""
        text = gsm.decode(notice.beginning, charset)
    shown = text[:_SHOWN]
    return shown if shown.isprintable() else "".join(c if c.isprintable() else " " for c in shown)


@lru_cache(maxsize=256)
def _charset(coding: int) -> gsm.Charset:
    return gsm.DataCoding.parse(coding).charset


def _parameters(notice: Notice, id: str, state: MessageState) -> Tlvs:
    tlvs: Tlvs = (
        (Tag.RECEIPTED_MESSAGE_ID, id.encode("ascii") + b"\0"),
        (Tag.MESSAGE_STATE, bytes((state,))),
    )
    if notice.network_error:
        return (*tlvs, (Tag.NETWORK_ERROR_CODE, notice.network_error))
    return tlvs
