"""Malformed datagrams are dropped and counted, whoever sends them, and the call goes on; THREATS A3."""

from __future__ import annotations

import struct

import pytest

from switchroom.switch.media import MediaPlane

from .malformed import RTCP, RTP
from .phones import Call, Phone, receiver_report, rtp


def test_there_are_enough_of_them() -> None:
    assert len(RTP) + len(RTCP) >= 55
    assert len(set(RTP.values())) == len(RTP)
    assert len(set(RTCP.values())) == len(RTCP)


@pytest.mark.parametrize("name", RTP)
def test_malformed_rtp_is_dropped(plane: MediaPlane, a: Phone, b: Phone, third: Phone, name: str) -> None:
    call = Call(plane, a, b).set_up()
    a.say(RTP[name])
    third.rtp.sendto(RTP[name], a.media)
    a.say(rtp(9))
    assert b.hear() == rtp(9)
    assert call.dropped()["malformed"] == 2


@pytest.mark.parametrize("name", RTCP)
def test_malformed_rtcp_is_dropped(plane: MediaPlane, a: Phone, b: Phone, third: Phone, name: str) -> None:
    call = Call(plane, a, b).set_up()
    a.rtcp.sendto(RTCP[name], a.control)
    third.rtcp.sendto(RTCP[name], a.control)
    a.rtcp.sendto(receiver_report(), a.control)
    assert b.rtcp.recv(2048) == receiver_report()
    assert call.dropped()["malformed"] == 2


def test_all_of_them_in_one_call(plane: MediaPlane, a: Phone, b: Phone, third: Phone) -> None:
    """The black-box case: both addresses, both ports, rtcp-mux on one leg; both are heard on."""
    call = Call(plane, a, b, b_is_nat=True).set_up(a.describe("a=rtcp-mux"))
    for seq, data in enumerate((*RTP.values(), *RTCP.values())):
        for phone, other in ((a, b), (b, a)):
            for target in (phone.media, phone.control):
                phone.rtp.sendto(data, target)
                third.rtp.sendto(data, target)
            phone.say(rtp(seq))
            assert other.hear_until(rtp(seq))[-1] == rtp(seq)
    assert call.session.close().a.packets >= 1


@pytest.mark.parametrize(
    "packet",
    [
        rtp(1, size=0),
        rtp(1, payload_type=96, size=1400),
        bytes([0x8F, 0]) + rtp(1)[2:12] + bytes(60),
        bytes([0x90, 0]) + rtp(1)[2:12] + struct.pack("!HH", 0xBEDE, 1) + bytes(4),
        bytes([0xA0, 0x80]) + rtp(1)[2:12] + bytes(3) + b"\x04",
        bytes([0xB2, 0]) + rtp(1)[2:12] + bytes(8) + struct.pack("!HH", 1, 0) + b"x\x01",
    ],
    ids=["no payload", "large", "15 CSRC", "extension", "only padding", "everything"],
)
def test_unusual_but_right_packets_pass(plane: MediaPlane, a: Phone, b: Phone, packet: bytes) -> None:
    Call(plane, a, b).set_up()
    a.say(packet)
    assert b.hear() == packet


@pytest.mark.parametrize(
    "packet",
    [
        struct.pack("!BBHI", 0x80, 200, 6, 1) + bytes(20),
        struct.pack("!BBHI", 0x81, 201, 7, 1) + bytes(24),
        struct.pack("!BBHI", 0x81, 206, 2, 1) + bytes(4),
        struct.pack("!BBHI", 0x80, 207, 1, 1),
        struct.pack("!BBHI", 0x80, 201, 1, 1) + struct.pack("!BBHI", 0xA1, 203, 2, 1) + b"\x00\x00\x00\x04",
    ],
    ids=["SR", "RR with a block", "PLI, reduced size", "XR", "padded BYE"],
)
def test_unusual_but_right_rtcp_passes(plane: MediaPlane, a: Phone, b: Phone, packet: bytes) -> None:
    Call(plane, a, b).set_up()
    a.rtcp.sendto(packet, a.control)
    assert b.rtcp.recv(2048) == packet
