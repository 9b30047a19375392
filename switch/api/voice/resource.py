"""``/Calls``: make, list, fetch, redirect, hang up, delete, and what happened in them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..front.operation import V2010, Answer, Ask, Operation
from ..office import Shelf
from ..resources.applications import APPLICATION
from ..twiml.document import TwimlError
from ..twiml.parse import parse_voice
from ..wire import params
from ..wire.dates import rfc2822
from ..wire.errors import ApiError
from ..wire.paging import spans
from .actions import Place
from .render import CALL, FINAL, show

if TYPE_CHECKING:
    from ..office import Office
    from .means import Means
    from .switchboard import Switchboard

_MAX_TWIML = 4000
_KEYS = re.compile(r"[0-9*#wWA-Da-d]{1,32}")
_EVENTS = ("initiated", "ringing", "answered", "completed")
_STATUSES = ("queued", "ringing", "in-progress", "completed", "busy", "failed", "no-answer", "canceled")
_PAGE = (params.count("PageSize", 0, 10**9), params.count("Page", 0, 10**9), params.text("PageToken"))
_DOCUMENT = (
    params.url("Url", code=21205),
    params.method("Method", code=21209),
    params.url("FallbackUrl", code=21205),
    params.method("FallbackMethod", code=21209),
    params.text("Twiml", code=21205, max_size=_MAX_TWIML),
    params.url("StatusCallback", code=21205),
    params.method("StatusCallbackMethod", code=21209),
    params.count("TimeLimit", 1, 86400),
)
_CREATE = (
    params.text("To", code=21201, is_required=True, max_size=1024),
    params.text("From", code=21213, is_required=True, max_size=128),
    *_DOCUMENT,
    params.text("ApplicationSid", code=21218, max_size=34),
    params.text("StatusCallbackEvent", is_list=True, max_size=64),
    params.text("SendDigits", code=21206, max_size=32),
    params.count("Timeout", 1, 600, code=21208),
    params.text("CallerId", max_size=128),
    params.text("SipAuthUsername", max_size=256),
    params.text("SipAuthPassword", code=21223, max_size=256),
    params.text("CallReason", max_size=50),
    params.text("CallToken", max_size=4096),
    params.text("Byoc", max_size=34),
    params.flag("Record"),
    params.choice("RecordingChannels", "mono", "dual"),
    params.url("RecordingStatusCallback", code=13256),
    params.method("RecordingStatusCallbackMethod"),
    params.text("RecordingStatusCallbackEvent", is_list=True, max_size=64),
)
_UPDATE = (*_DOCUMENT, params.choice("Status", "canceled", "completed", code=21220))
_LIST = (
    params.text("To", max_size=64),
    params.text("From", max_size=64),
    params.text("ParentCallSid", max_size=34),
    params.choice("Status", *_STATUSES),
    params.moment("StartTime", is_range=True),
    params.moment("EndTime", is_range=True),
    *_PAGE,
)


class CallResources:
    """Calls of accounts."""

    def __init__(self, office: Office, means: Means, board: Switchboard) -> None:
        self._office, self._means, self._board = office, means, board
        self._applications = Shelf(office, APPLICATION, "AP")
        self.shelf = Shelf(office, CALL, "CA")

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base, read, write = V2010 + "/Calls", "calls:read", "calls:write"
        one = f"{base}/{{Sid}}"
        yield Operation("POST", f"{base}.json", self.create, _CREATE, write, 201, summary="Make a call")
        yield Operation("GET", f"{base}.json", self.list_all, _LIST, read, summary="List calls")
        yield Operation("GET", f"{one}.json", self.fetch, (), read, summary="Fetch a call")
        yield Operation("POST", f"{one}.json", self.update, _UPDATE, write, summary="Redirect or hang up")
        yield Operation("DELETE", f"{one}.json", self.delete, (), write, summary="Delete a call")
        yield Operation("GET", f"{one}/Events.json", self.events, _PAGE, read, summary="What it asked")

    async def create(self, ask: Ask) -> Answer:
        """A call: durable before it is answered, then it is made."""
        place = self._place(ask) or self._application(ask)
        if place is None:
            raise ApiError(21205, "Url, Twiml or ApplicationSid is required")
        callee = _callee(ask["To"])
        await self._means.target(ask.account, *callee)
        caller = self._means.check_caller(ask.account, ask["From"])
        if ask["SendDigits"] and not _KEYS.fullmatch(ask["SendDigits"]):
            raise ApiError(21206, "SendDigits: must be keys, and w or W to wait")
        data: dict[str, Any] = {
            "direction": "outbound-api",
            "callee": callee,
            "place": asdict(place),
            "timeout": ask["Timeout"] or 60,
            "time_limit": ask["TimeLimit"] or 14400,
            "keys": ask["SendDigits"] or "",
        }
        if ask["Record"]:
            given = [word for text in ask["RecordingStatusCallbackEvent"] or [] for word in text.split()]
            data["record"] = {
                "channels": 2 if ask["RecordingChannels"] == "dual" else 1,
                "url": ask["RecordingStatusCallback"] or "",
                "method": ask["RecordingStatusCallbackMethod"] or "POST",
                "events": given or ["completed"],
            }
        if ask["CallerId"]:
            data["caller_id"] = self._means.check_caller(ask.account, ask["CallerId"])
        if callback := self._callback(ask):
            data["callback"] = callback
        self._means.count(ask.account)
        target = ask["To"] if callee[0] != "number" else callee[1]
        doc = self.shelf.new(ask.account, data, state="queued", source=caller, target=target)
        await self._board.create(doc)
        return show(doc)

    def _place(self, ask: Ask) -> Place | None:
        """The document that is asked for, or None."""
        fallback = ask["FallbackUrl"] or "", ask["FallbackMethod"] or "POST"
        if ask["Twiml"]:
            try:
                parse_voice(ask["Twiml"].encode())
            except TwimlError as error:
                raise ApiError(error.code, f"Twiml: {error.message}") from None
            return Place("", "POST", *fallback, ask["Twiml"])
        return Place(ask["Url"], ask["Method"] or "POST", *fallback) if ask["Url"] else None

    def _application(self, ask: Ask) -> Place | None:
        sid = ask["ApplicationSid"]
        if not sid:
            return None
        found = self._applications.find(ask.account, sid)
        if found is None or not found.data["voice_url"]:
            raise ApiError(21218, "ApplicationSid: there is no such application, or it has no VoiceUrl")
        data = found.data
        return Place(
            data["voice_url"],
            data["voice_method"] or "POST",
            data["voice_fallback_url"] or "",
            data["voice_fallback_method"] or "POST",
        )

    def _callback(self, ask: Ask) -> dict[str, Any] | None:
        url, method = ask["StatusCallback"], ask["StatusCallbackMethod"] or "POST"
        if not url and ask["ApplicationSid"] and not ask["Url"] and not ask["Twiml"]:
            found = self._applications.find(ask.account, ask["ApplicationSid"])
            if found is not None and found.data["status_callback"]:
                url, method = found.data["status_callback"], found.data["status_callback_method"] or "POST"
        given = [word for text in ask["StatusCallbackEvent"] or [] for word in text.split()]
        events = [word for word in given if word in _EVENTS] or ["completed"]
        return {"url": url, "method": method, "events": events} if url else None

    # -- reading and changing

    async def list_all(self, ask: Ask) -> Answer:
        """Those of the account, newest first."""
        equal = {}
        for name, column in (("To", "target"), ("From", "source"), ("Status", "state")):
            if ask[name]:
                equal[column] = ask[name]
        more: dict[str, Any] = {"equal": equal, "since": {}, "until": {}}
        if ask["ParentCallSid"]:
            more["parent"] = ask["ParentCallSid"]
        for name, column in (("StartTime", "at"), ("EndTime", "updated_at")):
            since, until = spans(ask.found, name)
            if since is not None or until is not None:
                more["since"][column] = 1.0 if since is None else since
            if until is not None:
                more["until"][column] = until
        return await self.shelf.list_first(ask, "calls", show, **more)

    async def fetch(self, ask: Ask) -> Answer:
        """One call."""
        return show(self.shelf.take(ask))

    async def update(self, ask: Ask) -> Answer:
        """Another document for it, or its end."""
        doc = self.shelf.take(ask)
        place, status = self._place(ask), ask["Status"]
        if place is None and not status and ask["StatusCallback"] is None:
            raise ApiError(20001, "Url, Twiml or Status is required")
        conversation = self._board.calls.get(doc.sid)
        if status:
            if doc.state in FINAL:
                raise ApiError(21220, f"The call is {doc.state} already")
            if status == "canceled" and doc.state == "in-progress":
                raise ApiError(21220, "The call is in progress: it can be completed, not canceled")
            if conversation is not None:
                await conversation.hang_up()
                await self._over(doc.sid)
        elif place is not None:
            if doc.state != "in-progress" or conversation is None:
                raise ApiError(21220, "The call is not in progress")
            conversation.redirect(place)
        return show(self.shelf.take(ask))

    async def _over(self, sid: str) -> None:
        """Wait a moment for the end of a call, so that its answer shows it."""
        for _ in range(20):
            if sid not in self._board.calls:
                return
            await asyncio.sleep(0.01)

    async def delete(self, ask: Ask) -> Answer:
        """It is forgotten."""
        doc = self.shelf.take(ask)
        if doc.state not in FINAL:
            raise ApiError(20009, "The call is not over", status=409)
        await self._office.write(drops=[doc])
        return None

    async def events(self, ask: Ask) -> Answer:
        """The last requests that it made for its documents, and what was answered."""
        doc = self.shelf.take(ask)
        conversation = self._board.calls.get(doc.sid)
        found = doc.data.get("requests", ()) if conversation is None else conversation.live.requests
        rows = [_show_event(one) for one in found]
        last = max(len(rows) - 1, 0)
        uri = ask.target
        return {
            "events": rows,
            "page": 0,
            "page_size": 50,
            "start": 0,
            "end": last,
            "uri": uri,
            "first_page_uri": uri,
            "next_page_uri": None,
            "previous_page_uri": None,
        }


def _show_event(made: dict[str, Any]) -> dict[str, Any]:
    parameters = dict(made["params"])
    request = {"method": made["method"], "url": made["url"], "parameters": parameters}
    response = {
        "response_code": made.get("status"),
        "request_duration": round(made["seconds"] * 1000),
        "content_type": made.get("content_type"),
        "response_body": made.get("body"),
        "error_code": made.get("code"),
        "error_message": made.get("error"),
        "date_created": rfc2822(made["at"]),
    }
    return {"request": request, "response": response}


def _callee(text: str) -> tuple[str, str]:
    """Whom To means: a client, a SIP URI or a number."""
    low = text.lower()
    if low.startswith("client:"):
        return "client", text[7:]
    if low.startswith(("sip:", "sips:")):
        return "sip", text
    number = re.sub(r"[\s().\-]", "", text)
    if not re.fullmatch(r"\+?[0-9*#]{1,32}", number):
        raise ApiError(21211, "To: is not a number, a SIP URI or a client")
    return "number", number
