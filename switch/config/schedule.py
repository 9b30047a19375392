"""When a route holds: days of the week, hours, dates and holidays, in the time zone of the configuration."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Strict

from .checks import readable

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([0-2][0-9]):([0-5][0-9])-([0-2][0-9]):([0-5][0-9])")
_DAY_OF_YEAR = re.compile(r"[0-9]{2}-[0-9]{2}")
_DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Days:
    """Dates: one of them or a span, each with a year, or a day of every year."""

    first: str
    last: str

    def __contains__(self, day: date) -> bool:
        text = day.isoformat()
        return self.first <= text[10 - len(self.first) :] <= self.last


@dataclass(frozen=True, slots=True)
class Schedule:
    """What must hold at once; what is empty always holds."""

    days: frozenset[int] = frozenset()
    hours: tuple[tuple[int, int], ...] = ()  # minutes of the day; over midnight where the first is later
    dates: tuple[Days, ...] = ()
    except_dates: tuple[Days, ...] = ()

    def why_not(self, at: datetime) -> str:
        """Why it does not hold at this local time; empty when it does."""
        today = at.date()
        if self.days and at.weekday() not in self.days:
            return f"{DAYS[at.weekday()]} is not among its days"
        minute = at.hour * 60 + at.minute
        if self.hours and not any(_is_within(minute, *span) for span in self.hours):
            return f"{at:%H:%M} is not within its hours"
        if self.dates and not any(today in dates for dates in self.dates):
            return f"{today} is not among its dates"
        if any(today in dates for dates in self.except_dates):
            return f"{today} is one of its except_dates"
        return ""

    def __bool__(self) -> bool:
        return bool(self.days or self.hours or self.dates or self.except_dates)


def read_schedule(
    days: Sequence[str] = (),
    hours: Sequence[str] = (),
    dates: Sequence[str] = (),
    except_dates: Sequence[str] = (),
) -> Schedule:
    """Read the texts of the configuration."""
    return Schedule(
        frozenset(day for text in days for day in read_days(text)),
        tuple(map(read_hours, hours)),
        tuple(map(read_dates, dates)),
        tuple(map(read_dates, except_dates)),
    )


def read_days(text: str) -> tuple[int, ...]:
    """Read ``mon`` or ``mon-fri``, over the end of the week too; Monday is 0."""
    first, _, last = text.partition("-")
    try:
        begin, end = DAYS.index(first), DAYS.index(last or first)
    except ValueError:
        raise ValueError(
            f"must be a day or a span of days, such as sat or mon-fri: {', '.join(DAYS)}"
        ) from None
    return tuple((begin + n) % 7 for n in range((end - begin) % 7 + 1))


def read_hours(text: str) -> tuple[int, int]:
    """Read ``08:00-18:00``; the end is not part of it, and 22:00-06:00 goes over midnight."""
    found = _HOURS.fullmatch(text)
    if found is not None:
        begin, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
        if begin < _DAY_MINUTES and end <= _DAY_MINUTES and begin != end:
            return begin, end
    raise ValueError("must be two times of the day, such as 08:00-18:00 or 22:00-06:00")


def read_dates(text: str) -> Days:
    """Read ``2026-12-24``, ``2026-12-24/2027-01-01`` or, for each year, ``12-25``."""
    if _DAY_OF_YEAR.fullmatch(text):
        try:
            date.fromisoformat(f"2000-{text}")  # a leap year
        except ValueError:
            raise ValueError("must be a day that exists") from None
        return Days(text, text)
    first, slash, last = text.partition("/")
    try:
        begin = date.fromisoformat(first)
        end = date.fromisoformat(last) if slash else begin
    except ValueError:
        raise ValueError(
            "must be a date, a span or a day of each year: 2026-12-24, 2026-12-24/2027-01-01, 12-25"
        ) from None
    if end < begin:
        raise ValueError("must not end before it begins")
    return Days(begin.isoformat(), end.isoformat())


@lru_cache(maxsize=16)
def zone(name: str) -> ZoneInfo:
    """The time zone of this name; ValueError when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be a time zone, such as Europe/Berlin or UTC") from None


def _is_within(minute: int, begin: int, end: int) -> bool:
    return begin <= minute < end if begin < end else minute >= begin or minute < end


DayText = Annotated[str, Strict(), readable(read_days)]
HoursText = Annotated[str, Strict(), readable(read_hours)]
DatesText = Annotated[str, Strict(), readable(read_dates)]
ZoneText = Annotated[str, Strict(), readable(zone)]
