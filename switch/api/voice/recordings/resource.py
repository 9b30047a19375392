"""``/Recordings``: list, fetch as JSON or WAV, delete; and those of one call: begin, pause, stop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from switchroom.switch.store.documents import Document

from ...front.operation import V2010, Answer, Ask, Operation, Stored
from ...wire import params
from ...wire.errors import ApiError, not_found
from ...wire.paging import spans
from ..wishes import Tell
from .tapes import Tapes, show_recording

if TYPE_CHECKING:
    from ..switchboard import Switchboard

_PAGE = (params.count("PageSize", 0, 10**9), params.count("Page", 0, 10**9), params.text("PageToken"))
_OF_CALL = (params.moment("DateCreated", is_range=True), *_PAGE)
_LIST = (
    params.text("CallSid", max_size=34),
    params.text("ConferenceSid", max_size=34),
    params.flag("IncludeSoftDeleted"),
    *_OF_CALL,
)
_START = (
    params.choice("RecordingChannels", "mono", "dual"),
    params.url("RecordingStatusCallback", code=13256),
    params.method("RecordingStatusCallbackMethod"),
    params.text("RecordingStatusCallbackEvent", is_list=True, max_size=64),
    params.choice("Trim", "trim-silence", "do-not-trim"),
    params.choice("RecordingTrack", "inbound", "outbound", "both"),
)
_CHANGE = (
    params.choice("Status", "paused", "in-progress", "stopped", is_required=True),
    params.choice("PauseBehavior", "skip", "silence"),
)


class RecordingResources:
    """Recordings of accounts."""

    def __init__(self, tapes: Tapes, board: Switchboard) -> None:
        self._tapes, self._board = tapes, board
        self._shelf = tapes.shelf

    of_call, changes = _OF_CALL, _CHANGE  # what lists and changes of those of conferences are given too

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base, read, write = V2010 + "/Recordings", "recordings:read", "recordings:write"
        one = f"{base}/{{RecordingSid}}.json"
        yield Operation("GET", f"{base}.json", self.list_all, _LIST, read, summary="List recordings")
        yield Operation("GET", one, self.fetch, (), read, summary="Fetch one; .wav for its sound")
        yield Operation("DELETE", one, self.delete, (), write, summary="Delete a recording")
        calls = V2010 + "/Calls/{Sid}/Recordings"
        of_call = f"{calls}/{{RecordingSid}}.json"
        yield Operation("GET", f"{calls}.json", self.list_call, _OF_CALL, read, summary="Those of a call")
        yield Operation("POST", f"{calls}.json", self.start, _START, write, 201, summary="Record a call")
        yield Operation("GET", of_call, self.fetch, (), read, summary="Fetch one of a call")
        yield Operation("POST", of_call, self.change, _CHANGE, write, summary="Pause, resume or stop")
        yield Operation("DELETE", of_call, self.delete, (), write, summary="Delete one of a call")

    async def list_all(self, ask: Ask) -> Answer:
        """Those of the account, newest first."""
        return await self._list(ask, ask["CallSid"])

    async def list_call(self, ask: Ask) -> Answer:
        """Those of a call."""
        return await self._list(ask, self._board.shelf.take(ask).sid)

    async def list_conference(self, ask: Ask, conference: str) -> Answer:
        """Those of a conference."""
        return await self._list(ask, None, conference)

    async def _list(self, ask: Ask, call: str | None, conference: str | None = None) -> Answer:
        more: dict[str, Any] = {"since": {}, "until": {}}
        if call:
            more["parent"] = call
        conference = conference or ask["ConferenceSid"]
        if conference:
            more["fields"] = {"conference": conference}
        since, until = spans(ask.found, "DateCreated")
        if since is not None:
            more["since"]["created_at"] = since
        if until is not None:
            more["until"]["created_at"] = until
        return await self._shelf.list_first(ask, "recordings", self._show, **more)

    async def fetch(self, ask: Ask) -> Answer:
        """One: as JSON, or its sound where the path does not end in .json."""
        name = ask.path["RecordingSid"]
        is_sound = not ask.target.endswith(".json")
        doc = self._take(ask, name.removesuffix(".wav") if is_sound else name)
        if not is_sound:
            return self._show(doc)
        if doc.state != "completed":
            raise ApiError(20404, "The recording has no sound")
        return Stored(self._tapes.path(doc.sid), "audio/wav")

    async def start(self, ask: Ask) -> Answer:
        """Record a call that is up."""
        live, call = self._board.take_up(ask)
        given = [word for text in ask["RecordingStatusCallbackEvent"] or [] for word in text.split()]
        tell = Tell(
            ask["RecordingStatusCallback"] or "",
            ask["RecordingStatusCallbackMethod"] or "POST",
            tuple(given) or ("completed",),
        )
        channels = 2 if ask["RecordingChannels"] == "dual" else 1
        try:
            made = self._tapes.start(
                *(live, call, "StartCallRecordingAPI", channels, tell),
                is_trimmed=ask["Trim"] == "trim-silence",
                track=ask["RecordingTrack"] or "both",
            )
        except OSError as error:
            raise ApiError(20503, str(error)) from None
        return self._show(made)

    async def change(self, ask: Ask) -> Answer:
        """Pause one that goes on, resume it, or end it."""
        doc = self._take(ask, self._named(ask))
        recording = self._tapes.running.get(doc.sid)
        if recording is None:
            raise ApiError(21220, "The recording is over")
        status = ask["Status"]
        if status == "paused":
            recording.pause()
        elif status == "in-progress":
            recording.resume()
        else:
            recording.stop()
        return self._show(doc) | {"status": status}

    def _named(self, ask: Ask) -> str:
        """A SID, or the last one of the call."""
        name = ask.path["RecordingSid"]
        if name != "Twilio.CURRENT":
            return name
        sid = ask.path["Sid"]
        running = [one for one in self._tapes.running if self._is_of(one, sid)]
        return running[-1] if running else name

    def _is_of(self, sid: str, owner: str) -> bool:
        doc = self._shelf.library.get(self._shelf.kind, sid, None)
        return doc is not None and owner in (doc.parent, doc.data.get("conference"))

    async def delete(self, ask: Ask) -> Answer:
        """It is gone, with its sound."""
        doc = self._take(ask, ask.path["RecordingSid"])
        if doc.sid in self._tapes.running:
            raise ApiError(20009, "The recording is not over", status=409)
        await self._shelf.office.write(drops=[doc])
        await asyncio.to_thread(self._tapes.path(doc.sid).unlink, missing_ok=True)
        return None

    def _take(self, ask: Ask, name: str) -> Document:
        ask.path["RecordingSid"] = name
        doc = self._shelf.take(ask, "RecordingSid")
        owner = ask.path.get("Sid")
        if owner is not None and owner not in (doc.parent, doc.data.get("conference")):
            raise not_found(f"/Recordings/{doc.sid}")
        return doc

    def _show(self, doc: Document) -> dict[str, Any]:
        return show_recording(doc, self._tapes.url(doc))
