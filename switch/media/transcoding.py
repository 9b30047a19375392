"""Two legs without a common codec: what the second one is offered, and how sound is converted between them.

What both legs know passes as it is. Behind it the second leg is offered what the switch converts to, unless
the offer has both forms of G.711, which hardly anybody refuses. The answer decides: only where it takes no
codec of the offer is sound converted, and the offerer is told the codec of its own that costs least.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from switchroom.codecs import CODECS, Codec, Config, find
from switchroom.protocols import sdp
from switchroom.protocols.errors import RemoteProtocolError

from .recoding import recoded
from .stream import Conversion, Incoming, Recoding

Names = tuple[str, ...]

_G711 = ("PCMU/8000", "PCMA/8000")
_PLAIN = frozenset(("RTP/AVP", "RTP/AVPF"))
_NOTHING: Mapping[str, int] = MappingProxyType({})
_EVENT = "telephone-event"
_NOISE = "cn"  # RFC 3389
_NOISES = (_NOISE, "cn/8000")
_MAX_INCOMING = 16  # CONVERSION_FORMATS
_MAX_PAYLOAD = 1400  # octets: what passes in one frame of Ethernet, whatever is put around it
_OF_SOUND = frozenset(
    ("ptime", "maxptime", "extmap", "ssrc")
)  # and of one leg, when the other has another codec


class Side(NamedTuple):
    """One end of a converted m-line."""

    codec: str  # as SDP names it
    clocks: tuple[tuple[int, int], ...]  # payload types that come from there, and their clock rates
    conversion: Conversion  # of what comes from there
    recoding: Recoding | None = None  # what is done instead, where that is enough

    @property
    def is_converted(self) -> bool:
        """Whether it leaves as another source's, by the switch's own clock."""
        return self.recoding is None


class Plan(NamedTuple):
    """How the sound of an m-line is converted."""

    offerer: Side
    answerer: Side
    told: tuple[str, ...]  # the formats in the answer, as the offerer numbers them
    lines: tuple[sdp.Attribute, ...]  # what describes them


class _Voice(NamedTuple):
    """A codec that one end said."""

    rtpmap: sdp.RtpMap
    codec: Codec | None  # None: only passed on
    local: str  # a=fmtp of ours
    remote: str  # and theirs


@lru_cache(maxsize=64)
def _converted(names: Names) -> dict[str, Codec]:
    """The codecs that may be converted and can be here, by their catalogue's name."""
    codecs = [find(name) for name in names]
    return {codec.format.name: codec for codec in codecs if codec.is_offered}


def check_transcode(names: Iterable[str]) -> None:
    """Refuse names that are not in the catalogue: ValueError."""
    for i, name in enumerate(names):
        try:
            find(name)
        except LookupError as error:
            raise ValueError(f"media.transcode.{i}: {error}") from None


def _is_known(name: str) -> bool:
    try:
        find(name)
    except LookupError:
        return False
    return True


def _named(name: str, converted: Names) -> Codec | None:
    return _converted(converted).get(find(name).format.name) if _is_known(name) else None


def _codec_of(rtpmap: sdp.RtpMap, converted: Names) -> Codec | None:
    return _named(rtpmap.name, converted)


# -- the offer


def extend(description: sdp.Description, allowed: Names, converted: Names) -> sdp.Description:
    """Return the offer for a leg that may use the codecs ``allowed`` (empty: all); 488 when none is left."""
    media = tuple([_extended(line, allowed, converted) for line in description.media])
    if media == description.media:
        return description
    if all(line.is_rejected for line in media):
        raise RemoteProtocolError("SDP without a codec that is allowed", status=488)
    return replace(description, media=media)


def _extended(media: sdp.Media, allowed: Names, converted: Names) -> sdp.Media:
    if media.kind != "audio" or media.is_rejected or not media.is_rtp:
        return media
    added = (*_added(media, allowed, converted), *_added_noise(media, allowed))
    return sdp.add_codecs(media, allowed, added)


def _added(media: sdp.Media, allowed: Names, converted: Names) -> Iterable[sdp.AddedCodec]:
    own = [codec for rtpmap in media.codecs if (codec := _codec_of(rtpmap, converted)) is not None]
    if not own or media.proto not in _PLAIN:
        return
    wanted: Iterable[Codec]
    if allowed:
        wanted = [codec for name in allowed if (codec := _named(name, converted)) is not None]
    elif all(sdp.has_codec(media, name) for name in _G711):
        return
    else:  # the ones that lose and cost least first
        rate = max(codec.format.sample_rate for codec in own)
        wanted = sorted(
            _converted(converted).values(), key=lambda codec: abs(codec.format.sample_rate - rate)
        )
    for codec in dict.fromkeys(wanted):
        encoding, clock_rate, channels, _ = codec.format
        if codec not in own:
            for line in codec.parameters.offers:
                yield sdp.AddedCodec(encoding, clock_rate, channels, codec.payload_type, line)


def _added_noise(media: sdp.Media, allowed: Names) -> Iterable[sdp.AddedCodec]:
    """Comfort noise, for a leg whose codecs name it."""
    own = [codec for codec in media.codecs if _is_spoken(codec)]
    if any(name.lower() in _NOISES for name in allowed) and own and media.proto in _PLAIN:
        kept = sdp.keep_codecs(media, allowed)
        if kept.is_rejected or not sdp.has_codec(kept, "CN/8000"):
            yield sdp.AddedCodec("CN", 8000, 1, 13)


# -- the answer


def plan(offered: sdp.Media, stream: sdp.Stream, converted: Names) -> Plan | None:
    """Return how the two ends of an m-line are brought together; None: packets pass as they are.

    ``offered`` is the line as it came, ``stream`` the one that was sent on and its answer.
    """
    if stream.is_rejected or stream.offer.formats == offered.formats or not offered.is_rtp:
        return None
    own = {_key(rtpmap): rtpmap for rtpmap in offered.codecs}
    spoken = [rtpmap for rtpmap in stream.codecs if _is_spoken(rtpmap)]
    foreign = [rtpmap for rtpmap in spoken if _key(rtpmap) not in own]
    if not foreign and any(_is_noise(one) and _key(one) not in own for one in stream.codecs):
        foreign = spoken[:1]  # all passes but comfort noise, which the offerer does not know
    answerer = [one for rtpmap in foreign if (one := _answered(rtpmap, stream, converted)) is not None]
    if not answerer:
        return None
    shared = [rtpmap for rtpmap in spoken if _key(rtpmap) in own]
    offerer = _told(offered, shared, answerer[0], converted)
    if offerer is None:
        return None
    return _Planner(offered, stream, offerer, answerer, [own[_key(rtpmap)] for rtpmap in shared]).plan()


def answer_of(media: sdp.Media, decided: Plan) -> sdp.Media:
    """Return the answer's line in the words of the offerer."""
    kept = [one for one in media.attributes if not sdp.is_of_format(one) and one.name not in _OF_SOUND]
    return replace(media, formats=decided.told, attributes=(*decided.lines, *kept))


def _answered(rtpmap: sdp.RtpMap, stream: sdp.Stream, converted: Names) -> _Voice | None:
    codec = _codec_of(rtpmap, converted)
    if codec is None:
        return None
    sent = next(one for one in stream.offer.codecs if _key(one) == _key(rtpmap))
    local = stream.offer.fmtps.get(str(sent.payload_type), "")
    return _Voice(rtpmap, codec, local, stream.answer.fmtps.get(str(rtpmap.payload_type), ""))


def _told(offered: sdp.Media, shared: list[sdp.RtpMap], other: _Voice, converted: Names) -> _Voice | None:
    """The offerer's codec that is converted to: one that passes anyway, else that nearest to the other's."""
    assert other.codec is not None
    rate, found = other.codec.format.sample_rate, []
    keys = {_key(rtpmap) for rtpmap in shared}
    for rtpmap in offered.codecs:
        codec = _codec_of(rtpmap, converted)
        remote = offered.fmtps.get(str(rtpmap.payload_type), "")
        local = None if codec is None else codec.parameters.answer(remote)
        if codec is not None and local is not None:
            distance = abs(codec.format.sample_rate - rate)
            found.append((_key(rtpmap) not in keys, distance, _Voice(rtpmap, codec, local, remote)))
    return min(found, key=lambda one: one[:2])[2] if found else None


class _Planner:
    """Puts a plan together for a line of the offer, its answer, and the codecs that were chosen of both."""

    def __init__(
        self,
        offered: sdp.Media,
        stream: sdp.Stream,
        offerer: _Voice,
        answerer: list[_Voice],
        shared: list[sdp.RtpMap],
    ) -> None:
        self._offered, self._stream = offered, stream
        self._offerer, self._answerer, self._shared = offerer, answerer, shared
        self._event_a = _event(offered.codecs, offerer.rtpmap.clock_rate)
        self._event_b = _event(stream.answer.codecs, answerer[0].rtpmap.clock_rate)
        if self._event_b is None and shared:
            self._event_a = None  # nothing is decoded that passes: its keys stay in the sound
        self._noise_a = _noise(offered.codecs, offerer.rtpmap.clock_rate)
        self._noise_b = _noise(stream.answer.codecs, answerer[0].rtpmap.clock_rate)

    def plan(self) -> Plan:
        told = self._shared or [self._offerer.rtpmap]
        if self._offerer.rtpmap not in told:
            told = [*told, self._offerer.rtpmap]
        if self._event_a is not None:
            told = [*told, self._event_a]
        if self._noise_a is not None:
            told = [*told, self._noise_a]
        formats = tuple([str(rtpmap.payload_type) for rtpmap in told])
        a, b = self._side_a(), self._side_b()
        one, two = recoded(a.conversion, b.conversion)
        lines = tuple(self._lines(told))
        return Plan(a._replace(recoding=one), b._replace(recoding=two), formats, lines)

    def _side_a(self) -> Side:
        """What comes from the offerer: numbered as in its own offer."""
        first, other = self._offerer, self._answerer[0]
        numbers = {_key(rtpmap): rtpmap.payload_type for rtpmap in self._stream.answer.codecs}
        incoming = [
            Incoming(rtpmap.payload_type, rtpmap.clock_rate, copied_as=numbers[_key(rtpmap)])
            for rtpmap in self._shared
        ]
        if first.rtpmap not in self._shared:
            incoming.append(_decoded(first, first.rtpmap.payload_type, other))
        incoming += _events(self._event_a, ())
        incoming += _noises(self._noise_a, ())
        return _side(first, incoming, other, self._stream.answer, self._event_b, self._noise_b)

    def _side_b(self) -> Side:
        """What comes from the answerer: numbered as in the offer that it got, or else as in its answer."""
        first, other = self._answerer[0], self._offerer
        sent = {_key(rtpmap): rtpmap for rtpmap in self._stream.offer.codecs}
        incoming = [
            Incoming(sent[_key(rtpmap)].payload_type, rtpmap.clock_rate, copied_as=rtpmap.payload_type)
            for rtpmap in self._shared
        ]
        numbers = [(voice, voice.rtpmap.payload_type) for voice in self._answerer]
        numbers += [(voice, sent[_key(voice.rtpmap)].payload_type) for voice in self._answerer]
        for voice, number in numbers:
            if all(one.payload_type != number for one in incoming):
                incoming.append(_decoded(voice, number, other))
        incoming += _events(self._event_b, self._stream.offer.codecs)
        incoming += _noises(self._noise_b, self._stream.offer.codecs)
        return _side(first, incoming, other, self._offered, self._event_a, self._noise_a)

    def _lines(self, told: list[sdp.RtpMap]) -> Iterable[sdp.Attribute]:
        fmtps = self._offered.fmtps
        for rtpmap in told:
            line = fmtps.get(str(rtpmap.payload_type), "")
            if rtpmap is self._offerer.rtpmap:
                line = self._offerer.local
            yield sdp.Attribute("rtpmap", str(rtpmap))
            if line:
                yield sdp.Attribute("fmtp", f"{rtpmap.payload_type} {line}")
        codec, encoder = self._offerer.codec, _encoder(self._offerer, self._offerer)
        assert codec is not None
        yield sdp.Attribute("ptime", str(packet_time(codec, encoder, self._offered)))


def _side(
    voice: _Voice,
    incoming: list[Incoming],
    other: _Voice,
    media: sdp.Media,
    event: sdp.RtpMap | None,
    noise: sdp.RtpMap | None,
) -> Side:
    """``media`` is how the other end described what it wants to get."""
    assert other.codec is not None
    timed = [one for one in incoming if not one.is_event and not one.is_noise]
    clocks = tuple([(one.payload_type, one.clock_rate) for one in timed])
    has_pauses = any(one.is_noise for one in incoming)
    encoder = _encoder(other, voice, other.codec.parameters.pausing if has_pauses else _NOTHING)
    conversion = Conversion(
        tuple(incoming[:_MAX_INCOMING]),
        other.rtpmap.payload_type,
        encoder,
        packet_time(other.codec, encoder, media),
        None if event is None else (event.payload_type, event.clock_rate),
        None if noise is None else (noise.payload_type, noise.clock_rate),
    )
    return Side(voice.rtpmap.name, clocks, conversion)


def _decoded(voice: _Voice, payload_type: int, other: _Voice) -> Incoming:
    assert voice.codec is not None
    settings = {**voice.codec.parameters.decoder(voice.local, voice.remote), **_inner(voice, other)}
    return Incoming(payload_type, voice.rtpmap.clock_rate, voice.codec.config(**settings))


def _encoder(voice: _Voice, other: _Voice, also: Mapping[str, int] = _NOTHING) -> Config:
    assert voice.codec is not None
    settings = {**voice.codec.parameters.encoder(voice.local, voice.remote), **_inner(voice, other), **also}
    return voice.codec.config(**settings)


def _inner(voice: _Voice, other: _Voice) -> dict[str, int]:
    """Opus works at the other end's rate by itself: nothing is resampled. And calls are mono."""
    if voice.codec is not CODECS["opus/48000/2"] or other.codec is None:
        return {}
    rate = other.codec.format.sample_rate
    return {"channels": 1, "sample_rate": rate if rate in (8000, 16000, 24000, 48000) else 48000}


def packet_time(codec: Codec, config: Config, media: sdp.Media) -> int:
    """The packet time that an end asked for, as far as the codec has it; RFC 8866 §6.4."""
    longest = media.get("maxptime")
    times = codec.packet_time.of_frames(config.frame_samples, config.sample_rate)
    wanted = media.ptime or times.default
    if longest is not None and longest.isdecimal() and int(longest):
        wanted = min(wanted, int(longest))
    fitting = times.fit(int(wanted))
    octets_ms = config.frame_octets * config.sample_rate / config.frame_samples / 1000
    while fitting * octets_ms > _MAX_PAYLOAD and fitting > times.choices[0]:
        fitting = times.fit(fitting - 1)
    return fitting


def _event(codecs: tuple[sdp.RtpMap, ...], clock_rate: int) -> sdp.RtpMap | None:
    """The telephone-event that goes with a codec; RFC 4733 §2.1 wants its clock rate."""
    events = [rtpmap for rtpmap in codecs if _is_event(rtpmap)]
    return min(events, key=lambda rtpmap: rtpmap.clock_rate != clock_rate, default=None)


def _events(event: sdp.RtpMap | None, also: tuple[sdp.RtpMap, ...]) -> list[Incoming]:
    if event is None:
        return []
    numbers = {event.payload_type: event.clock_rate}
    for rtpmap in also:
        if _is_event(rtpmap):
            numbers.setdefault(rtpmap.payload_type, rtpmap.clock_rate)
    return [Incoming(number, rate, is_event=True) for number, rate in numbers.items()]


def _noise(codecs: tuple[sdp.RtpMap, ...], clock_rate: int) -> sdp.RtpMap | None:
    """The comfort noise that goes with a codec: RFC 3389 §4 wants its clock rate."""
    return next((one for one in codecs if _is_noise(one) and one.clock_rate == clock_rate), None)


def _noises(noise: sdp.RtpMap | None, also: tuple[sdp.RtpMap, ...]) -> list[Incoming]:
    if noise is None:
        return []
    numbers = dict.fromkeys(
        [noise.payload_type, *[one.payload_type for one in also if _key(one) == _key(noise)]]
    )
    return [Incoming(number, noise.clock_rate, is_noise=True) for number in numbers]


def _is_noise(rtpmap: sdp.RtpMap) -> bool:
    return rtpmap.encoding.lower() == _NOISE


def _is_spoken(rtpmap: sdp.RtpMap) -> bool:
    return not _is_event(rtpmap) and not _is_noise(rtpmap)


def _is_event(rtpmap: sdp.RtpMap) -> bool:
    return rtpmap.encoding.lower() == _EVENT


def _key(rtpmap: sdp.RtpMap) -> str:
    return rtpmap.name.lower()  # encoding names are case-insensitive; RFC 4855 §3
