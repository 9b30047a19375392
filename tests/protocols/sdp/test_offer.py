"""Offers, answers and what they agree on; RFC 3264."""

from __future__ import annotations

from dataclasses import replace

import pytest

from switchroom.protocols import sdp
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError

from .samples import AUDIO, HEAD
from .samples import sdp as body

ORIGIN = sdp.Origin("-", 7, 1, "IP4", "198.51.100.9")
ADDRESS = sdp.Connection("IP4", "198.51.100.9")
AUDIO_STREAM = sdp.Capability(6000, ("PCMA/8000", "PCMU/8000"))


def capabilities(*streams: sdp.Capability) -> sdp.Capabilities:
    return sdp.Capabilities(ORIGIN, ADDRESS, streams or (AUDIO_STREAM,))


def described(*lines: str) -> sdp.Description:
    return sdp.Description.parse(body(*HEAD, *lines))


def test_an_offer_names_all_it_can_do() -> None:
    stream = sdp.Capability(
        6000, ("PCMU/8000", "G722/8000", "opus/48000/2"), direction=sdp.Direction.SENDONLY, has_rtcp_mux=True
    )
    offer = sdp.make_offer(capabilities(stream))
    (media,) = sdp.Description.parse(bytes(offer)).media
    assert bytes(offer).decode().split("\r\n")[5:] == [
        "m=audio 6000 RTP/AVP 0 9 96 101 97",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:96 opus/48000/2",
        "a=rtpmap:101 telephone-event/8000",
        "a=rtpmap:97 telephone-event/48000",
        "a=fmtp:101 0-15",
        "a=fmtp:97 0-15",
        "a=ptime:20",
        "a=rtcp-mux",
        "a=sendonly",
        "",
    ]
    assert media.direction is sdp.Direction.SENDONLY


@pytest.mark.parametrize("name", ["PCMU", "PCMU/", "PCMU/x"])
def test_an_offer_of_a_codec_without_a_rate_is_our_fault(name: str) -> None:
    with pytest.raises(LocalProtocolError):
        sdp.make_offer(capabilities(sdp.Capability(6000, (name,))))


def test_an_offer_of_more_codecs_than_there_are_numbers_is_our_fault() -> None:
    names = tuple(f"x{number}/8000" for number in range(32))
    with pytest.raises(LocalProtocolError):
        sdp.make_offer(capabilities(sdp.Capability(6000, names, has_telephone_event=False)))


def test_an_answer_takes_what_both_know_in_the_offers_order() -> None:
    offer = sdp.Description.parse(AUDIO)
    answer = sdp.make_answer(offer, capabilities())
    (media,) = answer.media
    assert media.formats == ("0", "8", "101")
    assert media.ptime == 20
    assert media.direction is sdp.Direction.SENDRECV
    assert media.fmtps == {"101": "0-15"}
    (stream,) = sdp.answers(offer, answer)
    assert [codec.name for codec in stream.codecs] == ["PCMU/8000", "PCMA/8000", "telephone-event/8000"]
    assert stream.direction is sdp.Direction.SENDRECV
    assert not stream.is_rejected


def test_an_answer_keeps_the_offers_payload_types_and_times() -> None:
    offer = replace(
        described("m=audio 4000 RTP/AVP 111 0", "a=rtpmap:111 pcma/8000", "a=ptime:30"), times=("t=5 9",)
    )
    answer = sdp.make_answer(offer, capabilities())
    assert answer.media[0].formats == ("111", "0")
    assert answer.media[0].ptime == 30
    assert answer.times == ("t=5 9",)


def test_streams_that_cannot_be_taken_are_rejected_in_place() -> None:
    offer = described(
        "m=video 4002 RTP/AVP 31",
        "m=audio 4000 RTP/AVP 0",
        "m=audio 4004 RTP/AVP 0",
        "m=audio 0 RTP/AVP 8",
        "m=audio 4006 RTP/SAVP 0",
    )
    answer = sdp.make_answer(offer, capabilities())
    assert [media.port for media in answer.media] == [0, 6000, 0, 0, 0]
    assert [media.kind for media in answer.media] == ["video", "audio", "audio", "audio", "audio"]
    streams = sdp.answers(offer, answer)
    assert [stream.is_rejected for stream in streams] == [True, False, True, True, True]
    assert streams[0].direction is sdp.Direction.INACTIVE


@pytest.mark.parametrize(
    "lines",
    [
        ("m=audio 4000 RTP/AVP 18",),
        ("m=audio 4000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"),
        ("m=video 4000 RTP/AVP 31",),
        ("m=audio 4000 RTP/SAVP 0",),
    ],
)
def test_an_offer_with_nothing_to_take_gets_488(lines: tuple[str, ...]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        sdp.make_answer(described(*lines), capabilities())
    assert caught.value.status == 488


def test_an_offer_that_wants_nothing_is_answered_with_nothing() -> None:
    answer = sdp.make_answer(described("m=audio 0 RTP/AVP 0"), capabilities())
    assert answer.media[0].is_rejected
    assert sdp.make_answer(described(), capabilities()).media == ()


@pytest.mark.parametrize(
    ("offered", "ours", "answered"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendonly", "sendrecv", "recvonly"),
        ("recvonly", "sendrecv", "sendonly"),
        ("inactive", "sendrecv", "inactive"),
        ("sendonly", "sendonly", "inactive"),
        ("sendrecv", "sendonly", "sendonly"),
        ("recvonly", "sendonly", "sendonly"),
    ],
)
def test_an_answer_reverses_the_direction(offered: str, ours: str, answered: str) -> None:
    offer = described("m=audio 4000 RTP/AVP 0", f"a={offered}")
    stream = replace(AUDIO_STREAM, direction=sdp.Direction(ours))
    answer = sdp.make_answer(offer, capabilities(stream))
    assert answer.media[0].direction == answered
    (agreed,) = sdp.answers(offer, answer)
    assert agreed.direction is sdp.Direction(answered).reversed & sdp.Direction(offered)


def test_the_old_hold_is_answered_like_sendonly() -> None:
    offer = described("m=audio 4000 RTP/AVP 0", "c=IN IP4 0.0.0.0")
    answer = sdp.make_answer(offer, capabilities())
    assert answer.media[0].direction is sdp.Direction.RECVONLY
    assert sdp.answers(offer, answer)[0].direction is sdp.Direction.SENDONLY


def test_an_answer_of_sendrecv_to_sendonly_is_mended() -> None:
    offer = described("m=audio 4000 RTP/AVP 0", "a=sendonly")
    (stream,) = sdp.answers(offer, described("m=audio 5000 RTP/AVP 0", "a=sendrecv"))
    assert stream.direction is sdp.Direction.SENDONLY


def test_rtcp_mux_is_answered_only_when_offered_and_wanted() -> None:
    stream = replace(AUDIO_STREAM, has_rtcp_mux=True)
    offer = described("m=audio 4000 RTP/AVP 0", "a=rtcp-mux")
    assert sdp.make_answer(offer, capabilities(stream)).media[0].has_rtcp_mux
    assert not sdp.make_answer(offer, capabilities()).media[0].has_rtcp_mux
    plain = described("m=audio 4000 RTP/AVP 0")
    assert not sdp.make_answer(plain, capabilities(stream)).media[0].has_rtcp_mux


def test_telephone_event_can_be_left_out() -> None:
    stream = replace(AUDIO_STREAM, has_telephone_event=False, ptime=None)
    answer = sdp.make_answer(
        sdp.Description.parse(AUDIO.replace(b"a=ptime:20\r\n", b"")), capabilities(stream)
    )
    assert answer.media[0].formats == ("0", "8")
    assert answer.media[0].ptime is None
    assert sdp.make_offer(capabilities(stream)).media[0].formats == ("8", "0")


OFFER = described("m=audio 4000 RTP/AVP 0 96", "a=rtpmap:96 iLBC/8000", "m=video 0 RTP/AVP 31")


@pytest.mark.parametrize(
    "lines",
    [
        ("m=audio 5000 RTP/AVP 0",),
        ("m=audio 5000 RTP/AVP 0", "m=video 0 RTP/AVP 31", "m=audio 5002 RTP/AVP 0"),
        ("m=video 5000 RTP/AVP 0", "m=video 0 RTP/AVP 31"),
        ("m=audio 5000 RTP/AVP 0", "m=video 5002 RTP/AVP 31"),
        ("m=audio 5000 RTP/SAVP 0", "m=video 0 RTP/AVP 31"),
        ("m=audio 5000 RTP/AVP 8", "m=video 0 RTP/AVP 31"),
    ],
    ids=["line missing", "line too many", "other kind", "rejected one taken", "other proto", "other codec"],
)
def test_an_answer_that_does_not_fit_gets_488(lines: tuple[str, ...]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        sdp.answers(OFFER, described(*lines))
    assert caught.value.status == 488


def test_codecs_agree_by_name_whatever_the_number() -> None:
    answer = described("m=audio 5000 RTP/AVP 97", "a=rtpmap:97 ILBC/8000", "m=video 0 RTP/AVP 31")
    streams = sdp.answers(OFFER, answer)
    assert streams[0].codecs == (sdp.RtpMap(97, "ILBC", 8000),)


def test_a_format_without_a_name_agrees_by_number() -> None:
    offer = described("m=audio 4000 RTP/AVP 77")
    (stream,) = sdp.answers(offer, described("m=audio 5000 RTP/AVP 77"))
    assert stream.codecs == ()
    fax = described("m=image 4000 udptl t38")
    assert not sdp.answers(fax, described("m=image 5000 udptl t38"))[0].is_rejected


def test_a_reoffer_counts_up_and_holds_what_is_not_rejected() -> None:
    local = described(
        "a=sendrecv", "a=tool:x", "m=audio 4000 RTP/AVP 0", "a=sendrecv", "m=video 0 RTP/AVP 31"
    )
    held = sdp.make_reoffer(local, sdp.Direction.SENDONLY)
    assert held.origin.version == local.origin.version + 1
    assert held.origin.session_id == local.origin.session_id
    assert [held.direction_of(media) for media in held.media] == ["sendonly", "sendrecv"]
    assert held.media[1].is_rejected
    assert held.get("tool") == "x"
    assert held.get("sendrecv") is None
