"""The values inside SDP lines: o=, c=, a=rtpmap, a=ptime, a=rtcp and directions; RFC 8866 §5, §6."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from ..errors import RemoteProtocolError

# every repetition is bounded: what matches is short, so the caches below hold little
_ORIGIN = re.compile(r"([^ ]{1,255}) ([0-9]{1,20}) ([0-9]{1,20}) IN (IP[46]) ([!-~]{1,255}) {0,8}")
_CONNECTION = re.compile(r"IN (IP[46]) ([!-~]{1,255}) {0,8}")
_RTPMAP = re.compile(r"([0-9]{1,3}) {1,8}([!-.0-~]{1,64})/([0-9]{1,9})(?:/([0-9]{0,3}))? {0,8}")
_PTIME = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,9})?) {0,8}")
_RTCP = re.compile(r"([0-9]{1,5})(?: IN (IP4|IP6) ([!-~]{1,255}))? {0,8}")
_MOST = (1 << 64) - 1  # session ids are NTP timestamps more often than not: 64 bits
_NULL_HOSTS = frozenset({"0.0.0.0", "::"})


class Direction(StrEnum):
    """Who sends, seen from the one who wrote it; RFC 8866 §6.7."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def can_send(self) -> bool:
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def can_receive(self) -> bool:
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    @property
    def reversed(self) -> Direction:
        """The same streams seen from the other end."""
        return Direction.of(send=self.can_receive, receive=self.can_send)

    @staticmethod
    def of(*, send: bool, receive: bool) -> Direction:
        if send:
            return Direction.SENDRECV if receive else Direction.SENDONLY
        return Direction.RECVONLY if receive else Direction.INACTIVE

    def __and__(self, other: Direction) -> Direction:
        """What both allow."""
        return Direction.of(
            send=self.can_send and other.can_send, receive=self.can_receive and other.can_receive
        )


class Origin(NamedTuple):
    """Who made the session and which version of it this is; RFC 8866 §5.2."""

    username: str
    session_id: int
    version: int
    family: str
    host: str

    def __str__(self) -> str:
        return f"{self.username} {self.session_id} {self.version} IN {self.family} {self.host}"


class Connection(NamedTuple):
    """Where media goes to; RFC 8866 §5.7."""

    family: str  # IP4 or IP6
    host: str

    @property
    def is_null(self) -> bool:
        """The old way to say hold: send nothing to me; RFC 3264 §8.4."""
        return self.host in _NULL_HOSTS

    def __str__(self) -> str:
        return f"IN {self.family} {self.host}"


class RtpMap(NamedTuple):
    """What a payload type stands for; RFC 8866 §6.6."""

    payload_type: int
    encoding: str
    clock_rate: int
    channels: int = 1

    @property
    def name(self) -> str:
        """The codec as the catalogue calls it: PCMU/8000, L16/44100/2."""
        name = f"{self.encoding}/{self.clock_rate}"
        return name if self.channels == 1 else f"{name}/{self.channels}"

    def __str__(self) -> str:
        return f"{self.payload_type} {self.name}"


STATIC_PAYLOADS: Mapping[int, RtpMap] = MappingProxyType(  # RFC 3551 §6
    {
        number: RtpMap(number, encoding, clock_rate, channels)
        for number, encoding, clock_rate, channels in (
            (0, "PCMU", 8000, 1),
            (3, "GSM", 8000, 1),
            (4, "G723", 8000, 1),
            (5, "DVI4", 8000, 1),
            (6, "DVI4", 16000, 1),
            (7, "LPC", 8000, 1),
            (8, "PCMA", 8000, 1),
            (9, "G722", 8000, 1),
            (10, "L16", 44100, 2),
            (11, "L16", 44100, 1),
            (12, "QCELP", 8000, 1),
            (13, "CN", 8000, 1),
            (14, "MPA", 90000, 1),
            (15, "G728", 8000, 1),
            (16, "DVI4", 11025, 1),
            (17, "DVI4", 22050, 1),
            (18, "G729", 8000, 1),
            (25, "CelB", 90000, 1),
            (26, "JPEG", 90000, 1),
            (28, "nv", 90000, 1),
            (31, "H261", 90000, 1),
            (32, "MPV", 90000, 1),
            (33, "MP2T", 90000, 1),
            (34, "H263", 90000, 1),
        )
    }
)


class Rtcp(NamedTuple):
    """Where RTCP goes to, when that is not the port after RTP; RFC 3605."""

    port: int
    host: str | None = None


def check_number(text: str, most: int, what: str, *, least: int = 0) -> int:
    """Read a decimal number in range; the length is looked at before the conversion."""
    if len(text) <= 20 and text.isascii() and text.isdigit() and least <= (number := int(text)) <= most:
        return number
    raise RemoteProtocolError(f"{what} {text[:40]!r} in SDP, {least} to {most} is allowed")


def parse_origin(value: str) -> Origin:
    """Read the value of an o= line."""
    found = _ORIGIN.fullmatch(value)
    if found is None:
        raise RemoteProtocolError(f"malformed line o={value[:80]}")
    username, session_id, version, family, host = found.groups()
    origin = Origin(username, int(session_id), int(version), family, host)
    if origin.session_id > _MOST or origin.version > _MOST:
        raise RemoteProtocolError(f"number out of range in o={value[:80]}")
    return origin


@lru_cache(maxsize=1024)
def parse_connection(value: str) -> Connection:
    """Read the value of a c= line."""
    found = _CONNECTION.fullmatch(value)
    if found is None:
        raise RemoteProtocolError(f"malformed line c={value[:80]}")
    return Connection(found[1], found[2])


@lru_cache(maxsize=512)
def parse_rtpmap(value: str) -> RtpMap:
    """Read the value of a=rtpmap."""
    found = _RTPMAP.fullmatch(value)
    if found is None:
        raise RemoteProtocolError(f"malformed a=rtpmap:{value[:80]}")
    number, encoding, clock_rate, channels = found.groups()
    return RtpMap(
        check_number(number, 127, "payload type"),
        encoding,
        check_number(clock_rate, 999_999_999, "clock rate", least=1),
        check_number(channels, 255, "number of channels", least=1) if channels else 1,
    )


def parse_ptime(value: str) -> float | None:
    """Read the value of a=ptime or a=maxptime; 0, which some devices say, means nothing."""
    found = _PTIME.fullmatch(value)
    if found is None:
        raise RemoteProtocolError(f"malformed packet time {value[:80]!r}")
    return float(found[1]) or None


def parse_rtcp(value: str) -> Rtcp:
    """Read the value of a=rtcp."""
    found = _RTCP.fullmatch(value)
    if found is None:
        raise RemoteProtocolError(f"malformed a=rtcp:{value[:80]}")
    return Rtcp(check_number(found[1], 65535, "RTCP port"), found[3])
