"""A rate table: what a trunk takes for a prefix, and since when; the longest prefix of a trunk counts."""

from __future__ import annotations

import csv
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import Any, NamedTuple

_PREFIX = re.compile(r"\+?([0-9]{1,20})")
_TRUNK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
_COLUMNS = ("prefix", "trunk", "price", "valid_from")
_MAX_SIZE = 256 * 1024 * 1024


class Rate(NamedTuple):
    """One row: a prefix without its plus, a trunk, a price, and the second from which it holds."""

    prefix: str
    trunk: str
    price: float
    valid_from: float = -math.inf


_Row = tuple[str, float, float]  # trunk, price, valid_from


class RatesError(ValueError):
    """The table cannot be used; says the line, the column and the value."""


class RateTable:
    """Longest prefix match for each trunk."""

    def __init__(self, rates: Iterable[Rate] = ()) -> None:
        found: dict[str, list[_Row]] = {}
        for prefix, trunk, price, valid_from in rates:
            found.setdefault(prefix, []).append((trunk, price, valid_from))
        # Newest first, so that the first that holds already is the one. Tuples of plain values: a collection
        # looks at them once and never again, however many there are.
        self._rows = {prefix: tuple(sorted(rows, key=lambda row: -row[2])) for prefix, rows in found.items()}
        self._lengths = tuple(sorted({len(prefix) for prefix in found}, reverse=True))

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def find(self, number: str, at: float = math.inf) -> list[Rate]:
        """The rate of each trunk for a number in E.164, with or without plus; the cheapest first."""
        digits = number[1:] if number[:1] == "+" else number
        size = len(digits)
        table = self._rows
        found: dict[str, Rate] = {}
        for length in self._lengths:
            if length > size:
                continue
            rows = table.get(digits[:length])
            if rows is not None:
                for trunk, price, valid_from in rows:
                    if valid_from <= at and trunk not in found:
                        found[trunk] = Rate(digits[:length], trunk, price, valid_from)
        if len(found) < 2:
            return list(found.values())
        return sorted(found.values(), key=lambda rate: (rate.price, rate.trunk))


def read_rates(path: Path, time_zone: tzinfo) -> RateTable:
    """Read a CSV file with the columns prefix,trunk,price[,valid_from], or TOML with [[rates]] of these."""
    try:
        if path.stat().st_size > _MAX_SIZE:
            raise RatesError(f"{path}: larger than {_MAX_SIZE} octets")
        text = path.read_text(encoding="utf-8-sig")
        rows = _toml(text) if path.suffix == ".toml" else _csv(text)
        return RateTable(_rate(path, place, row, time_zone) for place, row in rows)
    except OSError as error:
        raise RatesError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, csv.Error) as error:
        raise RatesError(f"{path}: {str(error)[:200]}") from None


def _csv(text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    reader = csv.reader(text.splitlines())
    columns: tuple[str, ...] = _COLUMNS
    for row in reader:
        if not row or row[0].startswith("#"):
            continue
        place = f"line {reader.line_num}"
        cells = [cell.strip() for cell in row]
        if "prefix" in cells:
            columns = tuple(cells)
        elif len(cells) > len(columns):
            yield place, {"": cells[len(columns)]}
        else:
            yield place, dict(zip(columns, cells, strict=False))


def _toml(text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for i, row in enumerate(tomllib.loads(text).get("rates", ())):
        yield f"rates.{i}", row if isinstance(row, dict) else {"": row}


def _rate(path: Path, place: str, row: Mapping[str, Any], time_zone: tzinfo) -> Rate:
    for name in row:
        if name not in _COLUMNS:
            raise RatesError(
                f"{path}: {place}: {name or row[name]!s:.40}: unknown; allowed: {', '.join(_COLUMNS)}"
            )
    prefix = _PREFIX.fullmatch(str(row.get("prefix", "")))
    if prefix is None:
        raise RatesError(f"{path}: {place}: prefix: {row.get('prefix', '')!s:.40}: must be 1 to 20 digits")
    trunk = str(row.get("trunk", ""))
    if not _TRUNK.fullmatch(trunk):
        raise RatesError(f"{path}: {place}: trunk: {trunk:.40}: must be the name of a trunk")
    try:
        price = float(row.get("price", ""))
        if not math.isfinite(price) or price < 0:
            raise ValueError
    except (ValueError, TypeError):
        raise RatesError(
            f"{path}: {place}: price: {row.get('price', '')!s:.40}: must be a number, 0 or more"
        ) from None
    return Rate(prefix[1], trunk, price, _since(path, place, row.get("valid_from", ""), time_zone))


def _since(path: Path, place: str, value: object, time_zone: tzinfo) -> float:
    if value == "":
        return -math.inf
    try:
        begin = datetime.combine(date.fromisoformat(str(value)), datetime.min.time(), time_zone)
    except ValueError:
        raise RatesError(
            f"{path}: {place}: valid_from: {value!s:.40}: must be a date, as 2026-12-24"
        ) from None
    return begin.timestamp()
