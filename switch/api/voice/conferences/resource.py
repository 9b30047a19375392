"""``/Conferences``: list, fetch, end, announce; and what was recorded of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from switchroom.switch.store.documents import Document

from ...front.operation import V2010, Answer, Ask, Operation
from ...wire import params
from ...wire.errors import ApiError
from ...wire.paging import spans
from ..wishes import Place
from .announcing import announce
from .render import show_conference

if TYPE_CHECKING:
    from ..means import Means
    from ..recordings.resource import RecordingResources

_PAGE = (params.count("PageSize", 0, 10**9), params.count("Page", 0, 10**9), params.text("PageToken"))
_LIST = (
    params.text("FriendlyName", max_size=128),
    params.choice("Status", "init", "in-progress", "completed"),
    params.moment("DateCreated", is_range=True),
    params.moment("DateUpdated", is_range=True),
    *_PAGE,
)
_UPDATE = (
    params.choice("Status", "completed"),
    params.url("AnnounceUrl", code=21205),
    params.method("AnnounceMethod", code=21209),
)


class ConferenceResources:
    """Conferences of accounts."""

    def __init__(self, means: Means, recordings: RecordingResources) -> None:
        self._means, self._recordings = means, recordings
        self._shelf = means.conferences.shelf

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base, read, write = V2010 + "/Conferences", "conferences:read", "conferences:write"
        one = f"{base}/{{Sid}}.json"
        yield Operation("GET", f"{base}.json", self.list_all, _LIST, read, summary="List conferences")
        yield Operation("GET", one, self.fetch, (), read, summary="Fetch a conference")
        yield Operation("POST", one, self.update, _UPDATE, write, summary="End it, or announce")
        tapes = self._recordings
        listed = f"{base}/{{Sid}}/Recordings"
        recording = f"{listed}/{{RecordingSid}}.json"
        read, write = "recordings:read", "recordings:write"
        yield Operation(
            "GET", f"{listed}.json", self.list_recordings, tapes.of_call, read, summary="Its recordings"
        )
        yield Operation("GET", recording, tapes.fetch, (), read, summary="Fetch one of its recordings")
        yield Operation(
            "POST", recording, tapes.change, tapes.changes, write, summary="Pause, resume or stop"
        )
        yield Operation("DELETE", recording, tapes.delete, (), write, summary="Delete one of its recordings")

    async def list_all(self, ask: Ask) -> Answer:
        """Those of the account, newest first."""
        more: dict[str, Any] = {"since": {}, "until": {}}
        if ask["FriendlyName"]:
            more["fields"] = {"friendly_name": ask["FriendlyName"]}
        if ask["Status"]:
            more["equal"] = {"state": ask["Status"]}
        for name, column in (("DateCreated", "created_at"), ("DateUpdated", "updated_at")):
            since, until = spans(ask.found, name)
            if since is not None:
                more["since"][column] = since
            if until is not None:
                more["until"][column] = until
        return await self._shelf.list_first(ask, "conferences", show_conference, **more)

    async def list_recordings(self, ask: Ask) -> Answer:
        """What was recorded of one."""
        return await self._recordings.list_conference(ask, self._shelf.take(ask).sid)

    async def fetch(self, ask: Ask) -> Answer:
        """One."""
        return show_conference(self._shelf.take(ask))

    async def update(self, ask: Ask) -> Answer:
        """End it, or let all hear something."""
        doc = self._shelf.take(ask)
        conference = self._means.conferences.open.get(doc.sid)
        if not ask["Status"] and not ask["AnnounceUrl"]:
            raise ApiError(20001, "Status or AnnounceUrl is required")
        if conference is None:
            raise ApiError(16022, "The conference is over", status=404)
        if ask["AnnounceUrl"]:
            if not conference.participants:
                raise ApiError(16001, "Nobody is in the conference")
            place = Place(ask["AnnounceUrl"], ask["AnnounceMethod"] or "POST")
            self._means.office.spawn(announce(self._means, conference, place))
        if ask["Status"]:
            conference.end("conference-ended-via-api")
        return show_conference(self._current(doc))

    def _current(self, doc: Document) -> Document:
        return self._shelf.find(doc.account, doc.sid) or doc
