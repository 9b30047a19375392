"""Fuzzes what comes to a media port: python -m tests.fuzz.fuzz_rtp -max_total_time=60 [CORPUS]."""

from __future__ import annotations

import sys
from contextlib import suppress

import atheris

with atheris.instrument_imports():
    from switchroom.protocols import rtcp, rtp, stun
    from switchroom.protocols.errors import RemoteProtocolError

CNAME = rtcp.SourceDescription((rtcp.SdesChunk(1, ((1, b"us"),)),))


def check(data: bytes) -> None:
    """Whatever is accepted comes out again; everything else is the protocol error."""
    for part in (check_rtp, check_rtcp, check_stun):
        with suppress(RemoteProtocolError):
            part(data)


def check_rtp(data: bytes) -> None:
    packet = rtp.Packet.parse(data)
    _same(packet, rtp.Packet.parse(bytes(packet)))
    statistics = rtp.Statistics(packet.ssrc, 8000)
    statistics.receive(packet, 0.0)
    rtp.DigitReceiver().receive(packet)


def check_rtcp(data: bytes) -> None:
    packets = rtcp.parse(data)
    _same(packets, rtcp.parse(rtcp.to_bytes((rtcp.ReceiverReport(1), CNAME, *packets)))[2:])


def check_stun(data: bytes) -> None:
    message = stun.Message.parse(data)
    _same(message, stun.Message.parse(message.to_bytes(has_fingerprint=True)))
    _ = message.mapped_address


def _same(one: object, other: object) -> None:
    if one != other:
        raise AssertionError(f"{one} came back as {other}")


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
