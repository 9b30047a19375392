"""Which m-lines of a description share one transport; RFC 8843.

What comes in there is told apart by its payload type (§9.2), or, where several lines have the same, by the
name of the line in each packet (MID, §15), or else by the sources that each of them names (RFC 5576). A line
of which none is its own does not join, and gets a transport of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from switchroom.protocols import sdp

if TYPE_CHECKING:
    from .channel import Channel

BUNDLE_ONLY = "bundle-only"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
_MAX_SOURCES = 8  # DECLARED
_MAX_MID = 16  # octets; MID_SIZE
_SHORT_IDS = range(1, 15)  # of header extensions in their short form; RFC 8285 §4.2
_UNHEARD = ("recvonly", "inactive")
_SOMEWHERE = 9  # the port of a line that has none of its own


def payloads_of(line: sdp.Media) -> int:
    """The payload types of a line, as bits."""
    bits = 0
    for name in line.formats if line.is_rtp else ():
        bits |= 1 << int(name)
    return bits


def sources_of(line: sdp.Media) -> tuple[int, ...]:
    """The sources that a line names, in their order; RFC 5576 §4.1."""
    words = [value.partition(" ")[0] for value in line.get_all("ssrc")]
    numbers = [int(word) for word in words if word.isascii() and word.isdecimal() and len(word) <= 10]
    return tuple(dict.fromkeys([one for one in numbers if 0 < one < 1 << 32]))[:_MAX_SOURCES]


def extensions_of(line: sdp.Media) -> Iterable[tuple[int, str]]:
    """The header extensions that a line sends, by their numbers; RFC 8285 §5."""
    for value in line.get_all("extmap"):
        words = value.split(" ")
        number, _, direction = words[0].partition("/")
        if len(words) > 1 and number.isascii() and number.isdecimal() and direction not in _UNHEARD:
            yield int(number[:6]), words[1]


def mid_id_of(line: sdp.Media) -> int:
    """The number of the extension by which a line's packets name it; 0: they do not."""
    mid = line.get("mid") or ""
    if not 0 < len(mid.encode()) <= _MAX_MID:
        return 0
    return next((number for number, uri in extensions_of(line) if uri == MID and 0 < number < 256), 0)


def unused_id(lines: Sequence[sdp.Media]) -> int:
    """A number for an extension of ours; 0: all are taken."""
    taken = {number for line in lines for number, _ in extensions_of(line)}
    return next((number for number in _SHORT_IDS if number not in taken), 0)


def are_alike(lines: Sequence[sdp.Media], leads: Iterable[int]) -> bool:
    """Whether any two of those that share a transport have a payload type in common."""
    seen = 0
    for i in leads:
        bits = payloads_of(lines[i])
        if bits & seen:
            return True
        seen |= bits
    return False


def leads_of(
    lines: Sequence[sdp.Media], members: Iterable[int], *, is_theirs: bool = False, is_asked: bool = False
) -> dict[int, int]:
    """Return by line which one leads the bundle that it is in; ``members`` are those that may be.

    ``is_theirs``: whoever sends in these lines has described them, with their names and sources;
    ``is_asked``: he will be asked to name them in each packet.
    """
    leads: dict[int, int] = {}
    for i in members:
        bits = payloads_of(lines[i])
        rivals = [lines[j] for j in leads if payloads_of(lines[j]) & bits]
        alike = [*rivals, lines[i]]
        if bits and (not rivals or is_asked or (is_theirs and (_are_named(alike) or _are_distinct(alike)))):
            leads[i] = min(leads, default=i)
    return leads


def _are_named(lines: Sequence[sdp.Media]) -> bool:
    """Whether the packets of every line name it, in the same way."""
    numbers, names = {mid_id_of(line) for line in lines}, {line.get("mid") for line in lines}
    return len(numbers) == 1 and 0 not in numbers and len(names) == len(lines)


def _are_distinct(lines: Sequence[sdp.Media]) -> bool:
    """Whether every line says what its sources are, and no two have the same."""
    named = [sources_of(line) for line in lines]
    every = [source for sources in named for source in sources]
    return all(named) and len(set(every)) == len(every)


def members_of(description: sdp.Description) -> list[int]:
    """The lines that the first BUNDLE group of a description names, but for those that are refused."""
    groups = [(value or "").split() for name, value in description.attributes if name == "group"]
    mids = set(next((group[1:] for group in groups if group[:1] == ["BUNDLE"]), ()))
    return [i for i, line in enumerate(description.media) if line.get("mid") in mids and is_wanted(line)]


def is_wanted(line: sdp.Media) -> bool:
    """Whether a line is not refused: one that has no port because it is only for the bundle is not."""
    return line.is_rtp and (not line.is_rejected or line.get(BUNDLE_ONLY) is not None)


def port_of(line: sdp.Media, *, is_bundled: bool) -> int:
    """The port of a line, with one that stands for any where only the bundle has one; §6."""
    return _SOMEWHERE if is_bundled and line.is_rejected else line.port


def carriers(channels: Sequence[Channel | None], lines: Iterable[int]) -> dict[int, int]:
    """Return by line the first of ``lines`` that shares its transport: that one's ports are used."""
    first: dict[int, int] = {}
    found: dict[int, int] = {}
    for i in lines:
        channel = channels[i] if i < len(channels) else None
        found[i] = i if channel is None else first.setdefault(id(channel), i)
    return found
