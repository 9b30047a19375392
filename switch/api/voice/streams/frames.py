"""The client's side of WebSocket (RFC 6455), without a socket: messages into frames, octets into messages.

Media Streams send 50 small messages a second each way, for each call: this takes a few microseconds for one.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator

from websockets.utils import apply_mask

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MAX_HEAD = 16384
_CONTROL = 8  # opcodes from here on
_MAX_CONTROL = 125

Message = tuple[int, bytes]  # opcode and payload


class FrameError(Exception):
    """The other side does not speak WebSocket."""


class Handshake:
    """The request that opens a WebSocket, and what is made of the answer."""

    def __init__(self, host: str, target: str, headers: dict[str, str]) -> None:
        self._key = base64.b64encode(os.urandom(16)).decode()
        given = {
            "Host": host,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": self._key,
            "Sec-WebSocket-Version": "13",
            **headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        self.request = f"GET {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1", "replace")
        self._unread = b""

    def receive_data(self, data: bytes) -> bytes | None:
        """Octets of the answer; what came after it as soon as it is whole. FrameError: it is a refusal."""
        self._unread += data
        head, end, rest = self._unread.partition(b"\r\n\r\n")
        if not end:
            if len(head) > _MAX_HEAD:
                raise FrameError("its answer has no end")
            return None
        status, *lines = head.split(b"\r\n")
        words = status.split(b" ", 2)
        if len(words) < 2 or words[1] != b"101" or not words[0].startswith(b"HTTP/1."):
            shown = words[1][:3].decode("latin-1") if len(words) > 1 else "no status"
            raise FrameError(f"it answered with {shown} instead of 101")
        fields = {
            name.strip().lower(): value.strip() for name, _, value in (one.partition(b":") for one in lines)
        }
        accept = base64.b64encode(hashlib.sha1(self._key.encode() + _GUID, usedforsecurity=False).digest())
        if (
            fields.get(b"upgrade", b"").lower() != b"websocket"
            or fields.get(b"sec-websocket-accept") != accept
        ):
            raise FrameError("it answered with a handshake that is not ours")
        return rest


def frame(opcode: int, payload: bytes) -> bytes:
    """A whole message as one frame, masked as clients have to."""
    size = len(payload)
    key = os.urandom(4)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 65536:
        head = bytes((0x80 | opcode, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0x80 | 127)) + size.to_bytes(8, "big")
    return head + key + apply_mask(payload, key)


class Reader:
    """Octets into messages."""

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._unread = b""
        self._parts: list[bytes] = []
        self._opcode = 0  # of a message whose end is to come

    def receive_data(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that are whole now. FrameError: that is none, or too large."""
        unread = self._unread + data if self._unread else data
        at, end = 0, len(unread)
        try:
            while end - at >= 2:
                size, body = unread[at + 1], at + 2
                if size & 0x80:
                    raise FrameError("a server does not mask")
                if size == 126:
                    size, body = int.from_bytes(unread[at + 2 : at + 4], "big"), at + 4
                elif size == 127:
                    size, body = int.from_bytes(unread[at + 2 : at + 10], "big"), at + 10
                if size > self._max_size:
                    raise FrameError("a message is too large")
                if body > end or end - body < size:
                    return
                first, payload = unread[at], unread[body : body + size]
                at = body + size
                message = self._take(first, payload)
                if message is not None:
                    yield message
        finally:
            self._unread = unread[at:]

    def _take(self, first: int, payload: bytes) -> Message | None:
        opcode, is_last = first & 0x0F, bool(first & 0x80)
        if first & 0x70 or opcode not in (0, TEXT, BINARY, CLOSE, PING, PONG):
            raise FrameError("a frame has bits that nobody asked for")
        if opcode >= _CONTROL:
            if not is_last or len(payload) > _MAX_CONTROL:
                raise FrameError("a frame of control is not whole")
            return opcode, payload
        if is_last and opcode and not self._opcode:
            return opcode, payload
        if bool(opcode) == bool(self._opcode):
            raise FrameError("a message begins within another, or goes on that has not begun")
        self._opcode = self._opcode or opcode
        self._parts.append(payload)
        if sum(map(len, self._parts)) > self._max_size or len(self._parts) > self._max_size // 16:
            raise FrameError("a message is too large")
        if not is_last:
            return None
        message = self._opcode, b"".join(self._parts)
        self._parts, self._opcode = [], 0
        return message
