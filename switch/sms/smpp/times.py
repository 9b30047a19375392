"""Times of SMPP as seconds since 1970, and back (SMPP 3.4 §7.1.1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from switchroom.protocols.smpp import Time, parse_time

__all__ = ["from_receipt", "to_absolute", "to_posix", "to_receipt", "to_relative"]

_DAY = 86_400
_LONGEST = 99 * 365 * _DAY


def to_posix(text: str, now: float) -> float:
    """When schedule_delivery_time or validity_period is; 0: it does not say."""
    time = parse_time(text) if text else None
    if time is None:
        return 0.0
    if time.is_relative:
        days = time.year * 365 + time.month * 30 + time.day
        return now + days * _DAY + time.hour * 3600 + time.minute * 60 + time.second
    date = datetime(time.year, time.month, time.day, time.hour, time.minute, time.second, tzinfo=UTC)
    return (date - timedelta(minutes=15 * time.quarters)).timestamp() + time.tenth / 10


def to_absolute(at: float) -> str:
    """A date, in UTC."""
    date = datetime.fromtimestamp(at, UTC)
    parts = date.year, date.month, date.day, date.hour, date.minute, date.second
    return str(Time(*parts, 0, 0, is_relative=False))


def to_relative(seconds: float) -> str:
    """A period, in whole seconds, at least one."""
    return _relative(min(max(1, round(seconds)), _LONGEST))


@lru_cache(maxsize=256)
def _relative(rest: int) -> str:
    days, rest = divmod(rest, _DAY)
    years, days = divmod(days, 365)
    months, days = divmod(days, 30)
    if months > 99 or years > 99:
        years, months, days = 99, 0, 0
    return str(Time(years, months, days, rest // 3600, rest // 60 % 60, rest % 60, 0, 0, is_relative=True))


def to_receipt(at: float) -> str:
    """YYMMDDhhmm, as the text of a receipt has it."""
    return _minute(int(at // 60))


@lru_cache(maxsize=256)
def _minute(number: int) -> str:
    return datetime.fromtimestamp(number * 60, UTC).strftime("%y%m%d%H%M")


@lru_cache(maxsize=256)
def from_receipt(text: str) -> float:
    """When that was; 0: it cannot be read."""
    form = {10: "%y%m%d%H%M", 12: "%y%m%d%H%M%S", 14: "%Y%m%d%H%M%S"}.get(len(text))
    if form is None or not text.isdecimal():
        return 0.0
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
