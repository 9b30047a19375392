"""The latest messages as they were on the wire: kept unread, read only when somebody asks."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from switchroom.protocols.sip import Flow

_OVERHEAD = 96  # octets that an entry takes beside its message
_ROOM = 8  # of 1/256 is made when the ring is full


class Entry(NamedTuple):
    """One message: when, whether it came ("in") or went ("out"), its octets, and between whom."""

    at: float
    direction: str
    data: bytes
    flow: Flow


class Ring:
    """Bounded by count and by octets; the oldest go first. ``link`` knows which call a Call-ID belongs to."""

    def __init__(self, now: Callable[[], float], size: int, max_octets: int) -> None:
        self._now = now
        self.size, self.max_octets = size, max_octets
        # Each entry's four values in a row: an object for each message would keep the garbage collector busy
        self._values: deque[Any] = deque()
        self.count = self.octets = 0
        # Call-ID of a leg -> id of the call's record; a plain dict would look for its first one ever longer
        self.records: OrderedDict[str, str] = OrderedDict()
        self.forgotten = 0

    def __len__(self) -> int:
        return self.count

    def put(self, direction: str, messages: Sequence[tuple[bytes, Flow]]) -> None:
        """Keep messages that came or went at once."""
        now, octets, count, keep = self._now(), self.octets, self.count, self._values.extend
        for data, flow in messages:
            keep((now, direction, data, flow))
            octets += len(data) + _OVERHEAD
            count += 1
        self.octets, self.count = octets, count
        if octets > self.max_octets or count > self.size:
            self._shrink()

    def link(self, sip_call_id: str, record_id: str) -> None:
        """A leg of a call has this Call-ID."""
        records = self.records
        records[sip_call_id] = record_id
        if len(records) > self.size:  # more legs than messages: the oldest have none any more
            records.popitem(last=False)

    def resize(self, size: int, max_octets: int) -> None:
        """Go on with other bounds."""
        self.size, self.max_octets = size, max_octets
        self._shrink()

    def entries(self, since: float = 0.0) -> list[Entry]:
        """What is kept of the time after an instant, the oldest first."""
        found: list[Entry] = []
        values = reversed(self._values)
        while (last := tuple(islice(values, len(Entry._fields)))) and last[-1] > since:
            found.append(Entry(*reversed(last)))
        found.reverse()
        return found

    def _shrink(self) -> None:
        """Make room: for some at once, as this is not to be done for each message."""
        size, max_octets = self.size - (self.size >> _ROOM), self.max_octets - (self.max_octets >> _ROOM)
        take = self._values.popleft
        while self.count and (self.octets > max_octets or self.count > size):
            _, _, data, _ = take(), take(), take(), take()
            self.octets -= len(data) + _OVERHEAD
            self.count -= 1
            self.forgotten += 1
