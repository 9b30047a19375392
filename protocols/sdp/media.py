"""One m= section of a session description; RFC 8866 §5.14."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from ..errors import RemoteProtocolError
from .attributes import (
    STATIC_PAYLOADS,
    Connection,
    Direction,
    Rtcp,
    RtpMap,
    check_number,
    parse_ptime,
    parse_rtcp,
    parse_rtpmap,
)
from .lines import (
    BEFORE_CONNECTION,
    DIRECTIONS,
    MAX_KNOWN,
    MAX_KNOWN_TEXT,
    MAX_LINES,
    Attribute,
    check_counts,
    checked_bandwidth,
    checked_other,
    direction_in,
    find,
    first_connection,
    in_order,
    known_attribute,
    parse_attribute,
    write_tail,
)

MAX_FORMATS = 128

_PAYLOAD_TYPES = frozenset(str(number) for number in range(128))


@dataclass(frozen=True, slots=True)
class Media:
    """One m= line and what follows it; RFC 8866 §5.14."""

    kind: str
    port: int
    proto: str
    formats: tuple[str, ...]
    port_count: int = 1
    connection: Connection | None = None
    bandwidths: tuple[str, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    others: tuple[str, ...] = ()

    def get(self, name: str) -> str | None:
        """Return the value of the first attribute of that name; "" for a flag, None when absent."""
        return find(self.attributes, name)

    def get_all(self, name: str) -> list[str]:
        """Return the values of all attributes of that name."""
        return [value or "" for key, value in self.attributes if key == name]

    @property
    def is_rejected(self) -> bool:
        """Port zero: refused in an answer, not (or no longer) wanted in an offer; RFC 3264 §6."""
        return self.port == 0

    @property
    def is_rtp(self) -> bool:
        return "RTP/" in self.proto

    @property
    def direction(self) -> Direction | None:
        """What this m-line says itself; ``Description.direction_of`` knows what the session says for it."""
        return direction_in(self.attributes)

    @property
    def rtpmaps(self) -> dict[int, RtpMap]:
        """The a=rtpmap lines by payload type; static types without a line are missing."""
        return _rtpmaps(self.attributes)

    @property
    def codecs(self) -> tuple[RtpMap, ...]:
        """The formats in order of preference; static payload types (RFC 3551) need no a=rtpmap."""
        if not self.is_rtp:
            return ()
        return named_codecs(self.formats, self.attributes)

    @property
    def fmtps(self) -> dict[str, str]:
        """The a=fmtp lines: format -> its parameters."""
        pairs = (value.partition(" ") for value in self.get_all("fmtp"))
        return {name: parameters for name, _, parameters in pairs}

    @property
    def ptime(self) -> float | None:
        """Milliseconds of media in a packet, or None."""
        value = self.get("ptime")
        return parse_ptime(value) if value is not None else None

    @property
    def rtcp(self) -> Rtcp | None:
        """Where RTCP is wanted when that is not the next port; RFC 3605."""
        value = self.get("rtcp")
        return parse_rtcp(value) if value is not None else None

    @property
    def has_rtcp_mux(self) -> bool:
        """RTCP on the port of RTP; RFC 5761."""
        return self.get("rtcp-mux") is not None

    def with_direction(self, direction: Direction) -> Media:
        """Return this m-line with that direction in place of any other."""
        kept = [pair for pair in self.attributes if pair.name not in DIRECTIONS]
        return replace(self, attributes=(*kept, Attribute(direction.value)))


def _rtpmaps(attributes: tuple[Attribute, ...]) -> dict[int, RtpMap]:
    found = (parse_rtpmap(value or "") for name, value in attributes if name == "rtpmap")
    return {rtpmap.payload_type: rtpmap for rtpmap in found}


@lru_cache(maxsize=512)  # a phone says the same in every call
def named_codecs(formats: tuple[str, ...], attributes: tuple[Attribute, ...]) -> tuple[RtpMap, ...]:
    rtpmaps = _rtpmaps(attributes)
    known = ((rtpmaps.get(int(name)) or STATIC_PAYLOADS.get(int(name))) for name in formats)
    return tuple(rtpmap for rtpmap in known if rtpmap is not None)


class _Rest(NamedTuple):
    """What follows an m= line."""

    connection: Connection | None
    bandwidths: tuple[str, ...]
    attributes: tuple[Attribute, ...]
    others: tuple[str, ...]


def _parse_rest(text: str) -> _Rest:
    lines = text.split("\n", MAX_LINES) if text else []
    connection = None
    attributes, bandwidths, others = [], [], []
    for line in lines:
        tag = line[:2]
        if tag == "a=":
            attributes.append(known_attribute(line) if len(line) < MAX_KNOWN else parse_attribute(line))
        elif tag == "c=":
            connection = first_connection(connection, line)
        elif tag == "b=":
            bandwidths.append(checked_bandwidth(line))
        else:
            others.append(checked_other(line))
    check_counts(len(attributes), len(lines) + 1)
    return _Rest(connection, tuple(bandwidths), tuple(attributes), tuple(in_order(others)))


_known_rest = lru_cache(maxsize=512)(_parse_rest)


def parse_media(section: str) -> Media:
    line, _, text = section.partition("\n")
    rest = _known_rest(text) if len(text) < MAX_KNOWN_TEXT else _parse_rest(text)
    first = line.split(" ", MAX_FORMATS + 3)
    while len(first) > 4 and not first[-1]:
        first.pop()  # a space at the end of the line
    port_text, _, count_text = first[1].partition("/") if len(first) > 1 else ("", "", "")
    formats = tuple(first[3:])
    if not formats or "" in first or len(formats) > MAX_FORMATS:
        raise RemoteProtocolError(f"malformed line m={line[:80]}")
    if "RTP/" in first[2] and not _PAYLOAD_TYPES.issuperset(formats):
        raise RemoteProtocolError(f"payload type out of range in m={line[:80]}")
    return Media(
        first[0],
        check_number(port_text, 65535, "port"),
        first[2],
        formats,
        check_number(count_text, 255, "number of ports", least=1) if count_text else 1,
        rest.connection,
        rest.bandwidths,
        rest.attributes,
        rest.others,
    )


def write_media(lines: list[str], media: Media) -> None:
    port = f"{media.port}/{media.port_count}" if media.port_count != 1 else media.port
    lines.append(f"m={media.kind} {port} {media.proto} {' '.join(media.formats)}")
    lines += [line for line in media.others if line[0] in BEFORE_CONNECTION]
    if media.connection is not None:
        lines.append(f"c={media.connection}")
    lines += [f"b={bandwidth}" for bandwidth in media.bandwidths]
    write_tail(lines, media.others, media.attributes)
