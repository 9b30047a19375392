"""The tables of 3GPP TS 23.038 §6.2.1 and Annex A: what each septet stands for, in each language.

A table is a string of 128 characters, with ``RESERVED`` where nothing stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum

__all__ = ["ESCAPE", "LOCKING", "RESERVED", "SINGLE", "Language"]

ESCAPE = 0x1B
RESERVED = "\ufffe"  # no character, and what Python's charmap codec takes for undefined


class Language(IntEnum):
    """National language identifiers, §6.2.1.2.4; 0 is the default alphabet and its extension table."""

    DEFAULT = 0
    TURKISH = 1
    SPANISH = 2
    PORTUGUESE = 3
    BENGALI = 4
    GUJARATI = 5
    HINDI = 6
    KANNADA = 7
    MALAYALAM = 8
    ORIYA = 9
    PUNJABI = 10
    TAMIL = 11
    TELUGU = 12
    URDU = 13


_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LOWER = _UPPER.lower()
_DEFAULT = (
    f"@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ{RESERVED}ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    f"¡{_UPPER}ÄÖÑÜ\u00a7¿{_LOWER}äöñüà"
)
_EXTENSION = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}


def _changed(table: str, changes: dict[int, str]) -> str:
    """A table with runs of other characters from some places on."""
    characters = list(table)
    for at, run in changes.items():
        characters[at : at + len(run)] = run
    return "".join(characters)


_NOTHING = RESERVED * 128
_DEFAULT_SINGLE = _changed(_NOTHING, _EXTENSION)

_TURKISH = _changed(
    _DEFAULT, {0x04: "€", 0x07: "\u0131", 0x0B: "Ğğ", 0x1C: "Şş", 0x40: "İ", 0x60: "ç"}
)  # A.3.1
_TURKISH_SINGLE = _changed(
    _DEFAULT_SINGLE, {0x47: "Ğ", 0x49: "İ", 0x53: "Ş", 0x63: "ç", 0x67: "ğ", 0x69: "\u0131", 0x73: "ş"}
)  # A.2.1
_SPANISH_SINGLE = _changed(
    _DEFAULT_SINGLE,
    {0x09: "ç", 0x41: "Á", 0x49: "Í", 0x4F: "Ó", 0x55: "Ú", 0x61: "á", 0x69: "í", 0x6F: "ó", 0x75: "ú"},
)  # A.2.2
_PORTUGUESE = _changed(
    _DEFAULT,
    {
        0x04: "êéúíóç",
        0x0B: "Ôô",
        0x0E: "Áá",
        0x12: "ªÇÀ∞^\\€Ó|",
        0x1C: "ÂâÊÉ",
        0x24: "º",
        0x40: "Í",
        0x5B: "ÃÕÚÜ§~",
        0x7B: "ãõ`üà",
    },
)  # A.3.3
_PORTUGUESE_SINGLE = _changed(
    _DEFAULT_SINGLE,
    {
        0x05: "ê",
        0x09: "ç",
        0x0B: "Ôô",
        0x0E: "Áá",
        0x12: "ΦΓ^ΩΠΨΣΘ",
        0x1F: "Ê",
        0x41: "À",
        0x49: "Í",
        0x4F: "Ó",
        0x55: "Ú",
        0x5B: "ÃÕ",
        0x61: "Â",
        0x69: "í",
        0x6F: "ó",
        0x75: "ú",
        0x7B: "ãõ",
        0x7F: "â",
    },
)  # A.2.3


# -- India: the blocks of Unicode lie side by side (they descend from ISCII), and so do the tables

_LETTERS = [place for place in range(0x01, 0x4E) if place not in (0x04, 0x3A, 0x3B)]  # of a block, in order
_FIXED = {
    0x0A: "\n",
    0x0D: "\r",
    0x20: " !",
    0x28: ")(",
    0x2C: ",",
    0x2E: ".",
    0x30: "0123456789:;",
    0x3F: "?",
    ESCAPE: RESERVED,
    0x61: _LOWER,
}
_FIXED_PLACES = {at + i for at, run in _FIXED.items() for i in range(len(run))}
_FREE = [at for at in range(0x60) if at not in _FIXED_PLACES]
_LAST = [0x60, 0x7B, 0x7C, 0x7D, 0x7E, 0x7F]

_FIXED_SINGLE = {
    **_EXTENSION,
    0x00: "@£$¥¿\"¤%&'",
    0x0B: "*+",
    0x0E: "-/<=>¡^¡_#*",
    0x41: _UPPER,
}


def _indic(block: int, holes: Iterable[int], last: Iterable[int]) -> str:
    """A locking table of A.3.4 to A.3.12: a block without its holes, and six characters at the end."""
    table = _changed(_NOTHING, _FIXED)
    letters = {
        at: chr(block + place) for at, place in zip(_FREE, _LETTERS, strict=True) if place not in {*holes}
    }
    letters |= {at: chr(block + place) for at, place in zip(_LAST, last, strict=True)}
    return _changed(table, letters)


def _indic_single(characters: Iterable[int], *, at: int = 0x19) -> str:
    """A single shift table of A.2.4 to A.2.13: its own characters stand in order where nothing else does."""
    table = _changed(_NOTHING, _FIXED_SINGLE)
    places = (i for i in range(at, 0x40) if table[i] == RESERVED and i != ESCAPE)
    return _changed(table, {i: chr(c) for i, c in zip(places, characters, strict=False)})


def _run(*spans: tuple[int, int]) -> Iterator[int]:
    for first, last in spans:
        yield from range(first, last + 1)


_DANDAS = (0x0964, 0x0965)

_URDU = _changed(
    _changed(_NOTHING, _FIXED),
    {
        0x00: "\u0627\u0622\u0628\u067b\u0680\u067e\u06a6\u062a\u06c2\u067f",
        0x0B: "\u0679\u067d",
        0x0E: "\u067a\u067c\u062b\u062c\u0681\u0684\u0683\u0685\u0686\u0687\u062d\u062e\u062f",
        0x1C: "\u068c\u0688\u0689\u068a",
        0x22: "\u068f\u068d\u0630\u0631\u0691\u0693",
        0x2A: "\u0699\u0632",
        0x2D: "\u0696",
        0x2F: "\u0698",
        0x3C: "\u069a\u0633\u0634",
        0x40: "\u0635\u0636\u0637\u0638\u0639\u0641\u0642\u06a9\u06aa\u06ab\u06af\u06b3\u06b1",
        0x4D: "\u0644\u0645\u0646\u06ba\u06bb\u06bc\u0648\u06c4\u06d5\u06c1\u06be\u0621\u06cc",
        0x5A: "\u06d0\u06d2\u064d\u0650\u064f\u0657\u0654",
        0x7B: "\u0655\u0651\u0653\u0656\u0670",
    },
)  # A.3.13
_URDU_SINGLE = _changed(
    _indic_single(
        (
            *_run((0x0600, 0x0601), (0x06F0, 0x06F9), (0x060C, 0x0614)),
            *(0x061B, 0x061F, 0x0640, 0x0652, 0x0658, 0x066B, 0x066C, 0x0672, 0x0673, 0x06CD),
        )
    ),
    {0x3F: "\u06d4"},
)  # A.2.13

LOCKING: dict[Language, str] = {  # there is none for Spanish
    Language.DEFAULT: _DEFAULT,
    Language.TURKISH: _TURKISH,
    Language.PORTUGUESE: _PORTUGUESE,
    Language.BENGALI: _indic(
        0x0980,
        {
            *_run(
                (0x0D, 0x0E),
                (0x11, 0x12),
                (0x29, 0x29),
                (0x31, 0x31),
                (0x33, 0x35),
                (0x45, 0x46),
                (0x49, 0x4A),
            )
        },
        (0x4E, 0x57, 0x5C, 0x5D, 0x70, 0x71),
    ),
    Language.GUJARATI: _indic(
        0x0A80, {0x0E, 0x12, 0x29, 0x31, 0x34, 0x46, 0x4A}, (0x50, 0x60, 0x61, 0x62, 0x63, 0x71)
    ),
    Language.HINDI: _indic(0x0900, (), (0x50, 0x72, 0x7B, 0x7C, 0x7E, 0x7F)),
    Language.KANNADA: _indic(
        0x0C80, {0x01, 0x0D, 0x11, 0x29, 0x34, 0x45, 0x49}, (0x55, 0x56, 0x60, 0x61, 0x62, 0x63)
    ),
    Language.MALAYALAM: _indic(
        0x0D00, {0x01, 0x0D, 0x11, 0x29, 0x3C, 0x45, 0x49}, (0x57, 0x60, 0x61, 0x62, 0x63, 0x79)
    ),
    Language.ORIYA: _indic(
        0x0B00,
        {
            *_run(
                (0x0D, 0x0E),
                (0x11, 0x12),
                (0x29, 0x29),
                (0x31, 0x31),
                (0x34, 0x34),
                (0x45, 0x46),
                (0x49, 0x4A),
            )
        },
        (0x56, 0x57, 0x60, 0x61, 0x62, 0x63),
    ),
    Language.PUNJABI: _indic(
        0x0A00,
        {
            *_run((0x0B, 0x0E), (0x11, 0x12), (0x29, 0x29), (0x31, 0x31), (0x34, 0x34), (0x37, 0x37)),
            *_run((0x3D, 0x3D), (0x43, 0x46), (0x49, 0x4A)),
        },
        (0x51, 0x70, 0x71, 0x72, 0x73, 0x74),
    ),
    Language.TAMIL: _indic(
        0x0B80,
        {
            *_run((0x01, 0x01), (0x0B, 0x0D), (0x11, 0x11), (0x16, 0x18), (0x1B, 0x1B), (0x1D, 0x1D)),
            *_run((0x20, 0x22), (0x25, 0x27), (0x2B, 0x2D), (0x3C, 0x3D), (0x43, 0x45), (0x49, 0x49)),
        },
        (0x50, 0x57, 0x70, 0x71, 0x72, 0x79),
    ),
    Language.TELUGU: _indic(
        0x0C00, {0x0D, 0x11, 0x29, 0x34, 0x3C, 0x45, 0x49}, (0x55, 0x56, 0x60, 0x61, 0x62, 0x63)
    ),
    Language.URDU: _URDU,
}

SINGLE: dict[Language, str] = {
    Language.DEFAULT: _DEFAULT_SINGLE,
    Language.TURKISH: _TURKISH_SINGLE,
    Language.SPANISH: _SPANISH_SINGLE,
    Language.PORTUGUESE: _PORTUGUESE_SINGLE,
    Language.BENGALI: _indic_single(_run((0x09E6, 0x09EF), (0x09DF, 0x09E3), (0x09F2, 0x09FA))),
    Language.GUJARATI: _indic_single((*_DANDAS, *_run((0x0AE6, 0x0AEF)))),
    Language.HINDI: _indic_single(
        (*_DANDAS, *_run((0x0966, 0x096F), (0x0951, 0x0954), (0x0958, 0x0963), (0x0970, 0x0971)))
    ),
    Language.KANNADA: _indic_single((*_DANDAS, *_run((0x0CE6, 0x0CEF)), 0x0CDE, 0x0CF1, 0x0CF2)),
    Language.MALAYALAM: _indic_single((*_DANDAS, *_run((0x0D66, 0x0D75), (0x0D7A, 0x0D7F)))),
    Language.ORIYA: _indic_single(
        (*_DANDAS, *_run((0x0B66, 0x0B6F), (0x0B5C, 0x0B5D), (0x0B5F, 0x0B5F), (0x0B70, 0x0B71)))
    ),
    Language.PUNJABI: _indic_single(
        (*_DANDAS, *_run((0x0A66, 0x0A6F), (0x0A59, 0x0A5C), (0x0A5E, 0x0A5E), (0x0A75, 0x0A75)))
    ),
    Language.TAMIL: _indic_single((*_DANDAS, *_run((0x0BE6, 0x0BEF), (0x0BF3, 0x0BF8), (0x0BFA, 0x0BFA)))),
    Language.TELUGU: _indic_single(_run((0x0C66, 0x0C6F), (0x0C58, 0x0C59), (0x0C78, 0x0C7F)), at=0x1C),
    Language.URDU: _URDU_SINGLE,
}
