"""The quick way to read a description gives what the long way gives."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.media import said
from switchroom.switch.media.negotiate import Line, Opening

OPENING = Opening(("-", 77, 78, "IP6", "2001:db8::1"), "2001:db8::1")
SIPP = (
    b"v=0\r\no=user1 53655765 2353687637 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)

attributes = st.sampled_from(
    [
        *(
            "rtpmap:0 PCMU/8000",
            "rtpmap:101 telephone-event/8000",
            "fmtp:101 0-15",
            "ptime:20",
            "maxptime:60",
        ),
        *(
            "sendrecv",
            "sendonly",
            "recvonly",
            "inactive",
            "rtcp-mux",
            "rtcp-mux-only",
            "silenceSupp:off - - - -",
        ),
        *(
            "mid:0",
            "tool:baresip",
            "setup:actpass",
            "label:1",
            "rtcp:4001",
            "ssrc:1 cname:x",
            "x-own:1",
            "ptime:x",
        ),
        *(
            "rtpmap:8 PCMA/8000",
            "rtpmap:0 L16/8000/2",
            "candidate:1 1 UDP 1 10.0.0.1 1 typ host",
            "rtcp-xr:a b",
        ),
        *("note:a=ssrc:1 x", "note:a=rtcp:4001", "rtcp:4001", "rtcp:65536", "ssrc:2 cname:10.9.8.7"),
        *("note:10.9.8.7", "rtpmap:999 x/1", "group:BUNDLE 0", "", ":", "a"),
    ]
)


@st.composite
def descriptions(draw: st.DrawFn) -> bytes:
    host = draw(st.sampled_from(["10.9.8.7", "192.0.2.1", "0.0.0.0", "1.2.3.4.5", "9999999", "::1"]))
    own = draw(st.sampled_from(["10.9.8.7", "10.0.0.1", "127.0.0.1"]))
    port = draw(st.sampled_from(["4000", "0", "9", "65535", "65536", "04000", "4000/2"]))
    formats = draw(st.sampled_from(["0", "0 8 101", "8 0", "101", "0 0", "200", "0  8", "0 "]))
    session = draw(st.lists(attributes, max_size=2))
    media = draw(st.lists(attributes, max_size=5))
    lines = [
        "v=0",
        f"o=- {draw(st.integers(0, 2**63))} 1 IN IP4 {own}",
        draw(st.sampled_from(["s=-", "s= ", "s=", "s=a call"])),
        f"c=IN IP4 {host}",
        draw(st.sampled_from(["t=0 0", "t=0 0", "t=1 2"])),
        *(f"a={attribute}" for attribute in session),
        f"m={draw(st.sampled_from(['audio', 'audio', 'video']))} {port} RTP/AVP {formats}",
        *(f"a={attribute}" for attribute in media),
    ]
    return ("\r\n".join(lines) + "\r\n").encode()


def outcome(way: object, data: bytes, line: Line) -> object:
    assert callable(way)
    try:
        result = way(data)
    except RemoteProtocolError as error:
        return error.status
    wishes = [[getattr(wish, name) for name in said.Wish.__slots__] for wish in result.wishes]
    return wishes, result.write(OPENING, [line])


@settings(max_examples=800)
@given(descriptions(), st.booleans(), st.integers(0, 65534))
def test_both_ways_lead_to_the_same(data: bytes, is_mux: bool, port: int) -> None:
    line = Line(port, is_mux and port != 0)
    assert outcome(said.parse, data, line) == outcome(said._parse, data, line)


ALLOWED = st.sampled_from([(), ("PCMA",), ("G722", "PCMU")])
CONVERTED = st.sampled_from([(), ("PCMA", "PCMU", "G722")])


@settings(max_examples=800)
@given(descriptions(), descriptions(), ALLOWED, CONVERTED)
def test_both_ways_agree_to_the_same(
    offer: bytes, answer: bytes, allowed: tuple[str, ...], converted: tuple[str, ...]
) -> None:
    def told(way: object) -> object:
        assert callable(way)
        try:
            offered, answered = way(offer), way(answer)
            sent = said.extended(offered, allowed, converted)
            lines = [Line(4000 if wish.can_be_relayed else 0) for wish in sent.wishes]
            agreed = said.agree(offered, sent, lines, answered, converted)
        except RemoteProtocolError as error:
            return error.status
        streams = [(stream.direction, stream.codecs, stream.is_rejected) for stream in agreed.streams]
        answer_told = said.told(answered, agreed).write(OPENING, lines)
        return sent.write(OPENING, lines), streams, agreed.terms, answer_told

    assert told(said.parse) == told(said._parse)


def test_what_baresip_adds_goes_the_quick_way() -> None:
    data = SIPP + b"a=rtcp:6001\r\na=ssrc:3141592653 cname:sip:1001@127.0.0.1\r\n"
    quick = said.parse(data)
    assert quick.body is said.parse(SIPP).body
    assert quick.write(OPENING, [Line(4000)]) == said._parse(data).write(OPENING, [Line(4000)])


@pytest.mark.parametrize("line", [Line(4000), Line(4000, is_mux=True), Line()])
def test_what_sipp_says_goes_the_quick_way(line: Line) -> None:
    quick = said.parse(SIPP)
    assert quick.body is not None
    assert said.parse(SIPP.replace(b"6000", b"7000").replace(b"127.0.0.1", b"127.0.0.9")).body is quick.body
    assert quick.write(OPENING, [line]) == said._parse(SIPP).write(OPENING, [line])


@pytest.mark.parametrize(
    "line",
    [
        b"a=rtcp:9",
        b"a=note:127.0.0.1",
        b"a=candidate:1",
        b"b=AS:64",
        b"m=audio 0 RTP/AVP 0",
    ],
)
def test_what_differs_from_call_to_call_does_not(line: bytes) -> None:
    assert said.parse(SIPP + line + b"\r\n").body is None


def test_an_address_in_an_attribute_of_the_session_is_found() -> None:
    data = SIPP.replace(b"m=audio", b"a=note:127.0.0.1\r\nm=audio")
    assert said.parse(data).body is None
    assert b"note" not in said.parse(data).write(OPENING, [Line(4000)])
