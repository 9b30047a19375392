"""Which codecs are left in a description, and in which order."""

from __future__ import annotations

import pytest

from switchroom.protocols import sdp
from switchroom.protocols.errors import RemoteProtocolError

HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
AUDIO = (
    "m=audio 4000 RTP/AVP 96 9 8 0 18 101 102 13\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtpmap:102 telephone-event/48000\r\n"
    "a=fmtp:18 annexb=no\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:* transport-cc\r\na=ptime:20\r\na=sendrecv\r\n"
)
VIDEO = "m=video 5000 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n"
IMAGE = "m=image 6000 udptl t38\r\n"


def limited(text: str, *names: str) -> sdp.Description:
    return sdp.limit_codecs(sdp.Description.parse(text.encode()), names)


@pytest.mark.parametrize(
    ("names", "formats"),
    [
        (("PCMA", "PCMU"), "8 0 101"),
        (("PCMU", "PCMA"), "0 8 101"),
        (("pcmu/8000",), "0 101"),
        (("opus", "G722"), "96 9 101 102"),
        (("opus/48000/2",), "96 102"),
        (("opus/48000",), "96 102"),
        (("CN", "PCMA"), "13 8 101"),
        (("telephone-event", "PCMA"), "101 102 8"),
        (("G729", "AMR"), "18 101"),
    ],
)
def test_the_named_codecs_stay_in_the_order_of_the_names(names: tuple[str, ...], formats: str) -> None:
    assert " ".join(limited(HEAD + AUDIO, *names).media[0].formats) == formats


def test_what_belongs_to_other_codecs_goes() -> None:
    media = limited(HEAD + AUDIO, "PCMA").media[0]
    assert [str(a.name) + ":" + str(a.value) for a in media.attributes] == [
        "rtpmap:101 telephone-event/8000",
        "fmtp:101 0-15",
        "rtcp-fb:* transport-cc",
        "ptime:20",
        "sendrecv:None",
    ]


def test_what_is_written_can_be_read() -> None:
    found = limited(HEAD + AUDIO + VIDEO, "opus")
    assert sdp.Description.parse(bytes(found)) == found
    assert found.media[1] == sdp.Description.parse((HEAD + AUDIO + VIDEO).encode()).media[1]


def test_a_description_that_has_only_what_is_allowed_is_the_same_object() -> None:
    before = sdp.Description.parse((HEAD + "m=audio 4000 RTP/AVP 8 0\r\n").encode())
    assert sdp.limit_codecs(before, ("PCMA", "PCMU")) is before


@pytest.mark.parametrize("names", [("G726-32",), ("telephone-event",)])
def test_without_a_codec_there_is_no_call(names: tuple[str, ...]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        limited(HEAD + AUDIO, *names)
    assert caught.value.status == 488


def test_one_stream_is_refused_when_another_is_left() -> None:
    found = limited(HEAD + AUDIO + VIDEO, "G726-32")
    assert [line.port for line in found.media] == [0, 5000]
    assert found.media[0].formats == ("96", "9", "8", "0", "18", "101", "102", "13")


def test_what_is_no_audio_over_rtp_is_left_alone() -> None:
    found = limited(HEAD + AUDIO + VIDEO + IMAGE, "PCMA")
    assert [line.formats for line in found.media[1:]] == [("97",), ("t38",)]


def test_a_refused_stream_stays_refused() -> None:
    text = HEAD + "m=audio 0 RTP/AVP 0\r\n" + AUDIO
    assert [line.port for line in limited(text, "PCMA").media] == [0, 4000]


def test_the_codecs_of_an_answer_still_answer_the_offer() -> None:
    offer = limited(HEAD + AUDIO, "PCMA", "opus")
    answer = sdp.Description.parse(
        (HEAD + "m=audio 7000 RTP/AVP 96 101\r\na=rtpmap:96 opus/48000/2\r\n").encode()
    )
    (stream,) = sdp.answers(offer, sdp.limit_codecs(answer, ("PCMA", "opus")))
    assert stream.codecs[0].encoding == "opus"
