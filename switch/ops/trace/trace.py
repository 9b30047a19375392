"""What the face shows each message: the ring, the collector, the log; and who asks for what was kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from switchroom.protocols.sip import Flow
from switchroom.switch.config import TraceConfig, join_address
from switchroom.switch.net import Clock
from switchroom.switch.net.tap import Tap

from ..mask import mask
from .export import Exporter
from .ring import Ring
from .search import call_id_of, find

Show = Callable[[str, bytes, Flow], None]  # gets "in" or "out" and one message

_MAX_ANSWER = 5000  # messages


class Trace:
    """``tap`` is what messages are to be given to, None when nobody wants any."""

    def __init__(self, config: TraceConfig, clock: Clock) -> None:
        self._clock = clock
        self._show: Show | None = None
        self.exporter: Exporter | None = None
        self.ring = Ring(config.ring_size, config.ring_octets)
        self.tap: Tap | None = None
        self._config: TraceConfig | None = None
        self.apply(config)

    def apply(self, config: TraceConfig) -> None:
        """Go on with another configuration; what is kept stays."""
        if config == self._config:
            return
        self._config = config
        self.ring.resize(config.ring_size if config.enabled else 0, config.ring_octets)
        self.close()
        if config.hep_address:
            password = config.hep_password.get_secret_value()
            self.exporter = Exporter(config.hep_address, config.hep_id, password)
        self._choose()

    def show(self, show: Show | None) -> None:
        """Show each message to somebody else too: the log at level debug."""
        self._show = show
        self._choose()

    def link(self, sip_call_id: str, record_id: str) -> None:
        """A leg with this Call-ID belongs to the call with this record."""
        self.ring.link(sip_call_id, record_id)

    def close(self) -> None:
        """Close the way to the collector."""
        if self.exporter is not None:
            self.exporter.close()
            self.exporter = None

    async def messages(self, what: str = "", since: float = 0.0) -> list[dict[str, object]]:
        """The latest messages of a call, Call-ID or number after a monotonic instant."""
        entries, records = self.ring.entries(since), dict(self.ring.records)
        found = await asyncio.to_thread(find, entries, records, what)
        return [
            {
                "at": entry.at,
                "time": self._clock.posix(entry.at),
                "direction": entry.direction,
                "transport": entry.flow.transport,
                "local": join_address(*entry.flow.local),
                "remote": join_address(*entry.flow.remote),
                "call_id": call_id,
                "call": record,
                "message": mask(entry.data),
            }
            for entry, call_id, record in found[-_MAX_ANSWER:]
        ]

    def _choose(self) -> None:
        assert self._config is not None
        if self._show is None and self.exporter is None:
            self.tap = self.ring if self._config.enabled else None
        else:
            self.tap = _Several(self.ring, self._tell)

    def _tell(self, direction: str, data: bytes, flow: Flow, now: float) -> None:
        if self.exporter is not None:
            call_id = call_id_of(data)
            at = self._clock.posix(now)
            self.exporter.send(at, direction, data, flow, self.ring.records.get(call_id, call_id))
        if self._show is not None:
            self._show(direction, data, flow)


class _Several(Tap):
    """The ring, and then whoever is told of each message."""

    def __init__(self, ring: Ring, tell: Callable[[str, bytes, Flow, float], None]) -> None:
        self._ring, self._tell = ring, tell

    def came(self, data: bytes, flow: Flow, now: float) -> None:
        if self._ring.size:
            self._ring.came(data, flow, now)
        self._tell("in", data, flow, now)

    def left(self, messages: list[tuple[bytes, Flow]], now: float) -> None:
        if self._ring.size:
            self._ring.left(messages, now)
        for data, flow in messages:
            self._tell("out", data, flow, now)
