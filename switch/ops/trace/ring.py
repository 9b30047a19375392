"""The latest messages as they were on the wire: kept unread, read only when somebody asks."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from switchroom.protocols.sip import Flow

Address = tuple[str, int]

_OVERHEAD = 160  # octets that an entry takes beside its message
_ROOM = 8  # of 1/256 is made when the ring is full
_Parts = tuple[float, str, bytes, str, Address, Address]


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
        # Plain tuples of plain values: the garbage collector looks at them once and never again
        self._entries: deque[_Parts] = deque()
        self.octets = 0
        # Call-ID of a leg -> id of the call's record; a plain dict would look for its first one ever longer
        self.records: OrderedDict[str, str] = OrderedDict()
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, direction: str, messages: Sequence[tuple[bytes, Flow]]) -> None:
        """Keep messages that came or went at once."""
        entries, now, octets = self._entries, self._now(), self.octets
        for data, flow in messages:
            entries.append((now, direction, data, flow.transport, flow.local, flow.remote))
            octets += len(data) + _OVERHEAD
        self.octets = octets
        if self.octets > self.max_octets or len(entries) > self.size:
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
        found = []
        for at, direction, data, transport, local, remote in reversed(self._entries):
            if at <= since:
                break
            found.append(Entry(at, direction, data, Flow(transport, local, remote)))
        found.reverse()
        return found

    def _shrink(self) -> None:
        """Make room: for some at once, as this is not to be done for each message."""
        entries = self._entries
        size, max_octets = self.size - (self.size >> _ROOM), self.max_octets - (self.max_octets >> _ROOM)
        while entries and (self.octets > max_octets or len(entries) > size):
            self.octets -= len(entries.popleft()[2]) + _OVERHEAD
            self.forgotten += 1
