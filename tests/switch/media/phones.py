"""Real UDP sockets that behave as phones, and a call between two of them."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from switchroom.protocols import sdp
from switchroom.switch.media import MediaLeg, MediaPlane, MediaSession
from switchroom.switch.media.stream import DROP_REASONS

A, B, THIRD = "127.0.0.2", "127.0.0.3", "127.0.0.66"
ALLOWANCE = 5.0  # seconds after which something that must come is missing


def rtp(
    seq: int, *, ssrc: int = 0xABCD, payload_type: int = 0, timestamp: int | None = None, size: int = 160
) -> bytes:
    """An RTP packet of 20 ms."""
    stamp = (seq * 160 if timestamp is None else timestamp) & 0xFFFFFFFF
    return struct.pack("!BBHII", 0x80, payload_type, seq & 0xFFFF, stamp, ssrc) + bytes(size)


def receiver_report(ssrc: int = 0xABCD) -> bytes:
    """An empty RR with an SDES."""
    return struct.pack("!BBHI", 0x80, 201, 1, ssrc) + struct.pack("!BBHIBB2x", 0x81, 202, 2, ssrc, 1, 0)


def bye(ssrc: int = 0xABCD) -> bytes:
    """An RR with a BYE behind it."""
    return struct.pack("!BBHI", 0x80, 201, 1, ssrc) + struct.pack("!BBHI", 0x81, 203, 1, ssrc)


class Phone:
    """Two sockets in a row on one address."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.rtp, self.rtcp = self._pair()
        self.port = self.rtp.getsockname()[1]
        self.media = ("", 0)  # where our description told it to send
        self.control = ("", 0)

    def _pair(self) -> tuple[socket.socket, socket.socket]:
        while True:
            first, second = (socket.socket(self.family, socket.SOCK_DGRAM) for _ in range(2))
            first.bind((self.host, 0))
            try:
                second.bind((self.host, first.getsockname()[1] + 1))
            except (OSError, OverflowError):
                first.close()
                second.close()
                continue
            for each in (first, second):
                each.settimeout(ALLOWANCE)
            return first, second

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.rtp.close()
        self.rtcp.close()

    def describe(
        self, *lines: str, host: str | None = None, formats: str = "0 8 101", port: int | None = None
    ) -> bytes:
        """Its description, with one line of audio and ``lines`` behind it."""
        family = "IP6" if self.family == socket.AF_INET6 else "IP4"
        text = [
            "v=0",
            f"o=phone 7 7 IN {family} {self.host}",
            "s=-",
            f"c=IN {family} {host or self.host}",
            "t=0 0",
            f"m=audio {self.port if port is None else port} RTP/AVP {formats}",
            "a=rtpmap:101 telephone-event/8000",
            *lines,
        ]
        return ("\r\n".join(text) + "\r\n").encode()

    def obey(self, description: bytes, line: int = 0) -> None:
        """Send to where that description says."""
        parsed = sdp.Description.parse(description)
        media = parsed.media[line]
        connection = parsed.connection_of(media)
        assert connection is not None
        self.media = (connection.host, media.port)
        self.control = self.media if media.has_rtcp_mux else (connection.host, media.port + 1)

    def say(self, *packets: bytes) -> None:
        for packet in packets:
            self.rtp.sendto(packet, self.media)

    def hear(self) -> bytes:
        """The next packet at the RTP port."""
        return self.rtp.recv(4096)

    def hear_until(self, last: bytes) -> list[bytes]:
        """Everything at the RTP port up to a packet that must come."""
        heard = [self.hear()]
        while heard[-1] != last:
            heard.append(self.hear())
        return heard


class Call:
    """An answered call between two phones."""

    def __init__(
        self, plane: MediaPlane, a: Phone, b: Phone, *, a_is_nat: bool = False, b_is_nat: bool = False
    ) -> None:
        self.session: MediaSession = plane.session("call")
        self.a, self.b = a, b
        self.a_leg: MediaLeg = self.session.leg(toward=a.host, is_nat=a_is_nat)
        self.b_leg: MediaLeg = self.session.leg(toward=b.host, is_nat=b_is_nat)

    def set_up(self, offer: bytes | None = None, answer: bytes | None = None) -> Self:
        """Offer, answer, and the word that the call is answered."""
        self.b.obey(self.session.offer(self.a_leg, self.b_leg, offer or self.a.describe()))
        self.a.obey(self.session.answer(self.b_leg, self.a_leg, answer or self.b.describe()))
        self.session.confirm()
        return self

    def dropped(self, leg: int = 0) -> dict[str, int]:
        """Why packets of a leg went no further."""
        streams = [stream for stream in self.session.report().streams if stream.leg == leg]
        return dict(zip(DROP_REASONS, streams[0].counters.dropped, strict=True))


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a counter of the engine's thread says so."""
    deadline = time.monotonic() + ALLOWANCE
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.001)
