"""What ways get of a message: its octets as they came where that is possible, or parts in their own form."""

from __future__ import annotations

import pytest

from switchroom.protocols import gsm
from switchroom.switch.sms.interfaces import TEXT, Address, Concat, Form, Part, Submission
from switchroom.switch.sms.stored import Stored
from switchroom.switch.sms.texts import UnsendableError, parts_of, text_of

PORTS = b"\x05\x04\x0b\x84\x23\xf0"  # WAP push
TURKISH = b"\x24\x01\x01"  # single shift
GSM = Form(is_gsm=True)


def message(body: bytes | str, coding: int = TEXT, **fields: object) -> Stored:
    octets = body.encode() if isinstance(body, str) else body
    submission = Submission("app", Address("a"), Address("b"), octets, coding, **fields)  # type: ignore[arg-type]
    return Stored(0x1234, submission, 0.0, 0.0)


def said(parts: list[Part]) -> str:
    pieces = [text_of(p.message.submission._replace(body=p.body, coding=p.coding, udh=p.udh)) for p in parts]
    return "".join(piece or "" for piece in pieces)


@pytest.mark.parametrize(
    ("text", "form", "count", "coding"),
    [
        ("hello", Form(), 1, 0),
        ("x" * 161, Form(), 2, 0),
        ("x" * 306, Form(), 2, 0),
        ("x" * 305, Form(is_16_bit=True), 3, 0),
        ("\u0436" * 70, Form(), 1, 8),
        ("\u0436" * 71, Form(), 2, 8),
        ("It\u2019s " * 30, Form(), 3, 8),
        ("It\u2019s " * 30, Form(is_transliterated=True), 1, 0),
        ("\u015fi\u015fe " * 30, GSM._replace(languages=(gsm.Language.TURKISH,)), 1, 0),
        ("x" * 1000, Form(is_whole=True), 1, 0),
    ],
)
def test_a_text_in_the_fewest_parts(text: str, form: Form, count: int, coding: int) -> None:
    parts = parts_of(message(text), form)
    assert len(parts) == count
    assert {part.coding for part in parts} == {coding}
    assert said(parts).replace("'", "\u2019") == text
    if count > 1:
        reference = 0x1234 if form.is_16_bit else 0x34
        assert [part.concat for part in parts] == [Concat(reference, count, n + 1) for n in range(count)]


def test_octets_that_fit_stay_as_they_are() -> None:
    for coding, udh, concat in ((0, b"", Concat()), (4, PORTS, Concat(300, 3, 2)), (3, b"", Concat())):
        [part] = parts_of(message(b"abc", coding, udh=udh, concat=concat), Form())
        assert (part.body, part.coding, part.udh, part.concat) == (b"abc", coding, udh, concat)


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (b"x" * 400, 0),
        ("\u0436".encode("utf-16-be") * 200, 8),
        (bytes(range(256)) * 2, 4),
        (b"x" * 400, 0xF1),
    ],
)
def test_octets_that_are_too_long_keep_their_coding_and_their_ports(body: bytes, coding: int) -> None:
    parts = parts_of(message(body, coding, udh=PORTS), Form())
    assert len(parts) > 1
    assert {(part.coding, part.udh) for part in parts} == {(coding, PORTS)}
    assert b"".join(part.body for part in parts) == body


def test_ports_of_smpp_become_a_header() -> None:
    tlvs = ((0x020A, b"\x23\xf0"), (0x020B, b"\x0b\x84"), (0x1400, b"x"))
    [part] = parts_of(message(b"abc", 4, tlvs=tlvs), GSM)
    assert part.udh == PORTS
    parts = parts_of(message("x" * 160, tlvs=tlvs), GSM)
    assert len(parts) == 2  # there is less room
    assert {part.udh for part in parts} == {PORTS}
    [part] = parts_of(message(b"abc", 4, tlvs=tlvs), Form())  # SMPP says it itself
    assert part.udh == b""
    [part] = parts_of(message(b"abc", 4, tlvs=tlvs[:1]), GSM)
    assert part.udh == b""


def test_a_long_text_in_a_national_alphabet_stays_in_it() -> None:
    body = gsm.alphabet(single=1).encode("\u015fi\u015fe " * 50)
    parts = parts_of(message(body, 0, udh=TURKISH), GSM)
    assert len(parts) > 1
    assert {part.udh for part in parts} == {TURKISH}
    assert said(parts) == "\u015fi\u015fe " * 50


def test_alphabets_that_gsm_lacks() -> None:
    assert said(parts_of(message("caf\u00e9".encode("latin-1"), 3), GSM)) == "caf\u00e9"
    assert said(parts_of(message("\u0436".encode("iso8859-5"), 6), GSM)) == "\u0436"
    parts = parts_of(message(b"caf\xe9 " * 50, 0), GSM)  # no septets, whoever says that they are
    assert said(parts) == "caf? " * 50


def test_a_class_is_kept() -> None:
    [part] = parts_of(message("now", message_class=0), GSM)
    assert part.coding == 0x10
    [part] = parts_of(message("\u0436", message_class=0), GSM)
    assert part.coding == 0x18


def test_what_cannot_go() -> None:
    for wrong, form in (
        (message("x" * 2000), Form()),  # more than ten parts
        (message(b"x" * 300, 4, concat=Concat(1, 2, 1)), Form()),
        (message(b"\0", 4), Form(is_text=True)),
    ):
        with pytest.raises(UnsendableError):
            parts_of(wrong, form)
