"""What two descriptions mean for the audio of a call."""

from __future__ import annotations

import pytest

from switchroom.protocols import sdp
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.phone.agreement import agree


def described(*lines: str, host: str = "192.0.2.1") -> sdp.Description:
    head = ["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    return sdp.Description.parse("".join(f"{line}\r\n" for line in [*head, *lines]).encode())


LOCAL = described(
    "m=audio 4000 RTP/AVP 0 8 101",
    "a=rtpmap:101 telephone-event/8000",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:8 PCMA/8000",
)


def test_the_other_ends_first_common_codec_and_its_numbers_are_sent() -> None:
    remote = described(
        "m=audio 5000 RTP/AVP 4 96 0 97", "a=rtpmap:96 pcma/8000", "a=rtpmap:97 TELEPHONE-EVENT/8000"
    )
    agreement = agree(LOCAL, remote)
    assert agreement.codec.format.name == "PCMA/8000"
    assert (agreement.payload_type, agreement.event_type) == (96, 97)
    assert agreement.remote == ("192.0.2.1", 5000)
    assert agreement.remote_rtcp == ("192.0.2.1", 5001)
    assert {number: codec.format.name for number, codec in agreement.codecs.items()} == {
        0: "PCMU/8000",
        8: "PCMA/8000",
        96: "PCMA/8000",
    }
    assert agreement.event_types == {97, 101}
    assert agreement.can_send
    assert agreement.can_receive


def test_rtcp_goes_where_it_is_wanted() -> None:
    remote = described("m=audio 5000 RTP/AVP 0", "a=rtcp:7000 IN IP4 192.0.2.9")
    assert agree(LOCAL, remote).remote_rtcp == ("192.0.2.9", 7000)
    assert agree(LOCAL, described("m=audio 5000 RTP/AVP 0", "a=rtcp:7000")).remote_rtcp == ("192.0.2.1", 7000)


def test_digits_need_both_ends() -> None:
    agreement = agree(LOCAL, described("m=audio 5000 RTP/AVP 0"))
    assert agreement.event_type is None
    remote = described("m=audio 5000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000")
    without = agree(described("m=audio 4000 RTP/AVP 0"), remote)
    assert without.event_type is None
    assert without.event_types == frozenset()


@pytest.mark.parametrize(
    ("direction", "can_send", "can_receive"),
    [
        ("sendrecv", True, True),
        ("sendonly", False, True),
        ("recvonly", True, False),
        ("inactive", False, False),
    ],
)
def test_directions(direction: str, can_send: bool, can_receive: bool) -> None:
    agreement = agree(LOCAL, described("m=audio 5000 RTP/AVP 0", f"a={direction}"))
    assert (agreement.can_send, agreement.can_receive) == (can_send, can_receive)


@pytest.mark.parametrize("host", ["0.0.0.0", "239.1.2.3", "pbx.example.com"])
def test_nothing_is_sent_to_no_host(host: str) -> None:
    agreement = agree(LOCAL, described("m=audio 5000 RTP/AVP 0", host=host))
    assert not agreement.can_send
    assert agreement.can_receive


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("m=audio 0 RTP/AVP 0",),
        ("m=video 5000 RTP/AVP 31",),
        ("m=audio 5000 RTP/AVP 18",),
        ("m=audio 5000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"),
    ],
)
def test_no_common_audio_is_488(lines: tuple[str, ...]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        agree(LOCAL, described(*lines))
    assert caught.value.status == 488


def test_audio_may_be_the_second_stream() -> None:
    local = described("m=video 0 RTP/AVP 31", "m=audio 4000 RTP/AVP 0")
    remote = described("m=video 5002 RTP/AVP 31", "m=audio 5000 RTP/AVP 0")
    assert agree(local, remote).remote == ("192.0.2.1", 5000)
