"""Usage records: what an account did, by category and time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from switchroom.switch.store.documents import Query

from ..front.operation import V2010, Answer, Ask, Operation
from ..office import API_VERSION, Office, account_uri
from ..wire import params
from ..wire.errors import ApiError
from ..wire.paging import one_page

_CATEGORIES: dict[str, tuple[str, dict[str, str], str]] = {  # kind, fields of the data, what is added up
    "sms": ("message", {}, "segments"),
    "sms-outbound": ("message", {"direction": "outbound-api"}, "segments"),
    "sms-inbound": ("message", {"direction": "inbound"}, "segments"),
    "calls": ("call", {}, "duration"),
    "calls-inbound": ("call", {"direction": "inbound"}, "duration"),
    "calls-outbound": ("call", {"direction": "outbound-api"}, "duration"),
    "phonenumbers": ("number", {}, ""),
    "authy-authentications": ("verification", {}, ""),
}
_UNITS = {"segments": "segments", "duration": "seconds", "": "count"}
_SPANS = ("Today", "Yesterday", "ThisMonth", "LastMonth", "Daily", "Monthly", "Yearly", "AllTime")
_GIVEN = (
    params.text("Category", max_size=64),
    params.moment("StartDate"),
    params.moment("EndDate"),
    params.flag("IncludeSubaccounts"),
    params.count("PageSize", 0, 10**9),
    params.count("Page", 0, 10**9),
)
_MAX_DAYS = 366
_DAY = 86400


class UsageResources:
    """``/Usage/Records``."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._lock = asyncio.Lock()

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base = V2010 + "/Usage/Records"
        for path in (base, *(f"{base}/{span}" for span in _SPANS)):
            yield Operation("GET", f"{path}.json", self.list_all, _GIVEN, "usage:read", summary="Count usage")

    async def list_all(self, ask: Ask) -> Answer:
        """A row for each category and time."""
        wanted = ask["Category"]
        if wanted and wanted not in _CATEGORIES:
            raise ApiError(20422, f"Category: must be one of {', '.join(_CATEGORIES)}")
        categories = [wanted] if wanted else list(_CATEGORIES)
        span = ask.target.rpartition("/")[2].removesuffix(".json")
        spans = _spans(span, ask)
        async with self._lock:  # one after the other: they look through everything
            rows = await asyncio.to_thread(self._rows, ask.account, categories, spans)
        return one_page(ask, "usage_records", rows, least=1)

    def _rows(
        self, account: str, categories: list[str], spans: list[tuple[datetime, datetime]]
    ) -> list[dict[str, Any]]:
        if not spans:
            return []
        since = {"created_at": min(first for first, _ in spans).timestamp()}
        until = {"created_at": (max(last for _, last in spans) + timedelta(days=1)).timestamp() - 1e-3}
        days = {}
        for category in categories:
            kind, fields, added = _CATEGORIES[category]
            query = Query(kind, account, fields=dict(fields), since=since, until=until)
            days[category] = self._office.library.tally_days(query, added)
        return [
            self._row(account, category, first, last, days[category])
            for first, last in spans
            for category in categories
        ]

    def _row(
        self,
        account: str,
        category: str,
        first: datetime,
        last: datetime,
        days: dict[int, tuple[int, int]],
    ) -> dict[str, Any]:
        added = _CATEGORIES[category][2]
        low, high = int(first.timestamp() // _DAY), int(last.timestamp() // _DAY)
        found = [tally for day, tally in days.items() if low <= day <= high]
        count, total = sum(one for one, _ in found), sum(one for _, one in found)
        usage = total if added else count
        return {
            "account_sid": account,
            "api_version": API_VERSION,
            "category": category,
            "description": category.replace("-", " "),
            "start_date": first.strftime("%Y-%m-%d"),
            "end_date": last.strftime("%Y-%m-%d"),
            "count": str(count),
            "count_unit": "count",
            "usage": str(usage),
            "usage_unit": _UNITS[added],
            "price": 0,
            "price_unit": "usd",
            "as_of": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00"),
            "uri": account_uri(account, "Usage", "Records") + f"?Category={category}",
            "subresource_uris": {},
        }


def _spans(span: str, ask: Ask) -> list[tuple[datetime, datetime]]:
    """First and last day of each row."""
    now = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = _day(ask["StartDate"]) or datetime(2020, 1, 1, tzinfo=UTC)
    last = _day(ask["EndDate"]) or now
    month = now.replace(day=1)
    before = (month - timedelta(days=1)).replace(day=1)
    if span == "Daily":
        start = first if ask["StartDate"] else now - timedelta(days=30)
        days = min((last - start).days + 1, _MAX_DAYS)
        return [(last - timedelta(days=n),) * 2 for n in range(max(days, 0))]
    return {
        "Today": [(now, now)],
        "Yesterday": [(now - timedelta(days=1),) * 2],
        "ThisMonth": [(month, now)],
        "LastMonth": [(before, month - timedelta(days=1))],
        "Monthly": [(month, now), (before, month - timedelta(days=1))],
        "Yearly": [(now.replace(month=1, day=1), now)],
    }.get(span, [(first, last)])


def _day(given: Any) -> datetime | None:
    if not given:
        return None
    return datetime.fromtimestamp(given[0], UTC).replace(hour=0, minute=0, second=0, microsecond=0)
