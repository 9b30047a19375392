"""Which m-lines of a description share one transport; RFC 8843.

What comes in there is told apart by its payload type (§9.2): a line whose payload types another one has, too,
does not join, and gets a transport of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from switchroom.protocols import sdp

if TYPE_CHECKING:
    from .channel import Channel

BUNDLE_ONLY = "bundle-only"
_SOMEWHERE = 9  # the port of a line that has none of its own


def payloads_of(line: sdp.Media) -> int:
    """The payload types of a line, as bits."""
    bits = 0
    for name in line.formats if line.is_rtp else ():
        bits |= 1 << int(name)
    return bits


def leads_of(lines: Sequence[sdp.Media], members: Iterable[int]) -> dict[int, int]:
    """Return by line which one leads the bundle that it is in; ``members`` are those that may be."""
    leads: dict[int, int] = {}
    taken = 0
    for i in members:
        bits = payloads_of(lines[i])
        if bits and not bits & taken:
            leads[i] = min(leads, default=i)
            taken |= bits
    return leads


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
