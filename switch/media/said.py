"""What a leg said, as the relay needs it, read the quick way where that is possible.

Nearly every phone sends one line of sound, and everything behind its port is the same in call after call.
Such a body is parsed and rewritten once and then known by its octets; only addresses, ports and origins are
put in. What does not look like that takes the long way, and gets the same result.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from switchroom.codecs import CodecError
from switchroom.protocols import sdp
from switchroom.protocols.errors import RemoteProtocolError

from .negotiate import Line, Transport, rewrite, terms_of, transport_of
from .security.heard import Heard, has_protection, undress
from .stream import Terms
from .targets import target_host
from .transcoding import Names, Plan, answer_of, extend, plan

if TYPE_CHECKING:
    from .security.security import Dress, Security

# In three parts: what differs in each call, and, around the port, what a phone says in all of its calls
_ORIGIN = re.compile(rb"v=0\r\no=[!-~]{1,64} [0-9]{1,18} [0-9]{1,18} IN IP4 ([0-9.]{7,15})")
_SESSION = re.compile(rb"[ -~]{0,64}\r\nc=IN IP4 ([1-9][0-9.]{6,14})\r\nt=0 0((?:\r\na=[!-~]{1,64}){0,4})")
_MEDIA = re.compile(rb"RTP/AVP [0-9 ]{1,64}\r\n(?:a=[ -~]{1,128}\r\n){0,32}")
_PORT = re.compile(rb"[1-9][0-9]{0,4}")
_MAX_SIZE = 1500  # octets; what is kept of a phone is not more
_DIFFERS_EACH_TIME = re.compile(rb"a=(?:rtcp:|candidate|ice|crypto|fingerprint|msid|x-|X-)")
_SSRC = re.compile(rb"(?<=\n)a=ssrc:[ -~]*\r\n")
_PLACE = sdp.Origin("-", 0, 0, "IP4", "192.0.2.0")
_QUICK_PORT = 9


Target = tuple[str, int] | None


class Wish(NamedTuple):
    """Where one m-line wants its packets, and of what kind they are."""

    kind: str
    transport: Transport | None
    port: int
    host: str | None
    rtcp: sdp.Rtcp | None = None
    has_mux: bool = False

    @property
    def can_be_relayed(self) -> bool:
        """Not rejected, and over UDP."""
        return self.port != 0 and self.transport is not None


class Said(NamedTuple):
    """A description that came in: the long form always fits ``answers`` and ``rewrite``."""

    description: sdp.Description
    wishes: list[Wish]
    body: _Body | None = None
    data: bytes = b""  # as it came
    heard: tuple[Heard, ...] | None = None  # what it said about its protection; None: nothing

    def write(self, origin: sdp.Origin, host: str, lines: list[Line], dress: Dress | None = None) -> bytes:
        """Return it for the other leg."""
        line = lines[0] if lines else None
        if dress is not None:
            return bytes(dress(rewrite(self.description, origin, host, lines)))
        if self.body is None or line is None or not line.port:
            return bytes(rewrite(self.description, origin, host, lines))
        return b"v=0\r\no=%s\r\ns=-\r\nc=IN %s %s%s%d%s" % (
            str(origin).encode(),
            origin.family.encode(),
            host.encode(),
            self.body.head,
            line.port,
            self.body.muxed if line.is_mux else self.body.plain,
        )


def written(said: Said) -> bytes:
    """The description as it came, but for its origin."""
    if said.heard is not None:
        return said.data
    if said.body is None:
        return bytes(said.description)
    [wish] = said.wishes
    [media] = said.description.media
    connection = sdp.Connection("IP4", wish.host or "0.0.0.0")
    whole = replace(said.description, connection=connection, media=(replace(media, port=wish.port),))
    return bytes(whole)


class _Body:
    """What descriptions with the same lines behind the address share; address and port hold places."""

    __slots__ = ("description", "has_mux", "head", "muxed", "plain")

    def __init__(self, description: sdp.Description) -> None:
        self.description = description
        self.has_mux = self.description.media[0].has_rtcp_mux
        self.head, self.plain = self._cut(Line(_QUICK_PORT))
        _, self.muxed = self._cut(Line(_QUICK_PORT, is_mux=True))

    def _cut(self, line: Line) -> tuple[bytes, bytes]:
        """The rewritten description, between host and port, and behind the port."""
        data = bytes(rewrite(self.description, _PLACE, "192.0.2.0", [line]))
        head, _, tail = data.partition(b"m=audio %d " % _QUICK_PORT)
        return head[head.index(b"\r\nt=") :] + b"m=audio ", b" " + tail


@lru_cache(maxsize=256)
def _body(attributes: bytes, rest: bytes) -> _Body:
    text = b"v=0\r\no=%s\r\ns=-\r\nc=IN IP4 192.0.2.0\r\nt=0 0\r\n%sm=audio %d %s"
    return _Body(sdp.Description.parse(text % (str(_PLACE).encode(), attributes, _QUICK_PORT, rest)))


def parse(data: bytes) -> Said:
    """Read a description."""
    return _parse_quickly(data) or _parse(data)


Kept = Said | bytes  # what was not undressed is kept as it came: a call that is up takes little memory


def kept(said: Said) -> Kept:
    """Return what to keep of a description for as long as it stands."""
    return said.data if said.heard is None and said.data else said


def again(kept: Kept) -> Said:
    """Return the description that is kept."""
    return parse(kept) if isinstance(kept, bytes) else kept


def octets_of(kept: Kept) -> bytes:
    """Return it as it came."""
    return kept if isinstance(kept, bytes) else kept.data


def targets_of(wish: Wish, toward: str, local: str) -> tuple[Target, Target]:
    """Return where RTP and RTCP may go to: the next port unless a=rtcp says otherwise (RFC 3605)."""
    host = rtcp_host = None if wish.host is None else target_host(wish.host, toward, local)
    rtcp_port = wish.port + 1
    if wish.rtcp is not None:
        rtcp_port = wish.rtcp.port
        if wish.rtcp.host is not None:
            rtcp_host = target_host(wish.rtcp.host, toward, local)
    return (
        (host, wish.port) if host is not None and wish.port else None,
        (rtcp_host, rtcp_port) if rtcp_host is not None and 0 < rtcp_port < 65536 else None,
    )


def extended(said: Said, allowed: Names, converted: Names) -> Said:
    """Return an offer as it goes to a leg that may use some codecs only, with those that we convert to."""
    if not allowed and not converted:
        return said
    if said.body is not None:
        body = _extended(said.body, allowed, converted)
        return said if body is said.body else said._replace(description=body.description, body=body)
    description = extend(said.description, allowed, converted)
    if description is said.description:
        return said
    ports = [media.port for media in description.media]
    wishes = [wish._replace(port=port) for wish, port in zip(said.wishes, ports, strict=True)]
    return said._replace(description=description, wishes=wishes)


@lru_cache(maxsize=512)
def _extended(body: _Body, allowed: Names, converted: Names) -> _Body:
    description = extend(body.description, allowed, converted)
    return body if description is body.description else _Body(description)


class Agreed(NamedTuple):
    """What an offer and its answer come to, by m-line."""

    streams: tuple[sdp.Stream, ...]
    terms: tuple[Terms | None, ...]  # None: rejected
    plans: tuple[Plan | None, ...]  # None: packets pass as they are
    told: _Body | None = None  # what the offerer is told where the answer is another's, if it is short


def agree(offer: Said, sent: Said, lines: list[Line], answer: Said, converted: Names) -> Agreed:
    """Check an answer against its offer, as that was ``sent`` on with ``lines``; RFC 3264 §6."""
    if sent.body is not None and offer.body is not None and answer.body is not None and lines[0].port:
        return _agreed(offer.body, sent.body, answer.body, converted)
    description = sent.description
    if any(media.port and not line.port for media, line in zip(description.media, lines, strict=True)):
        media = [
            media if line.port else replace(media, port=0)
            for media, line in zip(description.media, lines, strict=True)
        ]
        description = replace(description, media=tuple(media))
    return _agree(offer.description, description, answer.description, converted)


def told(answer: Said, agreed: Agreed) -> Said:
    """Return an answer as the offerer may see it: with codecs that it knows."""
    if not any(agreed.plans):
        return answer
    if agreed.told is not None:
        return answer._replace(description=agreed.told.description, body=agreed.told)
    return answer._replace(description=_told(answer.description, agreed.plans), body=None)


def _told(answer: sdp.Description, plans: tuple[Plan | None, ...]) -> sdp.Description:
    pairs = zip(answer.media, plans, strict=True)
    return replace(answer, media=tuple([m if one is None else answer_of(m, one) for m, one in pairs]))


def _agree(
    offer: sdp.Description, sent: sdp.Description, answer: sdp.Description, converted: Names
) -> Agreed:
    streams = sdp.answers(sent, answer)
    pairs = zip(offer.media, streams, strict=True)
    try:
        plans = tuple([plan(media, stream, converted) for media, stream in pairs])
    except CodecError as error:
        raise RemoteProtocolError(str(error), status=488) from error
    return Agreed(streams, tuple([terms_of(stream) for stream in streams]), plans)


@lru_cache(maxsize=1024)
def _agreed(offer: _Body, sent: _Body, answer: _Body, converted: Names) -> Agreed:
    agreed = _agree(offer.description, sent.description, answer.description, converted)
    if any(agreed.plans):
        return agreed._replace(told=_Body(_told(answer.description, agreed.plans)))
    return agreed


def _parse_quickly(data: bytes) -> Said | None:
    before, _, line = data.partition(b"\r\nm=audio ")
    origin, _, session = before.partition(b"\r\ns=")
    port, _, media = line.partition(b" ")
    is_from = _ORIGIN.fullmatch(origin)
    if is_from is None or _PORT.fullmatch(port) is None or len(data) > _MAX_SIZE:
        return None
    number = int(port)
    if b"a=ssrc:" in media:
        media = _SSRC.sub(b"", media)  # as negotiate leaves it out
    if b"a=rtcp:" in media:
        media = media.replace(b"\na=rtcp:%d\r\n" % (number + 1), b"\n")  # says what goes without saying
    found = _look(session, media)
    if found is None or number > 65534:
        return None
    host, attributes, body = found
    if is_from[1] in attributes or is_from[1] in media:
        return None
    return Said(body.description, [Wish("audio", _SOUND, number, host, None, body.has_mux)], body, data)


@lru_cache(maxsize=2048)
def _look(session: bytes, media: bytes) -> tuple[str, bytes, _Body] | None:
    """Return the address that a session has, its attributes, and what it shares with others."""
    found = _SESSION.fullmatch(session)
    if found is None or _MEDIA.fullmatch(media) is None:
        return None
    host, attributes = found[1], found[2][2:] + b"\r\n" if found[2] else b""
    known_by = attributes + media
    if _DIFFERS_EACH_TIME.search(known_by) or host in known_by:
        return None
    return host.decode(), attributes, _body(attributes, media)


_SOUND = transport_of("RTP/AVP")


def undressed(said: Said, toward: str, security: Security) -> Said:
    """Return a description without its protection, which is of one leg."""
    if not security.has_srtp or not has_protection(said.description):
        return said
    is_wanted = security.policy.srtp != "off" or security.policy.is_browser
    description, heard = undress(said.description, toward=toward, has_srtp=is_wanted)
    return Said(description, _wishes(description), None, said.data, heard)


def _parse(data: bytes) -> Said:
    description = sdp.Description.parse(data)
    return Said(description, _wishes(description), None, data)


def _wishes(description: sdp.Description) -> list[Wish]:
    wishes = []
    for media in description.media:
        connection = description.connection_of(media)
        host = None if connection is None else connection.host
        transport = transport_of(media.proto)
        rtcp = media.rtcp if media.rtcp != (media.port + 1, None) else None
        wishes.append(Wish(media.kind, transport, media.port, host, rtcp, media.has_rtcp_mux))
    return wishes
