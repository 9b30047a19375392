"""Session descriptions: what is read, kept, refused; RFC 8866 and THREATS A7."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from switchroom.protocols import sdp
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError

from .samples import AUDIO, EVERYTHING, HEAD
from .samples import sdp as body


def test_reads_what_a_phone_offers() -> None:
    description = sdp.Description.parse(AUDIO)
    (media,) = description.media
    assert description.origin == sdp.Origin("alice", 2890844526, 2890844527, "IP4", "192.0.2.1")
    assert description.connection_of(media) == sdp.Connection("IP4", "192.0.2.1")
    assert (media.kind, media.port, media.port_count, media.proto) == ("audio", 49170, 1, "RTP/AVP")
    assert media.formats == ("0", "8", "101")
    assert media.rtpmaps[101] == sdp.RtpMap(101, "telephone-event", 8000)
    assert [codec.name for codec in media.codecs] == ["PCMU/8000", "PCMA/8000", "telephone-event/8000"]
    assert media.fmtps == {"101": "0-16"}
    assert media.ptime == 20
    assert media.direction is sdp.Direction.SENDRECV
    assert media.rtcp is None
    assert not media.has_rtcp_mux
    assert not media.is_rejected


@pytest.mark.parametrize("data", [AUDIO, EVERYTHING])
def test_comes_out_as_it_came_in(data: bytes) -> None:
    assert bytes(sdp.Description.parse(data)) == data


def test_reads_every_kind_of_line() -> None:
    description = sdp.Description.parse(EVERYTHING)
    audio, video, image = description.media
    assert description.session_name == "Call to John Smith ü"
    assert description.get("group") == "BUNDLE 1 2"
    assert description.get("missing") is None
    assert description.times[0] == "t=3724394400 3724398000"
    assert description.bandwidths == ("CT:512",)
    assert audio.port_count == 2
    assert description.connection_of(audio) == sdp.Connection("IP4", "198.51.100.1")
    assert description.connection_of(image) == description.connection
    assert audio.rtcp == sdp.Rtcp(53020, "198.51.100.2")
    assert audio.has_rtcp_mux
    assert audio.rtpmaps[96].name == "L16/44100/2"
    assert audio.get_all("x-made-up") == ["with: colons ; and = signs"]
    assert audio.bandwidths == ("AS:64", "TIAS:64000")
    assert video.is_rejected
    assert not image.is_rtp
    assert image.codecs == ()
    assert image.formats == ("t38",)


def test_direction_falls_back_to_the_session_and_then_to_sendrecv() -> None:
    described = sdp.Description.parse(EVERYTHING)
    audio, video, _ = described.media
    assert audio.direction is None
    assert described.direction_of(audio) is sdp.Direction.RECVONLY
    assert described.direction_of(video) is sdp.Direction.INACTIVE
    plain = sdp.Description.parse(body(*HEAD, "m=audio 4000 RTP/AVP 0"))
    assert plain.direction_of(plain.media[0]) is sdp.Direction.SENDRECV


def test_static_payload_types_need_no_rtpmap() -> None:
    (media,) = sdp.Description.parse(body(*HEAD, "m=audio 4000 RTP/AVP 9 97 0")).media
    assert [codec.name for codec in media.codecs] == ["G722/8000", "PCMU/8000"]
    assert media.rtpmaps == {}


def test_only_streams_that_are_wanted_need_an_address() -> None:
    lines = (*HEAD[:3], "t=0 0", "m=audio 0 RTP/AVP 0", "m=audio 4000 RTP/AVP 0", "c=IN IP4 192.0.2.1")
    description = sdp.Description.parse(body(*lines))
    assert description.connection_of(description.media[0]) is None


def test_is_changed_with_replace() -> None:
    description = sdp.Description.parse(AUDIO)
    (media,) = description.media
    changed = replace(description, connection=None, media=(replace(media, port=5000),))
    assert b"m=audio 5000 RTP/AVP 0 8 101\r\n" in bytes(changed)
    held = media.with_direction(sdp.Direction.SENDONLY)
    assert held.direction is sdp.Direction.SENDONLY
    assert len(held.attributes) == len(media.attributes)


def test_bare_line_feeds_missing_lines_and_trailing_spaces_are_forgiven() -> None:
    data = b"v=0\no=- 1 1 IN IP4 192.0.2.1 \nc=IN IP4 192.0.2.1 \nm=audio 4000 RTP/AVP 0 8 \na=ptime:0\n\n\n"
    description = sdp.Description.parse(data)
    assert description.session_name == "-"
    assert description.times == ("t=0 0",)
    assert description.media[0].formats == ("0", "8")
    assert description.media[0].ptime is None
    assert sdp.Description.parse(bytes(description)) == description


def test_lines_in_another_order_are_read_and_put_right() -> None:
    data = body(
        *HEAD[:3],
        "t=0 0",
        "x=2",
        "k=prompt",
        "i=info",
        "c=IN IP4 192.0.2.1",
        "m=audio 4000 RTP/AVP 0",
        "a=ptime:20",
        "c=IN IP4 192.0.2.9",
        "i=voice",
    )
    description = sdp.Description.parse(data)
    assert description.others == ("i=info", "k=prompt", "x=2")
    assert description.media[0].connection == sdp.Connection("IP4", "192.0.2.9")
    assert sdp.Description.parse(bytes(description)) == description


def test_old_hold_is_seen() -> None:
    description = sdp.Description.parse(AUDIO.replace(b"c=IN IP4 192.0.2.1", b"c=IN IP4 0.0.0.0"))
    assert description.connection is not None
    assert description.connection.is_null


M = "m=audio 4000 RTP/AVP 0"
REFUSED = {
    "empty": (b"", 400),
    "not sdp": (b"hello", 400),
    "version": (AUDIO.replace(b"v=0", b"v=1"), 400),
    "no origin": (body("v=0", "s=-", "t=0 0"), 400),
    "origin last": (body("v=0", "s=-", "o=- 1 1 IN IP4 192.0.2.1", "t=0 0"), 400),
    "origin twice": (body(*HEAD, HEAD[1]), 400),
    "origin with a field too few": (body("v=0", "o=- 1 1 IP4 192.0.2.1", "s=-", "t=0 0"), 400),
    "session id of 66 bits": (body("v=0", f"o=- {1 << 65} 1 IN IP4 192.0.2.1", "s=-"), 400),
    "version of 66 bits": (body("v=0", f"o=- 1 {1 << 65} IN IP4 192.0.2.1", "s=-"), 400),
    "session id negative": (body("v=0", "o=- -1 1 IN IP4 192.0.2.1", "s=-"), 400),
    "session name twice": (body(*HEAD, "s=again"), 400),
    "version in the middle": (body(*HEAD, "v=0"), 400),
    "no letter": (body(*HEAD, "hello"), 400),
    "empty line": (body(*HEAD[:3], "", *HEAD[3:]), 400),
    "bare CR": (AUDIO.replace(b"s=-", b"s=a\rb"), 400),
    "NUL": (AUDIO.replace(b"s=-", b"s=a\0b"), 400),
    "timing": (body(*HEAD[:4], "t=now later"), 400),
    "bandwidth": (body(*HEAD, "b=AS:many"), 400),
    "bandwidth too wide": (body(*HEAD, "b=AS:1234567890123"), 400),
    "address family": (body(*HEAD[:3], "c=IN IP5 192.0.2.1", "t=0 0"), 400),
    "net type": (body(*HEAD[:3], "c=ATM IP4 192.0.2.1", "t=0 0"), 400),
    "no address": (body(*HEAD[:3], "t=0 0", M), 400),
    "two addresses": (body(*HEAD, M, "c=IN IP4 192.0.2.1", "c=IN IP4 192.0.2.2"), 488),
    "no port": (body(*HEAD, "m=audio"), 400),
    "no format": (body(*HEAD, "m=audio 4000 RTP/AVP"), 400),
    "empty format": (body(*HEAD, "m=audio 4000 RTP/AVP 0  8"), 400),
    "port out of range": (body(*HEAD, "m=audio 65536 RTP/AVP 0"), 400),
    "port negative": (body(*HEAD, "m=audio -1 RTP/AVP 0"), 400),
    "port is no number": (body(*HEAD, "m=audio ٤٠٠٠ RTP/AVP 0"), 400),
    "port count 0": (body(*HEAD, "m=audio 4000/0 RTP/AVP 0"), 400),
    "port count 256": (body(*HEAD, "m=audio 4000/256 RTP/AVP 0"), 400),
    "payload type 128": (body(*HEAD, "m=audio 4000 RTP/AVP 128"), 400),
    "payload type pcmu": (body(*HEAD, "m=audio 4000 RTP/AVP pcmu"), 400),
    "129 formats": (body(*HEAD, "m=audio 4000 udp" + " x" * 129), 400),
    "rtpmap payload type": (body(*HEAD, M, "a=rtpmap:128 PCMU/8000"), 400),
    "rtpmap no clock rate": (body(*HEAD, M, "a=rtpmap:0 PCMU"), 400),
    "rtpmap clock rate 0": (body(*HEAD, M, "a=rtpmap:0 PCMU/0"), 400),
    "rtpmap clock rate 2^31": (body(*HEAD, M, "a=rtpmap:0 PCMU/2147483648"), 400),
    "rtpmap channels 256": (body(*HEAD, M, "a=rtpmap:0 PCMU/8000/256"), 400),
    "rtpmap without value": (body(*HEAD, M, "a=rtpmap"), 400),
    "rtpmap of 60,000 characters": (body(*HEAD, M, "a=rtpmap:0 " + "x" * 60000), 400),
    "ptime": (body(*HEAD, M, "a=ptime:99999"), 400),
    "maxptime": (body(*HEAD, M, "a=maxptime:-1"), 400),
    "rtcp": (body(*HEAD, M, "a=rtcp:65536"), 400),
    "rtcp address": (body(*HEAD, M, "a=rtcp:5001 IN IP4"), 400),
    "257 attributes": (body(*HEAD, M, *["a=x"] * 257), 488),
    "257 session attributes": (body(*HEAD, *["a=x"] * 257), 488),
    "289 lines": (body(*HEAD, M, *["x=y"] * 289), 488),
    "17 m-lines": (body(*HEAD, *[M] * 17), 488),
    "65,536 bytes": (AUDIO + b"a=" + b"x" * (65536 - len(AUDIO) - 2), 413),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name: str) -> None:
    data, status = REFUSED[name]
    with pytest.raises(RemoteProtocolError) as caught:
        sdp.Description.parse(data)
    assert caught.value.status == status
    assert "\n" not in str(caught.value)


def test_limits_are_not_lower_than_they_say() -> None:
    data = body(*HEAD, *[M, *["a=x"] * 64] * 16)
    assert sum(len(media.attributes) for media in sdp.Description.parse(data).media) == 64 * 16
    assert sdp.Description.parse(AUDIO + b"a=" + b"x" * (65535 - len(AUDIO) - 4) + b"\r\n").media
    (media,) = sdp.Description.parse(body(*HEAD, "m=audio 4000 udp" + " x" * 128)).media
    assert len(media.formats) == 128


@pytest.mark.parametrize(
    "data",
    [
        body(*HEAD, "m=audio 4000 RTP/AVP" + " 0" * 30000),
        body(*HEAD, "m=audio 4000 RTP/AVP 0" + " " * 60000),
        body(*HEAD, M, *["a=rtpmap:0 " + " " * 900] * 64),
        body(*HEAD, *["m=audio 4000 RTP/AVP 0"] * 2700),
        body(*HEAD, *["a="] * 16000),
        body(*HEAD[:1], "o=" + "1 " * 30000),
        body(*HEAD, M, "a=rtpmap:0 " + "/" * 60000),
        b"\r\n" * 32767,
        b"v=0\r\n" + b"\nm=" * 20000,
    ],
)
def test_bombs_cost_milliseconds(data: bytes) -> None:
    started_at = time.process_time()
    with suppress(RemoteProtocolError):
        sdp.Description.parse(data)
    assert time.process_time() - started_at < 0.02


def test_refuses_to_write_line_breaks() -> None:
    origin = sdp.Origin("-", 1, 1, "IP4", "192.0.2.1")
    for value in ("a\nb", "a\rb", "a\0b"):
        with pytest.raises(LocalProtocolError):
            bytes(sdp.Description(origin, session_name=value))


@given(st.binary(max_size=400))
@example(b"v=0\no=- 1 1 IN IP4 h\n\xff=")
def test_only_the_protocol_error_leaves(data: bytes) -> None:
    try:
        description = sdp.Description.parse(data)
    except RemoteProtocolError:
        return
    assert sdp.Description.parse(bytes(description)) == description


_LINES = st.lists(
    st.one_of(
        st.sampled_from(EVERYTHING.decode().split("\r\n")),
        st.sampled_from(AUDIO.decode().split("\r\n")),
        st.text(max_size=12).map(lambda text: "a=" + text),
        st.builds(
            lambda name, value: f"a={name}:{value}", st.sampled_from(["rtpmap", "ptime", "rtcp"]), st.text()
        ),
        st.builds(lambda letter, value: f"{letter}={value}", st.characters(), st.text(max_size=8)),
        st.builds("m={} {} {} {}".format, st.text(max_size=5), st.integers(), st.text(max_size=9), st.text()),
    ),
    max_size=20,
)


@given(_LINES)
def test_round_trips_whatever_it_accepts(lines: list[str]) -> None:
    data = body(*HEAD[:2], *lines)
    try:
        description = sdp.Description.parse(data)
    except RemoteProtocolError:
        return
    assert sdp.Description.parse(bytes(description)) == description
    for media in description.media:  # numbers were checked: reading them later cannot fail
        assert media.ptime != 0
        assert all(0 <= number < 128 for number in media.rtpmaps)
        assert media.rtcp is None or media.rtcp.port < 65536
        assert len(media.codecs) <= len(media.formats)
