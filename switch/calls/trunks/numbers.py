"""Telephone numbers as a trunk writes them and as the switch does: E.164 with +, or as they are."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from switchroom.switch.config.trunks import NumberForm
from switchroom.switch.numbering.numbers import national, normalise

_SEPARATORS = str.maketrans("", "", "-.() /")
_MOST_DIGITS = 15  # E.164 §6


class Plan(NamedTuple):
    """Where a trunk stands: what its numbers without country code mean."""

    country: str = ""  # DE
    national_prefix: str | None = None  # None: what is customary there
    international_prefix: str = "00"


@lru_cache(maxsize=8192)  # callers and called repeat; parsing costs some 20 us
def read_number(text: str, form: NumberForm, plan: Plan) -> str:
    """The number in E.164, with +; what is no such number (an extension, 110, a name) as it is."""
    if form == "as-is":
        return text
    digits = text.translate(_SEPARATORS)
    if form == "e164-plain" and _is_full(f"+{digits}"):
        return f"+{digits}"
    return full_number(digits, plan) or text


@lru_cache(maxsize=8192)
def write_number(text: str, form: NumberForm, plan: Plan) -> str:
    """The number in the form that the trunk wants; what is no full number as it is."""
    if form == "as-is":
        return text
    full = full_number(text, plan)
    if full is None:
        return text
    if form == "e164":
        return full
    if form == "e164-plain":
        return full[1:]
    if form == "national":
        inland = _national(full, plan)
        if inland is not None:
            return inland
    return plan.international_prefix + full[1:]


@lru_cache(maxsize=8192)
def full_number(text: str, plan: Plan) -> str | None:
    """The number in E.164, with +; None when it is not a whole one."""
    digits = text.translate(_SEPARATORS)
    if digits.startswith("+"):
        return digits if _is_full(digits) else None
    if not (digits.isascii() and digits.isdigit()):
        return None
    prefix = plan.international_prefix
    if digits.startswith(prefix) and _is_full("+" + digits[len(prefix) :]):
        return "+" + digits[len(prefix) :]
    return _from_inland(digits, plan) if plan.country else None


def _is_full(text: str) -> bool:
    digits = text[1:]
    return digits.isascii() and digits.isdigit() and digits[:1] != "0" and 6 < len(digits) <= _MOST_DIGITS


def _from_inland(digits: str, plan: Plan) -> str | None:
    """A number as it is dialled inside the country."""
    prefix = plan.national_prefix
    if prefix is None:
        number = normalise(digits, plan.country)
    elif digits.startswith(prefix):
        number = f"+{_country_code(plan.country)}{digits[len(prefix) :]}"
    else:
        return None
    return number if number.startswith("+") and _is_full(number) else None


def _national(full: str, plan: Plan) -> str | None:
    """The number as dialled inside the country; None when it is abroad."""
    code = _country_code(plan.country)
    if not code or not full[1:].startswith(code):
        return None
    prefix = plan.national_prefix
    if prefix is None:
        return national(full, plan.country)
    return prefix + full[1 + len(code) :]


@lru_cache(maxsize=256)
def _country_code(country: str) -> str:
    """The digits behind the plus: 49 for DE."""
    if not country:
        return ""
    import phonenumbers  # only here: its tables take their time to load

    return str(phonenumbers.country_code_for_region(country) or "")
