"""What comes in: past limits and bans, the urgent first, and to another worker what is his."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.sip.flow import Flow

from .answers import Refusals, answer_keep_alive, is_keep_alive
from .backlog import CROWD, Backlog, branch_of
from .bans import BanList
from .between import flow_to_worker, is_between_workers
from .bus import Bus, Frame, Kind, unpack_flow
from .clock import Clock
from .connection import Connection
from .faults import Faults
from .flows import Flows
from .limits import Limiter, NetCounters, NetLimits, Recent, Verdict
from .owners import Owners
from .turn import SHORTEST_TIMER, Turn
from .udp import Datagram, Failure

_SIPS_PORT = 5061
_FIRST_LETTER = 0x41  # no message begins with an octet below it
_PASS = Verdict.PASS


class Entrance:
    """Takes datagrams, messages of connections and frames of other workers, and gives them to the turn."""

    def __init__(
        self,
        endpoint: sip.Endpoint,
        turn: Turn,
        *,
        flows: Flows,
        bus: Bus,
        owners: Owners | None,
        limits: NetLimits,
        counters: NetCounters,
        clock: Clock,
        faults: Faults,
        is_trusted: Callable[[str], bool],
        is_exempt: Callable[[bytes], bool],
        bans: BanList | None,
    ) -> None:
        self._endpoint = endpoint
        self._turn = turn
        self._flows = flows
        self._bus = bus
        self._is_alone = bus.is_alone
        self._owners = owners  # of messages; none: whatever comes is ours
        self._limits = limits
        self._largest = limits.max_message_size
        self._counters = counters
        self._clock = clock
        self._faults = faults
        self._is_trusted = is_trusted
        self._is_exempt = is_exempt
        self._limiter = Limiter(
            limits, is_trusted, clock.now(), bans=bans, mark=lambda: endpoint.mint.head[6:].encode()
        )
        self._refusals = Refusals(limits)
        self._refused = Recent(limits.max_sources)  # branches of requests
        self._backlog = Backlog(is_trusted)
        self._is_serving = False

    def apply(self, limits: NetLimits) -> None:
        """Go on with other limits."""
        self._limits = limits
        self._largest = limits.max_message_size
        self._limiter.apply(limits)
        self._refusals.limits = limits

    # -- datagrams

    def receive_datagrams(self, batch: list[Datagram]) -> None:
        """What one wake-up brought."""
        if not self._is_alone:
            self._bus.catch_up()
        now = self._clock.now()
        self._turn.begin()
        self._counters.datagrams_in += len(batch)
        try:
            if len(batch) >= CROWD or self._is_serving:
                batch = self._put_in_order(batch, now)
            self._judge(batch, now)
        finally:
            self._turn.finish(now)

    def _judge(self, batch: list[Datagram], now: float) -> None:
        for data, flow in batch:
            self._counters.octets_in += len(data)
            verdict = self._limiter.judge(flow.remote[0], data, now)
            if verdict is not _PASS:
                self._on_excess(verdict, data, flow)
            elif (not data or data[0] < _FIRST_LETTER) and is_keep_alive(data):
                self._on_keep_alive(data, flow)
            else:
                self._take(data, flow, now)

    def _take(self, data: bytes, flow: Flow, now: float) -> None:
        if len(data) > self._largest:
            self._flows.put(self._refusals.too_large(data, flow))
        elif self._owners is not None and (slot := self._owners.owner_of(data, flow.remote[0])) is not None:
            self._bus.forward(slot, data, flow)
        else:
            self._turn.take(data, flow, now)

    def _put_in_order(self, batch: list[Datagram], now: float) -> list[Datagram]:
        """There is much: new requests wait until the rest is done; gives the rest."""
        refused_tag = self._refusals.ack_mark
        urgent, new = self._backlog.sort(batch)
        for data, flow in new:
            self._counters.octets_in += len(data)
            verdict = self._limiter.judge(flow.remote[0], data, now)
            if verdict is not Verdict.PASS:
                self._on_excess(verdict, data, flow)
            else:
                self._backlog.put(data, flow, now)
        if new and not self._is_serving:
            self._is_serving = True
            asyncio.get_running_loop().call_soon(self._serve)
        return [datagram for datagram in urgent if not _acknowledges(datagram[0], refused_tag)]

    def _serve(self) -> None:
        """Begin some of the new requests that wait; refuse those that waited too long."""
        now = self._clock.now()
        self._turn.begin()
        try:
            taken, late = self._backlog.take(now, self._limits.max_wait)
            for data, flow, _ in taken:
                if self._refused.get(branch_of(data)):  # its sender is told already: this is a repetition
                    self._on_excess(Verdict.OVERLOAD, data, flow)
                else:
                    self._take(data, flow, now)
            for data, flow, _ in late:
                if self._is_exempt(data):
                    self._take(data, flow, now)
                elif not self._limiter.may_refuse(now):
                    self._on_excess(Verdict.LATE, data, flow)
                elif self._is_begun(data):
                    self._take(data, flow, now)
                else:
                    self._on_excess(Verdict.OVERLOAD, data, flow)
        finally:
            self._turn.finish(now)
        self._is_serving = bool(self._backlog) and self._turn.is_running
        if self._is_serving:
            asyncio.get_running_loop().call_soon(self._serve)

    def _is_begun(self, data: bytes) -> bool:
        """Whether a request that waited repeats one that was taken: its call must not be refused now."""
        try:
            message = sip.parse(data, self._endpoint.limits)
            return isinstance(message, sip.Request) and message.transaction_key() in self._endpoint.servers
        except RemoteProtocolError:
            return False

    def _on_excess(self, verdict: Verdict, data: bytes, flow: Flow) -> None:
        self._counters.dropped[verdict] += 1
        if verdict is Verdict.OVERLOAD:
            self._refused.put(branch_of(data), True)
            self._flows.put(self._refusals.overload(data, flow))

    def _on_keep_alive(self, data: bytes, flow: Flow) -> None:
        self._counters.keep_alives += 1
        answer = answer_keep_alive(data, flow.remote)
        if answer is None:
            return
        # An answer larger than its request goes to those only who are not used as a mirror by somebody else.
        if len(answer) <= len(data) or self._is_trusted(flow.remote[0]):
            self._flows.put((answer, flow))

    # -- connections

    def receive_message(self, data: bytes, connection: Connection, now: float) -> float | None:
        """Take a message from a stream; or say how long it must wait for its source's rate."""
        flow = connection.flow
        if not self._is_alone:
            self._bus.catch_up()
        verdict = self._limiter.judge(flow.remote[0], data, now)
        if verdict is Verdict.OVERLOAD or verdict is Verdict.BANNED:
            self._on_excess(verdict, data, flow)
            return None
        if verdict is not Verdict.PASS:
            return max(1.0 / self._limits.source_rate, SHORTEST_TIMER)
        self._counters.messages_in += 1
        self._counters.octets_in += len(data)
        if self._owners is not None and (slot := self._owners.owner_of(data, flow.remote[0])) is not None:
            self._bus.forward(slot, data, flow)
            return None
        self._turn.show(data, flow, now)
        # Raises: what is no message ends the connection, whose framing is in doubt.
        message = sip.parse(data, self._endpoint.limits)
        self._turn.begin()
        if connection.peer_names and isinstance(message, sip.Request):
            self._note_alias(message, connection)
        self._turn.take_message(message, flow, now)
        return None

    def _note_alias(self, request: sip.Request, connection: Connection) -> None:
        """The sender wants to get requests on its connection too, and has proven who it is (RFC 5923)."""
        try:
            via = request.via
        except RemoteProtocolError:
            return  # it is answered where it is read in full
        if via.param("alias") is not None:
            self._turn.connections.alias(connection, via.port or _SIPS_PORT)

    def refuse(self, error: RemoteProtocolError, connection: Connection, now: float) -> None:
        """Answer what cannot be cut out of a stream, or is no message."""
        self._faults.run(self._endpoint.receive_malformed, error, connection.flow)
        self._turn.finish(now)

    def receive_failures(self, failures: list[Failure]) -> None:
        """Connections closed, or ICMP errors came."""
        now = self._clock.now()
        for flow, reason in failures:
            if flow.connection:
                self._bus.tell_closed(flow, reason)
        is_nested = self._turn.is_open
        self._turn.begin()
        self._turn.fail(failures, now)
        if not is_nested:
            self._turn.finish(now)

    # -- other workers

    def receive_frames(self, frames: list[Frame]) -> None:
        """Messages that are ours, what leaves by our connections, closed connections, and news."""
        now = self._clock.now()
        self._turn.begin()
        try:
            for frame in frames:
                self._faults.run(self._take_frame, frame, now)
        finally:
            self._turn.finish(now)

    def _take_frame(self, frame: Frame, now: float) -> None:
        kind, slot, first, rest = frame
        if kind == Kind.NEWS:
            self._bus.tell(frame)
        elif kind == Kind.SEND:
            flow = unpack_flow(first)
            if is_between_workers(flow):
                self._turn.take(rest, flow_to_worker(slot), now)
            else:
                self._flows.for_streams.append((rest, flow))
        elif kind == Kind.FAILED:
            self._turn.fail([(unpack_flow(first), rest.decode())], now)
        else:
            self._turn.take(rest, unpack_flow(first), now)


def _acknowledges(data: bytes, mark: bytes) -> bool:
    """Whether an ACK is for a refusal, for which nobody waits."""
    return data.startswith(b"ACK ") and mark in data
