"""What a leg said, as the relay needs it, read the quick way where that is possible.

Nearly every phone sends one line of sound, and everything behind its port is the same in call after call.
Such a body is parsed and rewritten once and then known by its octets; only addresses, ports and origins are
put in. What does not look like that takes the long way, and gets the same result.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from switchroom.codecs import CodecError
from switchroom.protocols import sdp
from switchroom.protocols.errors import RemoteProtocolError

from .cut import LINE, cut, put
from .negotiate import Line, Opening, Transport, rewrite, terms_of, transport_of
from .security.heard import Heard, has_protection, undress
from .stream import Terms
from .targets import place_of
from .transcoding import Names, Plan, answer_of, extend, plan

if TYPE_CHECKING:
    from ._engine import Stream
    from .security.security import Dress, Security

# In three parts: what differs in each call, and, around the port, what a phone says in all of its calls
_SESSION = re.compile(
    rb"([0-9.]{7,15})\r\ns=[ -~]{0,64}\r\n"
    rb"c=IN IP4 ([1-9][0-9.]{6,14})\r\nt=0 0((?:\r\na=[!-~]{1,64}){0,4})"
)
_MEDIA = re.compile(rb" RTP/AVP [0-9 ]{1,64}\r\n(?:a=[ -~]{1,128}\r\n){0,32}")
_MAX_SIZE = 1500  # octets; what is kept of a phone is not more
_MAX_KNOWN = 2048
_DIFFERS_EACH_TIME = re.compile(rb"a=(?:rtcp:|candidate|ice|crypto|fingerprint|msid|x-|X-)")
_SSRC = re.compile(rb"(?<=\n)a=ssrc:[ -~]*\r\n")
_PLACE = sdp.Origin("-", 0, 0, "IP4", "192.0.2.0")
_QUICK_PORT = 9
_NO_LINE = Line()


class Wish:
    """Where one m-line wants its packets, and of what kind they are."""

    __slots__ = ("can_be_relayed", "has_mux", "host", "kind", "port", "rtcp", "transport")

    def __init__(
        self,
        kind: str,
        transport: Transport | None,
        port: int,
        host: str | None,
        rtcp: sdp.Rtcp | None = None,
        has_mux: bool = False,
    ) -> None:
        self.kind = kind
        self.transport = transport
        self.port = port
        self.host = host
        self.rtcp = rtcp
        self.has_mux = has_mux
        self.can_be_relayed = port != 0 and transport is not None  # not rejected, and over UDP


class Said:
    """A description that came in: the long form always fits ``answers`` and ``rewrite``."""

    __slots__ = ("body", "data", "description", "heard", "wishes")

    def __init__(
        self,
        description: sdp.Description,
        wishes: list[Wish],
        body: Body | None = None,
        data: bytes = b"",
        heard: tuple[Heard, ...] | None = None,
    ) -> None:
        self.description = description
        self.wishes = wishes
        self.body = body
        self.data = data  # as it came
        self.heard = heard  # what it said about its protection; None: nothing

    def shown_as(self, description: sdp.Description, body: Body | None = None) -> Said:
        """The same from the same end, with other lines in it."""
        return Said(description, self.wishes, body, self.data, self.heard)

    def write(self, opening: Opening, lines: list[Line], dress: Dress | None = None) -> bytes:
        """Return it for the other leg."""
        body, line = self.body, lines[0] if lines else _NO_LINE
        if body is None or dress is not None or not line.port:
            whole = rewrite(self.description, sdp.Origin(*opening.origin), opening.host, lines)
            return bytes(whole if dress is None else dress(whole))
        tail = body.muxed if line.is_mux else body.plain
        return put(opening.origin, opening.host, body.head, line.port, tail)


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


class Body:
    """What descriptions with the same lines behind the address share; address and port hold places."""

    __slots__ = ("_extended", "_names", "description", "has_mux", "head", "muxed", "plain")

    def __init__(self, description: sdp.Description) -> None:
        self.description = description
        self.has_mux = self.description.media[0].has_rtcp_mux
        self.head, self.plain = _cut(description, Line(_QUICK_PORT))
        _, self.muxed = _cut(description, Line(_QUICK_PORT, True))
        self._names: tuple[Names, Names] = ((), ())  # with which it was asked for last, and what came of it
        self._extended = self

    def extended(self, allowed: Names, converted: Names) -> Body:
        """What a leg is offered in its place that may use these; most are offered the same each time."""
        before = self._names
        if before[0] is not allowed or before[1] is not converted:
            self._extended = _extended(self, allowed, converted)
            self._names = (allowed, converted)
        return self._extended


def _cut(description: sdp.Description, line: Line) -> tuple[bytes, bytes]:
    """The rewritten description, between host and port, and behind the port."""
    text = bytes(rewrite(description, _PLACE, "192.0.2.0", [line]))
    head, _, tail = text.partition(b"m=audio %d " % _QUICK_PORT)
    return head[head.index(b"\r\nt=") :] + b"m=audio ", b" " + tail


@lru_cache(maxsize=256)
def _body(attributes: bytes, rest: bytes) -> Body:
    text = b"v=0\r\no=%s\r\ns=-\r\nc=IN IP4 192.0.2.0\r\nt=0 0\r\n%sm=audio %d %s"
    return Body(sdp.Description.parse(text % (str(_PLACE).encode(), attributes, _QUICK_PORT, rest)))


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


def aim(stream: Stream, wish: Wish, toward: str, local: str) -> None:
    """Tell where RTP and RTCP may go to, and whether what comes from there comes from elsewhere.

    RTCP goes to the next port unless a=rtcp says otherwise (RFC 3605).
    """
    host = None
    if wish.host is not None:
        host, is_hidden = place_of(wish.host, toward, local)
        stream.is_nat = stream.is_nat or is_hidden
    stream.rtp_host, stream.rtp_port = host, wish.port
    port = wish.port + 1
    if wish.rtcp is not None:
        port = wish.rtcp.port
        if wish.rtcp.host is not None:
            host, _ = place_of(wish.rtcp.host, toward, local)
    stream.rtcp_host, stream.rtcp_port = host, port if port < 65536 else 0


def extended(said: Said, allowed: Names, converted: Names) -> Said:
    """Return an offer as it goes to a leg that may use some codecs only, with those that we convert to."""
    if not allowed and not converted:
        return said
    if said.body is not None:
        body = said.body.extended(allowed, converted)
        return said if body is said.body else said.shown_as(body.description, body)
    description = extend(said.description, allowed, converted)
    if description is said.description:
        return said
    wishes = [
        Wish(wish.kind, wish.transport, media.port, wish.host, wish.rtcp, wish.has_mux)
        for wish, media in zip(said.wishes, description.media, strict=True)
    ]
    return Said(description, wishes, None, said.data, said.heard)


@lru_cache(maxsize=512)
def _extended(body: Body, allowed: Names, converted: Names) -> Body:
    description = extend(body.description, allowed, converted)
    return body if description is body.description else Body(description)


class Agreed:
    """What an offer and its answer come to, by m-line."""

    __slots__ = (
        "are_taken",
        "codecs",
        "has_plans",
        "is_converted",
        "kinds",
        "plans",
        "streams",
        "terms",
        "told",
    )

    def __init__(
        self,
        streams: tuple[sdp.Stream, ...],
        terms: tuple[Terms | None, ...],
        plans: tuple[Plan | None, ...],
        told: Body | None = None,
    ) -> None:
        self.streams = streams
        self.terms = terms  # None: rejected
        self.plans = plans  # None: packets pass as they are
        self.told = told  # what the offerer is told where the answer is another's, if it is short
        self.kinds = tuple([stream.answer.kind for stream in streams])
        self.codecs = tuple(["" if one is None else one.codec for one in terms])
        self.are_taken = tuple([not stream.is_rejected for stream in streams])
        self.has_plans = any(plans)
        # Whether any sound is decoded and encoded again
        self.is_converted = any(one is not None and one.offerer.is_converted for one in plans)


def agree(offer: Said, sent: Said, lines: list[Line], answer: Said, converted: Names) -> Agreed:
    """Check an answer against its offer, as that was ``sent`` on with ``lines``; RFC 3264 §6."""
    if sent.body is not None and offer.body is not None and answer.body is not None:
        line = lines[0]
        if line.port:
            return _agreed(offer.body, sent.body, answer.body, converted)
    return _agree(offer.description, _given_up(sent.description, lines), answer.description, converted)


def _given_up(sent: sdp.Description, lines: list[Line]) -> sdp.Description:
    """An offer without the m-lines that were not sent on."""
    media = tuple(
        [
            media if line.port or not media.port else replace(media, port=0)
            for media, line in zip(sent.media, lines, strict=True)
        ]
    )
    return sent if media == sent.media else replace(sent, media=media)


def told(answer: Said, agreed: Agreed) -> Said:
    """Return an answer as the offerer may see it: with codecs that it knows."""
    if not agreed.has_plans:
        return answer
    if agreed.told is not None:
        return answer.shown_as(agreed.told.description, agreed.told)
    return answer.shown_as(_told(answer.description, agreed.plans))


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
def _agreed(offer: Body, sent: Body, answer: Body, converted: Names) -> Agreed:
    agreed = _agree(offer.description, sent.description, answer.description, converted)
    if agreed.has_plans:
        agreed.told = Body(_told(answer.description, agreed.plans))
    return agreed


def _parse_quickly(data: bytes) -> Said | None:
    found = cut(data) if len(data) <= _MAX_SIZE else None
    if found is None:
        return None
    text, number = found
    known = _known.get(text) or _look(text, number)
    if known is None:
        return None
    body = known.body
    wish = Wish("audio", _SOUND, number, known.host, None, body.has_mux)
    return Said(body.description, [wish], body, data, None)


class Known:
    """What was said before, but for the port: the address of a session, and what it shares with others."""

    __slots__ = ("body", "host")

    def __init__(self, host: str, body: Body) -> None:
        self.host = host
        self.body = body


_known: dict[bytes, Known] = {}  # by all from the address in the origin on, without the port


def _look(text: bytes, port: int) -> Known | None:
    """Read what begins at the address in its origin, and misses the port; it is known from then on."""
    session, _, media = text.partition(LINE)
    if b"\na=ssrc:" in media or b"\na=rtcp:" in media:  # nobody says the same there in two calls
        media = _SSRC.sub(b"", media)  # as negotiate leaves it out
        media = media.replace(b"\na=rtcp:%d\r\n" % (port + 1), b"\n")  # says what goes without saying
        text = session + LINE + media
        if text in _known:
            return _known[text]
    found = _SESSION.fullmatch(session)
    if found is None or _MEDIA.fullmatch(media) is None:
        return None
    own, host, attributes = found[1], found[2], found[3][2:] + b"\r\n" if found[3] else b""
    known_by = attributes + media
    if _DIFFERS_EACH_TIME.search(known_by) or host in known_by or own in known_by:
        return None
    if len(_known) >= _MAX_KNOWN:
        del _known[next(iter(_known))]
    known = _known[text] = Known(host.decode(), _body(attributes, media[1:]))
    return known


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
