"""Why a text costs what it costs: its encoding, parts and the characters that make it dear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import name

from .alphabet import DEFAULT, Language
from .split import GSM7, UCS2, Encoding, Part, choose, encodings, split
from .transliterate import Level, Transliteration, transliterate

__all__ = ["Alternative", "Explanation", "Forcing", "explain"]


@dataclass(frozen=True, slots=True)
class Forcing:
    """A character that the default alphabet does not have."""

    character: str
    name: str
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another way to send the same, or nearly the same."""

    name: str
    units: int
    parts: int
    transliteration: Transliteration | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What ``switchroom sms explain`` shows."""

    text: str
    encoding: Encoding
    parts: tuple[Part, ...]
    forcing: tuple[Forcing, ...]
    escaped: tuple[str, ...]  # characters that take two septets
    alternatives: tuple[Alternative, ...]

    @property
    def units(self) -> int:
        """Septets, UCS-2 units or octets of all parts together."""
        return sum(part.units for part in self.parts)

    @property
    def room_left(self) -> int:
        """Units that the last part still has room for."""
        last = self.parts[-1]
        room = self.encoding.room(len(last.header)) // self.encoding.octets_per_unit
        return room - last.units


def explain(text: str, languages: Sequence[Language] = ()) -> Explanation:
    """Look at a text as it would be sent to a receiver who knows the tables of some languages."""
    encoding = choose(text, languages)
    parts = split(text, encoding=encoding)
    characters = dict.fromkeys(text)
    costs = encoding.alphabet.costs if encoding.charset is GSM7.charset else {}
    return Explanation(
        text,
        encoding,
        tuple(parts),
        tuple(_forcing(c, text) for c in DEFAULT.missing(text)),
        tuple(c for c in characters if costs.get(c) == 2),
        tuple(_alternatives(text, encoding, len(parts))),
    )


def _forcing(character: str, text: str) -> Forcing:
    positions = tuple(at for at, c in enumerate(text) if c == character)
    return Forcing(character, name(character, f"U+{ord(character):04X}"), positions)


def _alternatives(text: str, chosen: Encoding, parts: int) -> list[Alternative]:
    """Cheaper ways, and what UCS-2 would cost where it is not needed."""
    found = []
    if chosen == UCS2:
        found = [_alternative(e, text) for e in encodings(tuple(Language)) if e != UCS2 and e.covers(text)]
        found = sorted((a for a in found if a.parts < parts), key=lambda a: (a.parts, a.units))[:3]
        found += _transliterated(text, parts)
    elif chosen == GSM7:
        found.append(_alternative(UCS2, text))
    return found


def _alternative(encoding: Encoding, text: str) -> Alternative:
    parts = split(text, encoding=encoding)
    return Alternative(encoding.name, sum(part.units for part in parts), len(parts))


def _transliterated(text: str, parts: int) -> list[Alternative]:
    found: list[Alternative] = []
    for level in (Level.PUNCTUATION, Level.LETTERS):
        other = transliterate(text, level=level)
        if DEFAULT.covers(other.text):
            cost = _alternative(GSM7, other.text)
            if cost.parts <= parts:
                name = f"{GSM7.name}, transliterated ({level.name.lower()})"
                found.append(Alternative(name, cost.units, cost.parts, other))
            break
    return found
