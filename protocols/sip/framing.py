"""Messages cut out of a byte stream by Content-Length; keep-alives between them (RFC 3261 §18.3, 5626)."""

from __future__ import annotations

import re

from ..errors import RemoteProtocolError
from .grammar import with_groups
from .head import LIMITS
from .message import ParseError, salvage

_END = b"\r\n\r\n"
_LENGTH = re.compile(
    with_groups(r"\r\n(?:content-length|l)[ \t]*+:((?:[^\r\n]|\r\n[ \t])*+)").encode(), re.IGNORECASE
)
_LINE_ENDS = re.compile(with_groups(r"(?:\r\n)++").encode())
_HALF_PINGS = (b"", b"\r", b"\r\n", b"\r\n\r")  # nothing, or a keep-alive that may still come


class StreamFramer:
    """Cuts what a connection delivers into whole messages; after an error the connection must be closed."""

    __slots__ = ("_buffer", "_is_broken", "_searched", "_size", "max_header_size", "max_size", "pings")

    def __init__(self, max_size: int = LIMITS.message_size, max_header_size: int = 32768) -> None:
        self.max_size = max_size
        self.max_header_size = min(max_header_size, max_size)
        self.pings = 0  # keep-alives (double CRLF) that the owner has not answered yet
        self._buffer = bytearray()
        self._searched = 0  # no end of the header section begins before this
        self._size = 0  # of the message at the front, 0 until its header section is complete
        self._is_broken = False

    @property
    def is_partial(self) -> bool:
        """Whether the connection owes the rest of a message; the owner counts how long."""
        return bytes(self._buffer[:4]) not in _HALF_PINGS

    @property
    def buffered_size(self) -> int:
        """Octets held."""
        return len(self._buffer)

    def receive_data(self, data: bytes) -> None:
        """Take what the connection delivered."""
        if self._is_broken:
            raise RemoteProtocolError("data after a framing error")
        self._buffer += data

    def next_message(self) -> bytes | None:
        """The next whole message, None when there is none yet; on an error nothing more can be read."""
        try:
            if not self._size:
                self._measure()
        except RemoteProtocolError:
            self._is_broken = True
            self._buffer.clear()
            raise
        if not self._size or len(self._buffer) < self._size:
            return None
        message = bytes(self._buffer[: self._size])
        del self._buffer[: self._size]
        self._size = self._searched = 0
        return message

    def _measure(self) -> None:
        """Find out how large the message at the front is, once its header section is whole."""
        self._drop_line_ends()
        end = self._buffer.find(_END, self._searched)
        if max(end, 0 if end >= 0 else len(self._buffer)) > self.max_header_size:
            raise RemoteProtocolError(
                f"header section of more than {self.max_header_size} octets", status=513
            )
        if end < 0:
            self._searched = max(0, len(self._buffer) - len(_END) + 1)
        else:
            end += len(_END)
            self._size = end + self._body_size(end)

    def _drop_line_ends(self) -> None:
        """Drop the line ends in front of a message (§7.5); each pair of them is a keep-alive."""
        found = _LINE_ENDS.match(self._buffer)
        if found is None:
            return
        count = found.end() // 2
        if bytes(self._buffer[found.end() : found.end() + 2]) in (b"", b"\r") and count % 2:
            count -= 1  # the last one may be half of a ping
        self.pings += count // 2
        del found  # it holds the buffer, which could not shrink
        del self._buffer[: 2 * count]

    def _body_size(self, end: int) -> int:
        """The declared size; without one a stream cannot be cut (§18.3), with two it is a smuggler's."""
        lengths = [bytes(value).strip(b" \t\r\n") for value in _LENGTH.findall(self._buffer, 0, end)]
        if len(lengths) != 1:
            raise self._error(f"Content-Length stands {len(lengths)} times in a stream", end)
        if not lengths[0].isdigit():
            raise self._error(f"Content-Length is not a number: {lengths[0]!r:.40}", end)
        digits = lengths[0].lstrip(b"0") or b"0"
        # refused before a single octet of it is read or room made for it
        if len(digits) > 9 or end + int(digits) > self.max_size:
            raise self._error(f"Content-Length: message of more than {self.max_size} octets", end, status=413)
        return int(digits)

    def _error(self, text: str, end: int, status: int = 400) -> ParseError:
        return ParseError(text, status=status, request=salvage(bytes(self._buffer[:end])))
