"""Bodies of several parts, read without recursion and within limits (RFC 2046 §5.1, RFC 5621)."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import RemoteProtocolError
from .grammar import TOKEN, find_param, has_bare_control, header_key, is_token, match_params, unfold
from .message import Message

MAX_DEPTH = 4
MAX_PARTS = 32
MAX_HEADER_SIZE = 8192

_MULTIPART = re.compile(rf"multipart[ \t]*+/[ \t]*+{TOKEN}[ \t]*+", re.IGNORECASE)
_BOUNDARY = re.compile(r"[-0-9A-Za-z'()+_,./:=? ]{0,69}[-0-9A-Za-z'()+_,./:=?]")
_AFTER_BOUNDARY = re.compile(rb"(--)?[ \t]*+(?:\r\n|\Z)")


class Part(NamedTuple):
    """One part of a body with its own headers."""

    headers: tuple[tuple[str, str], ...]
    body: bytes

    def get(self, name: str) -> str | None:
        """The first value of this header."""
        wanted = header_key(name)
        return next((value for key, value in self.headers if header_key(key) == wanted), None)

    @property
    def content_type(self) -> str:
        """type/subtype in lower case."""
        return (self.get("content-type") or "text/plain").partition(";")[0].strip(" \t").lower()


def body_parts(message: Message) -> tuple[Part, ...]:
    """The message's body in its parts, one if it is not a multipart, none if it is empty."""
    if not message.body:
        return ()
    content_type = message.get("content-type")
    return parse_multipart(content_type or "application/octet-stream", message.body)


def parse_multipart(content_type: str, body: bytes) -> tuple[Part, ...]:
    """The innermost parts in their order; RemoteProtocolError when nested or split beyond the limits."""
    found = []
    waiting = [(Part((("Content-Type", content_type),), body), 0)]
    count = 0
    while waiting:
        part, depth = waiting.pop()
        boundary = _boundary(part.get("content-type") or "")
        if boundary is None:
            found.append(part)
            continue
        if depth == MAX_DEPTH:
            raise RemoteProtocolError(f"multipart nested deeper than {MAX_DEPTH}")
        inner = _split(part.body, boundary)
        count += len(inner)
        if count > MAX_PARTS:
            raise RemoteProtocolError(f"multipart of more than {MAX_PARTS} parts")
        waiting += [(_parse_part(piece), depth + 1) for piece in reversed(inner)]
    return tuple(found)


def _boundary(content_type: str) -> bytes | None:
    """The boundary parameter of a multipart type, None for any other type."""
    found = _MULTIPART.match(content_type)
    if found is None:
        return None
    params, at = match_params(content_type, found.end())
    boundary = find_param(params, "boundary")
    if at < len(content_type) or boundary is None or _BOUNDARY.fullmatch(boundary) is None:
        raise RemoteProtocolError(f"multipart without a boundary: {content_type!r:.80}")
    return boundary.encode("ascii")


def _split(body: bytes, boundary: bytes) -> list[bytes]:
    """What stands between the delimiter lines; preamble and epilogue are not parts."""
    delimiter = b"\r\n--" + boundary
    pieces: list[bytes] = []
    start = None
    at = 0 if body.startswith(delimiter[2:]) else body.find(delimiter)
    while at >= 0:
        is_first_line = at == 0 and not body.startswith(b"\r\n")
        after = _AFTER_BOUNDARY.match(body, at + len(delimiter) - 2 * is_first_line)
        if after is None:  # a longer line that begins like the delimiter
            at = body.find(delimiter, at + 1)
            continue
        if start is not None:
            # the delimiter's CRLF may be the one that ended the line of the delimiter before
            pieces.append(body[start : max(start, at)])
        if after[1] is not None:
            return pieces
        if len(pieces) > MAX_PARTS:
            break
        start = after.end()
        at = body.find(delimiter, max(0, start - 2))
    if len(pieces) > MAX_PARTS:
        raise RemoteProtocolError(f"multipart of more than {MAX_PARTS} parts")
    raise RemoteProtocolError("multipart without end")


def _parse_part(piece: bytes) -> Part:
    """A part's headers, which may be none, and its body."""
    if piece.startswith(b"\r\n"):
        return Part((), piece[2:])
    head, _, body = piece.partition(b"\r\n\r\n")
    if not head:
        return Part((), body)
    if len(head) > MAX_HEADER_SIZE:
        raise RemoteProtocolError(f"multipart: part with more than {MAX_HEADER_SIZE} octets of headers")
    text = head.decode("utf-8", "surrogateescape")
    headers = []
    for line in re.split(r"\r\n(?![ \t])", text):
        name, colon, value = line.partition(":")
        name, value = name.rstrip(" \t"), unfold(value)
        if not colon or not is_token(name) or has_bare_control(value):
            raise RemoteProtocolError(f"multipart: malformed header: {line!r:.60}")
        headers.append((name, value))
    return Part(tuple(headers), body)
