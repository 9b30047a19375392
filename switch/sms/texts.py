"""What a message says, and the parts that an outlet gets of it: as it came where that is possible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from switchroom.protocols import gsm
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError
from switchroom.switch.sms.interfaces import BROADCAST, NO_CONCAT, TEXT, Concat, Form, Part, Submission, Tlvs

from .stored import Stored

_BINARY = (2, 4)  # data_coding of SMPP 3.4 §5.2.19
_CODECS = {1: "ascii", 3: "latin-1", 5: "shift_jis", 6: "iso8859-5", 7: "iso8859-8", 14: "euc_kr"}
_UCS2 = 8
_TYPE_0 = 0x40  # TP-PID
_SOURCE_PORT, _DESTINATION_PORT = 0x020A, 0x020B  # tags of SMPP 3.4 §5.3.2.20, .21
_AREA = 0x0606  # broadcast_area_identifier of SMPP 5.0 §4.8.4.6
_SIZE = 140  # octets of user data in one short message (3GPP TS 23.040 §9.2.3.24)
_WIDE_REFERENCE = 6  # octets of a concatenation's element with 16 bits, and 5 with 8


class _Numbers(TypedDict):
    reference: int
    is_wide: bool
    max_parts: int


class UnsendableError(ValueError):
    """The message cannot go by this way; says why."""


def text_of(submission: Submission) -> str | None:
    """What a message says; None: it is no text."""
    coding, body = submission.coding, submission.body
    if coding == TEXT:
        return body.decode("utf-8", "replace")
    if coding == 0:
        return _alphabet(submission.udh).decode(body)
    if coding == _UCS2:
        return body.decode("utf-16-be", "replace")
    codec = _CODECS.get(coding)
    if codec is not None:
        return body.decode(codec, "replace")
    if coding in _BINARY:
        return None
    scheme = gsm.DataCoding.parse(coding)
    if scheme.charset is gsm.Charset.BINARY or scheme.is_compressed:
        return None
    if scheme.charset is gsm.Charset.GSM7:
        return _alphabet(submission.udh).decode(body)
    return gsm.decode(body, scheme.charset)


def is_broadcast(submission: Submission) -> bool:
    """Whether it is for everybody in an area."""
    return submission.destination == BROADCAST and any(tag == _AREA for tag, _ in submission.tlvs)


def kind_of(submission: Submission) -> str:
    """text, flash, silent, binary or broadcast."""
    if is_broadcast(submission):
        return "broadcast"
    if submission.protocol_id == _TYPE_0:
        return "silent"
    coding = submission.coding
    if submission.message_class == 0 or (coding >= 0x10 and gsm.DataCoding.parse(coding).is_flash):
        return "flash"
    return "binary" if text_of(submission) is None else "text"


def joined_text(messages: Sequence[Stored], total: int) -> str | None:
    """What the parts of one long message say together; what never came is marked."""
    texts: dict[int, str] = {}
    for message in messages:
        text = text_of(message.submission)
        if text is None:
            return None
        texts[message.submission.concat.number] = text
    if len(texts) == total:
        return "".join(texts[number] for number in sorted(texts))
    return " ".join(texts.get(number, "[…]") for number in range(1, total + 1))


def parts_of(message: Stored, form: Form) -> list[Part]:
    """The message as an outlet wants it; UnsendableError says why that is not possible."""
    s = message.submission
    if s.tlvs and is_broadcast(s):
        return [Part(message, s.body, s.coding)]
    if form.is_gsm and s.tlvs and not s.udh:
        s = s._replace(udh=_ports_of(s.tlvs))
    if form.is_text:
        text = text_of(s)
        if text is None:
            raise UnsendableError("is no text")
        return [Part(message, text.encode("utf-8", "replace"), TEXT, concat=s.concat)]
    if s.coding == TEXT:
        return _written(message, s, form, s.body.decode("utf-8", "replace"))
    if form.is_gsm and s.coding in _CODECS and not s.concat.total and not s.udh:
        return _written(message, s, form, text_of(s) or "")
    if form.is_whole or _fits(s):
        return [Part(message, s.body, s.coding, s.udh, s.concat)]
    return _cut(message, s, form)


def _ports_of(tlvs: Tlvs) -> bytes:
    """source_port and destination_port of SMPP as an element of a header."""
    found = dict(tlvs)
    source, destination = found.get(_SOURCE_PORT), found.get(_DESTINATION_PORT)
    if source is None or destination is None or len(source) != 2 or len(destination) != 2:
        return b""
    ports = gsm.Ports(int.from_bytes(destination), int.from_bytes(source))
    return bytes(gsm.UserDataHeader.of(ports=ports))[1:]


def _fits(s: Submission) -> bool:
    header = len(s.udh) + (0 if not s.concat.total else _WIDE_REFERENCE if s.concat.reference > 0xFF else 5)
    room = _SIZE - (header + 1 if header else 0)
    return len(s.body) <= (room * 8 // 7 if _is_gsm(s.coding) else room)


def _is_gsm(coding: int) -> bool:
    if coding < 0x10:
        return coding == 0
    return gsm.DataCoding.parse(coding).charset is gsm.Charset.GSM7


def _written(message: Stored, s: Submission, form: Form, text: str) -> list[Part]:
    """A text in the encoding that is the cheapest."""
    if form.is_transliterated:
        text = gsm.transliterate(text).text
    if form.is_whole:
        encoding = gsm.choose(text)
        return [Part(message, encoding.encode(text), _coding(encoding.charset, s.message_class), s.udh)]
    return _numbered(message, s, form, text, _cheapest(text, form), s.message_class)


def _cheapest(text: str, form: Form) -> gsm.Encoding:
    return gsm.choose(text, [gsm.Language(language) for language in form.languages])


def _cut(message: Stored, s: Submission, form: Form) -> list[Part]:
    """Octets that are too long for one message."""
    if s.concat.total:
        raise UnsendableError(f"is a part of {len(s.body)} octets: too long")
    if _is_gsm(s.coding):
        encoding = gsm.Encoding(alphabet=_alphabet(s.udh))
        text = encoding.decode(s.body).replace("\ufffd", "?")  # octets that are no septets
        return _numbered(message, s, form, text, encoding, -1)
    if s.coding == _UCS2:
        return _numbered(message, s, form, s.body.decode("utf-16-be", "replace"), gsm.UCS2, -1)
    try:
        parts = gsm.split_binary(s.body, ports=_header(s.udh).ports, **_numbers(message, form))
    except LocalProtocolError as error:
        raise UnsendableError(str(error)) from None
    return [_part(message, part, s.coding, n) for n, part in enumerate(parts)]


def _numbers(message: Stored, form: Form) -> _Numbers:
    reference = message.id & (0xFFFF if form.is_16_bit else 0xFF)
    return {"reference": reference, "is_wide": form.is_16_bit, "max_parts": form.max_parts}


def _numbered(
    message: Stored, s: Submission, form: Form, text: str, encoding: gsm.Encoding, message_class: int
) -> list[Part]:
    try:
        parts = gsm.split(text, encoding=encoding, ports=_header(s.udh).ports, **_numbers(message, form))
    except LocalProtocolError as error:
        raise UnsendableError(str(error)) from None
    coding = _coding(encoding.charset, message_class) if s.coding in (TEXT, *_CODECS) else s.coding
    return [_part(message, part, coding, n) for n, part in enumerate(parts)]


def _part(message: Stored, part: gsm.Part, coding: int, ordinal: int) -> Part:
    found = part.header.concatenation
    concat = NO_CONCAT if found is None else Concat(found.reference, found.total, found.number)
    others = part.header.without(gsm.Element.CONCATENATION_8, gsm.Element.CONCATENATION_16)
    udh = bytes(others)[1:] if others.elements else b""
    return Part(message, part.data, coding, udh, concat, ordinal)


def _coding(charset: gsm.Charset, message_class: int) -> int:
    if message_class < 0:
        return _UCS2 if charset is gsm.Charset.UCS2 else 0
    return int(gsm.DataCoding(charset, gsm.MessageClass(message_class)))


def _alphabet(udh: bytes) -> gsm.Alphabet:
    return _header(udh).alphabet if udh else gsm.DEFAULT


def _header(udh: bytes) -> gsm.UserDataHeader:
    """What cannot be read as one is none."""
    if not udh:
        return gsm.UserDataHeader()
    try:
        return gsm.UserDataHeader.parse(bytes((len(udh),)) + udh + b" ")[0]
    except (RemoteProtocolError, LocalProtocolError, ValueError):
        return gsm.UserDataHeader()
