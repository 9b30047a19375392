"""What was said in recordings: rows of text, and who is told of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from switchroom.switch.store.documents import Document

from ...office import API_VERSION, Shelf, account_uri
from ...webhooks.courier import Letter
from ...wire.dates import rfc2822
from ..live import Live
from ..render import CALL, call_params
from ..speaking.hearing import Hearing, HearingError
from ..wishes import Tell

if TYPE_CHECKING:
    from ...office import Office
    from .tapes import Tapes

TRANSCRIPT = "transcription"


class Transcripts:
    """Has recordings understood."""

    def __init__(self, office: Office, hearing: Hearing, tapes: Tapes) -> None:
        self._office, self._hearing, self._tapes = office, hearing, tapes
        self.shelf = Shelf(office, TRANSCRIPT, "TR")

    def start_again(self) -> None:
        """Understand what an earlier process has not."""
        for doc in self.shelf.left("in-progress"):
            call = self._office.library.get(CALL, doc.data["call"], doc.account)
            if call is None:
                self._office.begin([doc.change(time.time(), state="failed")])
            else:
                tell = Tell(*doc.data.get("tell", ()))
                self._office.spawn(self._write(Live(self._office, call), doc, tell))

    def begin(self, live: Live, recording: Document, tell: Tell) -> None:
        """Have one understood, while the call goes on."""
        doc = self.shelf.new(
            live.account,
            {
                "duration": recording.data["duration"],
                "text": None,
                "call": live.sid,
                "tell": [tell.url, tell.method],
            },
            parent=recording.sid,
            state="in-progress",
        )
        self._office.begin([doc])
        self._office.spawn(self._write(live, doc, tell))

    async def _write(self, live: Live, doc: Document, tell: Tell) -> None:
        state, text = "completed", ""
        try:
            text = (await self._hearing.understand(self._tapes.path(doc.parent), "en-US")).text
        except HearingError as error:
            state = "failed"
            live.complain(13618, f"Record: {error}")
        doc = doc.change(time.time(), state=state, data={"text": text})
        params = [
            *call_params(live.doc),
            ("TranscriptionSid", doc.sid),
            ("TranscriptionText", text),
            ("TranscriptionStatus", state),
            ("TranscriptionType", "fast"),
            ("TranscriptionUrl", self._office.public_url + _uri(doc).removesuffix(".json")),
            ("RecordingSid", doc.parent),
            ("RecordingUrl", self._tapes.url_of(doc.account, doc.parent)),
        ]
        letters = (
            [Letter(doc.account, doc.sid, "transcription", tell.url, params, tell.method)] if tell.url else []
        )
        told = {"status": state, "recording": doc.parent, "call": live.sid}
        self._office.note([doc], letters, [(doc.account, f"transcription.{state}", doc.sid, told)])


def _uri(doc: Document) -> str:
    return account_uri(doc.account, "Transcriptions", doc.sid)


def show_transcript(doc: Document) -> dict[str, Any]:
    """As REST shows it."""
    return {
        "sid": doc.sid,
        "account_sid": doc.account,
        "recording_sid": doc.parent,
        "status": doc.state,
        "type": "fast",
        "duration": str(doc.data["duration"] or 0),
        "transcription_text": doc.data["text"],
        "price": None,
        "price_unit": "USD",
        "api_version": API_VERSION,
        "date_created": rfc2822(doc.created_at),
        "date_updated": rfc2822(doc.updated_at),
        "uri": _uri(doc),
    }
