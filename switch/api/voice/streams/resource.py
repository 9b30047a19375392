"""``/Calls/{Sid}/Streams``: let an application listen to a call that is up, and end that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...front.operation import V2010, Answer, Ask, Operation
from ...wire import params
from ...wire.errors import ApiError
from ..nouns import TRACKS
from ..render import show_part
from ..wishes import StreamWish

if TYPE_CHECKING:
    from ..means import Means
    from ..switchboard import Switchboard

_MAX_PARAMETERS = 99
_START = (
    params.url("Url", code=21205, is_required=True),
    params.text("Name", max_size=256),
    params.choice("Track", "inbound_track", "outbound_track", "both_tracks", code=31941),
    params.url("StatusCallback", code=21205),
    params.method("StatusCallbackMethod", code=21209),
)
_PART = "Streams"  # of a call
_STOP = (params.choice("Status", "stopped", is_required=True),)


class StreamResources:
    """Streams of calls."""

    def __init__(self, means: Means, board: Switchboard) -> None:
        self._streams, self._board = means.streams, board

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        base, write = V2010 + "/Calls/{Sid}/Streams", "calls:write"
        one = f"{base}/{{StreamSid}}.json"
        yield Operation("POST", f"{base}.json", self.start, _START, write, 201, summary="Begin a stream")
        yield Operation("POST", one, self.stop, _STOP, write, summary="End a stream, by SID or name")

    async def start(self, ask: Ask) -> Answer:
        """Let an application listen."""
        live, call = self._board.take_up(ask)
        wish = StreamWish(
            ask["Url"],
            ask["Name"] or "",
            _parameters(ask),
            ask["StatusCallback"] or "",
            ask["StatusCallbackMethod"] or "POST",
            TRACKS[ask["Track"] or "inbound_track"],
        )
        return show_part(self._streams.start(live, call, wish), _PART)

    async def stop(self, ask: Ask) -> Answer:
        """It hears no more."""
        call = self._board.shelf.take(ask)
        found = self._streams.find(call, ask.path["StreamSid"])
        if found is None:
            self._streams.shelf.take(ask, "StreamSid", call.sid)
            raise ApiError(21220, "The stream is over")
        self._streams.end(found)
        return show_part(found, _PART) | {"status": "stopped"}


def _parameters(ask: Ask) -> dict[str, str]:
    """Parameter1.Name and Parameter1.Value, and so on."""
    found = {}
    for number in range(1, _MAX_PARAMETERS + 1):
        name, value = (ask.values.get(f"Parameter{number}.{what}") for what in ("Name", "Value"))
        if name:
            found[name[-1][:256]] = value[-1][:1024] if value else ""
    return found
