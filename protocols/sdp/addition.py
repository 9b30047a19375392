"""Adds codecs to an audio line: those that the one who passes it on can convert; RFC 3264 §5.1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from .attributes import RtpMap
from .filter import is_of_format, keep_codecs
from .lines import Attribute
from .media import Media

__all__ = ["AddedCodec", "add_codecs"]

_EVENT = "telephone-event"
_EVENTS = "0-15"  # RFC 4733 §3.2
_CUSTOMARY_EVENT = 101  # there are devices that know no other
_DYNAMIC = tuple(number for number in range(96, 128) if number != _CUSTOMARY_EVENT)


class AddedCodec(NamedTuple):
    """A codec that a line does not have."""

    encoding: str
    clock_rate: int
    channels: int = 1
    payload_type: int | None = None  # the static one
    parameters: str = ""  # of its a=fmtp line


def add_codecs(media: Media, names: tuple[str, ...], added: tuple[AddedCodec, ...]) -> Media:
    """Keep the named codecs of an audio line (empty: all), and put others with free payload types behind.

    Where the line has telephone-event the added codecs have it too, each at its clock rate (RFC 4733 §2.1).
    Without any codec the line is refused with port 0.
    """
    kept = keep_codecs(media, names) if names else media
    if not added:
        return kept
    if kept.is_rejected:  # none of its own: what speaks of no format stays
        attributes = tuple([one for one in media.attributes if not is_of_format(one)])
        kept = replace(media, formats=(), attributes=attributes)
    free = iter([number for number in _DYNAMIC if str(number) not in media.formats])
    new = tuple(_numbered(added, media, free))
    events = tuple(_events(new, media, kept, free))
    own = {str(codec.payload_type) for codec in media.codecs if codec.encoding.lower() == _EVENT}
    formats = [number for number in kept.formats if number not in own]
    formats += [str(codec.payload_type) for codec, _ in new]
    formats += [number for number in kept.formats if number in own]
    formats += [str(codec.payload_type) for codec, _ in events]
    attributes = kept.attributes
    attributes += tuple([Attribute("rtpmap", str(codec)) for codec, _ in (*new, *events)])
    attributes += tuple(
        [Attribute("fmtp", f"{codec.payload_type} {line}") for codec, line in (*new, *events) if line]
    )
    return replace(kept, formats=tuple(formats), attributes=attributes)


_Lines = tuple[tuple[RtpMap, str], ...]  # a codec, and its parameters


def _numbered(
    added: tuple[AddedCodec, ...], media: Media, free: Iterator[int]
) -> Iterator[tuple[RtpMap, str]]:
    own = {codec.name.lower(): codec.payload_type for codec in media.codecs}
    for one in added:
        number = one.payload_type
        if number is not None and own.get(f"{one.encoding}/{one.clock_rate}".lower()) == number:
            yield RtpMap(number, one.encoding, one.clock_rate, one.channels), one.parameters
            continue  # it goes with a codec that went
        if number is None or str(number) in media.formats:
            number = next(free, None)
        if number is None:
            return  # a line with so many formats needs no more of them
        yield RtpMap(number, one.encoding, one.clock_rate, one.channels), one.parameters


def _events(new: _Lines, media: Media, kept: Media, free: Iterator[int]) -> Iterator[tuple[RtpMap, str]]:
    """The telephone-events that the new codecs need and the line does not have (any more)."""
    own = {codec.clock_rate: codec for codec in media.codecs if codec.encoding.lower() == _EVENT}
    is_customary_free = str(_CUSTOMARY_EVENT) not in media.formats
    for rate in dict.fromkeys([codec.clock_rate for codec, _ in new]) if own else ():
        event = own.get(rate)
        if event is not None and str(event.payload_type) in kept.formats:
            continue
        if event is not None:
            yield event, media.fmtps.get(str(event.payload_type), _EVENTS)
            continue
        number = _CUSTOMARY_EVENT if is_customary_free else next(free, None)
        is_customary_free = False
        if number is not None:
            yield RtpMap(number, _EVENT, rate), _EVENTS
