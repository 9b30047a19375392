"""Times on the wire: RFC 2822 in the first API, ISO 8601 in the later ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache


def rfc2822(at: float | None) -> str | None:
    """Write a time as ``Thu, 24 Aug 2023 05:01:45 +0000``."""
    return None if at is None else _rfc2822(int(at))


def iso(at: float | None) -> str | None:
    """Write a time as ``2023-08-24T05:01:45Z``."""
    return None if at is None else _iso(int(at))


@lru_cache(maxsize=256)
def _rfc2822(second: int) -> str:
    return format_datetime(datetime.fromtimestamp(second, UTC))


@lru_cache(maxsize=256)
def _iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_moment(text: str) -> tuple[float, bool]:
    """Read ``2026-01-02T03:04:05Z`` or ``2026-01-02``: the time, and whether it is a whole day."""
    is_day = len(text) == 10
    try:
        at = datetime.fromisoformat(text.replace(" ", "T"))
    except ValueError:
        raise ValueError("must be a time such as 2026-01-02T03:04:05Z, or a day") from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return at.timestamp(), is_day


def end_of_day(at: float) -> float:
    """The last moment of the day that begins at ``at``."""
    return at + timedelta(days=1).total_seconds() - 1e-3
