"""Real-time transcriptions: what is said in calls, written down while they go on, and told."""

from __future__ import annotations

import asyncio
import json
import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from switchroom.codecs import Samples
from switchroom.switch.store.documents import Document

from ...office import Shelf
from ...webhooks.courier import Letter
from ...wire.dates import iso
from ..streams.line import SIDES
from .hearing import Hearing, HearingError
from .utterances import Utterances

if TYPE_CHECKING:
    from switchroom.switch.calls.script import Call, Leg

    from ...office import Office
    from ..live import Live
    from ..wishes import CaptionsWish

CAPTIONS = "captions"
_RATE = 16000
_MAX_WAITING = 20  # utterances that wait to be understood
_PARTIAL = 1.0  # seconds of speech between two partial results

Params = tuple[tuple[str, str], ...]


class _Spoken(NamedTuple):
    track: str
    samples: Samples
    is_final: bool


class Captions:
    """Those that go on, by their SIDs."""

    def __init__(self, office: Office, hearing: Hearing) -> None:
        self._office, self._hearing = office, hearing
        self.shelf = Shelf(office, CAPTIONS, "GT")
        self.running: dict[str, Captioning] = {}

    def start_again(self) -> None:
        """Those of an earlier process are over."""
        for doc in self.shelf.left("in-progress"):
            data = {"sequence": doc.data["sequence"] + 1}
            over, event = doc.change(time.time(), state="stopped", data=data), "transcription-stopped"
            self._office.note([over], letters_of(over, event), [told_of(over, event)])

    def start(self, live: Live, party: Call | Leg, wish: CaptionsWish) -> Document:
        """Write down what is said from now on, until the call is over or somebody ends that."""
        data = {"name": wish.name, "callback": wish.tell.url, "method": wish.tell.method, "sequence": 0}
        data["language"] = wish.language
        doc = self.shelf.new(live.account, data, parent=live.sid, state="in-progress")
        one = self.running[doc.sid] = Captioning(self._office, self._hearing, live, party, wish, doc)

        async def run() -> None:
            try:
                await one.run()
            finally:
                self.running.pop(doc.sid, None)

        self._office.spawn(run())
        return doc

    def find(self, call: Document, name: str) -> Captioning | None:
        """The one of a call that has that name, or that SID."""
        for sid, one in self.running.items():
            if one.doc.parent == call.sid and name in (sid, one.doc.data["name"]):
                return one
        return None

    def stop(self, live: Live, name: str) -> bool:
        """End the one of that name; False: there is none."""
        one = self.find(live.doc, name)
        if one is not None:
            one.stop()
        return one is not None


class Captioning:
    """One call that is written down."""

    def __init__(
        self,
        office: Office,
        hearing: Hearing,
        live: Live,
        party: Call | Leg,
        wish: CaptionsWish,
        doc: Document,
    ) -> None:
        self._office, self._hearing, self._live, self._party = office, hearing, live, party
        self._wish, self.doc = wish, doc
        self._stopped = asyncio.Event()
        self._waiting: asyncio.Queue[_Spoken | None] = asyncio.Queue(_MAX_WAITING)
        self._heard = {track: Utterances() for track in wish.tracks}
        self._partial_at = dict.fromkeys(wish.tracks, 0.0)
        self._lost_count = 0

    def stop(self) -> None:
        """Write no more down."""
        self._stopped.set()

    async def run(self) -> None:
        """To the end; what was said until then is told before."""
        if not self._hearing.is_possible:
            self._fail(HearingError("nobody understands speech here (api.transcribe_command)"))
            self._end()
            return
        self._tell("transcription-started", *self._terms())
        streams = []
        for track in self._wish.tracks:
            stream = self._party.stream(_RATE, side=SIDES[track])
            stream.on_frame = partial(self._on_frame, track)
            streams.append(stream)
        worker = asyncio.create_task(self._understand())
        stopped = asyncio.ensure_future(self._stopped.wait())
        try:
            both: set[asyncio.Future[object]] = {stopped, self._party.ended}  # type: ignore[arg-type]
            await asyncio.wait(both, return_when="FIRST_COMPLETED")
            for stream in streams:
                stream.close()
            for track, heard in self._heard.items():
                self._keep(track, heard.finish())
            await self._waiting.put(None)
            await worker
        finally:
            stopped.cancel()
            worker.cancel()
        self._end()

    def _end(self) -> None:
        self.doc = self.doc.change(time.time(), state="stopped")
        self._tell("transcription-stopped")

    def _terms(self) -> Params:
        wish = self._wish
        found = [("PartialResults", str(wish.has_partials).lower())]
        for track, label in zip(wish.tracks, wish.labels, strict=False):
            if label:
                found.append((f"{track.capitalize()}TrackLabel", label))
        return (*found, ("Track", "both_tracks" if len(wish.tracks) > 1 else f"{wish.tracks[0]}_track"))

    # -- what is said

    def _on_frame(self, track: str, frame: Samples) -> None:
        heard = self._heard[track]
        self._keep(track, heard.hear(frame))
        if not self._wish.has_partials:
            return
        if heard.seconds < self._partial_at[track]:
            self._partial_at[track] = _PARTIAL  # another utterance
        if heard.seconds >= self._partial_at[track] + _PARTIAL and self._waiting.empty():
            self._partial_at[track] = heard.seconds
            self._keep(track, heard.so_far(), is_final=False)

    def _keep(self, track: str, samples: Samples | None, *, is_final: bool = True) -> None:
        if samples is None:
            return
        try:
            self._waiting.put_nowait(_Spoken(track, samples, is_final))
        except asyncio.QueueFull:
            self._lost_count += 1
            if self._lost_count == 1:
                self._live.complain(94401, "Transcription: what understands speech is too slow")

    async def _understand(self) -> None:
        while (spoken := await self._waiting.get()) is not None:
            try:
                wish = self._wish
                found = await self._hearing.read(spoken.samples, _RATE, wish.language, wish.hints)
            except HearingError as error:
                self._fail(error)
                continue
            except OSError as error:
                self._fail(HearingError(str(error)))
                continue
            if found.text:
                said = {"transcript": found.text, "confidence": round(found.confidence, 4)}
                more = (("Track", f"{spoken.track}_track"), ("TranscriptionData", json.dumps(said)))
                self._tell("transcription-content", *more, ("Final", str(spoken.is_final).lower()))

    # -- who is told

    def _fail(self, error: HearingError) -> None:
        self._live.complain(94400, f"Transcription: {error}")
        self._tell(
            "transcription-error", ("TranscriptionErrorCode", "94400"), ("TranscriptionError", str(error))
        )

    def _tell(self, event: str, *more: tuple[str, str]) -> None:
        doc = self.doc = self.doc.change(time.time(), data={"sequence": self.doc.data["sequence"] + 1})
        self._office.note([doc], letters_of(doc, event, more), [told_of(doc, event)])


def letters_of(doc: Document, event: str, more: Params = ()) -> list[Letter]:
    """What is told of one."""
    if not doc.data["callback"]:
        return []
    params = [
        ("AccountSid", doc.account),
        ("CallSid", doc.parent),
        ("TranscriptionSid", doc.sid),
        ("TranscriptionEvent", event),
        ("LanguageCode", doc.data["language"]),
        ("Timestamp", iso(time.time()) or ""),
        ("SequenceId", str(doc.data["sequence"])),
        *more,
    ]
    return [Letter(doc.account, doc.sid, "captions", doc.data["callback"], params, doc.data["method"])]


def told_of(doc: Document, event: str) -> tuple[str, str, str, dict[str, str]]:
    """What the stream of events says of it: not the words."""
    said = {"call": doc.parent, "name": doc.data["name"]}
    return doc.account, f"captions.{event.removeprefix('transcription-')}", doc.sid, said
