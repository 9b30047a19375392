"""Several pictures in one call: two cameras with ports of their own, or in one transport, and simulcast."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from switchroom.protocols import sdp
from switchroom.switch.media import MediaPlane
from switchroom.switch.media.security.bundle import leads_of, sources_of

from .phones import A, B, Phone, rtp
from .test_bundle import BROWSER, nack, pli, remb
from .web import PICTURE, SOUND, WebPhone

Make = Callable[[str], Phone]
CAMERAS = (0x1111, 0x2222)  # the sources of the two pictures
REPEATS = (0x1112, 0x2223)
THEIRS = (0x3333, 0x4444)


class Desk:
    """A phone in the clear: sound, and a port for each of two pictures."""

    def __init__(self, make: Make, host: str = B) -> None:
        self.sound, self.pictures = make(host), [make(host), make(host)]

    def describe(self) -> bytes:
        lines = [
            text
            for picture in self.pictures
            for text in (
                f"m=video {picture.port} RTP/AVPF {PICTURE}",
                f"a=rtpmap:{PICTURE} VP8/90000",
                f"a=rtcp-fb:{PICTURE} nack pli",
            )
        ]
        return self.sound.describe("a=rtpmap:111 opus/48000/2", *lines, formats=str(SOUND))

    def obey(self, description: bytes) -> None:
        for i, phone in enumerate((self.sound, *self.pictures)):
            phone.obey(description, i)
            phone.control = (phone.media[0], phone.media[1] + 1)


def test_two_cameras_with_ports_of_their_own(plane: MediaPlane, phone: Make) -> None:
    one, two = Desk(phone, A), Desk(phone)
    session = plane.session("ports")
    a, b = session.leg(toward=A, is_nat=False), session.leg(toward=B, is_nat=False)
    two.obey(session.offer(a, b, one.describe()))
    one.obey(session.answer(b, a, two.describe()))
    for i, source in enumerate(CAMERAS):
        one.pictures[i].say(rtp(1, payload_type=PICTURE, ssrc=source))
        assert two.pictures[i].hear() == rtp(1, payload_type=PICTURE, ssrc=source)
        for packet in (pli(source), nack(source), remb(source)):
            two.pictures[i].rtcp.sendto(packet, two.pictures[i].control)
            assert one.pictures[i].rtcp.recv(4096) == packet


def test_layers_of_a_simulcast_share_a_line(plane: MediaPlane, phone: Make) -> None:
    """Each with a source of its own; feedback about any of them goes back."""
    one, two = Desk(phone, A), Desk(phone)
    session = plane.session("simulcast")
    a, b = session.leg(toward=A, is_nat=False), session.leg(toward=B, is_nat=False)
    layers = b"a=rid:h send\r\na=rid:l send\r\na=simulcast:send h;l\r\n"
    told = session.offer(a, b, one.describe() + layers)
    assert layers in told
    two.obey(told)
    one.obey(session.answer(b, a, two.describe()))
    for source in (*CAMERAS, *REPEATS):
        one.pictures[1].say(rtp(1, payload_type=PICTURE, ssrc=source))
        assert two.pictures[1].hear() == rtp(1, payload_type=PICTURE, ssrc=source)
        two.pictures[1].rtcp.sendto(pli(source), two.pictures[1].control)
        assert one.pictures[1].rtcp.recv(4096) == pli(source)


class Studio(WebPhone):
    """A browser with two cameras, of the same payload types, in one transport."""

    def describe(self, setup: str = "actpass", *, has_sources: bool = True) -> bytes:
        head, video = super().describe(setup).split(b"m=video", 1)
        lines = [b"m=video" + video.replace(b"mid:v", b"mid:v%d" % i) for i in range(2)]
        for i, source in enumerate(CAMERAS if has_sources else ()):
            lines[i] += b"a=ssrc-group:FID %d %d\r\n" % (source, REPEATS[i])
            lines[i] += b"".join(b"a=ssrc:%d cname:me\r\n" % one for one in (source, REPEATS[i]))
        return head.replace(b"BUNDLE a v", b"BUNDLE a v0 v1") + b"".join(lines)


async def test_two_cameras_in_one_transport_are_told_apart_by_source(plane: MediaPlane, phone: Make) -> None:
    web, desk = Studio(phone(A)), Desk(phone)
    session = plane.session("studio")
    a, b = session.leg(toward=A, is_nat=False), session.leg(toward=B, is_nat=False)
    a.security.policy = BROWSER
    desk.obey(session.offer(a, b, web.describe()))
    answer = session.answer(b, a, desk.describe())
    said = sdp.Description.parse(answer)
    assert said.get("group") == "BUNDLE a v0 v1"
    assert len({line.port for line in said.media} - {0}) == 1
    await web.connect(answer, is_client=False)
    for i in (1, 0):
        for source in (CAMERAS[i], REPEATS[i]):
            web.say(rtp(1, payload_type=PICTURE, ssrc=source))
            assert desk.pictures[i].hear() == rtp(1, payload_type=PICTURE, ssrc=source)
        for packet in (pli(CAMERAS[i]), nack(CAMERAS[i]), remb(CAMERAS[i])):
            desk.pictures[i].rtcp.sendto(packet, desk.pictures[i].control)
            assert await web.hear() == packet
        desk.pictures[i].say(rtp(9, payload_type=PICTURE, ssrc=THEIRS[i]))
        assert await web.hear() == rtp(9, payload_type=PICTURE, ssrc=THEIRS[i])
        for packet in (pli(THEIRS[i]), nack(THEIRS[i])):
            web.say_rtcp(packet)
            assert desk.pictures[i].rtcp.recv(4096) == packet
    web.say(rtp(1, payload_type=SOUND, ssrc=5))
    assert desk.sound.hear() == rtp(1, payload_type=SOUND, ssrc=5)


async def test_cameras_that_name_no_source_are_not_bundled(plane: MediaPlane, phone: Make) -> None:
    web = Studio(phone(A))
    session = plane.session("unnamed")
    a, b = session.leg(toward=A, is_nat=False), session.leg(toward=B, is_nat=False)
    a.security.policy = BROWSER
    told = sdp.Description.parse(session.offer(a, b, web.describe(has_sources=False)))
    assert [line.port != 0 for line in told.media] == [True, True, False]


@pytest.mark.parametrize(
    ("first", "second", "is_joined"),
    [
        ("a=ssrc:1 cname:x\r\n", "a=ssrc:2 cname:x\r\n", True),
        ("a=ssrc:1 cname:x\r\n", "a=ssrc:1 cname:x\r\n", False),
        ("a=ssrc:1 cname:x\r\n", "", False),
        ("a=ssrc:x\r\n", "a=ssrc:99999999999 cname:x\r\n", False),
    ],
)
def test_which_lines_may_share_a_transport(first: str, second: str, is_joined: bool) -> None:
    text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nc=IN IP4 192.0.2.1\r\n"
    for lines in (first, second):
        text += f"m=video 4000 RTP/AVPF 96\r\na=rtpmap:96 VP8/90000\r\n{lines}"
    media = sdp.Description.parse(text.encode()).media
    assert leads_of(media, (0, 1), is_theirs=True) == ({0: 0, 1: 0} if is_joined else {0: 0})
    assert leads_of(media, (0, 1)) == {0: 0}


def test_so_many_sources_are_remembered_and_no_more() -> None:
    text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nc=IN IP4 192.0.2.1\r\n"
    text += "m=video 4000 RTP/AVPF 96\r\n"
    text += "".join(f"a=ssrc:{i} cname:x\r\na=ssrc:{i} msid:y z\r\n" for i in range(20))
    [line] = sdp.Description.parse(text.encode()).media
    assert sources_of(line) == tuple(range(1, 9))
