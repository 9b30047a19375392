"""The latest messages as they were on the wire: kept unread, read only when somebody asks."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from typing import NamedTuple

from switchroom.protocols.sip.flow import Flow
from switchroom.switch.net.tap import Tap

_OVERHEAD = 96  # octets that an entry takes beside its message
_NOWHERE = Flow("", ("", 0), ("", 0))


class Entry(NamedTuple):
    """One message: when, whether it came ("in") or went ("out"), its octets, and between whom."""

    at: float
    direction: str
    data: bytes
    flow: Flow


class Ring(Tap):
    """Bounded by count and by octets; the oldest go first. ``link`` knows which call a Call-ID belongs to."""

    def __init__(self, size: int, max_octets: int) -> None:
        self.size, self.max_octets = size, max_octets
        # A column for each value: an object for each message would keep the garbage collector busy
        self._times: list[float] = []
        self._directions: list[str] = []
        self._messages: list[bytes] = []
        self._flows: list[Flow] = []
        self._first = 0  # what is before it is forgotten
        self._last_at = 0.0
        self.count = self.octets = 0
        # Call-ID of a leg -> id of the call's record; a plain dict would look for its first one ever longer
        self.records: OrderedDict[str, str] = OrderedDict()
        self.forgotten = 0

    def __len__(self) -> int:
        return self.count

    def came(self, data: bytes, flow: Flow, now: float) -> None:
        """Keep a message that came."""
        self._put("in", data, flow, now)

    def left(self, messages: list[tuple[bytes, Flow]], now: float) -> None:
        """Keep messages that went at once."""
        for data, flow in messages:
            self._put("out", data, flow, now)

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
        start = bisect_right(self._times, since, self._first)
        columns = (self._times, self._directions, self._messages, self._flows)
        return [Entry(*values) for values in zip(*[column[start:] for column in columns], strict=True)]

    def _put(self, direction: str, data: bytes, flow: Flow, now: float) -> None:
        if now < self._last_at:  # a pass inside of another one ended first
            now = self._last_at
        self._last_at = now
        self._times.append(now)
        self._directions.append(direction)
        self._messages.append(data)
        self._flows.append(flow)
        self.octets += len(data) + _OVERHEAD
        self.count += 1
        if self.octets > self.max_octets or self.count > self.size:
            self._shrink()

    def _shrink(self) -> None:
        """Let go of the oldest; their places go once they are as many as what is kept."""
        first, messages, flows = self._first, self._messages, self._flows
        while self.count and (self.octets > self.max_octets or self.count > self.size):
            self.octets -= len(messages[first]) + _OVERHEAD
            self.count -= 1
            self.forgotten += 1
            messages[first], flows[first] = b"", _NOWHERE
            first += 1
        if first > self.count:
            for column in (self._times, self._directions, messages, flows):
                del column[:first]
            first = 0
        self._first = first
