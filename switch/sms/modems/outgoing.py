"""Messages of the message centre as TPDUs for a modem."""

from __future__ import annotations

from switchroom.protocols.errors import LocalProtocolError
from switchroom.protocols.gsm import DEFAULT, Charset, DataCoding, UserDataHeader, choose, encode
from switchroom.protocols.gsm.tpdu import Address, Relative, Submit, TypeOfNumber, UserData

from ..interfaces import Part
from ..texts import text_of

__all__ = ["submit_of"]

_GSM, _BINARY, _UCS2 = 0, 4, 8  # TP-DCS
_CODINGS = {0: _GSM, 2: _BINARY, 4: _BINARY, 8: _UCS2}  # data_coding of SMPP 3.4 §5.2.19
_FIRST_GROUP = 0x10  # from there on both have the same meaning
_REPLY_PATH = 0x80  # esm_class
_SEPTETS = bytes(octet if octet < 0x80 else ord("?") for octet in range(256))
_MAX_SIZE = 140
_SHORTEST = 300.0  # seconds of validity that can be said


def submit_of(part: Part, now: float, *, wants_report: bool) -> Submit:
    """A part as a modem sends it, ``now`` in seconds since 1970; LocalProtocolError: it cannot be sent."""
    message = part.message
    submission = message.submission
    destination = Address.of(message.destination.number)
    if destination.type_of_number is TypeOfNumber.ALPHANUMERIC:
        raise LocalProtocolError(f"{message.destination.number!r:.40} is no number")
    header = _header(part)
    coding, body = _coded(part, header)
    submit = Submit(
        destination,
        UserData(body, header),
        coding,
        submission.protocol_id,
        Relative.of(max(message.expires_at - now, _SHORTEST)) if message.expires_at else None,
        wants_status_report=wants_report,
        has_reply_path=bool(submission.esm_class & _REPLY_PATH),
    )
    bytes(submit)  # what cannot be written is found here
    return submit


def _header(part: Part) -> UserDataHeader | None:
    octets = part.udh
    concat = part.concat
    if concat.total:
        is_wide = concat.reference > 0xFF
        reference = concat.reference.to_bytes(2 if is_wide else 1)
        element = reference + bytes((concat.total, concat.number))
        octets = bytes((8 if is_wide else 0, len(element))) + element + octets
    if not octets:
        return None
    return UserDataHeader.parse(bytes((len(octets),)) + octets + b" ")[0]


def _coded(part: Part, header: UserDataHeader | None) -> tuple[int, bytes]:
    """TP-DCS and the octets. Alphabets that GSM does not know become one that it does."""
    known = _CODINGS.get(part.coding) if part.coding < _FIRST_GROUP else part.coding
    if known is not None:
        is_text = DataCoding.parse(known).charset is Charset.GSM7
        return known, part.body.translate(_SEPTETS) if is_text else part.body
    said = part.message.submission._replace(body=part.body, coding=part.coding, udh=part.udh)
    text = text_of(said)
    if text is None:
        return _BINARY, part.body
    if choose(text).charset is Charset.UCS2:
        octets = encode(text, Charset.UCS2)
        if len(octets) + (len(header) if header else 0) <= _MAX_SIZE:
            return _UCS2, octets
    return int(DataCoding()), DEFAULT.encode_lossy(text)
