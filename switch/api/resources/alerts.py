"""What went wrong in documents and webhooks, as REST tells it: Alerts (product monitor), Notifications."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from switchroom.switch.store.documents import Document

from ..front.operation import V2010, Answer, Ask, Operation
from ..office import API_VERSION, Shelf, account_uri
from ..voice.render import CALL
from ..wire import params
from ..wire.dates import iso, rfc2822
from ..wire.errors import not_found
from ..wire.paging import Page, spans

if TYPE_CHECKING:
    from ..office import Office

ALERT = "alert.webhook"
_MORE_INFO = "https://www.twilio.com/docs/errors/{}"
_PAGE = (params.count("PageSize", 0, 10**9), params.count("Page", 0, 10**9), params.text("PageToken"))
_LEVELS = ("error", "warning", "notice", "debug")
_ALERTS = (
    params.choice("LogLevel", *_LEVELS),
    params.moment("StartDate"),
    params.moment("EndDate"),
    *_PAGE,
)
_NOTES = (params.count("Log", 0, 1), params.moment("MessageDate", is_range=True), *_PAGE)
_PREFIX = "NO"


class AlertResources:
    """They are events of the account, and are there as long as those."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._calls = Shelf(office, CALL, "CA")

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        read, alerts = "events:read", "/v1/Alerts"
        yield Operation("GET", alerts, self.list_alerts, _ALERTS, read, 200, "monitor", "What went wrong")
        one = f"{alerts}/{{AlertSid}}"
        yield Operation("GET", one, self.fetch_alert, (), read, 200, "monitor", "Fetch an alert")
        for below in ("", "/Calls/{Sid}"):
            base = f"{V2010}{below}/Notifications"
            yield Operation("GET", f"{base}.json", self.list_notes, _NOTES, read, summary="What went wrong")
            one = f"{base}/{{AlertSid}}.json"
            yield Operation("GET", one, self.fetch_note, (), read, summary="Fetch a notification")

    async def list_alerts(self, ask: Ask) -> Answer:
        """The last first; all of them are errors."""
        since, until = (ask[name][0] if ask[name] else None for name in ("StartDate", "EndDate"))
        page = await self._page(ask, "", since, until, is_empty=ask["LogLevel"] not in (None, "", "error"))
        return page.later_api("alerts", ask.base, lambda doc: _show_alert(doc, ask))

    async def fetch_alert(self, ask: Ask) -> Answer:
        """One."""
        return _show_alert(await self._take(ask), ask)

    async def list_notes(self, ask: Ask) -> Answer:
        """Of a call, or of the account."""
        page = await self._page(ask, self._subject(ask), *spans(ask.found, "MessageDate"))
        return page.first_api("notifications", _show_note)

    async def fetch_note(self, ask: Ask) -> Answer:
        """One."""
        return _show_note(await self._take(ask))

    async def _page(
        self, ask: Ask, subject: str, since: float | None, until: float | None, *, is_empty: bool = False
    ) -> Page:
        page = Page(ask.values, ask.target)
        if is_empty:
            return page
        rows = await self._office.library.told(
            ask.account, ALERT, subject, since, until, (page.before, page.after), page.size + 1
        )
        page.fill([_document(row) for row in rows])
        return page

    def _subject(self, ask: Ask) -> str:
        """The call that a path names, or none; ApiError: it is not the account's."""
        return self._calls.take(ask).sid if "Sid" in ask.path else ""

    async def _take(self, ask: Ask) -> Document:
        sid, subject = ask.path["AlertSid"], self._subject(ask)
        number = sid.removeprefix(_PREFIX)
        if len(number) == 32 and number.isalnum() and number.isascii() and _is_hex(number):
            bounds = (int(number, 16) + 1, None)
            rows = await self._office.library.told(ask.account, ALERT, subject, None, None, bounds, 1)
            if rows and rows[0][0] == int(number, 16):
                return _document(rows[0])
        raise not_found("alert")


def _is_hex(text: str) -> bool:
    return text[:16] == "0" * 16 and all(c in "0123456789abcdef" for c in text)


def _document(row: tuple[Any, ...]) -> Document:
    number, account, _, subject, at, data = row
    return Document(number, f"{_PREFIX}{number:032x}", account, ALERT, at, at, json.loads(data), subject)


def _show_alert(doc: Document, ask: Ask) -> dict[str, Any]:
    code, at = str(doc.data["code"]), iso(doc.created_at)
    return {
        "sid": doc.sid,
        "account_sid": doc.account,
        "alert_text": doc.data["message"],
        "error_code": code,
        "log_level": "error",
        "more_info": _MORE_INFO.format(code),
        "resource_sid": doc.parent or doc.data.get("resource"),
        "service_sid": None,
        "request_method": None,
        "request_url": None,
        "request_variables": None,
        "request_headers": None,
        "response_headers": None,
        "response_body": None,
        "api_version": API_VERSION,
        "date_generated": at,
        "date_created": at,
        "date_updated": at,
        "url": f"{ask.base}/v1/Alerts/{doc.sid}",
    }


def _show_note(doc: Document) -> dict[str, Any]:
    code, at = str(doc.data["code"]), rfc2822(doc.created_at)
    return {
        "sid": doc.sid,
        "account_sid": doc.account,
        "call_sid": doc.parent if doc.parent.startswith("CA") else None,
        "error_code": code,
        "log": "0",
        "message_date": at,
        "message_text": doc.data["message"],
        "more_info": _MORE_INFO.format(code),
        "request_method": None,
        "request_url": None,
        "request_variables": None,
        "response_body": None,
        "response_headers": None,
        "api_version": API_VERSION,
        "date_created": at,
        "date_updated": at,
        "uri": account_uri(doc.account, "Notifications", doc.sid),
    }
