"""What a modem received, as the message centre wants it."""

from __future__ import annotations

import hashlib

from switchroom.protocols.gsm import Charset, DataCoding, Element
from switchroom.protocols.gsm.modem import MessageReceived
from switchroom.protocols.gsm.tpdu import Fate, StatusReport, TypeOfNumber, fate, status_meaning

from ..interfaces import NO_CONCAT, Address, Concat, Receipt, State, Submission

__all__ = ["read_message", "read_report"]

_CODINGS = {Charset.GSM7: 0, Charset.BINARY: 4, Charset.UCS2: 8}  # data_coding of SMPP
_FIRST_GROUP = 0x10  # from there on TP-DCS and data_coding are the same
_REPLY_PATH = 0x80  # esm_class
_INTERNATIONAL, _ALPHANUMERIC, _TELEPHONE = 1, 5, 1
_NETWORK = 3  # network_type of network_error_code: GSM
_STATES = {
    Fate.DELIVERED: State.DELIVERED,
    Fate.REPLACED: State.DELETED,
    Fate.FORWARDED: State.UNKNOWN,
    Fate.TRYING: State.SENT,
    Fate.FAILED: State.UNDELIVERABLE,
    Fate.EXPIRED: State.EXPIRED,
    Fate.DELETED: State.DELETED,
}


def read_message(event: MessageReceived, inlet: str, number: str) -> Submission:
    """A message that came in for the SIM with this number.

    A copy of it, which comes when an acknowledgement was late or lost, has the same octets: between two
    numbers no time stamp comes twice (TS 23.040 §9.2.3.11). So they are its key.
    """
    deliver = event.deliver
    header = deliver.user_data.header
    udh, concat = b"", NO_CONCAT
    if header is not None:
        if (part := header.concatenation) is not None:
            concat = Concat(part.reference, part.total, part.number)
        udh = bytes(header.without(Element.CONCATENATION_8, Element.CONCATENATION_16))[1:]
    coding = deliver.data_coding
    if coding < _FIRST_GROUP:
        coding = _CODINGS[DataCoding.parse(coding).charset]
    return Submission(
        inlet,
        _address(deliver.source.number, deliver.source.type_of_number),
        _address(number, None),
        deliver.user_data.data,
        coding,
        udh,
        concat,
        protocol_id=deliver.protocol_id,
        esm_class=_REPLY_PATH if deliver.has_reply_path else 0,
        key=hashlib.sha256(event.octets).hexdigest()[:40],
        context=event.handle,
    )


def read_report(report: StatusReport, remote_id: str) -> Receipt:
    """A status report about the message that we call so."""
    state = _STATES[fate(report.status)]
    text = f"TP-Status 0x{report.status:02X}: {status_meaning(report.status)}"
    return Receipt(
        remote_id,
        state,
        "000" if state is State.DELIVERED else f"{report.status:03d}",
        bytes((_NETWORK, 0, report.status)),
        report.discharged.posix or 0.0,
        report.recipient.number,
        is_intermediate=state is State.SENT,
        text=f"{text}, reference {report.message_reference}, of {report.timestamp}",
    )


def _address(number: str, kind: TypeOfNumber | None) -> Address:
    if kind is TypeOfNumber.ALPHANUMERIC:
        return Address(number, _ALPHANUMERIC, 0)
    return Address(number, _INTERNATIONAL if number.startswith("+") else 0, _TELEPHONE)
