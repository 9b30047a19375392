"""The address behind a one-to-one NAT: who is told it, and who is not."""

from __future__ import annotations

import pytest

from switchroom.switch.net import PublicAddress, SipFace

from .desk import Desk

LOCAL = "192.168.7.2"


@pytest.mark.parametrize(
    ("remote", "shown"),
    [
        ("203.0.113.9", "198.51.100.1"),
        ("192.168.7.20", LOCAL),
        ("10.1.2.3", LOCAL),
        ("127.0.0.1", LOCAL),
        ("2001:db8::9", LOCAL),  # the NAT is on IPv4 only
    ],
)
def test_only_those_outside_are_told_the_public_address(remote: str, shown: str) -> None:
    assert PublicAddress("198.51.100.1").for_host(remote, LOCAL) == shown
    assert PublicAddress().for_host(remote, LOCAL) == LOCAL


def test_what_is_inside_may_be_listed() -> None:
    public = PublicAddress("198.51.100.1", ["203.0.113.0/24"])
    assert public.for_host("203.0.113.9", LOCAL) == LOCAL
    assert public.for_host("10.1.2.3", LOCAL) == "198.51.100.1"


async def test_the_face_advertises_it_with_the_listener_s_port() -> None:
    async with Desk("udp:127.0.0.1:0", public=PublicAddress("198.51.100.1", ["127.0.0.2"])) as desk:
        face: SipFace = desk.face
        desk.endpoint.advertise = face.advertise
        port = desk.address()[1]
        assert face.advertise(face.flow_to("127.0.0.3", 5060)) == ("198.51.100.1", port)
        assert face.advertise(face.flow_to("127.0.0.2", 5060)) == ("127.0.0.1", port)
        assert desk.endpoint.sent_by(face.flow_to("127.0.0.3", 5060)) == f"198.51.100.1:{port}"
