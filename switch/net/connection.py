"""One connection that speaks SIP, over TCP, TLS or WebSocket: octets to whole messages and back, and when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from websockets.frames import CloseCode

from switchroom.protocols import sip
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.sip.flow import Flow

from .limits import source_of
from .tls import names_of, proves
from .websocket import WebSocketStream

if TYPE_CHECKING:
    from .tcp import Connections

_MESSAGES_A_TURN = 64  # then the others have theirs
_PONGS_A_TURN = 8
_LINGER_TIMEOUT = 2.0  # for a refused client to read why


class Connection(asyncio.Protocol):
    """A connection that was accepted, or is being opened: it may be written to at once."""

    def __init__(self, owner: Connections, flow: Flow, now: float, *, is_outgoing: bool = False) -> None:
        self.flow = flow
        self.keys = [(flow.transport, flow.remote, flow.name)]  # what it may be used for
        self.peer_names: tuple[str, ...] = ()  # whom the remote end's certificate names, once it is verified
        self.source = source_of(flow.remote[0])
        self.is_used = False  # a message has come, or we opened it
        self.is_closing = False
        self.opened_at = self.active_at = self._heard_at = now
        self.why_closed = "remote"
        self._owner = owner
        self._is_outgoing = is_outgoing
        self._transport: asyncio.Transport | None = None
        self._unsent: list[bytes] = []  # until it is open
        self._websocket = self._make_websocket() if flow.transport in ("WS", "WSS") else None
        self._framer = self._websocket or sip.StreamFramer(
            owner.limits.max_message_size, owner.limits.max_head_size
        )
        self._is_open = False  # both handshakes, of TLS and of WebSocket, are over
        self._pinged_at: float | None = None
        self._partial_at: float | None = None  # when the first octet of an unfinished message came
        self._linger_at: float | None = None
        self._held: bytes | None = None  # a message that has to wait for its source's rate
        self._turn: asyncio.Handle | None = None
        self._is_paused = False

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The stream is open, the remote end's certificate checked."""
        self._transport = cast(asyncio.Transport, transport)
        if self.is_closing:
            self._transport.abort()
        elif self.flow.is_secure and not self._is_proven(transport):
            self._owner.counters.handshakes["tls_failed"] += 1
            self.abort("certificate")
        elif self._websocket is None:
            self._on_open()
        else:
            self._tend(self._websocket)

    def data_received(self, data: bytes) -> None:
        """Octets came."""
        if self.is_closing:
            return
        self._heard_at = self._owner.now()
        if self._websocket is None:  # there pongs must not make a stranger look busy
            self.active_at = self._heard_at
        self._framer.receive_data(data)
        if self._turn is None:
            self._take_turn()

    def connection_lost(self, error: Exception | None) -> None:
        """The stream is closed, by whomever."""
        if self._turn is not None:
            self._turn.cancel()
        if error is not None and not self.is_closing:
            self.why_closed = "reset"
        self._owner.remove(self)

    # -- our side

    def send(self, data: bytes) -> None:
        """Write a message; whoever does not read what he asked for loses the connection."""
        limit = self._owner.limits.write_buffer_size
        if self.is_closing:
            return
        if self._transport is None or not self._is_open:
            self._unsent.append(data)
            if sum(map(len, self._unsent)) > limit:
                self.abort("write_buffer")
        elif self._transport.get_write_buffer_size() > limit:
            self.abort("write_buffer")
        else:
            self._transport.write(data if self._websocket is None else self._websocket.wrap(data))

    def abort(self, why: str) -> None:
        """Close at once."""
        self._close(why)
        if self._transport is not None:
            self._transport.abort()

    def close(self, why: str) -> None:
        """Close when what is written has been sent."""
        is_speaking = not self.is_closing
        self._close(why)
        if self._transport is not None:
            if self._websocket is not None and is_speaking:
                self._transport.write(self._websocket.close(CloseCode.GOING_AWAY))
            self._transport.close()

    def overdue(self, now: float) -> str | None:
        """Say why the connection has to be closed, if it has to."""
        limits = self._owner.limits
        if self._linger_at is not None:
            return "linger" if now >= self._linger_at else None
        if self.is_closing or self._turn is not None:  # it waits for us, not we for it
            return None
        if not self._is_open and self._transport is not None:  # before that asyncio looks after TLS
            return "handshake_timeout" if now - self.opened_at >= limits.handshake_timeout else None
        if self._partial_at is not None:  # the time is that of the first octet: a dribbler gains nothing
            return "message_timeout" if now - self._partial_at >= limits.message_timeout else None
        if not self.is_used and now - self.opened_at >= limits.message_timeout:
            return "unused"
        return "idle_timeout" if now - self.active_at >= limits.idle_timeout else None

    def keep_alive(self, now: float) -> None:
        """Ping a WebSocket that says nothing: proxies close what is silent, and a dead one is noticed."""
        interval = self._owner.websocket.ping_interval
        if self._websocket is None or not self._is_open or self.is_closing or not interval:
            return
        if self._pinged_at is not None and self._heard_at < self._pinged_at:
            if now - self._pinged_at >= interval:
                self.abort("ping_timeout")
        elif now - self._heard_at >= interval and self._transport is not None:
            self._pinged_at = now
            self._transport.write(self._websocket.ping())

    def _make_websocket(self) -> WebSocketStream:
        owner, flow = self._owner, self.flow
        server = (flow.transport, flow.name or flow.remote[0], flow.remote[1]) if self._is_outgoing else None
        return WebSocketStream(owner.websocket, owner.limits.max_message_size, server=server)

    def _is_proven(self, transport: asyncio.BaseTransport) -> bool:
        """Whether the remote end is whom we wanted; a client may be anybody, but its names are kept."""
        flow, tls = self.flow, self._owner.tls
        self.peer_names = names_of(transport.get_extra_info("ssl_object").getpeercert())
        if not self._is_outgoing or tls is None or not tls.is_verifying:
            return True
        return proves(self.peer_names, flow.name or flow.remote[0], is_web=flow.transport == "WSS")

    def _on_open(self) -> None:
        """Send what waited for that."""
        self._is_open = True
        if self.flow.transport != "TCP":
            self._owner.counters.handshakes[self.flow.transport.lower()] += 1
        unsent, self._unsent = self._unsent, []
        for data in unsent:
            self.send(data)

    def _tend(self, websocket: WebSocketStream) -> None:
        """Send what WebSocket itself has to say, and end when it says so."""
        assert self._transport is not None
        if output := websocket.take_output():
            if self._transport.get_write_buffer_size() > self._owner.limits.write_buffer_size:
                self.abort("write_buffer")
                return
            self._transport.write(output)
        if websocket.is_open and not self._is_open:
            self._on_open()
        if websocket.is_over and not self.is_closing:
            if not self._is_open:
                self._owner.counters.handshakes[f"{self.flow.transport.lower()}_failed"] += 1
            self._end("websocket", self._owner.now())

    def _close(self, why: str) -> None:
        if not self.is_closing:
            self.is_closing = True
            self.why_closed = why
            self._owner.forget(self)

    def _take_turn(self) -> None:
        """Hand on whole messages, so many at a time; the rest waits, and unread octets stay in the kernel."""
        self._turn = None
        now = self._owner.now()
        delay, error = None, None
        try:
            delay = self._hand_on(now)
        except RemoteProtocolError as malformed:
            error = malformed
        finally:
            self._owner.finish_turn(now)  # answers to what came before an error go first
        if self.is_closing:
            return
        if error is not None:
            self._refuse(error, now)
        elif delay is not None:
            self._partial_at = None
            self._pause(is_paused=True)
            loop = asyncio.get_running_loop()
            self._turn = loop.call_later(delay, self._take_turn) if delay else loop.call_soon(self._take_turn)
        else:
            self._pause(is_paused=False)

    def _pause(self, *, is_paused: bool) -> None:
        if self._transport is None or self.is_closing or self._is_paused == is_paused:
            return
        self._is_paused = is_paused
        if is_paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _hand_on(self, now: float) -> float | None:
        """Hand on messages; return after how long to go on, None when there are no more."""
        for _ in range(_MESSAGES_A_TURN):
            data = self._held or self._framer.next_message()
            self._answer_pings()
            if self._websocket is not None:
                self._tend(self._websocket)
                if self.is_closing:
                    return None
            if data is None:
                if not self._framer.is_partial:
                    self._partial_at = None
                elif self._partial_at is None:
                    self._partial_at = now
                return None
            self._partial_at = None  # the next message has its own time
            self.active_at = now
            delay = self._owner.receive(data, self, now)
            self._held = data if delay else None
            if delay or self.is_closing:
                return delay
            self.is_used = True
        return 0.0

    def _answer_pings(self) -> None:
        """Answer keep-alives, each double CRLF with a single one (RFC 5626 §3.5.1)."""
        pings, self._framer.pings = self._framer.pings, 0
        if pings:
            self._owner.counters.keep_alives += pings
            self.send(b"\r\n" * (min(pings, _PONGS_A_TURN) if self._websocket is None else 1))

    def _refuse(self, error: RemoteProtocolError, now: float) -> None:
        """Say what is wrong if there is whom to say it to, then read no further (RFC 3261 §18.3)."""
        self._owner.refuse(error, self, now)
        if self.is_closing or self._transport is None:
            return
        if self._websocket is not None:
            self._transport.write(self._websocket.close(CloseCode.PROTOCOL_ERROR))
        self._end("malformed", now)

    def _end(self, why: str, now: float) -> None:
        """Read no further and let the remote end read what we said last."""
        assert self._transport is not None
        self._pause(is_paused=False)
        self._close(why)
        self._linger_at = now + _LINGER_TIMEOUT  # closing now, with octets unread, would destroy the answer
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()  # TLS waits for the other end's good-bye by itself
