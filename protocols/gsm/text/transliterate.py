"""Characters of the 7-bit alphabet in place of similar ones outside, so that a text costs fewer parts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import IntEnum
from unicodedata import category, normalize

from .alphabet import DEFAULT, Alphabet

__all__ = ["Level", "Transliteration", "transliterate"]


class Level(IntEnum):
    """How far it goes."""

    OFF = 0
    PUNCTUATION = 1  # quotes, dashes, spaces: nobody misses them
    LETTERS = 2  # also letters without their accents, and what looks alike in other scripts


@dataclass(frozen=True, slots=True)
class Transliteration:
    """The new text, and what was put for what, how often."""

    text: str
    changes: tuple[tuple[str, str, int], ...] = ()


def _table(*rows: tuple[str, str]) -> dict[str, str]:
    return {character: substitute for characters, substitute in rows for character in characters}


_PUNCTUATION = _table(
    ("\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "),
    ("\u00ad\u200b\u200c\u200e\u200f\u2060\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff", ""),
    ("\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u02d7\ufe58\ufe63\uff0d", "-"),
    ("\u2018\u2019\u201a\u201b\u2032\u2035\u02bb\u02bc\u02b9\u02c8\u00b4\u02ca\u02cb\u0060\uff07", "'"),
    ("\u201c\u201d\u201e\u201f\u2033\u2036\u00ab\u00bb\u02ba\u3003\uff02", '"'),
    ("\u2039\u3008\u27e8", "<"),
    ("\u203a\u3009\u27e9", ">"),
    ("\u2026\u22ef", "..."),
    ("\u2022\u2023\u25cf\u25aa\u2219\u00b7\u22c5\u30fb", "*"),
    ("\u2044\u2215\uff0f", "/"),
    ("\u2028\u2029\u0085\u000b", "\n"),
    ("\t", " "),
    ("\u00a6\u2223\u01c0", "|"),
    ("\u2016", "||"),
    ("\u2024\u3002\uff61", "."),
    ("\uff0c\u3001\u201a", ","),
    ("\u203c", "!!"),
    ("\u2047", "??"),
    ("\u203d", "?!"),
    ("\u00d7\u2715\u2716", "x"),
    ("\u2122", "(TM)"),
    ("\u00ae", "(R)"),
    ("\u00a9", "(C)"),
    ("\u02c6\u2038\u02c4", "^"),
    ("\u02dc\u223c\uff5e", "~"),
    ("\u2032\u2035", "'"),
    ("\u00b0\u00ba", "o"),
)
_LETTERS = _table(
    ("ç", "Ç"),  # it is the capital that the alphabet has, and many telephones show the small one
    ("ð", "d"),
    ("Ð\u0110", "D"),
    ("đ", "d"),
    ("ł", "l"),
    ("Ł", "L"),
    ("ħ", "h"),
    ("Ħ", "H"),
    ("\u0131", "i"),
    ("ŧ", "t"),
    ("Ŧ", "T"),
    ("ŋ", "n"),
    ("Ŋ", "N"),
    ("þ", "th"),
    ("Þ", "Th"),
    ("œ", "oe"),
    ("Œ", "OE"),
    ("ẞ", "ß"),
    ("ĸ", "k"),
    ("\u017f", "s"),
    # Greek capitals that look like Latin ones: telephones of the 7-bit alphabet wrote Greek with these
    *zip(
        "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7",
        "ABEZHIKMNOPTYX",
        strict=True,
    ),
    # small Greek letters have only capitals there
    *zip("αβγδεζηθικλμνξοπρστυφχψω", "ABΓΔEZHΘIKΛMNΞOΠPΣTYΦXΨΩ", strict=True),
    ("ς", "Σ"),
)


def transliterate(
    text: str, alphabet: Alphabet = DEFAULT, level: Level = Level.PUNCTUATION
) -> Transliteration:
    """Replace what the alphabet does not have, where there is something like it; the rest stays."""
    if level is Level.OFF or alphabet.covers(text):
        return Transliteration(text)
    changes: Counter[tuple[str, str]] = Counter()
    pieces = []
    for character in normalize("NFC", text):
        substitute = character if character in alphabet.costs else _substitute(character, alphabet, level)
        if substitute != character:
            changes[character, substitute] += 1
        pieces.append(substitute)
    changed = tuple((before, after, count) for (before, after), count in changes.items())
    return Transliteration("".join(pieces), changed)


def _substitute(character: str, alphabet: Alphabet, level: Level) -> str:
    """What is written for one character, or itself."""
    candidates = [_PUNCTUATION.get(character)]
    if level >= Level.LETTERS:
        candidates += [_LETTERS.get(character), _LETTERS.get(_bare(character)), _bare(character)]
    return next((c for c in candidates if c is not None and alphabet.covers(c)), character)


def _bare(character: str) -> str:
    """A character without its marks, and in its plain form."""
    return "".join(c for c in normalize("NFKD", character) if category(c) != "Mn")
