"""The media packets of calls, for whoever asks over the control socket."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

from switchroom.switch.media import MediaPlane
from switchroom.switch.net import Clock

from .search import SHORTEST_ID

_MAX_CALLS = 1000  # that are asked for at once
_MAX_ANSWER = 50_000  # packets


async def media_trace(media: MediaPlane, clock: Clock, calls: Sequence[str]) -> list[dict[str, object]]:
    """The latest packets of calls, by their ids or beginnings of them; LookupError: none are kept."""
    keys = tuple([call for call in calls[:_MAX_CALLS] if isinstance(call, str) and len(call) >= SHORTEST_ID])
    found = await media.captured(keys)
    since = clock.posix(0.0)  # once: so that what lies between two packets stays as it was
    return [
        {
            "time": since + packet.at,
            "source": list(packet.source),
            "destination": list(packet.destination),
            "data": b64encode(packet.data).decode(),
        }
        for packet in found[-_MAX_ANSWER:]
    ]
