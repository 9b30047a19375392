"""The 7-bit alphabets of 3GPP TS 23.038 §6.2.1: text to septets, one an octet, and back.

Decoding is total: any octets are some text. What has one character to a septet goes through the charmap
codec of Python, which is written in C; escapes are for the slower way.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from functools import cache

from ...errors import LocalProtocolError
from .tables import ESCAPE, LOCKING, RESERVED, SINGLE, Language

__all__ = ["DEFAULT", "Alphabet", "Language", "alphabet"]

_ESCAPE = chr(ESCAPE)
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True, eq=False)
class Alphabet:
    """A locking table and a single shift table, and what follows from them."""

    locking: Language
    single: Language
    costs: dict[str, int]  # septets that each character takes
    _septets: dict[str, bytes]
    _characters: str  # of each octet; the escape is itself, and beyond 0x7F there is nothing
    _escaped: str  # of each septet after the escape
    _map: dict[int, int]  # of the characters that take one septet
    _ascii: bytes  # what of ASCII takes one septet
    _ascii_septets: bytes

    def covers(self, text: str) -> bool:
        """Whether every character of a text is in it."""
        return self.costs.keys() >= set(text)

    def missing(self, text: str) -> list[str]:
        """The characters of a text that are not in it, each once, in their order."""
        return [c for c in dict.fromkeys(text) if c not in self.costs]

    def count(self, text: str) -> int:
        """How many septets a text takes; all its characters must be in the alphabet."""
        costs = self.costs
        return sum([costs[c] for c in text])

    def encode(self, text: str) -> bytes:
        """The septets of a text; LocalProtocolError names the first character that there is none for."""
        try:
            data = text.encode()
            if not data.translate(None, self._ascii):  # nothing is left: the most frequent case by far
                return data.translate(self._ascii_septets)
            return codecs.charmap_encode(text, "strict", self._map)[0]
        except UnicodeEncodeError:
            return self._encode_with_escapes(text)

    def _encode_with_escapes(self, text: str) -> bytes:
        septets = self._septets
        try:
            return b"".join([septets[c] for c in text])
        except KeyError as error:
            name = f"U+{ord(error.args[0]):04X}"
            raise LocalProtocolError(f"{name} is not in the {self.locking.name.lower()} alphabet") from None

    def encode_lossy(self, text: str, substitute: str = "?") -> bytes:
        """The septets of a text, with something else for every character that there is none for."""
        if not self.covers(text):
            text = "".join([c if c in self.costs else substitute for c in text])
        return self.encode(text)

    def decode(self, septets: bytes) -> str:
        """The text of some septets; an octet with bit 7 set is no septet and becomes U+FFFD."""
        text = codecs.charmap_decode(septets, "strict", self._characters)[0]
        return self._unescape(text, septets) if _ESCAPE in text else text

    def _unescape(self, text: str, septets: bytes) -> str:
        """Put in what stands behind the escapes; §6.2.1.1 says what where nothing is defined."""
        pieces = []
        start, size = 0, len(text)
        while (at := text.find(_ESCAPE, start)) >= 0:
            pieces.append(text[start:at])
            if at + 1 == size:  # nothing follows: shown like an escape to a table that is not defined yet
                pieces.append(" ")
            else:
                pieces.append(self._escaped[septets[at + 1]])
            start = at + 2
        return "".join(pieces) + text[start:]


def alphabet(locking: int = 0, single: int = 0) -> Alphabet:
    """The alphabet of two identifiers; unknown ones mean the default (TS 23.040 §9.2.3.24.15)."""
    return _alphabet(
        Language(locking) if locking in LOCKING else Language.DEFAULT,
        Language(single) if single in SINGLE else Language.DEFAULT,
    )


@cache
def _alphabet(locking: Language, single: Language) -> Alphabet:
    main, shifted = LOCKING[locking], SINGLE[single]
    septets = {c: bytes((ESCAPE, at)) for at, c in reversed([*enumerate(shifted)]) if c != RESERVED}
    septets |= {c: bytes((at,)) for at, c in reversed([*enumerate(main)]) if c != RESERVED}
    shown = main.replace(RESERVED, " ")
    escaped = "".join(s if s != RESERVED else m for s, m in zip(shifted, shown, strict=True))
    ascii = bytes(c for c in range(128) if chr(c) in main)
    return Alphabet(
        locking=locking,
        single=single,
        costs={c: len(code) for c, code in septets.items()},
        _septets=septets,
        _characters=shown[:ESCAPE] + _ESCAPE + shown[ESCAPE + 1 :] + _REPLACEMENT * 128,
        _escaped=escaped + _REPLACEMENT * 128,
        _map={ord(c): code[0] for c, code in septets.items() if len(code) == 1},
        _ascii=ascii,
        _ascii_septets=bytes.maketrans(ascii, b"".join(septets[chr(c)] for c in ascii)),
    )


DEFAULT = alphabet()
