"""What one leg's description becomes for the other leg."""

from __future__ import annotations

import pytest

from switchroom.protocols import sdp
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.media import MediaLeg, MediaPlane, MediaSession
from switchroom.switch.media._engine import Stream
from switchroom.switch.media.negotiate import transport_of
from switchroom.switch.media.said import aim, parse

HEAD = (
    "v=0\r\no=alice 2890844526 2890844526 IN IP4 10.9.8.7\r\ns=Alice's call\r\nc=IN IP4 10.9.8.7\r\nt=0 0\r\n"
)
SOUND = (
    "m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
)
VIDEO = "m=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n"


class Pair:
    """A session of two legs, and what each was told."""

    def __init__(self, plane: MediaPlane) -> None:
        self.session: MediaSession = plane.session("call")
        self.a: MediaLeg = self.session.leg(toward="127.0.0.2", is_nat=False)
        self.b: MediaLeg = self.session.leg(toward="127.0.0.3", is_nat=False)

    def offer(self, text: str) -> sdp.Description:
        return sdp.Description.parse(self.session.offer(self.a, self.b, text.encode()))

    def answer(self, text: str) -> sdp.Description:
        return sdp.Description.parse(self.session.answer(self.b, self.a, text.encode()))


@pytest.fixture
def pair(plane: MediaPlane) -> Pair:
    return Pair(plane)


def names(description: sdp.Description, line: int = 0) -> list[str]:
    return [attribute.name for attribute in description.media[line].attributes]


def test_nothing_of_the_offerer_is_left(pair: Pair) -> None:
    text = HEAD.replace("c=", "i=from 10.9.8.7\r\nu=http://10.9.8.7/\r\ne=alice@example\r\nc=")
    text += (
        SOUND
        + "a=ssrc:1 cname:alice@10.9.8.7\r\na=x-nat:10.9.8.7\r\n"
        + "a=candidate:1 1 UDP 1 10.9.8.7 4000 typ host\r\n"
    )
    data = bytes(pair.offer(text))
    for trace in (b"10.9.8.7", b"alice", b"Alice", b"2890844526", b"4000", b"candidate"):
        assert trace not in data


def test_what_makes_sense_end_to_end_stays(pair: Pair) -> None:
    kept = "b=AS:80\r\na=ptime:30\r\na=maxptime:60\r\n"
    kept += "a=silenceSupp:off - - - -\r\na=label:7\r\na=rtcp-xr:rcvr-rtt=all\r\n"
    media = pair.offer(HEAD + SOUND + kept).media[0]
    assert media.formats == ("0", "101")
    assert media.bandwidths == ("AS:80",)
    assert media.fmtps == {"101": "0-15"}
    assert media.ptime == 30
    assert {"maxptime", "silenceSupp", "label", "rtcp-xr"} <= {
        attribute.name for attribute in media.attributes
    }


@pytest.mark.parametrize(
    "attribute",
    [
        *("candidate:1 1 UDP 1 192.0.2.1 4 typ host", "ice-ufrag:abcd", "ice-pwd:x", "ice-options:trickle"),
        *("end-of-candidates", "mid:audio", "rtcp:4321 IN IP4 192.0.2.1", "rtcp-mux-only", "X-cap: 1"),
        *("crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x", "fingerprint:sha-256 AA", "setup:actpass"),
        *("zrtp-hash:1.10 x", "tcap:1 RTP/SAVP", "pcfg:1 t=1", "source-filter: incl IN IP4 * 192.0.2.1"),
        "direction:active",
    ],
)
@pytest.mark.parametrize("level", ["media", "session"])
def test_what_belongs_to_one_leg_goes(pair: Pair, attribute: str, level: str) -> None:
    line = f"a={attribute}\r\n"
    rewritten = pair.offer(HEAD + SOUND + line if level == "media" else HEAD + line + SOUND)
    name = attribute.partition(":")[0]
    assert name not in names(rewritten)
    assert rewritten.get(name) is None


def test_bundles_are_undone(pair: Pair) -> None:
    text = (
        HEAD
        + "a=group:BUNDLE 0 1\r\na=msid-semantic: WMS\r\n"
        + SOUND
        + "a=mid:0\r\n"
        + VIDEO
        + "a=mid:1\r\n"
    )
    rewritten = pair.offer(text)
    assert rewritten.attributes == ()
    assert rewritten.media[0].port != rewritten.media[1].port


def test_without_srtp_of_our_own_keys_pass_from_end_to_end(plane: MediaPlane, pair: Pair) -> None:
    plane.guard.missing = "no libcrypto"
    text = (
        HEAD
        + "a=fingerprint:sha-256 AA\r\n"
        + SOUND.replace("RTP/AVP", "RTP/SAVP")
        + "a=crypto:1 X inline:y\r\n"
    )
    rewritten = pair.offer(text)
    assert "crypto" in names(rewritten)
    assert rewritten.get("fingerprint") is not None


@pytest.mark.parametrize(
    ("proto", "expected"),
    [
        ("RTP/AVP", (True, False, False)),
        ("RTP/AVPF", (True, False, False)),
        ("RTP/SAVP", (True, True, False)),
        ("RTP/SAVPF", (True, True, False)),
        ("UDP/TLS/RTP/SAVPF", (True, True, True)),
        ("udptl", (False, False, False)),
        ("UDP/DTLS/SCTP", (False, False, False)),
        ("TCP/MSRP", None),
        ("TCP/TLS/RTP/SAVP", None),
    ],
)
def test_transports(proto: str, expected: tuple[bool, bool, bool] | None) -> None:
    assert transport_of(proto) == expected


def test_a_stream_over_tcp_is_not_offered_on(pair: Pair) -> None:
    rewritten = pair.offer(
        HEAD + SOUND + "m=message 2855 TCP/MSRP *\r\na=path:msrp://10.9.8.7:2855/x;tcp\r\n"
    )
    assert [media.port != 0 for media in rewritten.media] == [True, False]
    assert "path" not in names(rewritten, 1)


@pytest.mark.parametrize("mux", ["offered and taken", "offered and not taken", "not offered"])
def test_rtcp_mux_is_said_to_who_asked_for_it(pair: Pair, mux: str) -> None:
    offered = pair.offer(HEAD + SOUND + ("a=rtcp-mux\r\n" if mux.startswith("offered") else ""))
    assert offered.media[0].has_rtcp_mux == mux.startswith("offered")
    answered = pair.answer(HEAD + SOUND + ("a=rtcp-mux\r\n" if mux == "offered and taken" else ""))
    assert answered.media[0].has_rtcp_mux == mux.startswith("offered")


@pytest.mark.parametrize("direction", ["sendrecv", "sendonly", "recvonly", "inactive"])
@pytest.mark.parametrize("level", ["media", "session"])
def test_directions_travel(pair: Pair, direction: str, level: str) -> None:
    line = f"a={direction}\r\n"
    rewritten = pair.offer(HEAD + SOUND + line if level == "media" else HEAD + line + SOUND)
    assert rewritten.direction_of(rewritten.media[0]) == direction


@pytest.mark.parametrize(
    ("said", "meant"), [("", "sendonly"), ("a=sendrecv\r\n", "sendonly"), ("a=recvonly\r\n", "inactive")]
)
def test_hold_by_the_null_address_becomes_a_direction(pair: Pair, said: str, meant: str) -> None:
    rewritten = pair.offer(HEAD.replace("c=IN IP4 10.9.8.7", "c=IN IP4 0.0.0.0") + SOUND + said)
    assert rewritten.media[0].direction == meant
    assert rewritten.connection == sdp.Connection("IP4", "127.0.0.1")


def test_an_address_for_each_line(pair: Pair) -> None:
    text = HEAD.replace("c=IN IP4 10.9.8.7\r\n", "") + SOUND.replace("a=", "c=IN IP4 10.0.0.1\r\na=", 1)
    text += VIDEO.replace("a=", "c=IN IP4 10.0.0.2\r\na=", 1)
    rewritten = pair.offer(text)
    assert rewritten.connection == sdp.Connection("IP4", "127.0.0.1")
    assert all(media.connection is None for media in rewritten.media)


def test_where_packets_go() -> None:
    text = HEAD + SOUND + "a=rtcp:53020\r\n" + VIDEO + "c=IN IP4 192.0.2.2\r\na=rtcp:7 IN IP4 192.0.2.3\r\n"
    text += "m=audio 65535 RTP/AVP 0\r\nm=audio 0 RTP/AVP 0\r\n"
    text += "m=audio 5 RTP/AVP 0\r\na=rtcp:9 IN IP4 127.0.0.1\r\n"
    wishes = parse(text.encode()).wishes
    streams = [Stream(0, 1, 1, "192.0.2.7") for _ in wishes]
    for stream, wish in zip(streams, wishes, strict=True):
        aim(stream, wish, "192.0.2.7", "192.0.2.1")
    assert [(stream.rtp, stream.rtcp) for stream in streams] == [
        (("10.9.8.7", 4000), ("10.9.8.7", 53020)),
        (("192.0.2.2", 4002), ("192.0.2.3", 7)),
        (("10.9.8.7", 65535), None),
        (None, ("10.9.8.7", 1)),
        (("10.9.8.7", 5), None),
    ]


def test_the_version_counts_changes_only(pair: Pair) -> None:
    first = pair.offer(HEAD + SOUND).origin
    assert pair.offer(HEAD + SOUND).origin == first
    assert pair.offer(HEAD.replace("2890844526 IN", "2890844527 IN") + SOUND).origin == first
    second = pair.offer(HEAD + SOUND + "a=sendonly\r\n").origin
    assert second == first._replace(version=first.version + 1)
    assert pair.offer(HEAD + SOUND).origin.version == first.version + 2


def test_each_leg_has_an_origin_of_its_own(pair: Pair) -> None:
    to_b = pair.offer(HEAD + SOUND).origin
    to_a = pair.answer(HEAD + SOUND).origin
    assert to_a.session_id != to_b.session_id


def test_lines_that_the_answer_rejects(pair: Pair) -> None:
    pair.offer(HEAD + SOUND + VIDEO)
    answered = pair.answer(HEAD + SOUND + VIDEO.replace("4002", "0"))
    assert [media.is_rejected for media in answered.media] == [False, True]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (HEAD, 488),
        (HEAD + SOUND + SOUND, 488),
        (HEAD + VIDEO, 488),
        (HEAD + SOUND.replace("RTP/AVP", "RTP/SAVP"), 488),
        (HEAD + "m=audio 4000 RTP/AVP 9\r\n", 488),
        ("v=0\r\n", 400),
        ("", 400),
        (HEAD + SOUND.replace("4000", "65536"), 400),
    ],
)
def test_answers_that_do_not_fit(pair: Pair, answer: str, status: int) -> None:
    pair.offer(HEAD + SOUND)
    with pytest.raises(RemoteProtocolError) as caught:
        pair.answer(answer)
    assert caught.value.status == status
    assert pair.answer(HEAD + SOUND).media[0].port  # the right one may still come


@pytest.mark.parametrize(
    "offer",
    [
        HEAD + SOUND * 17,
        HEAD + SOUND + "a=x\r\n" * 257,
        HEAD + "a=x\r\n" * 100_000,
        HEAD + SOUND.replace("0 101", "0 " * 2000),
        HEAD + SOUND.replace("rtpmap:0", "rtpmap:4294967296"),
        HEAD + SOUND.replace("8000", "9" * 5000),
        HEAD + SOUND + f"a=rtcp:{10**40}\r\n",
    ],
    ids=["17 lines", "257 attributes", "a flood", "formats", "payload type", "clock rate", "rtcp"],
)
def test_bombs_cost_nothing_and_hold_no_port(plane: MediaPlane, pair: Pair, offer: str) -> None:
    """A7: refused by its limits before anything is allocated."""
    with pytest.raises(RemoteProtocolError) as caught:
        pair.offer(offer)
    assert caught.value.status in (400, 413, 488)
    assert plane.ports_in_use == 0
