"""uvicorn's protocol with what it leaves open: how large a head is, how long it takes, how many come."""

from __future__ import annotations

import asyncio
from collections import Counter

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from switchroom.switch.net.limits import source_of


class Watch:
    """The limits, and the connections that have not sent a whole head yet."""

    def __init__(
        self, *, max_head: int, head_timeout: float, max_connections: int, source_share: float
    ) -> None:
        self.max_head, self.head_timeout = max_head, head_timeout
        self.max_connections = max_connections
        self.max_from_source = max(int(max_connections * source_share), 1)
        self.sources: Counter[str] = Counter()
        self.waiting: dict[Guarded, float] = {}  # since when
        self.turned_away_count = 0

    def sweep(self, now: float) -> None:
        """Close those whose head takes too long."""
        late = [one for one, since in self.waiting.items() if now - since > self.head_timeout]
        for one in late:
            one.turn_away()


class Guarded(HttpToolsProtocol):
    """One connection."""

    watch: Watch  # of the class that the server makes for itself

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it, or close it at once."""
        super().connection_made(transport)
        self._head_size = 0
        self._source = source_of(self.client[0]) if self.client else ""
        watch = self.watch
        watch.sources[self._source] += 1
        if (
            len(self.connections) > watch.max_connections
            or watch.sources[self._source] > watch.max_from_source
        ):
            self.turn_away()
            return
        watch.waiting[self] = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        watch = self.watch
        watch.waiting.pop(self, None)
        watch.sources[self._source] -= 1
        if not watch.sources[self._source]:
            del watch.sources[self._source]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before a head is whole."""
        if self in self.watch.waiting:
            self._head_size += len(data)  # also of a body that came with the end of the head: a read at most
        super().data_received(data)
        if self in self.watch.waiting and self._head_size > self.watch.max_head:
            self.turn_away()

    def on_message_begin(self) -> None:
        """Begin to count a head."""
        super().on_message_begin()
        self._head_size = 0
        self.watch.waiting.setdefault(self, self.loop.time())

    def on_headers_complete(self) -> None:
        """The head is whole: from here the desk counts."""
        self.watch.waiting.pop(self, None)
        super().on_headers_complete()

    def turn_away(self) -> None:
        """Close it without an answer: whoever does this reads none."""
        self.watch.turned_away_count += 1
        self.watch.waiting.pop(self, None)
        self.transport.abort()


def guarded(watch: Watch) -> type[Guarded]:
    """Give the protocol class of one server."""
    return type("GuardedHere", (Guarded,), {"watch": watch})
