"""Cuts what a usual phone says into what differs in each of its calls, and what it says in all of them.

And puts it together again, with our own in the places.
"""

from __future__ import annotations

__all__ = ["LINE", "cut", "put"]

LINE = b"\r\nm=audio "
_SPACE, _ZERO, _NINE, _TILDE = b" 09~"


def cut(data: bytes) -> tuple[bytes, int] | None:
    """Return all from the address (of IPv4) in its origin on, without the port of its sound, and that port.

    None: an origin with a long name or long numbers, or a port that has no next one.
    """
    own_at = _own_at(data)
    port_at = data.find(LINE, own_at) + len(LINE)
    end = _end_of(data, port_at, _ZERO, _NINE, 5)
    if own_at == 0 or port_at < own_at or end == 0 or data[port_at] == _ZERO:
        return None
    port = int(data[port_at:end])
    return (data[own_at:port_at] + data[end:], port) if port < 65535 else None


def put(origin: tuple[str, int, int, str, str], host: str, head: bytes, port: int, tail: bytes) -> bytes:
    """Return a description that begins with that origin and goes on behind its address and its port."""
    username, number, version, family, own = origin
    start = f"v=0\r\no={username} {number} {version} IN {family} {own}\r\ns=-\r\nc=IN {family} {host}"
    return b"".join((start.encode(), head, str(port).encode(), tail))


def _own_at(data: bytes) -> int:
    """Where that address begins, behind a name and two numbers; 0: not as usual."""
    at = _end_of(data, 7, _SPACE + 1, _TILDE, 64) if data.startswith(b"v=0\r\no=") else 0
    for _ in range(2):
        at = _end_of(data, at + 1, _ZERO, _NINE, 18) if at else 0
    return at + 8 if at and data.startswith(b" IN IP4 ", at) else 0


def _end_of(data: bytes, at: int, least: int, most: int, longest: int) -> int:
    """Where a word of such octets ends that begins there; 0: none does, or no space follows."""
    size, end = len(data), at
    while end < size and least <= data[end] <= most:
        end += 1
    return end if end < size and data[end] == _SPACE and at < end <= at + longest else 0


try:  # noqa: SIM105 - the form of the house for twins
    from ._cut import cut, put
except ImportError:  # not built: the same answers, slower
    pass
