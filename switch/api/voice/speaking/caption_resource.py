"""``/Calls/{Sid}/Transcriptions``: have what is said in a call that is up written down, and end that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...front.operation import V2010, Answer, Ask, Operation
from ...wire import params
from ...wire.errors import ApiError
from ..nouns import TRACKS
from ..render import show_part
from ..wishes import CaptionsWish, Tell

if TYPE_CHECKING:
    from ..means import Means
    from ..switchboard import Switchboard

_START = (
    params.text("Name", max_size=256),
    params.choice("Track", "inbound_track", "outbound_track", "both_tracks", code=31941),
    params.url("StatusCallbackUrl", code=21205),
    params.method("StatusCallbackMethod", code=21209),
    params.text("InboundTrackLabel", max_size=256),
    params.text("OutboundTrackLabel", max_size=256),
    params.flag("PartialResults"),
    params.text("LanguageCode", max_size=16),
    params.text("TranscriptionEngine", max_size=64),
    params.flag("ProfanityFilter"),
    params.text("SpeechModel", max_size=64),
    params.text("Hints", max_size=4096),
    params.flag("EnableAutomaticPunctuation"),
    params.text("IntelligenceService", max_size=256),
)
_PART = "Transcriptions"  # of a call
_STOP = (params.choice("Status", "stopped", is_required=True),)


class CaptionResources:
    """Real-time transcriptions of calls."""

    def __init__(self, means: Means, board: Switchboard) -> None:
        self._captions, self._board = means.captions, board

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base, write = V2010 + "/Calls/{Sid}/Transcriptions", "calls:write"
        one = f"{base}/{{TranscriptionSid}}.json"
        yield Operation("POST", f"{base}.json", self.start, _START, write, 201, summary="Write down a call")
        yield Operation("POST", one, self.stop, _STOP, write, summary="End that, by SID or name")

    async def start(self, ask: Ask) -> Answer:
        """Write down what is said from now on."""
        live, call = self._board.take_up(ask)
        tracks = TRACKS[ask["Track"] or "both_tracks"]
        wish = CaptionsWish(
            Tell(ask["StatusCallbackUrl"] or "", ask["StatusCallbackMethod"] or "POST"),
            ask["Name"] or "",
            tracks,
            ask["LanguageCode"] or "en-US",
            bool(ask["PartialResults"]),
            ask["Hints"] or "",
            tuple([ask[f"{track.capitalize()}TrackLabel"] or "" for track in tracks]),
        )
        return show_part(self._captions.start(live, call, wish), _PART)

    async def stop(self, ask: Ask) -> Answer:
        """No more."""
        call = self._board.shelf.take(ask)
        found = self._captions.find(call, ask.path["TranscriptionSid"])
        if found is None:
            self._captions.shelf.take(ask, "TranscriptionSid", call.sid)
            raise ApiError(21220, "The transcription is over")
        found.stop()
        return show_part(found.doc, _PART) | {"status": "stopped"}
