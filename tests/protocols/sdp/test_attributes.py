"""Directions and their algebra; RFC 8866 §6.7, RFC 3264 §6.1."""

from __future__ import annotations

import pytest

from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.sdp import Direction, RtpMap
from switchroom.protocols.sdp.attributes import check_number, parse_rtpmap


@pytest.mark.parametrize(
    ("direction", "reversed_"),
    [
        (Direction.SENDRECV, Direction.SENDRECV),
        (Direction.SENDONLY, Direction.RECVONLY),
        (Direction.RECVONLY, Direction.SENDONLY),
        (Direction.INACTIVE, Direction.INACTIVE),
    ],
)
def test_reversed(direction: Direction, reversed_: Direction) -> None:
    assert direction.reversed is reversed_
    assert (direction.can_send, direction.can_receive) == (reversed_.can_receive, reversed_.can_send)


def test_both_allow() -> None:
    for one in Direction:
        for other in Direction:
            both = one & other
            assert both.can_send == (one.can_send and other.can_send)
            assert both.can_receive == (one.can_receive and other.can_receive)


def test_rtpmap_writes_channels_only_when_there_are_several() -> None:
    assert str(parse_rtpmap("96 opus/48000/2")) == "96 opus/48000/2"
    assert str(parse_rtpmap("0  PCMU/8000/1 ")) == "0 PCMU/8000"
    assert parse_rtpmap("18 G729/8000/") == RtpMap(18, "G729", 8000)


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "²", "\u0661", "0x1", "9" * 21, "11"])
def test_numbers(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        check_number(text, 10, "number")
    assert check_number("10", 10, "number") == 10
