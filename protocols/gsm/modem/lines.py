"""Lines and prompts out of what a modem writes (ITU-T V.250 §5.7), however it comes in pieces."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["PROMPT", "LineReader"]

PROMPT = ">"  # a line of its own kind: it has no end
MAX_LINE = 8192  # octets; the longest answer is a list of what AT+CLAC knows


class LineReader:
    """Cuts octets into lines without their ends; empty ones are left out."""

    __slots__ = ("_buffer", "_is_overlong", "wants_prompt")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._is_overlong = False
        self.wants_prompt = False  # else a ">" is nothing but the beginning of a line

    def receive_data(self, data: bytes) -> Iterator[str]:
        """The lines that are whole now. What is longer than any line is thrown away up to its end."""
        for piece in data.replace(b"\r", b"\n").splitlines(keepends=True):
            if len(self._buffer) + len(piece) > MAX_LINE:
                self._buffer.clear()
                self._is_overlong = True
            if not self._is_overlong:
                self._buffer += piece
            if piece.endswith(b"\n"):
                if self._is_overlong:
                    self._is_overlong = False
                elif line := self._take():
                    yield line
        if self.wants_prompt and self._buffer.lstrip(b" \0").startswith(b">"):
            self._buffer.clear()
            yield PROMPT

    def clear(self) -> None:
        """Begin anew: the other end did."""
        self._buffer.clear()
        self._is_overlong = False

    def _take(self) -> str:
        # Latin-1: whatever octets a modem writes are some text; NUL and 0xFF come of line noise
        line = self._buffer.decode("latin-1").strip("\n \0\xff\x1a\x1b")
        self._buffer.clear()
        return line
