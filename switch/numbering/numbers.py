"""Numbers as people dial them and as the world writes them: E.164, national forms, emergency numbers."""

from __future__ import annotations

from functools import lru_cache

_SEPARATORS = str.maketrans("", "", "-.() ")  # visual separators of RFC 3966 §3, dialled by phone books
_NORTH_AMERICA = 1  # ten digits are dialled there without the national prefix
_MAX_DIGITS = 24
_ANYWHERE = frozenset({"112", "911"})


def clean_number(dialled: str) -> str:
    """The number without visual separators; names stay as they are."""
    if dialled.isalnum():
        return dialled
    stripped = dialled.translate(_SEPARATORS)
    return stripped if stripped.lstrip("+").isdigit() else dialled


@lru_cache(maxsize=16384)
def normalise(dialled: str, country: str) -> str:
    """A number as dialled in a country in E.164 with its plus; as it was where it is none."""
    number = clean_number(dialled)
    if not country or len(number) > _MAX_DIGITS or not number.lstrip("+").isascii():
        return number
    import phonenumbers as library  # only here: its tables take their time to load

    if number.startswith("+") or not number.isdigit():
        return number
    try:
        found = library.parse(number, country)
    except library.NumberParseException:
        return number
    if not library.is_valid_number(found) or not _has_prefix(number, country, found.country_code):
        return number
    return library.format_number(found, library.PhoneNumberFormat.E164)


@lru_cache(maxsize=16384)
def national(plus: str, country: str) -> str:
    """A full number as dialled within a country; one from abroad with the prefix that leads there."""
    if not country:
        return plus
    import phonenumbers as library

    try:
        found = library.parse(plus, None)
    except library.NumberParseException:
        return plus
    if found.country_code == library.country_code_for_region(country):
        return _digits(library.format_number(found, library.PhoneNumberFormat.NATIONAL))
    return _digits(library.format_out_of_country_calling_number(found, country))


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdecimal())


def _has_prefix(number: str, country: str, country_code: int | None) -> bool:
    """Whether a number is dialled as a national or international one, not as an extension of this house."""
    import phonenumbers as library

    national = library.PhoneMetadata.metadata_for_region(country)
    if national is None or country_code != library.country_code_for_region(country):
        return True  # the prefix that leads abroad was there
    if national.national_prefix is None or country_code == _NORTH_AMERICA:
        return True
    return number.startswith((national.national_prefix, "00"))


@lru_cache(maxsize=4096)
def is_emergency(number: str, country: str) -> bool:
    """Whether a number calls for help: by the country's short numbers, else 112 and 911."""
    if not number.isdigit() or len(number) > 8:
        return False
    if not country:
        return number in _ANYWHERE
    from phonenumbers import shortnumberinfo

    return shortnumberinfo.is_emergency_number(number, country)
