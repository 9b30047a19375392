"""Leaves only the audio codecs that somebody wants, in the order they are wanted; RFC 3264 §5.1."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from ..errors import RemoteProtocolError
from .attributes import RtpMap
from .description import Description
from .lines import Attribute
from .media import Media, named_codecs

__all__ = ["has_codec", "is_of_format", "keep_codecs", "limit_codecs"]

_OF_FORMAT = frozenset(("rtpmap", "fmtp", "rtcp-fb"))
_EVENT = "telephone-event"
_BESIDE = frozenset((_EVENT, "cn"))  # no codec of speech; RFC 3389: comfort noise


def limit_codecs(description: Description, names: tuple[str, ...]) -> Description:
    """Keep the named audio codecs and their telephone-events; 488 when that leaves no codec at all.

    A name is an encoding (``PCMA``, ``opus``), or with a clock rate one form of it (``L16/16000``).
    An audio stream that has none of them is refused with port 0, as long as another stream is left.
    """
    media = tuple([keep_codecs(line, names) for line in description.media])
    if media == description.media:
        return description
    if all(line.is_rejected for line in media):
        raise RemoteProtocolError("SDP without a codec that is allowed", status=488)
    return replace(description, media=media)


def keep_codecs(media: Media, names: tuple[str, ...]) -> Media:
    """Keep the named codecs of one line; with none of them it is refused with port 0."""
    if media.kind != "audio" or media.is_rejected or not media.is_rtp:
        return media
    maps = tuple([pair for pair in media.attributes if pair.name == "rtpmap"])
    formats = _wanted(media.formats, maps, names)
    if formats == media.formats:
        return media
    if not formats:
        return Media(media.kind, 0, media.proto, media.formats)
    attributes = tuple([pair for pair in media.attributes if _is_kept(pair, formats)])
    return replace(media, formats=formats, attributes=attributes)


def has_codec(media: Media, name: str) -> bool:
    """Whether a line has the codec of that name, as ``limit_codecs`` understands it."""
    return any(name.lower() in _names_of(codec) for codec in media.codecs)


@lru_cache(maxsize=512)  # phones and trunks are few kinds, and each says the same in every call
def _wanted(formats: tuple[str, ...], maps: tuple[Attribute, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    """The formats that stay, in the order of the names; none when there is no speech among them."""
    codecs = named_codecs(formats, maps)
    chosen: list[RtpMap] = []
    for name in map(str.lower, names):
        chosen += [codec for codec in codecs if name in _names_of(codec) and codec not in chosen]
    if all(codec.encoding.lower() in _BESIDE for codec in chosen):
        return ()
    rates = {codec.clock_rate for codec in chosen}
    events = [c for c in codecs if c.encoding.lower() == _EVENT and c.clock_rate in rates and c not in chosen]
    return tuple([str(codec.payload_type) for codec in (*chosen, *events)])


def _names_of(codec: RtpMap) -> tuple[str, str, str]:
    encoding = codec.encoding.lower()
    return encoding, codec.name.lower(), f"{encoding}/{codec.clock_rate}"


def is_of_format(attribute: Attribute) -> bool:
    """Whether an attribute speaks of one format of its line."""
    return attribute.name in _OF_FORMAT


def _is_kept(attribute: Attribute, formats: tuple[str, ...]) -> bool:
    if not is_of_format(attribute):
        return True
    number = (attribute.value or "").lstrip(" ").partition(" ")[0]
    return number in formats or number == "*"
