"""The lines that a session and its streams have in common: a=, b=, c=, and unknown ones; RFC 8866 §5."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from ..errors import RemoteProtocolError
from .attributes import Connection, Direction, parse_connection, parse_ptime, parse_rtcp, parse_rtpmap

MAX_ATTRIBUTES = 256  # for each m-line, and for the session; a browser says 120 of its video
MAX_OTHER_LINES = 32
MAX_LINES = MAX_ATTRIBUTES + MAX_OTHER_LINES

BEFORE_CONNECTION = "iuep"  # the order of RFC 8866 §9; k= comes before a=, unknown letters at the end
_ORDER = {letter: rank for rank, letter in enumerate(BEFORE_CONNECTION + "k")}
_BANDWIDTH = re.compile(r"[!-9;-~]{1,64}:[0-9]{1,12}")


class Attribute(NamedTuple):
    """One a= line; ``value`` is None for a flag such as a=rtcp-mux."""

    name: str
    value: str | None = None


def parse_attribute(line: str) -> Attribute:
    name, colon, value = line[2:].partition(":")
    check = _CHECKS.get(name)
    if check is not None:
        check(value)
    return Attribute(name, value if colon else None)


_CHECKS: dict[str, Callable[[str], object]] = {
    "rtpmap": parse_rtpmap,
    "rtcp": parse_rtcp,
    "ptime": parse_ptime,
    "maxptime": parse_ptime,
}
known_attribute = lru_cache(maxsize=1024)(parse_attribute)  # phones say the same few lines in every call
MAX_KNOWN = 48  # longer lines (candidates, keys) differ from call to call and are not worth remembering


MAX_KNOWN_TEXT = 512  # what a desk phone says of a stream in every call; a browser's keys stay out of memory

DIRECTIONS = {direction.value: direction for direction in Direction}


def find(attributes: tuple[Attribute, ...], name: str) -> str | None:
    for key, value in attributes:
        if key == name:
            return value or ""
    return None


def direction_in(attributes: tuple[Attribute, ...]) -> Direction | None:
    for key, _ in attributes:
        if key in DIRECTIONS:
            return DIRECTIONS[key]
    return None


def first_connection(already: Connection | None, line: str) -> Connection:
    if already is not None:  # allowed for layered multicast only
        raise RemoteProtocolError("SDP with several c= for one stream", status=488)
    return parse_connection(line[2:])


def checked_bandwidth(line: str) -> str:
    value = line[2:]
    if not _BANDWIDTH.fullmatch(value):
        raise RemoteProtocolError(f"malformed line {line[:80]}")
    return value


def checked_other(line: str) -> str:
    if line[1:2] != "=" or line[0] in "vostm":  # those stand once, at their place
        raise RemoteProtocolError(f"unexpected line {line[:80]!r} in SDP")
    return line


def check_counts(attribute_count: int, line_count: int) -> None:
    if attribute_count > MAX_ATTRIBUTES or line_count > MAX_LINES:
        raise RemoteProtocolError(f"more than {MAX_ATTRIBUTES} attributes for one stream in SDP", status=488)


def in_order(others: list[str]) -> list[str]:
    return sorted(others, key=lambda line: _ORDER.get(line[0], 9)) if others else others


def write_tail(lines: list[str], others: tuple[str, ...], attributes: tuple[Attribute, ...]) -> None:
    lines += [line for line in others if line[0] == "k"]
    lines += [f"a={name}" if value is None else f"a={name}:{value}" for name, value in attributes]
    lines += [line for line in others if line[0] not in _ORDER]
