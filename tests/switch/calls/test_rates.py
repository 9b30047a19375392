"""The rate table: longest prefix for each trunk, cheapest first, by date; the files it is read from."""

from __future__ import annotations

import math
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.switch.calls.routing import Rate, RatesError, RateTable, read_rates

UTC = ZoneInfo("UTC")
_DIGITS = st.text(alphabet="0123", min_size=1, max_size=5)
_RATE = st.builds(
    Rate,
    _DIGITS,
    st.sampled_from("abc"),
    st.sampled_from([0.0, 0.5, 1.0, 2.0]),
    st.sampled_from([-math.inf, 10.0, 20.0]),
)


def naive(rates: list[Rate], number: str, at: float) -> list[tuple[str, str]]:
    """Each trunk's longest prefix that holds, by looking at every row."""
    found = []
    for trunk in {rate.trunk for rate in rates}:
        fits = [r for r in rates if r.trunk == trunk and number.startswith(r.prefix) and r.valid_from <= at]
        if fits:
            best = max(fits, key=lambda rate: (len(rate.prefix), rate.valid_from))
            found.append((best.price, trunk, best.prefix))
    return [(trunk, prefix) for _, trunk, prefix in sorted(found)]


@given(
    st.lists(_RATE, max_size=30, unique_by=lambda rate: (rate.prefix, rate.trunk, rate.valid_from)),
    st.text(alphabet="0123", max_size=8),
    st.sampled_from([0.0, 10.0, 15.0, 25.0]),
)
def test_the_table_finds_what_looking_at_every_row_finds(rates: list[Rate], number: str, at: float) -> None:
    table = RateTable(rates)
    expected = naive(rates, number, at)
    assert [(rate.trunk, rate.prefix) for rate in table.find(number, at)] == expected
    assert [(rate.trunk, rate.prefix) for rate in table.find(f"+{number}", at)] == expected
    assert len(table) == len(rates)


def test_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(
        "trunk,prefix,price,valid_from\n# new prices\na,+49, 0.02\na,49,0.03,2027-01-01\n\nb,4930,0.01\n"
    )
    table = read_rates(path, UTC)
    assert [(r.trunk, r.price) for r in table.find("+49301", 1_790_000_000.0)] == [("b", 0.01), ("a", 0.02)]
    assert [r.price for r in table.find("498", 1_800_000_000.0)] == [0.03]


def test_a_toml_file(tmp_path: Path) -> None:
    path = tmp_path / "rates.toml"
    path.write_text('[[rates]]\nprefix = "49"\ntrunk = "a"\nprice = 1\nvalid_from = 2027-01-01\n')
    table = read_rates(path, UTC)
    assert [rate.price for rate in table.find("4930", 1_800_000_000.0)] == [1.0]
    assert table.find("4930", 1_790_000_000.0) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x,a,1", "line 1: prefix: x: must be 1 to 20 digits"),
        ("49,a,1\n49,,1", "line 2: trunk: : must be the name of a trunk"),
        ("49,a,cheap", "line 1: price: cheap: must be a number, 0 or more"),
        ("49,a,-1", "line 1: price: -1: must be a number, 0 or more"),
        ("49,a,nan", "line 1: price: nan: must be a number, 0 or more"),
        ("49,a", "line 1: price: : must be a number, 0 or more"),
        ("49,a,1,soon", "line 1: valid_from: soon: must be a date"),
        ("49,a,1,2027-01-01,x", "line 1: x: unknown"),
        ("prefix,trunk,cost\n49,a,1", "line 2: cost: unknown; allowed: prefix"),
    ],
)
def test_a_fault_names_line_column_and_value(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(text)
    with pytest.raises(RatesError) as caught:
        read_rates(path, UTC)
    assert str(caught.value).startswith(f"{path}: {fault}")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RatesError, match="no such file"):
        read_rates(tmp_path / "none.csv", UTC)
