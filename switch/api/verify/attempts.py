"""``/v2/Attempts``: each code that went out, by which channel, and whether it came back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from switchroom.switch.store.documents import Document, Query

from ..front.operation import Answer, Ask, Operation
from ..office import Shelf
from ..resources.inventory import facts_of
from ..wire import params
from ..wire.dates import iso
from .guard import WINDOW, Guard

if TYPE_CHECKING:
    from ..office import Office
    from .services import VerifyServices

ATTEMPT = "verify_attempt"
_MAX_RECOVERED = 200_000
_DAY = 86400.0  # the longest interval of a rate limit
_SPAN = (params.moment("DateCreatedAfter"), params.moment("DateCreatedBefore"))
_WHICH = (
    *_SPAN,
    params.text("Country", max_size=2),
    params.text("VerifyServiceSid", max_size=34),
    params.choice("Channel", "sms", "call", "email", "whatsapp", "rbm"),
)
_FILTERS = (
    *_WHICH,
    params.text("ChannelData.To", max_size=64),
    params.text("VerificationSid", max_size=34),
    params.choice("Status", "converted", "unconverted"),
    *(params.count("PageSize", 0, 10**9), params.count("Page", 0, 10**9), params.text("PageToken")),
)


class Attempts:
    """Those of all services of an account."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._shelf = Shelf(office, ATTEMPT, "VL")

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base = "/v2/Attempts"
        rows = (
            (base, self.list_all, _FILTERS, "List codes that went out"),
            (f"{base}/Summary", self.summarize, _WHICH, "Count"),
            (f"{base}/{{Sid}}", self.fetch, (), "Fetch one"),
        )
        for path, handler, given, summary in rows:
            yield Operation("GET", path, handler, given, "verify:read", 200, "verify", summary)

    def new(self, verification: Document, channel: str, limits: dict[str, str]) -> Document:
        """A code goes out; not written yet. ``limits``: against which it was counted."""
        data: dict[str, Any] = {
            "service": verification.parent,
            "country": facts_of(verification.target).country,
        }
        if limits:
            data["limits"] = limits
        return self._shelf.new(
            verification.account,
            data,
            parent=verification.sid,
            state="unconverted",
            source=channel,
            target=verification.target,
        )

    def converted(self, verification: Document) -> list[Document]:
        """The latest code of a verification came back; not written yet."""
        query = Query(ATTEMPT, verification.account, parent=verification.sid, limit=1)
        return [doc.change(time.time(), state="converted") for doc in self._office.library.select(query)]

    def recall(self, services: VerifyServices, now: float) -> None:
        """Count against rate limits what was counted before the start."""
        since = {"created_at": now - _DAY}
        query = Query(ATTEMPT, None, since=since, is_ascending=True, limit=_MAX_RECOVERED)
        for doc in self._office.library.select(query):
            if limits := doc.data.get("limits"):
                services.recall(doc.account, doc.data["service"], limits, doc.created_at)

    def recover(self, guard: Guard, now: float) -> None:
        """Tell the guard what it had seen before the start."""
        since = {"created_at": now - WINDOW}
        query = Query(ATTEMPT, None, since=since, is_ascending=True, limit=_MAX_RECOVERED)
        for doc in self._office.library.select(query):
            guard.note_sent(doc.data["service"], doc.target, doc.created_at)
            if doc.state == "converted":
                guard.note_approved(doc.data["service"], doc.target, doc.updated_at)

    async def list_all(self, ask: Ask) -> Answer:
        """Newest first."""
        more = _filters(ask)
        if ask["ChannelData.To"]:
            more["equal"]["target"] = ask["ChannelData.To"]
        if ask["Status"]:
            more["equal"]["state"] = ask["Status"]
        if ask["VerificationSid"]:
            more["parent"] = ask["VerificationSid"]
        return await self._shelf.list_later(ask, "attempts", lambda doc: _show(doc, ask), **more)

    async def summarize(self, ask: Ask) -> Answer:
        """How many went out, and how many came back."""
        query = self._shelf.query(ask, **_filters(ask))
        came = replace(query, equal={**query.equal, "state": "converted"})
        total, converted = await asyncio.to_thread(self._count, query, came)
        return {
            "total_attempts": total,
            "total_converted": converted,
            "total_unconverted": total - converted,
            "conversion_rate_percentage": f"{100 * converted / total if total else 0:.2f}",
            "url": f"{ask.base}/v2/Attempts/Summary",
        }

    async def fetch(self, ask: Ask) -> Answer:
        """One."""
        return _show(self._shelf.take(ask), ask)

    def _count(self, query: Query, came: Query) -> tuple[int, int]:
        library = self._office.library
        return library.tally(query)[0], library.tally(came)[0]


def _filters(ask: Ask) -> dict[str, Any]:
    more: dict[str, Any] = {"equal": {}, "fields": {}, "since": {}, "until": {}}
    if ask["Channel"]:
        more["equal"]["source"] = ask["Channel"]
    for name, field in (("VerifyServiceSid", "service"), ("Country", "country")):
        if ask[name]:
            more["fields"][field] = ask[name]
    for name, side in (("DateCreatedAfter", "since"), ("DateCreatedBefore", "until")):
        if ask[name]:
            more[side]["created_at"] = ask[name][0]
    return more


def _show(doc: Document, ask: Ask) -> dict[str, Any]:
    return {
        "sid": doc.sid,
        "account_sid": doc.account,
        "service_sid": doc.data["service"],
        "verification_sid": doc.parent,
        "conversion_status": doc.state,
        "channel": doc.source,
        "price": None,
        "channel_data": {"to": doc.target, "country": doc.data["country"]},
        "date_created": iso(doc.created_at),
        "date_updated": iso(doc.updated_at),
        "url": f"{ask.base}/v2/Attempts/{doc.sid}",
    }
