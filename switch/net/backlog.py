"""New work that waits while more comes than can be done (RFC 6357, THREATS G9).

The kernel's buffer is first come, first served, and forgets what comes when it is full: a BYE as well as the
ten-thousandth INVITE. So while much comes, all is read at once and put in order: what belongs to calls that
are up, responses, and registrations of phones that we know are taken at once; new requests wait here, those
of trunks and registered phones in a queue of their own, so that a flood of strangers cannot keep them
waiting. What waited too long is refused, or dropped when even refusals are too many.

A long wait alone is no overload: after a pause of the machine all that came meanwhile is late, and done in
a moment. As with CoDel (RFC 8289 §3.2) it is the queue that stands which tells: nothing is refused before
the waits have been too long for as long again, and then all that is late until the queue has shrunk.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from math import inf
from typing import NamedTuple

from switchroom.protocols.sip.flow import Flow

from .owners import to_tag
from .udp import Datagram

CROWD = 32  # datagrams at once that are put in order; fewer are taken as they came
_TURN = 16  # new requests that are begun before the socket is read again
_STRANGERS = 4  # of these are strangers' while both wait
_CALM = 0.5  # of the longest wait: a queue that is so short again was overtaken by us
_NEW = (b"INVITE ", b"REGISTER ", b"SUBSCRIBE ", b"MESSAGE ", b"PUBLISH ", b"OPTIONS ", b"REFER ", b"NOTIFY ")

_BRANCH = re.compile(rb";[ \t]*branch=([^;,\s]+)")


class Waiting(NamedTuple):
    """A new request, and since when it waits."""

    data: bytes
    flow: Flow
    since: float


class Queue(deque[Waiting]):
    """Oldest first; knows whether it stands."""

    def __init__(self) -> None:
        super().__init__()
        self._late_since = inf
        self._is_shedding = False

    def take_late(self, now: float, max_wait: float) -> list[Waiting]:
        """Those that are refused now."""
        wait = now - self[0].since if self else 0.0
        if wait <= max_wait:
            self._late_since = inf
            self._is_shedding &= wait > _CALM * max_wait
            return []
        self._late_since = min(self._late_since, now)
        self._is_shedding |= now - self._late_since >= max_wait
        late = []
        while self._is_shedding and self and self[0].since < now - max_wait:
            late.append(self.popleft())
        return late


class Backlog:
    """Two queues of new requests; the face fills and empties them."""

    def __init__(self, is_trusted: Callable[[str], bool]) -> None:
        self._is_trusted = is_trusted
        self._known, self._strangers = Queue(), Queue()

    def __len__(self) -> int:
        return len(self._known) + len(self._strangers)

    def sort(self, batch: list[Datagram]) -> tuple[list[Datagram], list[Datagram]]:
        """What is taken at once, and what waits."""
        urgent: list[Datagram] = []
        new: list[Datagram] = []
        for datagram in batch:
            data, flow = datagram
            is_renewed = data.startswith(b"REGISTER ") and self._is_trusted(flow.remote[0])
            (urgent if is_renewed or not is_new(data) else new).append(datagram)
        return urgent, new

    def put(self, data: bytes, flow: Flow, now: float) -> None:
        """Let a new request wait."""
        queue = self._known if self._is_trusted(flow.remote[0]) else self._strangers
        queue.append(Waiting(data, flow, now))

    def take(self, now: float, max_wait: float) -> tuple[list[Waiting], list[Waiting]]:
        """The next to begin, and those that waited too long."""
        late = self._known.take_late(now, max_wait) + self._strangers.take_late(now, max_wait)
        known, strangers = self._known, self._strangers
        count = min(_STRANGERS if known else _TURN, len(strangers))
        taken = [known.popleft() for _ in range(min(_TURN - count, len(known)))]
        taken += [strangers.popleft() for _ in range(count)]
        return taken, late


def is_new(data: bytes) -> bool:
    """Whether a datagram is a request that opens something: it has no To tag."""
    return data.startswith(_NEW) and to_tag(data) is None


def branch_of(data: bytes) -> bytes:
    """What a request and its repetitions have in common."""
    found = _BRANCH.search(data)
    return data[:200] if found is None else found[1]
