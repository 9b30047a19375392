"""SIP over WebSocket (RFC 7118): one message in each of its messages, on the sans-I/O ``websockets``."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol
from websockets.uri import parse_uri

from switchroom.switch.config import join_address

_SIP = Subprotocol("sip")
_MAX_HANDSHAKE_SIZE = 16384  # octets; a browser with many cookies sends half of that
_SLICE_SIZE = 4096  # octets that are read at once: then it is seen how many frames they were
_MAX_FRAMES = 64  # in a slice; whoever sends smaller ones wants to keep us busy
_LOGGER = logging.getLogger("switchroom.websocket")
_LOGGER.addHandler(logging.NullHandler())
_LOGGER.propagate = False


@dataclass(frozen=True, slots=True)
class WebSocketRules:
    """Who may connect, and how."""

    path: str = ""  # others get 404; empty: any
    origins: tuple[str, ...] = ()  # of pages; empty: any
    ping_interval: float = 25.0  # seconds of silence; 0: never


class WebSocketStream:
    """Octets of a connection to SIP messages and back; the same face as ``sip.StreamFramer``."""

    def __init__(
        self, rules: WebSocketRules, max_message_size: int, *, server: tuple[str, str, int] | None = None
    ) -> None:
        """``server`` is transport, host (its name, if it has one) and port of one that we connect to."""
        self.pings = 0
        self._rules = rules
        self._unread = bytearray()
        self._events: deque[Request | Response | Frame] = deque()
        self._output: list[bytes] = []
        self._fragments: list[bytes] = []
        self._is_amid = False
        self._handshake_size = 0
        self.is_over = False  # nothing more will be read; what is to be sent is
        self._protocol: ServerProtocol | ClientProtocol
        if server is None:
            # A program without Origin could write any: only pages are held to the list.
            origins: Sequence[Origin | None] | None = [*map(Origin, rules.origins), None]
            self._protocol = ServerProtocol(
                origins=origins if rules.origins else None,
                subprotocols=[_SIP],
                max_size=max_message_size,
                logger=_LOGGER,
            )
        else:
            transport, host, port = server
            url = f"{transport.lower()}://{join_address(host, port)}{rules.path or '/'}"
            self._protocol = ClientProtocol(
                parse_uri(url), subprotocols=[_SIP], max_size=max_message_size, logger=_LOGGER
            )
            self._protocol.send_request(self._protocol.connect())

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._protocol.state is State.OPEN

    @property
    def is_partial(self) -> bool:
        """Whether the rest of something is to come."""
        return self._is_amid or bool(self._fragments)

    def receive_data(self, data: bytes) -> None:
        """Take octets."""
        self._unread += data

    def next_message(self) -> bytes | None:
        """Return the next message, or None when it is not there yet."""
        while True:
            while self._events:
                message = self._on_event(self._events.popleft())
                if message is not None:
                    return message
            if not self._unread or self.is_over:
                return None
            self._read_slice()

    def wrap(self, data: bytes) -> bytes:
        """Return what carries a message: a text frame, as browsers like it, where it is one (RFC 7118 §5)."""
        try:
            data.decode()
        except UnicodeDecodeError:
            self._protocol.send_binary(data)
        else:
            self._protocol.send_text(data)
        return self.take_output()

    def take_output(self) -> bytes:
        """Return what is to be sent beside the messages: answers to pings, to handshakes, closing."""
        for data in self._protocol.data_to_send():
            if data:
                self._output.append(data)
            else:
                self.is_over = True
        output, self._output = self._output, []
        return b"".join(output)

    def ping(self) -> bytes:
        """Return a ping."""
        self._protocol.send_ping(b"")
        return self.take_output()

    def close(self, code: CloseCode) -> bytes:
        """Return the good-bye."""
        if self.is_open:
            self._protocol.send_close(code)
        return self.take_output()

    def _read_slice(self) -> None:
        data = bytes(self._unread[:_SLICE_SIZE])
        del self._unread[:_SLICE_SIZE]
        if self._protocol.state is State.CONNECTING:
            self._handshake_size += len(data)
        self._protocol.receive_data(data)
        self._events.extend(self._protocol.events_received())
        self._is_amid = not self._events
        is_endless = self._protocol.state is State.CONNECTING and self._handshake_size > _MAX_HANDSHAKE_SIZE
        if is_endless or (not self._events and self._protocol.close_expected()):
            self._end()
        elif len(self._events) > _MAX_FRAMES:
            self._events.clear()
            self._protocol.fail(CloseCode.POLICY_VIOLATION, "too many frames")
            self._end()

    def _end(self) -> None:
        self.is_over = True
        self._unread.clear()

    def _on_event(self, event: Request | Response | Frame) -> bytes | None:
        if isinstance(event, Frame):
            return self._on_frame(event)
        if isinstance(event, Request):
            self._answer_handshake(event)
        elif self._protocol.handshake_exc is not None:  # the server wants no WebSocket, or no SIP
            self._end()
        return None

    def _answer_handshake(self, request: Request) -> None:
        assert isinstance(self._protocol, ServerProtocol)
        path = request.path.partition("?")[0]
        if self._rules.path and path != self._rules.path:
            response = self._protocol.reject(HTTPStatus.NOT_FOUND, "There is nothing here.\n")
        else:
            response = self._protocol.accept(request)
        self._protocol.send_response(response)

    def _on_frame(self, frame: Frame) -> bytes | None:
        if frame.opcode is Opcode.CLOSE:
            self._end()
            return None
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return None
        self._fragments.append(bytes(frame.data))
        if not frame.fin:
            return None
        message = b"".join(self._fragments)
        self._fragments.clear()
        if not message.strip(b"\r\n"):  # RFC 5626 §3.5.1, as some browsers' libraries do it
            self.pings += 1
            return None
        return message
