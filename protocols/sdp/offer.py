"""Offer and answer; RFC 3264: makes both from what an agent can do, checks an answer against its offer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from ..errors import LocalProtocolError, RemoteProtocolError
from .attributes import STATIC_PAYLOADS, Connection, Direction, Origin, RtpMap
from .description import Description
from .lines import DIRECTIONS, Attribute
from .media import Media, named_codecs

__all__ = ["Capabilities", "Capability", "Stream", "answers", "make_answer", "make_offer", "make_reoffer"]

TELEPHONE_EVENT = "telephone-event"
_EVENTS = "0-15"  # the digits, * and #, A to D; RFC 4733 §3.2
_CUSTOMARY_EVENT = 101  # dynamic like any other, but there are devices that know no other
_DYNAMIC = tuple(number for number in range(96, 128) if number != _CUSTOMARY_EVENT)
_NUMBERS = {rtpmap.name: number for number, rtpmap in STATIC_PAYLOADS.items()}
_NUMBERS[f"{TELEPHONE_EVENT}/8000"] = _CUSTOMARY_EVENT


@dataclass(frozen=True, slots=True)
class Capability:
    """One stream that an agent can take part in."""

    port: int
    codecs: tuple[str, ...]  # names as in the catalogue, the preferred one first: PCMU/8000
    kind: str = "audio"
    protos: tuple[str, ...] = ("RTP/AVP",)
    direction: Direction = Direction.SENDRECV
    ptime: int | None = 20
    has_rtcp_mux: bool = False
    has_telephone_event: bool = True


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an agent writes into its offers and answers."""

    origin: Origin
    connection: Connection
    streams: tuple[Capability, ...] = ()


@dataclass(frozen=True, slots=True)
class Stream:
    """One m-line as both ends agreed on it; ``direction`` is the offerer's."""

    offer: Media
    answer: Media
    direction: Direction
    codecs: tuple[RtpMap, ...]  # in the answer's order, with the answer's payload types

    @property
    def is_rejected(self) -> bool:
        return self.answer.is_rejected


def answers(offer: Description, answer: Description) -> tuple[Stream, ...]:
    """Check an answer against its offer (RFC 3264 §6) and return what they agreed on."""
    if len(answer.media) != len(offer.media):
        raise RemoteProtocolError(
            f"answer with {len(answer.media)} m-lines to an offer with {len(offer.media)}", status=488
        )
    return tuple(
        _agree(offer, answer, ours, theirs) for ours, theirs in zip(offer.media, answer.media, strict=True)
    )


def make_offer(capabilities: Capabilities) -> Description:
    """Return an offer of everything that the agent can do; RFC 3264 §5."""
    return Description(
        capabilities.origin,
        connection=capabilities.connection,
        media=tuple(_offered_media(stream) for stream in capabilities.streams),
    )


def make_answer(offer: Description, capabilities: Capabilities) -> Description:
    """Return the answer to an offer; 488 when no stream of it can be taken; RFC 3264 §6."""
    free = list(capabilities.streams)
    media = []
    for offered in offer.media:
        stream = next((stream for stream in free if _can_take(offered, stream)), None)
        if stream is None:
            media.append(_rejected(offered))
        else:
            free.remove(stream)
            media.append(_answered_media(offer, offered, stream))
    if all(line.is_rejected for line in media) and not all(line.is_rejected for line in offer.media):
        raise RemoteProtocolError("no stream of the offer can be taken", status=488)
    # §6: the t= line of the answer is that of the offer
    return Description(
        capabilities.origin, connection=capabilities.connection, times=offer.times, media=tuple(media)
    )


def make_reoffer(local: Description, direction: Direction) -> Description:
    """Return the next offer of the one who described ``local``: hold and resume; RFC 3264 §8."""
    origin = local.origin._replace(version=local.origin.version + 1)
    kept = tuple(pair for pair in local.attributes if pair.name not in DIRECTIONS)
    media = tuple(line if line.is_rejected else line.with_direction(direction) for line in local.media)
    return replace(local, origin=origin, attributes=kept, media=media)


def _agree(offer: Description, answer: Description, offered: Media, answered: Media) -> Stream:
    if answered.kind != offered.kind:
        raise RemoteProtocolError(f"m={answered.kind} in answer to m={offered.kind}", status=488)
    if answered.is_rejected:
        return Stream(offered, answered, Direction.INACTIVE, ())
    if offered.is_rejected:
        raise RemoteProtocolError(f"answer takes an m={offered.kind} with port 0", status=488)
    if answered.proto != offered.proto:
        raise RemoteProtocolError(f"{answered.proto} in answer to {offered.proto}", status=488)
    codecs = _common_codecs(offered, answered)
    # An answer of sendrecv to sendonly is against §6.1 and usual: what counts is what both allow.
    direction = _willing(offer, offered) & _willing(answer, answered).reversed
    return Stream(offered, answered, direction, codecs)


def _common_codecs(offered: Media, answered: Media) -> tuple[RtpMap, ...]:
    if not offered.is_rtp:
        return ()
    common = _in_both(offered.formats, offered.attributes, answered.formats, answered.attributes)
    if common is None:
        raise RemoteProtocolError(f"answer without a codec of the offer in m={offered.kind}", status=488)
    return common


@lru_cache(maxsize=512)
def _in_both(
    formats: tuple[str, ...],
    attributes: tuple[Attribute, ...],
    answered_formats: tuple[str, ...],
    answered_attributes: tuple[Attribute, ...],
) -> tuple[RtpMap, ...] | None:
    """The answer's codecs that the offer has; None when the two have nothing to say to each other."""
    names = {_key(codec) for codec in named_codecs(formats, attributes)}
    answered = named_codecs(answered_formats, answered_attributes)
    common = tuple(codec for codec in answered if _key(codec) in names)
    # A format without a name in either description is known by its number alone.
    if not any(not _is_event(codec) for codec in common) and not set(formats) & set(answered_formats):
        return None
    return common


def _willing(description: Description, media: Media) -> Direction:
    """What one end says it does, the null address of old included (RFC 3264 §8.4)."""
    direction = description.direction_of(media)
    connection = description.connection_of(media)
    if connection is not None and connection.is_null:
        return direction & Direction.SENDONLY
    return direction


def _key(codec: RtpMap) -> str:
    return codec.name.lower()  # encoding names are case-insensitive; RFC 4855 §3


def _is_event(codec: RtpMap) -> bool:
    return codec.encoding.lower() == TELEPHONE_EVENT


def _taken(offered: Media, stream: Capability) -> list[RtpMap]:
    """The offered codecs that the stream can do, in its order; telephone-event only beside another."""
    known = {name.lower() for name in stream.codecs}
    taken = [codec for codec in offered.codecs if _key(codec) in known]
    if taken and stream.has_telephone_event:
        rates = {codec.clock_rate for codec in taken}
        taken += [codec for codec in offered.codecs if _is_event(codec) and codec.clock_rate in rates]
    return taken


def _can_take(offered: Media, stream: Capability) -> bool:
    return (
        not offered.is_rejected
        and offered.kind == stream.kind
        and offered.proto in stream.protos
        and bool(_taken(offered, stream))
    )


def _rejected(offered: Media) -> Media:
    return Media(offered.kind, 0, offered.proto, offered.formats)


def _answered_media(offer: Description, offered: Media, stream: Capability) -> Media:
    direction = _willing(offer, offered).reversed & stream.direction
    ptime = offered.ptime or stream.ptime
    has_mux = stream.has_rtcp_mux and offered.has_rtcp_mux
    return _media(stream, _taken(offered, stream), offered.proto, direction, ptime, has_mux=has_mux)


def _offered_media(stream: Capability) -> Media:
    codecs = []
    numbers = iter(_DYNAMIC)
    for name in (*stream.codecs, *_event_names(stream)):
        encoding, _, rest = name.partition("/")
        clock_rate, _, channels = rest.partition("/")
        number = _NUMBERS.get(name)
        if number is None:
            number = next(numbers, None)
        if number is None or not clock_rate.isdigit():
            raise LocalProtocolError(f"cannot offer the codec {name!r}")
        codecs.append(RtpMap(number, encoding, int(clock_rate), int(channels or 1)))
    return _media(
        stream, codecs, stream.protos[0], stream.direction, stream.ptime, has_mux=stream.has_rtcp_mux
    )


def _event_names(stream: Capability) -> list[str]:
    """One telephone-event for each clock rate; RFC 4733 §2.1."""
    if not stream.has_telephone_event:
        return []
    rates = dict.fromkeys(name.split("/")[1] for name in stream.codecs if "/" in name)
    return [f"{TELEPHONE_EVENT}/{rate}" for rate in rates]


def _media(
    stream: Capability,
    codecs: list[RtpMap],
    proto: str,
    direction: Direction,
    ptime: float | None,
    *,
    has_mux: bool,
) -> Media:
    attributes = [Attribute("rtpmap", str(codec)) for codec in codecs]
    attributes += [
        Attribute("fmtp", f"{codec.payload_type} {_EVENTS}") for codec in codecs if _is_event(codec)
    ]
    if ptime is not None:
        attributes.append(Attribute("ptime", f"{ptime:g}"))
    if has_mux:
        attributes.append(Attribute("rtcp-mux"))
    attributes.append(Attribute(direction.value))
    formats = tuple(str(codec.payload_type) for codec in codecs)
    return Media(stream.kind, stream.port, proto, formats, attributes=tuple(attributes))
