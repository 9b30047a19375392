"""Descriptions on their way from one leg to the other, with our address and ports; RFC 3264, RFC 8866.

What makes sense end to end stays: codecs, packet times, directions, bandwidths. What speaks of one leg's
transport goes, because the other leg cannot use it: addresses and names, ICE, bundles, RTCP ports, keys on
unsecured streams.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from switchroom.protocols import sdp

from .stream import Terms

_DIRECTIONS = frozenset(direction.value for direction in sdp.Direction)
_OF_ONE_LEG = frozenset(
    (
        # RFC 8839 (ICE)
        "candidate", "remote-candidates", "end-of-candidates", "ice-ufrag", "ice-pwd", "ice-options",
        "ice-lite", "ice-mismatch", "ice-pacing",
        # RFC 5888, 8843, 8830: we bundle nothing
        "group", "mid", "bundle-only", "msid-semantic",
        # RFC 3605, 5761, 8858: said anew for each leg
        "rtcp", "rtcp-mux", "rtcp-mux-only",
        # RFC 5939: configurations that the new description would no longer fit
        "tcap", "pcfg", "acfg", "acap", "csup", "creq",
        # names and addresses
        "tool", "source-filter", "alt", "path", "direction", "nortpproxy", "rtpproxy",
    )
)  # fmt: skip
_KEYS = frozenset(
    ("crypto", "fingerprint", "setup", "connection", "tls-id", "dtls-id", "key-mgmt", "zrtp-hash", "3ge2ae")
)
_GONE = _OF_ONE_LEG | _DIRECTIONS  # a direction is said anew, at each line
_GONE_UNSECURED = _GONE | _KEYS
_GONE_SOUND = _GONE_UNSECURED | {"ssrc"}  # one source needs no telling, and its cname names the other leg
_FORMATS = frozenset(("rtpmap", "fmtp", "ptime", "maxptime"))  # hold no address, whatever a leg calls itself
_UNTIMED = frozenset(("telephone-event", "cn"))
_MAX_CLOCKS = 8
_MAX_RATE = {"audio": 1000}  # packets a second from one end; more is a flood or a loop
_MAX_RATE_OF_OTHERS = 20_000


Clocks = tuple[tuple[int, int], ...]


class Transport(NamedTuple):
    """What the engine must know about a protocol of an m-line."""

    is_rtp: bool
    is_secured: bool = False
    has_others: bool = False


@lru_cache(maxsize=256)
def transport_of(proto: str) -> Transport | None:
    """Return what runs over UDP, None for what does not: that cannot be relayed."""
    name = proto.upper()
    if "TCP" in name.split("/"):
        return None
    if not name.endswith(("RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF")):
        return Transport(is_rtp=False)
    return Transport(True, "RTP/SAVP" in name, "TLS" in name.split("/"))


class Line:
    """Our side of one m-line: where the other end sends to; port 0 rejects it."""

    __slots__ = ("is_mux", "port")

    def __init__(self, port: int = 0, is_mux: bool = False) -> None:
        self.port = port
        self.is_mux = is_mux


OriginParts = tuple[str, int, int, str, str]  # of sdp.Origin


class Opening:
    """How each of our descriptions to a leg begins: with our name for the session, and our address."""

    __slots__ = ("host", "origin")

    def __init__(self, origin: OriginParts, host: str) -> None:
        self.origin = origin
        self.host = host

    def next(self) -> Opening:
        """The same in the next version; RFC 3264 §8."""
        username, number, version, family, own = self.origin
        return Opening((username, number, version + 1 & 0x7FFFFFFFFFFFFFFF, family, own), self.host)


def rewrite(source: sdp.Description, origin: sdp.Origin, host: str, lines: list[Line]) -> sdp.Description:
    """Return the description for the other leg, which reaches us at ``host`` and the ports of ``lines``."""
    hidden = _hosts_in(source)
    pairs = zip(source.media, lines, strict=True)
    media = tuple([_rewrite_media(source, media, line, hidden) for media, line in pairs])
    gone = _GONE if any(_may_have_keys(line.proto) for line in media) else _GONE_UNSECURED
    return sdp.Description(
        origin,
        connection=sdp.Connection(origin.family, host),
        bandwidths=source.bandwidths,
        times=source.times,
        attributes=_kept(source.attributes, hidden, gone) if source.attributes else (),
        media=media,
    )


def terms_of(stream: sdp.Stream) -> Terms | None:
    """Return what the engine must know of an m-line that both ends take, None for another."""
    transport = None if stream.is_rejected else transport_of(stream.answer.proto)
    if transport is None:
        return None
    kind = stream.answer.kind
    return Terms(
        codec=_codec_of(stream),
        clocks=_clocks_of(stream),
        max_rate=_MAX_RATE.get(kind, _MAX_RATE_OF_OTHERS),
        is_counted=stream.direction is sdp.Direction.SENDRECV,
        pins_ssrc=kind == "audio",
        is_rtp=transport.is_rtp,
        is_secured=transport.is_secured,
        has_others=transport.has_others,
    )


def _clocks_of(stream: sdp.Stream) -> Clocks:
    """Return payload type and clock rate of what jitter can be measured on."""
    codecs, offered, answered = stream.codecs, stream.offer, stream.answer.formats
    if answered != offered.formats and not set(answered) <= set(offered.formats):
        codecs += offered.codecs  # the two ends number differently
    return _clocks(codecs)


@lru_cache(maxsize=512)
def _clocks(codecs: tuple[sdp.RtpMap, ...]) -> Clocks:
    return tuple(
        (codec.payload_type, codec.clock_rate) for codec in codecs if codec.encoding.lower() not in _UNTIMED
    )[:_MAX_CLOCKS]


def _codec_of(stream: sdp.Stream) -> str:
    """Return the name of the codec that the answer prefers, "" when there is none."""
    for codec in stream.codecs:
        if codec.encoding.lower() not in _UNTIMED:
            return codec.name
    return ""


def _rewrite_media(source: sdp.Description, media: sdp.Media, line: Line, hidden: set[str]) -> sdp.Media:
    if not line.port:
        return sdp.Media(media.kind, 0, media.proto, media.formats)
    attributes = _kept(media.attributes, hidden, _gone_from(media))
    attributes += (_attribute(direction_of(source, media)),)
    if line.is_mux:
        attributes += (_MUX,)
    return sdp.Media(
        media.kind, line.port, media.proto, media.formats, bandwidths=media.bandwidths, attributes=attributes
    )


_MUX = sdp.Attribute("rtcp-mux")


@lru_cache(maxsize=8)
def _attribute(direction: sdp.Direction) -> sdp.Attribute:
    return sdp.Attribute(direction.value)


def direction_of(source: sdp.Description, media: sdp.Media) -> sdp.Direction:
    """The direction, with the old way to say hold (c=0.0.0.0) in today's words; RFC 3264 §8.4."""
    direction = source.direction_of(media)
    connection = source.connection_of(media)
    if connection is not None and connection.is_null:
        return direction & sdp.Direction.SENDONLY
    return direction


def _may_have_keys(proto: str) -> bool:
    transport = transport_of(proto)
    return transport is not None and (transport.is_secured or not transport.is_rtp)


def _gone_from(media: sdp.Media) -> frozenset[str]:
    if _may_have_keys(media.proto):
        return _GONE
    return _GONE_SOUND if media.kind == "audio" else _GONE_UNSECURED


def _kept(
    attributes: tuple[sdp.Attribute, ...], hidden: set[str], gone: frozenset[str]
) -> tuple[sdp.Attribute, ...]:
    return tuple(
        [
            attribute
            for attribute in attributes
            if attribute.name not in gone
            and attribute.name[:2] not in ("x-", "X-")
            and (
                attribute.value is None
                or attribute.name in _FORMATS
                or not any(host in attribute.value for host in hidden)
            )
        ]
    )


def _hosts_in(source: sdp.Description) -> set[str]:
    """The addresses of a leg, which no attribute may carry to the other one (a cname, for one)."""
    hosts = {source.origin.host}
    if source.connection is not None:
        hosts.add(source.connection.host)
    for media in source.media:
        if media.connection is not None:
            hosts.add(media.connection.host)
    return {host for host in hosts if "." in host or ":" in host}
