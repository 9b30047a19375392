"""Session descriptions; RFC 8866.

A description is read in one pass into frozen values. Attributes stay (name, value) pairs and are interpreted
when somebody asks. Only their numbers are checked at once: a relayed description must not carry a bomb on.
Lines that nothing here understands are kept and written again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from ..errors import LocalProtocolError, RemoteProtocolError
from .attributes import Connection, Direction, Origin, parse_origin
from .lines import (
    BEFORE_CONNECTION,
    MAX_KNOWN,
    MAX_KNOWN_TEXT,
    MAX_LINES,
    Attribute,
    check_counts,
    checked_bandwidth,
    checked_other,
    direction_in,
    find,
    first_connection,
    in_order,
    known_attribute,
    parse_attribute,
    write_tail,
)
from .media import Media, parse_media, write_media

MAX_SIZE = 65535
MAX_MEDIA = 16

_TIMING = re.compile(r"t=[0-9]{1,20} [0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class Description:
    """A session description: ``parse`` reads it, ``bytes`` writes it."""

    origin: Origin
    session_name: str = "-"
    connection: Connection | None = None
    bandwidths: tuple[str, ...] = ()
    times: tuple[str, ...] = ("t=0 0",)  # t=, r= and z= lines as they are: SIP makes no use of them
    attributes: tuple[Attribute, ...] = ()
    media: tuple[Media, ...] = ()
    others: tuple[str, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Description:
        """Read a description; 413, 488 or 400 says what is wrong with it."""
        if len(data) > MAX_SIZE:
            raise RemoteProtocolError(f"SDP of {len(data)} bytes, at most {MAX_SIZE} are read", status=413)
        # surrogateescape: another charset (a=charset) or garbage comes out again as it came in
        text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
        if "\r" in text or "\0" in text:
            raise RemoteProtocolError("SDP with a bare CR or a NUL")
        head, *sections = text.rstrip("\n").split("\nm=", MAX_MEDIA + 1)
        if len(sections) > MAX_MEDIA:
            raise RemoteProtocolError(f"SDP with more than {MAX_MEDIA} m-lines", status=488)
        description = _parse_session(head, tuple([parse_media(section) for section in sections]))
        if description.connection is None:
            for media in description.media:
                if media.connection is None and media.port:
                    raise RemoteProtocolError(f"SDP without c= for m={media.kind}")
        return description

    def __bytes__(self) -> bytes:
        lines = ["v=0", f"o={self.origin}", f"s={self.session_name}"]
        before = [line for line in self.others if line[0] in BEFORE_CONNECTION]
        lines += before
        if self.connection is not None:
            lines.append(f"c={self.connection}")
        lines += [f"b={bandwidth}" for bandwidth in self.bandwidths]
        lines += self.times
        write_tail(lines, self.others, self.attributes)
        for media in self.media:
            write_media(lines, media)
        text = "\r\n".join(lines)
        if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1 or "\0" in text:
            raise LocalProtocolError("CR, LF or NUL inside an SDP line")
        return text.encode("utf-8", "surrogateescape") + b"\r\n"

    def get(self, name: str) -> str | None:
        """Return the value of the first session attribute of that name; "" for a flag, None when absent."""
        return find(self.attributes, name)

    def connection_of(self, media: Media) -> Connection | None:
        """Return the address of one m-line: its own c= or the session's."""
        return media.connection or self.connection

    def direction_of(self, media: Media) -> Direction:
        """Return the direction of one m-line: its own, the session's, or sendrecv; RFC 8866 §6.7."""
        return media.direction or direction_in(self.attributes) or Direction.SENDRECV


class _Rest(NamedTuple):
    """What follows the v= and o= lines of a session."""

    session_name: str
    connection: Connection | None
    bandwidths: tuple[str, ...]
    times: tuple[str, ...]
    attributes: tuple[Attribute, ...]
    others: tuple[str, ...]


def _parse_session(head: str, media: tuple[Media, ...]) -> Description:
    version, _, rest = head.partition("\n")
    if version != "v=0":
        raise RemoteProtocolError("SDP that does not begin with v=0")
    origin, _, text = rest.partition("\n")
    if origin[:2] != "o=":
        raise RemoteProtocolError("SDP without o= in its second line")
    found = _known_rest(text) if len(text) < MAX_KNOWN_TEXT else _parse_rest(text)
    return Description(parse_origin(origin[2:]), *found[:-1], media, found.others)


def _parse_rest(text: str) -> _Rest:
    lines = text.split("\n", MAX_LINES) if text else []
    session_name = None
    connection = None
    attributes, bandwidths, times, others = [], [], [], []
    for line in lines:
        tag = line[:2]
        if tag == "a=":
            attributes.append(known_attribute(line) if len(line) < MAX_KNOWN else parse_attribute(line))
        elif tag == "c=":
            connection = first_connection(connection, line)
        elif tag == "s=" and session_name is None:
            session_name = line[2:]
        elif tag == "t=":
            times.append(_checked_timing(line))
        elif tag == "b=":
            bandwidths.append(checked_bandwidth(line))
        elif tag in ("r=", "z="):
            times.append(line)
        else:
            others.append(checked_other(line))
    check_counts(len(attributes), len(lines) + 2)
    return _Rest(
        "-" if session_name is None else session_name,  # some devices leave s= and t= out
        connection,
        tuple(bandwidths),
        tuple(times) or ("t=0 0",),
        tuple(attributes),
        tuple(in_order(others)),
    )


_known_rest = lru_cache(maxsize=512)(_parse_rest)


def _checked_timing(line: str) -> str:
    if not _TIMING.fullmatch(line):
        raise RemoteProtocolError(f"malformed line {line[:80]}")
    return line
