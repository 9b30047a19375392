"""What a description says about the protection of its lines, and the same description without it.

What comes in is undressed first: everything else about it (codecs, directions, conversion) is decided as if
all legs spoke plain RTP. What goes out is dressed last, as its own leg wants it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from switchroom.protocols import sdp
from switchroom.protocols.srtp import Crypto, Fingerprint, read_cryptos, read_fingerprints
from switchroom.protocols.stun import Candidate, Credentials

from .bundle import BUNDLE_ONLY, are_alike, leads_of, members_of, mid_id_of, port_of

_MAX_CANDIDATES = 32
_UFRAG = range(4, 257)  # RFC 8839 §5.4
_PASSWORD = range(22, 257)
_GONE = frozenset(  # from the lines of browsers: it names header extensions and sources of that leg only
    ("extmap-allow-mixed", "msid", "msid-semantic", BUNDLE_ONLY)
)
_LAYERS = frozenset(("rid", "simulcast"))  # of a picture, which its receiver tells apart; RFC 8851, 8853
_SOURCES = frozenset(("ssrc", "ssrc-group"))  # of video: which one repeats what (RFC 4588, 5576)
_EXTENSIONS = frozenset(  # of video that mean the same to any receiver
    (
        "urn:ietf:params:rtp-hdrext:toffset",
        "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        "urn:3gpp:video-orientation",
        "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",  # RFC 8852
        "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
    )
)
_FEEDBACK = "rtcp-fb"
_REDUNDANT = frozenset(("red", "ulpfec", "flexfec-03"))  # they name payload types by number, of one leg


class Heard(NamedTuple):
    """The protection of one m-line, as its description has it."""

    proto: str
    is_rtp: bool
    cryptos: tuple[Crypto, ...] = ()
    fingerprints: tuple[Fingerprint, ...] = ()
    setup: str | None = None
    credentials: Credentials | None = None  # of ICE
    candidates: tuple[Candidate, ...] = ()
    mid: str | None = None
    is_lite: bool = False
    lead: int | None = None  # the line that leads the bundle that it is in
    mid_id: int = 0  # of the header extension by which its packets name it, where that is needed

    @property
    def is_secured(self) -> bool:
        """Whether it wants nothing but SRTP."""
        return "SAVP" in self.proto


def has_protection(description: sdp.Description) -> bool:
    """Whether anything in it is to be undressed."""
    return any(
        "SAVP" in line.proto
        or any(line.get(name) is not None for name in ("crypto", "fingerprint", "ice-ufrag"))
        for line in description.media
        if line.is_rtp
    )


def undress(
    description: sdp.Description, *, toward: str, has_srtp: bool = True
) -> tuple[sdp.Description, tuple[Heard, ...]]:
    """Return the description as plain RTP, and what it said about its protection.

    ``toward`` stands for an address that is not known yet; without ``has_srtp`` of an offer's two lines for
    one stream the plain one stays, else the secured one (RFC 4568 has no other way to say "either").
    """
    leads = leads_of(description.media, members_of(description), is_theirs=True)
    heard = _hear_all(description, leads)
    twins = _twins(description, has_srtp=has_srtp)
    lines = [
        replace(line, port=port_of(line, is_bundled=i in leads)) for i, line in enumerate(description.media)
    ]
    pairs = zip(lines, heard, strict=True)
    media = [
        replace(line, port=0) if i in twins else _plain(description, line, one, toward)
        for i, (line, one) in enumerate(pairs)
    ]
    attributes = tuple([one for one in description.attributes if one.name not in _GONE])
    return replace(description, media=tuple(media), attributes=attributes), heard


def _hear_all(description: sdp.Description, leads: dict[int, int]) -> tuple[Heard, ...]:
    """Read the protection of all lines; what one leaves to the line that leads its bundle is that one's."""
    heard = [hear(description, media) for media in description.media]
    must_name = are_alike(description.media, leads)
    for i, lead in leads.items():
        one, of_lead = heard[i], heard[lead]
        heard[i] = one._replace(
            lead=lead,
            fingerprints=one.fingerprints or of_lead.fingerprints,
            setup=one.setup or of_lead.setup,
            credentials=one.credentials or of_lead.credentials,
            mid_id=mid_id_of(description.media[i]) if must_name else 0,
        )
    return tuple(heard)


def hear(description: sdp.Description, media: sdp.Media) -> Heard:
    """Read the protection of one line; what the session says counts for lines that say nothing."""
    fingerprints = media.get_all("fingerprint") or _all(description, "fingerprint")
    candidates = [Candidate.parse(value) for value in media.get_all("candidate")[:_MAX_CANDIDATES]]
    return Heard(
        media.proto,
        media.is_rtp,
        read_cryptos(media.get_all("crypto")),
        read_fingerprints(fingerprints),
        media.get("setup") or description.get("setup"),
        _credentials(description, media),
        tuple([one for one in candidates if one is not None]),
        media.get("mid"),
        description.get("ice-lite") is not None,
    )


def _all(description: sdp.Description, name: str) -> list[str]:
    return [value or "" for key, value in description.attributes if key == name]


def _credentials(description: sdp.Description, media: sdp.Media) -> Credentials | None:
    ufrag = media.get("ice-ufrag") or description.get("ice-ufrag") or ""
    password = media.get("ice-pwd") or description.get("ice-pwd") or ""
    if len(ufrag) not in _UFRAG or len(password) not in _PASSWORD:
        return None
    return Credentials(ufrag, password)


def _twins(description: sdp.Description, *, has_srtp: bool) -> set[int]:
    """The lines that are left out because another one is the same stream with or without SRTP."""
    left_out = set()
    for kind in {line.kind for line in description.media}:
        lines = [
            (i, "SAVP" in line.proto)
            for i, line in enumerate(description.media)
            if line.kind == kind and line.is_rtp and not line.is_rejected
        ]
        if {is_secured for _, is_secured in lines} == {True, False}:
            left_out |= {i for i, is_secured in lines if is_secured is not has_srtp}
    return left_out


def _plain(description: sdp.Description, line: sdp.Media, heard: Heard, toward: str) -> sdp.Media:
    if not heard.is_rtp:
        return line
    proto = line.proto
    if heard.is_secured:
        has_feedback = proto.endswith("F") and line.kind != "audio"
        proto = "RTP/AVPF" if has_feedback else "RTP/AVP"
    if heard.credentials is None:
        return replace(line, proto=proto)
    line = _without_redundancy(line)
    is_audio = line.kind == "audio"
    attributes = tuple([one for one in line.attributes if not _is_gone(one, is_audio=is_audio)])
    connection = description.connection_of(line)
    if connection is None or connection.is_null:  # no candidate was known: that is no hold
        connection = sdp.Connection("IP6" if ":" in toward else "IP4", toward)
    return replace(line, proto=proto, attributes=attributes, connection=connection)


def _is_gone(one: sdp.Attribute, *, is_audio: bool) -> bool:
    """Whether an attribute of a browser's line is of no use to others, or names its end."""
    name, value = one.name, one.value or ""
    if name in _GONE or (is_audio and (name in _SOURCES | _LAYERS or name in (_FEEDBACK, "extmap"))):
        return True
    if name == "ssrc":
        return " cname:" not in value
    if name == "extmap":
        return value.split(" ")[1:2] == [] or value.split(" ")[1] not in _EXTENSIONS
    return name == _FEEDBACK and value.endswith(" transport-cc")  # it counts packets of all lines


def _without_redundancy(line: sdp.Media) -> sdp.Media:
    gone = {str(codec.payload_type) for codec in line.codecs if codec.encoding.lower() in _REDUNDANT}
    gone |= {name for name, said in line.fmtps.items() if said.removeprefix("apt=") in gone}
    kept = tuple([name for name in line.formats if name not in gone])
    if not gone or not kept:
        return line
    attributes = tuple(
        [one for one in line.attributes if not (sdp.is_of_format(one) and _number(one) in gone)]
    )
    return replace(line, formats=kept, attributes=attributes)


def _number(attribute: sdp.Attribute) -> str:
    return (attribute.value or "").partition(" ")[0]
