"""RTP packets: what is read, refused, written; RFC 3550 §5.1 and THREATS A3."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols import rtp
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError

HEADER = bytes.fromhex("8008 1234 00000140 deadbeef")

PACKETS = st.builds(
    rtp.Packet,
    payload_type=st.integers(0, 127),
    sequence_number=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=200),
    marker=st.booleans(),
    csrcs=st.lists(st.integers(0, 0xFFFFFFFF), max_size=15).map(tuple),
)
EXTENDED = st.builds(
    lambda packet, profile, words: rtp.Packet(
        packet.payload_type,
        packet.sequence_number,
        packet.timestamp,
        packet.ssrc,
        packet.payload,
        packet.marker,
        packet.csrcs,
        profile,
        bytes(4 * words),
    ),
    PACKETS,
    st.integers(0, 0xFFFF),
    st.integers(0, 20),
)


def test_reads_a_packet() -> None:
    packet = rtp.Packet.parse(HEADER + b"voice")
    assert packet == rtp.Packet(8, 0x1234, 320, 0xDEADBEEF, b"voice")
    assert not packet.marker


def test_reads_sources_extension_marker_and_padding() -> None:
    data = bytes.fromhex("b2 e5 0001 00000002 00000003 00000004 00000005 bede 0001 01020304 aabb 000003")
    packet = rtp.Packet.parse(data)
    assert packet == rtp.Packet(101, 1, 2, 3, b"\xaa\xbb", True, (4, 5), 0xBEDE, b"\1\2\3\4")
    assert rtp.Packet.parse(bytes(packet)) == packet


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEADER[:11],
        b"\x40" + HEADER[1:],
        b"\x00" + HEADER[1:],
        b"\x81" + HEADER[1:],
        b"\x8f" + HEADER[1:] + bytes(59),
        b"\x90" + HEADER[1:],
        b"\x90" + HEADER[1:] + bytes(3),
        b"\x90" + HEADER[1:] + b"\0\0\0\1\0\0\0",
        b"\x90" + HEADER[1:] + b"\0\0\xff\xff" + bytes(100),
        b"\xa0" + HEADER[1:] + b"\0",
        b"\xa0" + HEADER[1:] + b"\2",
        b"\xa0" + HEADER[1:] + b"\xff",
        b"\xa0" + HEADER[1:-1] + b"\4",
        b"\xa1" + HEADER[1:] + bytes(4) + b"\5",
        b"\xb0" + HEADER[1:] + b"\0\0\0\1\0\0\0\4",
    ],
)
def test_refuses(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        rtp.Packet.parse(data)


@pytest.mark.parametrize(
    "packet",
    [
        rtp.Packet(128, 0, 0, 0),
        rtp.Packet(-1, 0, 0, 0),
        rtp.Packet(0, 65536, 0, 0),
        rtp.Packet(0, 0, -1, 0),
        rtp.Packet(0, 0, 0, 1 << 32),
        rtp.Packet(0, 0, 0, 0, csrcs=(0,) * 16),
        rtp.Packet(0, 0, 0, 0, csrcs=(-1,)),
        rtp.Packet(0, 0, 0, 0, extension=b"abc"),
        rtp.Packet(0, 0, 0, 0, extension=bytes(4), extension_profile=65536),
    ],
)
def test_refuses_to_write_what_does_not_fit(packet: rtp.Packet) -> None:
    with pytest.raises(LocalProtocolError):
        bytes(packet)


@given(st.one_of(PACKETS, EXTENDED))
def test_round_trips(packet: rtp.Packet) -> None:
    assert rtp.Packet.parse(bytes(packet)) == packet


@given(PACKETS, st.integers(1, 255))
def test_padding_is_dropped(packet: rtp.Packet, size: int) -> None:
    data = bytes(packet)
    padded = bytes([data[0] | 0x20]) + data[1:] + bytes(size - 1) + bytes([size])
    assert rtp.Packet.parse(padded) == packet


@given(
    st.one_of(
        st.binary(max_size=80),
        st.builds(lambda one, rest: bytes([one]) + rest, st.integers(128, 191), st.binary(max_size=80)),
    )
)
def test_only_the_protocol_error_leaves(data: bytes) -> None:
    try:
        packet = rtp.Packet.parse(data)
    except RemoteProtocolError:
        return
    assert rtp.Packet.parse(bytes(packet)) == packet


def test_rtcp_is_told_from_rtp() -> None:
    assert rtp.is_rtcp(b"\x80\xc8")
    assert rtp.is_rtcp(b"\x81\xcd")
    assert not rtp.is_rtcp(HEADER)
    assert not rtp.is_rtcp(b"\x80")
