"""``/Calls``: make, list, fetch, redirect, hang up, delete, and what happened in them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..front.operation import V2010, Answer, Ask, Operation
from ..office import Shelf
from ..wire import params
from ..wire.dates import rfc2822
from ..wire.errors import ApiError
from ..wire.paging import one_page, spans
from .calling import CALLING, CHANGE, DOCUMENT, Calling
from .render import CALL, FINAL, show

if TYPE_CHECKING:
    from ..office import Office
    from .switchboard import Switchboard

_STATUSES = ("queued", "ringing", "in-progress", "completed", "busy", "failed", "no-answer", "canceled")
_PAGE = (params.count("PageSize", 0, 10**9), params.count("Page", 0, 10**9), params.text("PageToken"))
_CREATE = (*CALLING, *DOCUMENT, params.text("ApplicationSid", code=21218, max_size=34))
_UPDATE = (*DOCUMENT, *CHANGE, params.choice("Status", "canceled", "completed", code=21220))
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

    def __init__(self, office: Office, calling: Calling, board: Switchboard) -> None:
        self._office, self._board = office, board
        self._calling = calling
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
        place = self._calling.place(ask) or self._calling.application(ask)
        if place is None:
            raise ApiError(21205, "Url, Twiml or ApplicationSid is required")
        return show(await self._calling.make(ask, place))

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
        for name, column in (("StartTime", "at"), ("EndTime", "ended_at")):
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
        place, status = self._calling.place(ask), ask["Status"]
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
        return one_page(ask, "events", [_show_event(one) for one in found])


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
