"""Numbers: cleaned, in E.164, as other networks want them."""

from __future__ import annotations

from typing import Any

import pytest

from switchroom.switch.calls.routing import clean_number, is_emergency, normalise, to_format


@pytest.mark.parametrize(
    ("dialled", "cleaned"),
    [("+49 (30) 12-34", "+49301234"), ("anna.b", "anna.b"), ("*72", "*72"), ("2.0-1", "201")],
)
def test_separators(dialled: str, cleaned: str) -> None:
    assert clean_number(dialled) == cleaned


@pytest.mark.parametrize(
    ("dialled", "country", "expected"),
    [
        ("030 123456", "DE", "+4930123456"),
        ("0044 20 7183 8750", "DE", "+442071838750"),
        ("1001", "US", "1001"),
        ("2126339400", "US", "+12126339400"),
        ("12126339400", "US", "+12126339400"),
        ("011442071838750", "US", "+442071838750"),
        ("612345678", "ES", "+34612345678"),  # no national prefix there
        ("201", "DE", "201"),
        ("201234", "DE", "201234"),  # an extension: without the 0 it is no number of the country
        ("112", "DE", "112"),
        ("anna", "DE", "anna"),
        ("+4930123456", "DE", "+4930123456"),
        ("030123456", "", "030123456"),
    ],
)
def test_normalise(dialled: str, country: str, expected: str) -> None:
    assert normalise(dialled, country) == expected


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("plus", "+442071838750"),
        ("e164", "442071838750"),
        ("00", "00442071838750"),
        ("national", "00442071838750"),
        ("as-dialled", "+442071838750"),
    ],
)
def test_forms_of_a_number_abroad(form: Any, expected: str) -> None:
    assert to_format("+442071838750", form, "DE") == expected


def test_forms_within_the_country() -> None:
    assert to_format("+4930123456", "national", "DE") == "030123456"
    assert to_format("030123456", "e164", "DE") == "4930123456"
    assert to_format("201", "e164", "DE") == "201"
    assert to_format("anna", "national", "DE") == "anna"
    assert to_format("+442071838750", "national", "US") == "011442071838750"


@pytest.mark.parametrize(
    ("number", "country", "is_one"),
    [
        ("112", "DE", True),
        ("110", "DE", True),
        ("911", "DE", False),
        ("911", "US", True),
        ("999", "GB", True),
        ("112", "", True),
        ("911", "", True),
        ("110", "", False),
        ("anna", "DE", False),
        ("1120", "DE", False),
    ],
)
def test_emergency_numbers(number: str, country: str, is_one: bool) -> None:
    assert is_emergency(number, country) is is_one
