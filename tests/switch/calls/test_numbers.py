"""Numbers: cleaned, in E.164, as other networks want them."""

from __future__ import annotations

import pytest

from switchroom.switch.calls.routing import clean_number, is_emergency, national, normalise


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
    ("number", "country", "expected"),
    [
        ("+4930123456", "DE", "030123456"),
        ("+442071838750", "DE", "00442071838750"),
        ("+442071838750", "US", "011442071838750"),
        ("+4930123456", "", "+4930123456"),
        ("+999", "DE", "+999"),
    ],
)
def test_national(number: str, country: str, expected: str) -> None:
    assert national(number, country) == expected


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
