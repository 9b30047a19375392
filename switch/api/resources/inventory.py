"""The numbers that there are: ranges of the configuration and what was imported, whoever has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

_TYPES = {
    PhoneNumberType.FIXED_LINE: "local",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "local",
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.TOLL_FREE: "tollfree",
}
_LETTERS = {
    c: d for d, cs in enumerate(("abc", "def", "ghi", "jkl", "mno", "pqrs", "tuv", "wxyz"), 2) for c in cs
}
_MAX_LOOKED_AT = 200_000
_MAX_MISSED = 1000


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a number from how it is written."""

    number: str
    country: str  # ISO 3166, or nothing
    kind: str  # local, mobile, tollfree; nothing: something else
    national: str
    friendly: str
    is_possible: bool
    is_valid: bool


@lru_cache(maxsize=4096)
def facts_of(number: str) -> Facts:
    """Read a number; what is none has no country."""
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return Facts(number, "", "", number, number, is_possible=False, is_valid=False)
    country = phonenumbers.region_code_for_number(parsed) or ""
    if not country:
        regions = phonenumbers.region_codes_for_country_code(parsed.country_code or 0)
        country = regions[0] if regions and regions[0] != "001" else ""
    return Facts(
        number,
        country,
        _TYPES.get(phonenumbers.number_type(parsed), "local"),
        phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL),
        phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL),
        is_possible=phonenumbers.is_possible_number(parsed),
        is_valid=phonenumbers.is_valid_number(parsed),
    )


@lru_cache(maxsize=4096)
def region_of(number: str) -> str:
    """Where a number is from, in English; nothing where that is not known."""
    from phonenumbers import geocoder  # only here: its tables are 100 MiB

    try:
        return str(geocoder.description_for_number(phonenumbers.parse(number, None), "en"))
    except phonenumbers.NumberParseException:
        return ""


def code_of(country: str) -> int:
    """The calling code of a country, 0 when there is none."""
    return int(phonenumbers.country_code_for_region(country))


class Inventory:
    """Ranges of numbers; who has which of them is written elsewhere."""

    def __init__(self, entries: list[str]) -> None:
        self.update(entries)

    def update(self, entries: list[str]) -> None:
        """Other ranges; a number that somebody has stays his."""
        self._ranges = [_range(entry) for entry in entries]

    def __contains__(self, number: str) -> bool:
        digits = number.removeprefix("+")
        return any(
            number.startswith(plus) and len(digits) == size and first <= int(digits) <= last
            for plus, size, first, last in self._ranges
            if digits.isdecimal() and digits.isascii() and (plus or not number.startswith("+"))
        )

    def countries(self) -> list[str]:
        """Where there are numbers."""
        found = {facts_of(plus + str(first)).country for plus, _, first, _ in self._ranges}
        return sorted(found - {""})

    def search(self, *, country: str, kind: str, contains: str, prefix: str) -> Iterator[str]:
        """Numbers that fit, in order; not all of a large range are looked at, and fewer of them closely."""
        pattern = compile_pattern(contains) if contains else None
        close = 0
        for number in islice(self._all(prefix, country), _MAX_LOOKED_AT):
            if pattern is not None and not pattern.search(number.removeprefix("+")):
                continue
            facts = facts_of(number)
            if (not country or facts.country == country) and (not kind or facts.kind == kind):
                yield number
                continue
            close += 1
            if close > _MAX_MISSED:
                return

    def _all(self, prefix: str, country: str) -> Iterator[str]:
        for plus, size, first, last in self._ranges:
            ends = {facts_of(f"{plus}{number:0{size}d}").country for number in (first, last)}
            if country and country not in ends:
                continue
            low, high = first, last
            digits = prefix.removeprefix("+")
            if digits:
                rest = 10 ** max(size - len(digits), 0)
                low, high = max(low, int(digits) * rest), min(high, (int(digits) + 1) * rest - 1)
            for number in range(low, high + 1):
                yield f"{plus}{number:0{size}d}"


def compile_pattern(text: str) -> re.Pattern[str]:
    """Read digits and letters of the keypad, ``*`` for any digit, ``^`` for the start, ``$`` for the end."""
    body = text.removeprefix("^").removesuffix("$").removeprefix("+").lower()
    parts = []
    for c in body:
        if c.isascii() and c.isdigit():
            parts.append(c)
        elif c in _LETTERS:
            parts.append(str(_LETTERS[c]))
        elif c == "*":
            parts.append("[0-9]")
        else:
            raise ValueError("must be digits, letters of the keypad, and * for any digit")
    if not parts or len(parts) > 15:
        raise ValueError("must be 1 to 15 digits")
    is_first = text.startswith(("^", "+"))
    return re.compile(("^" if is_first else "") + "".join(parts) + ("$" if text.endswith("$") else ""))


def _range(entry: str) -> tuple[str, int, int, int]:
    first, _, last = entry.partition("-")
    plus = "+" if first.startswith("+") else ""
    digits = first.removeprefix("+")
    return plus, len(digits), int(digits), int((last or first).removeprefix("+"))
