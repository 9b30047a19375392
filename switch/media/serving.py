"""What the switch itself says in offers and answers about sound, and how a line has to bring it; RFC 3264.

A leg that is served has no other leg behind it: its sound is made and heard here. Of what it offers the first
line of sound is taken, in the first of its codecs that is here; the other lines are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from switchroom.codecs import CODECS, Codec, Config, find
from switchroom.protocols import sdp
from switchroom.protocols.errors import RemoteProtocolError

from .transcoding import Side, packet_time

Names = Sequence[str]

_EVENT = "telephone-event"
_EVENTS = "0-15"  # RFC 4733 §3.2
_CUSTOMARY_EVENT = 101  # there are devices that know no other
_ALWAYS = ("PCMA/8000", "PCMU/8000")
_PLAIN = ("RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF")
_MAX_FORMATS = 16  # LINE_FORMATS
SOUND, EVENT, NOISE = 0, 1, 2  # enum line_kind
_NOISE_TYPE = 13  # RFC 3389
_PLACE = 9  # the port of a line before it has one


class LineFormat(NamedTuple):
    """A payload type that may come in; ``struct line_format`` in C."""

    payload_type: int
    clock_rate: int
    config: Config | None  # of the decoder
    kind: int = SOUND


class LineTerms(NamedTuple):
    """How a line brings sound; ``struct line_terms`` in C."""

    formats: tuple[LineFormat, ...]
    payload_type: int
    config: Config  # of the encoder
    packet_ms: int
    event: tuple[int, int] | None  # telephone-event's number and clock rate; None: keys are sent as sound
    is_heard: bool
    is_said: bool

    @property
    def rate(self) -> int:
        """Of the samples on our side."""
        return self.config.sample_rate


class Served(NamedTuple):
    """What was agreed on for the one line that is served."""

    line: int
    codec: str  # as SDP names it
    terms: LineTerms


class _Voice(NamedTuple):
    rtpmap: sdp.RtpMap
    codec: Codec
    local: str  # a=fmtp of ours
    remote: str  # and theirs


def codecs_here(names: Names, allowed: Names = ()) -> list[Codec]:
    """The codecs that can be spoken here: those named, and G.711; of them those allowed (empty: all)."""
    wanted = [_named(name) for name in (*names, *_ALWAYS)]
    found = [codec for codec in dict.fromkeys(wanted) if codec is not None and codec.is_offered]
    if not allowed:
        return found
    kept = [codec for name in allowed if (codec := _named(name)) in found and codec is not None]
    return kept or found


def _named(name: str) -> Codec | None:
    try:
        return find(name)
    except LookupError:
        return None


# -- offers of ours


def make_offer(
    codecs: Sequence[Codec], first: str = "", direction: sdp.Direction = sdp.Direction.SENDRECV
) -> sdp.Description:
    """Offer sound in these codecs, that which is named ``first`` before the others."""
    ordered = sorted(codecs, key=lambda codec: codec.format.name.lower() != first.lower())
    added = tuple(
        [sdp.AddedCodec(*codec.format[:3], codec.payload_type, codec.parameters.offer) for codec in ordered]
    )
    keys = f"{_CUSTOMARY_EVENT} {_EVENT}/8000", f"{_CUSTOMARY_EVENT} {_EVENTS}"
    attributes = sdp.Attribute("rtpmap", keys[0]), sdp.Attribute("fmtp", keys[1])
    media = sdp.Media("audio", _PLACE, "RTP/AVP", (str(_CUSTOMARY_EVENT),), attributes=attributes)
    media = sdp.add_codecs(media, (), added)
    media = replace(media, attributes=(*media.attributes, sdp.Attribute("ptime", "20")))
    return _description((media.with_direction(direction),))


def take_answer(offer: sdp.Description, answer: sdp.Description) -> Served:
    """Read the answer to an offer of ours; 488 when it takes nothing of it."""
    streams = sdp.answers(offer, answer)
    for i, stream in enumerate(streams):
        if stream.is_rejected or stream.answer.kind != "audio":
            continue
        found = _first(stream.answer, [codec for one in stream.offer.codecs if (codec := _named(one.name))])
        if found is None:
            continue
        numbers = {one.name.lower(): one.payload_type for one in stream.offer.codecs}
        direction = stream.direction  # as we offered: ours
        return Served(i, found.rtpmap.name, _terms(found, stream.answer, direction, numbers))
    raise RemoteProtocolError("no sound in the answer", status=488)


# -- answers of ours


def make_answer(
    offer: sdp.Description, codecs: Sequence[Codec], direction: sdp.Direction = sdp.Direction.SENDRECV
) -> tuple[sdp.Description, Served]:
    """Answer an offer with sound; 488 when it has none in a codec that is here."""
    media: list[sdp.Media] = []
    served: Served | None = None
    for i, line in enumerate(offer.media):
        found = None if served is not None or not _is_sound(line) else _first(line, codecs)
        if found is None:
            media.append(sdp.Media(line.kind, 0, line.proto, line.formats))
            continue
        ours = _willing(offer, line).reversed & direction
        terms = _terms(found, line, ours, {})
        served = Served(i, found.rtpmap.name, terms)
        media.append(_answered(line, found, terms, ours))
    if served is None:
        raise RemoteProtocolError("no sound that can be made here", status=488)
    return replace(_description(tuple(media)), times=offer.times), served


def _is_sound(line: sdp.Media) -> bool:
    return line.kind == "audio" and not line.is_rejected and line.is_rtp and line.proto in _PLAIN


def _answered(line: sdp.Media, voice: _Voice, terms: LineTerms, direction: sdp.Direction) -> sdp.Media:
    event = _event(line, voice.rtpmap.clock_rate)
    rtpmaps = [voice.rtpmap] if event is None else [voice.rtpmap, event]
    attributes = [sdp.Attribute("rtpmap", str(one)) for one in rtpmaps]
    if voice.local:
        attributes.append(sdp.Attribute("fmtp", f"{voice.rtpmap.payload_type} {voice.local}"))
    if event is not None:
        attributes.append(sdp.Attribute("fmtp", f"{event.payload_type} {_EVENTS}"))
    attributes.append(sdp.Attribute("ptime", str(terms.packet_ms)))
    formats = tuple([str(one.payload_type) for one in rtpmaps])
    media = sdp.Media("audio", _PLACE, line.proto, formats, attributes=tuple(attributes))
    return media.with_direction(direction)


def _first(line: sdp.Media, codecs: Iterable[Codec]) -> _Voice | None:
    """The first codec of a line that is here, with settings that both ends have."""
    here = list(codecs)
    for rtpmap in line.codecs:
        codec = _named(rtpmap.name)
        if codec is None or codec not in here:
            continue
        remote = line.fmtps.get(str(rtpmap.payload_type), "")
        local = codec.parameters.answer(remote)
        if local is not None:
            return _Voice(rtpmap, codec, local, remote)
    return None


# -- listening to what passes


def tapped(stream: sdp.Stream, side: Side | None, *, is_offerer: bool) -> LineTerms | None:
    """How to hear what one end of a line says to the other; None: no codec of it is here."""
    ours, theirs = (stream.answer, stream.offer) if is_offerer else (stream.offer, stream.answer)
    formats: dict[int, LineFormat] = {}
    if side is not None:
        for one in side.conversion.incoming:
            if one.config is not None:
                formats[one.payload_type] = LineFormat(one.payload_type, one.clock_rate, one.config)
    for media in (ours, theirs):  # whoever listens chooses the numbers; not all who speak obey
        for rtpmap in media.codecs:
            if rtpmap.payload_type not in formats:
                found = _tapped(rtpmap, ours, theirs)
                if found is not None:
                    formats[rtpmap.payload_type] = found
    first = next((one.config for one in formats.values() if one.config is not None), None)
    if first is None:
        return None
    formats.setdefault(_NOISE_TYPE, LineFormat(_NOISE_TYPE, 8000, None, NOISE))
    # Nothing is said: the encoder is there for its rate
    encoder = find(_OF_RATE.get(first.sample_rate, "PCMU")).config()
    return LineTerms(tuple(formats.values())[:_MAX_FORMATS], 0, encoder, 20, None, True, False)


def spoken(theirs: sdp.Media, answer: sdp.Media) -> LineTerms | None:
    """How to speak to whoever described ``theirs``, in the first codec of the answer that is here."""
    for rtpmap in answer.codecs:
        codec = _named(rtpmap.name)
        number = next((one for one in theirs.codecs if one.name.lower() == rtpmap.name.lower()), None)
        if codec is None or not codec.is_offered or number is None:
            continue
        remote = theirs.fmtps.get(str(number.payload_type), "")
        local = codec.parameters.answer(remote)
        if local is not None:
            return _terms(_Voice(number, codec, local, remote), theirs, sdp.Direction.SENDONLY, {})
    return None


_OF_RATE = {16000: "G722", 48000: "L16/48000"}


def _tapped(rtpmap: sdp.RtpMap, ours: sdp.Media, theirs: sdp.Media) -> LineFormat | None:
    if rtpmap.encoding.lower() == _EVENT:
        return LineFormat(rtpmap.payload_type, rtpmap.clock_rate, None, EVENT)
    codec = _named(rtpmap.name)
    if codec is None or not codec.is_offered:
        return None
    number = str(rtpmap.payload_type)
    config = _decoder(codec, ours.fmtps.get(number, ""), theirs.fmtps.get(number, ""))
    return LineFormat(rtpmap.payload_type, rtpmap.clock_rate, config)


def _decoder(codec: Codec, local: str, remote: str) -> Config:
    shape = {"channels": 1} if codec is CODECS["opus/48000/2"] else {}
    return codec.config(**{**codec.parameters.decoder(local, remote), **shape})


# -- both


def _terms(voice: _Voice, line: sdp.Media, direction: sdp.Direction, numbers: dict[str, int]) -> LineTerms:
    """``line`` is the other end's; ``numbers``: the payload types that we offered, by codec."""
    codec, rtpmap = voice.codec, voice.rtpmap
    shape = {"channels": 1} if codec is CODECS["opus/48000/2"] else {}
    decoder = _decoder(codec, voice.local, voice.remote)
    encoder = codec.config(**{**codec.parameters.encoder(voice.local, voice.remote), **shape})
    event = _event(line, rtpmap.clock_rate)
    formats = [LineFormat(rtpmap.payload_type, rtpmap.clock_rate, decoder)]
    if (own := numbers.get(rtpmap.name.lower())) is not None and own != rtpmap.payload_type:
        formats.append(LineFormat(own, rtpmap.clock_rate, decoder))
    events = {one.payload_type: one.clock_rate for one in line.codecs if one.encoding.lower() == _EVENT}
    events |= {number: int(name.split("/")[1]) for name, number in numbers.items() if name.startswith(_EVENT)}
    taken = {one.payload_type for one in formats}
    formats += [
        LineFormat(number, rate, None, EVENT) for number, rate in events.items() if number not in taken
    ]
    formats.append(LineFormat(_NOISE_TYPE, 8000, None, NOISE))
    return LineTerms(
        tuple(formats[:_MAX_FORMATS]),
        rtpmap.payload_type,
        encoder,
        packet_time(codec, encoder, line),
        None if event is None else (event.payload_type, event.clock_rate),
        direction.can_receive,
        direction.can_send,
    )


def _event(line: sdp.Media, clock_rate: int) -> sdp.RtpMap | None:
    """The telephone-event that goes with a codec; RFC 4733 §2.1 wants its clock rate."""
    events = [one for one in line.codecs if one.encoding.lower() == _EVENT]
    return min(events, key=lambda one: one.clock_rate != clock_rate, default=None)


def _willing(description: sdp.Description, media: sdp.Media) -> sdp.Direction:
    """What the other end says it does, the null address of old included (RFC 3264 §8.4)."""
    direction = description.direction_of(media)
    connection = description.connection_of(media)
    if connection is not None and connection.is_null:
        return direction & sdp.Direction.SENDONLY
    return direction


def _description(media: tuple[sdp.Media, ...]) -> sdp.Description:
    origin = sdp.Origin("-", 0, 0, "IP4", "192.0.2.0")  # the leg puts its own in
    return sdp.Description(origin, media=media)
