"""Dates and periods as SMPP writes them: YYMMDDhhmmsstnnp (SMPP 3.4 §7.1.1)."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Time", "parse_time"]

_TIME = re.compile(r"([0-9]{2})" * 6 + r"([0-9])([0-9]{2})([+R-])")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MAX_QUARTERS = 48  # of an hour from UTC


class Time(NamedTuple):
    """A date, in the local time of ``quarters`` of an hour east of UTC, or a period from now on."""

    year: int  # of a date: 2000 to 2099
    month: int
    day: int
    hour: int
    minute: int
    second: int
    tenth: int
    quarters: int
    is_relative: bool

    def __str__(self) -> str:
        sign = "R" if self.is_relative else "-" if self.quarters < 0 else "+"
        parts = (self.year % 100, self.month, self.day, self.hour, self.minute, self.second)
        return "".join(f"{part:02}" for part in parts) + f"{self.tenth}{abs(self.quarters):02}{sign}"


def parse_time(text: str) -> Time | None:
    """What stands in schedule_delivery_time or validity_period; None: it is no time that there is."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, tenth, quarters = map(int, found.groups()[:8])
    if found[9] == "R":
        return Time(year, month, day, hour, minute, second, 0, 0, is_relative=True)
    is_date = 1 <= month <= 12 and 1 <= day <= _DAYS[month - 1] - (month == 2 and year % 4 != 0)
    if not is_date or hour > 23 or minute > 59 or second > 59 or quarters > _MAX_QUARTERS:
        return None
    if found[9] == "-":
        quarters = -quarters
    return Time(2000 + year, month, day, hour, minute, second, tenth, quarters, is_relative=False)
