"""Recordings of calls: their rows, their files, and who is told of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from switchroom.codecs.files import write_header
from switchroom.switch.media.recorder import Recorded as Done
from switchroom.switch.store.documents import Document

from ...office import API_VERSION, Shelf, account_uri
from ...webhooks.courier import Letter
from ...wire.dates import rfc2822
from ..actions import (
    Record,
    Recorded,
)
from ..wishes import Tell

if TYPE_CHECKING:
    from switchroom.switch.calls.script import Call, Leg
    from switchroom.switch.media.recorder import Recording, Sides

    from ...office import Office
    from ..live import Live
    from .transcripts import Transcripts

RECORDING = "recording"
_HEADER = 44
_QUIET = 180  # of 32768: -45 dB
_BLOCK = 5000  # frames that are looked at together: 100 seconds
_MARGIN = 5  # frames of 20 ms that stay before and after what is not silent
_TRACKS: dict[str, Sides] = {"inbound": "heard", "outbound": "said"}  # of a call; else both
_SHORTEST = 0.1  # seconds; less is nothing


class Tapes:
    """Begins recordings and follows them to their end."""

    def __init__(self, office: Office, folder: Path) -> None:
        self._office, self.folder = office, folder
        self.shelf = Shelf(office, RECORDING, "RE")
        self.running: dict[str, Recording] = {}  # by SID
        self.transcripts: Transcripts

    def start_again(self) -> None:
        """What an earlier process did not end is as long as its file, which is whole at every moment."""
        for doc in self.shelf.left("in-progress"):
            path = self.path(doc.sid)
            seconds, size = seconds_of(path)
            done = Done(path, seconds, "ended", size)
            self._office.spawn(self._finish(doc, done))

    async def _finish(self, doc: Document, done: Done) -> None:
        await self._end(doc, tell_of(doc), done, is_trimmed=False)

    async def record(self, live: Live, party: Call | Leg, wish: Record) -> Recorded | None:
        """Record what a party says, until it ends that; None: nothing was said."""
        doc = self._row(live, "RecordVerb", 1, wish.tell)
        path = self.path(doc.sid)
        self._enter(doc, wish.tell)
        done: Done | None = None
        try:
            done = await party.record(
                path,
                max_length=wish.max_length,
                silence=wish.silence,
                finish_on=wish.finish_on,
                beep=wish.has_beep,
            )
        except OSError as error:
            live.complain(13616, f"Record: {error}")
        finally:
            is_silent = done is None or (done.reason == "silence" and done.seconds <= wish.silence + 0.5)
            doc = await self._end(doc, wish.tell, None if is_silent else done, is_trimmed=wish.is_trimmed)
        if done is None or doc.state == "absent":
            return None
        if wish.is_transcribed:
            self.transcripts.begin(live, doc, wish.transcript)
        ended_by = "hangup" if done.reason == "hangup" else party.finished_by
        return Recorded(doc.sid, self.url(doc), int(doc.data["duration"]), ended_by)

    def start(
        self,
        live: Live,
        party: Call | Leg,
        source: str,
        channels: int,
        tell: Tell | None = None,
        *,
        is_trimmed: bool = False,
        track: str = "both",
    ) -> Document:
        """Record both sides of a call that goes on, or one. OSError: too many recordings go on."""
        sides = _TRACKS.get(track) or ("stereo" if channels == 2 else "mixed")
        doc = self._row(live, source, 2 if sides == "stereo" else 1, tell or Tell())
        doc = doc.change(doc.created_at, data={"track": track})
        recording = party.start_recording(self.path(doc.sid), sides=sides)
        return self._follow(doc, recording, is_trimmed=is_trimmed)

    def stop_all(self, live: Live) -> None:
        """End what goes on of a call."""
        for sid, recording in list(self.running.items()):
            doc = self._office.library.get(RECORDING, sid, live.account)
            if doc is not None and doc.parent == live.sid and doc.data["source"] != "Conference":
                recording.stop()

    def start_room(
        self, live: Live, conference: str, begin: Callable[[Path], Recording], tell: Tell, *, is_trimmed: bool
    ) -> Document:
        """Record a conference, which ``live`` was the first in. OSError: too many recordings go on."""
        doc = self._row(live, "Conference", 1, tell)
        doc = doc.change(doc.created_at, data={"conference": conference})
        return self._follow(doc, begin(self.path(doc.sid)), is_trimmed=is_trimmed)

    def _follow(self, doc: Document, recording: Recording, *, is_trimmed: bool) -> Document:
        tell = tell_of(doc)
        self.running[doc.sid] = recording
        self._enter(doc, tell)

        async def follow() -> None:
            done = await asyncio.shield(recording.ended)
            self.running.pop(doc.sid, None)
            await self._end(doc, tell, done, is_trimmed=is_trimmed)

        self._office.spawn(follow())
        return doc

    def url(self, doc: Document) -> str:
        """How others reach its sound."""
        return self.url_of(doc.account, doc.sid)

    def url_of(self, account: str, sid: str) -> str:
        """The same, of one that is known by its SID."""
        return self._office.public_url + account_uri(account, "Recordings", sid).removesuffix(".json")

    def path(self, sid: str) -> Path:
        """Where its sound is."""
        return self.folder / f"{sid}.wav"

    def _row(self, live: Live, source: str, channels: int, tell: Tell) -> Document:
        data: dict[str, Any] = {"source": source, "channels": channels, "duration": None}
        if tell.url:
            data["tell"] = [tell.url, tell.method, list(tell.events)]
        now = time.time()
        return self.shelf.new(live.account, data, parent=live.sid, state="in-progress", at=now)

    def _enter(self, doc: Document, tell: Tell) -> asyncio.Future[None]:
        data = {"status": doc.state, "call": doc.parent, "duration": doc.data["duration"]}
        events = [(doc.account, f"recording.{doc.state}", doc.sid, data)]
        return self._office.note([doc], self._letters(doc, tell), events)

    async def _end(self, doc: Document, tell: Tell, done: Done | None, *, is_trimmed: bool) -> Document:
        """The file is whole: cut the silence off, and tell."""
        seconds = 0.0 if done is None else done.seconds
        if is_trimmed and seconds:
            seconds = await asyncio.to_thread(trim, self.path(doc.sid))
        if seconds < _SHORTEST:
            await asyncio.to_thread(self.path(doc.sid).unlink, missing_ok=True)
            doc = doc.change(time.time(), state="absent", data={"duration": 0})
        else:
            doc = doc.change(time.time(), state="completed", data={"duration": round(seconds) or 1})
        current = self._office.library.get(RECORDING, doc.sid, doc.account)
        if current is not None:  # else it was deleted meanwhile
            self._enter(doc, tell)
        return doc

    def _letters(self, doc: Document, tell: Tell) -> list[Letter]:
        if not tell.url or doc.state not in tell.events:
            return []
        params = [
            ("AccountSid", doc.account),
            ("CallSid", doc.parent),
            ("RecordingSid", doc.sid),
            ("RecordingUrl", self.url(doc)),
            ("RecordingStatus", doc.state),
            ("RecordingChannels", str(doc.data["channels"])),
            ("RecordingStartTime", rfc2822(doc.at) or ""),
            ("RecordingSource", doc.data["source"]),
        ]
        if doc.data["duration"] is not None:
            params.append(("RecordingDuration", str(doc.data["duration"])))
        if doc.data.get("conference"):
            params.append(("ConferenceSid", doc.data["conference"]))
        return [Letter(doc.account, doc.sid, "recording", tell.url, params, tell.method)]


def tell_of(doc: Document) -> Tell:
    """Who is told of it, as the row has it."""
    given = doc.data.get("tell")
    return Tell() if not given else Tell(given[0], given[1], tuple(given[2]))


def seconds_of(path: Path) -> tuple[float, int]:
    """How long a WAV file is, in seconds and in octets; nothing where there is none."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER)
        size = path.stat().st_size
    except OSError:
        return 0.0, 0
    channels, rate = int.from_bytes(header[22:24], "little"), int.from_bytes(header[24:28], "little")
    return max(size - _HEADER, 0) / (2 * channels * rate) if channels and rate else 0.0, size


def trim(path: Path) -> float:
    """Take the silence at both ends of a WAV file away; the seconds that are left."""
    with path.open("rb") as file:
        header = file.read(_HEADER)
    channels, rate = int.from_bytes(header[22:24], "little"), int.from_bytes(header[24:28], "little")
    frame = rate // 50 * channels
    count = (path.stat().st_size - _HEADER) // (2 * frame)
    if count <= 0:
        return 0.0
    frames = np.memmap(path, "<i2", "r", _HEADER, (count, frame))
    loud = [
        at + int(one)
        for at in range(0, count, _BLOCK)
        for one in np.flatnonzero(np.abs(frames[at : at + _BLOCK].astype(np.int32)).max(axis=1) > _QUIET)
    ]
    if not loud:
        return 0.0
    first, last = max(loud[0] - _MARGIN, 0), min(loud[-1] + 1 + _MARGIN, count)
    fresh = path.with_suffix(".wav~")
    with fresh.open("wb") as kept:
        fresh.chmod(0o600)
        kept.write(write_header(rate, channels, (last - first) * frame * 2))
        for at in range(first, last, _BLOCK):
            kept.write(frames[at : min(at + _BLOCK, last)].tobytes())
    fresh.replace(path)
    return (last - first) / 50


def show_recording(doc: Document, url: str) -> dict[str, Any]:
    """A recording as REST shows it."""
    duration = doc.data["duration"]
    uri = account_uri(doc.account, "Recordings", doc.sid)
    below = uri.removesuffix(".json")
    return {
        "sid": doc.sid,
        "account_sid": doc.account,
        "call_sid": doc.parent,
        "conference_sid": doc.data.get("conference"),
        "status": doc.state,
        "channels": doc.data["channels"],
        "source": doc.data["source"],
        "duration": None if duration is None else str(duration),
        "start_time": rfc2822(doc.at),
        "price": None,
        "price_unit": "USD",
        "error_code": None,
        "encryption_details": None,
        "track": doc.data.get("track", "both"),
        "api_version": API_VERSION,
        "date_created": rfc2822(doc.created_at),
        "date_updated": rfc2822(doc.updated_at),
        "media_url": url,
        "uri": uri,
        "subresource_uris": {
            "add_on_results": f"{below}/AddOnResults.json",
            "transcriptions": f"{below}/Transcriptions.json",
        },
    }
