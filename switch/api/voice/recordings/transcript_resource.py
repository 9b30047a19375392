"""``/Transcriptions``, and those of one recording: list, fetch, delete."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...front.operation import V2010, Answer, Ask, Operation
from ...wire import params
from .transcripts import show_transcript

if TYPE_CHECKING:
    from ..means import Means

_PAGE = (params.count("PageSize", 0, 10**9), params.count("Page", 0, 10**9), params.text("PageToken"))


class TranscriptResources:
    """Transcriptions of accounts."""

    def __init__(self, means: Means) -> None:
        self._office, self._tapes = means.office, means.tapes
        self._shelf = means.transcripts.shelf

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        read, write = "recordings:read", "recordings:write"
        of_one = V2010 + "/Recordings/{RecordingSid}/Transcriptions"
        for base in (V2010 + "/Transcriptions", of_one):
            one = f"{base}/{{TranscriptionSid}}.json"
            yield Operation("GET", f"{base}.json", self.list_all, _PAGE, read, summary="List transcriptions")
            yield Operation("GET", one, self.fetch, (), read, summary="Fetch a transcription")
            yield Operation("DELETE", one, self.delete, (), write, summary="Delete a transcription")

    def _recording(self, ask: Ask) -> str | None:
        return self._tapes.shelf.take(ask, "RecordingSid").sid if "RecordingSid" in ask.path else None

    async def list_all(self, ask: Ask) -> Answer:
        """Those of the account, or of one recording."""
        recording = self._recording(ask)
        more = {} if recording is None else {"parent": recording}
        return await self._shelf.list_first(ask, "transcriptions", show_transcript, **more)

    async def fetch(self, ask: Ask) -> Answer:
        """One."""
        return show_transcript(self._shelf.take(ask, "TranscriptionSid", self._recording(ask)))

    async def delete(self, ask: Ask) -> Answer:
        """It is gone."""
        await self._office.write(drops=[self._shelf.take(ask, "TranscriptionSid", self._recording(ask))])
        return None
