"""Sound and picture on one transport; feedback passes as it is, secured or not (RFC 8843, 4585)."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from switchroom.protocols import sdp
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane
from switchroom.switch.media.security.policy import Policy

from .phones import A, B, Phone, receiver_report, rtp
from .web import PICTURE, SOUND, WebPhone

MINE, THEIRS = 0x1111, 0x2222  # sources of pictures
BROWSER = Policy(is_browser=True)
Make = Callable[[str], Phone]


def pli(media: int) -> bytes:
    """Picture loss indication; RFC 4585 §6.3.1."""
    return struct.pack("!BBHII", 0x81, 206, 2, 7, media)


def nack(media: int) -> bytes:
    """Of one packet and the two behind it; RFC 4585 §6.2.1."""
    return struct.pack("!BBHIIHH", 0x81, 205, 3, 7, media, 1000, 3)


def remb(media: int) -> bytes:
    """What the receiver could take; it names no source in its header."""
    return struct.pack("!BBHII4sBBHI", 0x8F, 206, 5, 7, 0, b"REMB", 1, 0x0F, 0x1234, media)


def report(ssrc: int, media: int) -> bytes:
    """A receiver's report about one source."""
    return struct.pack("!BBHII", 0x81, 201, 7, ssrc, media) + bytes(20)


class Desk:
    """A phone with a port for each line, in the clear."""

    def __init__(self, make: Make) -> None:
        self.sound, self.picture = make(B), make(B)

    def describe(self) -> bytes:
        return self.sound.describe(
            "a=rtpmap:111 opus/48000/2",
            f"m=video {self.picture.port} RTP/AVPF {PICTURE}",
            f"a=rtpmap:{PICTURE} VP8/90000",
            f"a=rtcp-fb:{PICTURE} nack pli",
            formats=str(SOUND),
        )

    def obey(self, description: bytes) -> None:
        self.sound.obey(description, 0)
        self.picture.obey(description, 1)
        self.picture.control = (self.picture.media[0], self.picture.media[1] + 1)  # it answers without mux

    def hear_picture(self) -> bytes:
        return self.picture.hear()

    def hear_feedback(self) -> bytes:
        return self.picture.rtcp.recv(4096)


async def calls(plane: MediaPlane, make: Make) -> tuple[WebPhone, Desk, sdp.Description]:
    """A browser calls a desk phone; what it was answered."""
    web, desk = WebPhone(make(A)), Desk(make)
    session = plane.session("bundle")
    a, b = session.leg(toward=A, is_nat=False), session.leg(toward=B, is_nat=False)
    a.security.policy = BROWSER
    desk.obey(session.offer(a, b, web.describe()))
    answer = session.answer(b, a, desk.describe())
    await web.connect(answer, is_client=False)
    return web, desk, sdp.Description.parse(answer)


async def is_called(plane: MediaPlane, make: Make) -> tuple[WebPhone, Desk, sdp.Description]:
    """A desk phone calls a browser; what that was offered."""
    web, desk = WebPhone(make(A)), Desk(make)
    session = plane.session("bundle")
    a, b = session.leg(toward=A, is_nat=False), session.leg(toward=B, is_nat=False)
    a.security.policy = BROWSER
    offer = session.offer(b, a, desk.describe())
    told = web.describe("passive").replace(b"m=video 0", b"m=video 9")
    desk.obey(session.answer(a, b, told))
    await web.connect(offer, is_client=False)
    return web, desk, sdp.Description.parse(offer)


@pytest.mark.parametrize("call", [calls, is_called])
async def test_sound_and_picture_share_a_transport(
    plane: MediaPlane, phone: Make, call: Callable[[MediaPlane, Make], object]
) -> None:
    web, desk, said = await call(plane, phone)  # type: ignore[misc]
    assert said.get("group") == "BUNDLE " + " ".join(line.get("mid") for line in said.media)
    assert len({line.port for line in said.media} - {0}) == 1
    assert said.media[1].get("ice-ufrag") is None
    web.say(rtp(1, payload_type=SOUND, ssrc=5), rtp(1, payload_type=PICTURE, ssrc=MINE))
    assert desk.sound.hear() == rtp(1, payload_type=SOUND, ssrc=5)
    assert desk.hear_picture() == rtp(1, payload_type=PICTURE, ssrc=MINE)
    desk.sound.say(rtp(9, payload_type=SOUND, ssrc=6))
    assert await web.hear() == rtp(9, payload_type=SOUND, ssrc=6)
    desk.picture.say(rtp(9, payload_type=PICTURE, ssrc=THEIRS))
    assert await web.hear() == rtp(9, payload_type=PICTURE, ssrc=THEIRS)


def test_a_picture_is_offered_with_feedback_beside_keys(plane: MediaPlane, phone: Make) -> None:
    """RTP/AVPF stays, and so does the answer's: only the keys are up to who answers."""
    web, desk = WebPhone(phone(A)), Desk(phone)
    session = plane.session("feedback")
    a, b = session.leg(toward=A, is_nat=False), session.leg(toward=B, is_nat=False)
    a.security.policy = BROWSER
    [sound, picture] = sdp.Description.parse(session.offer(a, b, web.describe())).media
    assert (sound.proto, picture.proto) == ("RTP/AVP", "RTP/AVPF")
    assert sound.get("crypto")
    assert picture.get("crypto")
    assert sdp.Description.parse(session.answer(b, a, desk.describe())).media[1].port


async def test_a_lite_switch_leaves_the_checks_to_the_browser(plane: MediaPlane, phone: Make) -> None:
    plane.apply(plane.config.model_copy(update={"ice": "lite"}))
    web, desk, said = await calls(plane, phone)
    assert said.get("ice-lite") == ""
    web.say(rtp(1, payload_type=SOUND, ssrc=5))
    assert desk.sound.hear() == rtp(1, payload_type=SOUND, ssrc=5)
    desk.picture.say(rtp(9, payload_type=PICTURE, ssrc=THEIRS))
    assert await web.hear() == rtp(9, payload_type=PICTURE, ssrc=THEIRS)


@pytest.mark.parametrize(
    ("ice", "ours", "is_lite"),
    [
        ("auto", "192.0.2.1", False),
        ("auto", "5.9.0.1", True),
        ("auto", "2a01::5", True),
        ("full", "5.9.0.1", False),
    ],
)
def test_a_switch_with_a_public_address_is_lite(ice: str, ours: str, is_lite: bool) -> None:
    config = MediaConfig(ports="22000-27999", transcode=[], ice=ice)
    plane = MediaPlane(
        config, lambda far: "10.0.0.1", lambda session: None, public_for=lambda far, local: ours
    )
    assert plane.guard.channel().is_lite is is_lite


def test_a_switch_without_a_way_out_is_not_lite() -> None:
    def local_for(far: str) -> str:
        raise OSError(101, "Network is unreachable")

    plane = MediaPlane(MediaConfig(transcode=[]), local_for, lambda session: None)
    assert not plane.guard.channel().is_lite


async def test_feedback_goes_to_whom_it_speaks_of(plane: MediaPlane, phone: Make) -> None:
    web, desk, _ = await calls(plane, phone)
    web.say(rtp(1, payload_type=SOUND, ssrc=5), rtp(1, payload_type=PICTURE, ssrc=MINE))
    desk.sound.hear()
    desk.hear_picture()
    desk.picture.say(rtp(9, payload_type=PICTURE, ssrc=THEIRS))
    await web.hear()
    for packet in (pli(THEIRS), nack(THEIRS), remb(THEIRS), report(MINE, THEIRS)):
        web.say_rtcp(packet)
        assert desk.hear_feedback() == packet
    for packet in (pli(MINE), nack(MINE), remb(MINE)):
        desk.picture.rtcp.sendto(packet, desk.picture.control)
        assert await web.hear() == packet
    web.say_rtcp(receiver_report(5))
    assert desk.sound.rtcp.recv(4096) == receiver_report(5)


async def test_who_has_no_picture_refuses_it(plane: MediaPlane, phone: Make) -> None:
    """The bundle is one line then; it is the second one when the first is refused."""
    for refused in (0, 1):
        web, desk = WebPhone(phone(A)), Desk(phone)
        session = plane.session(f"refused {refused}")
        a, b = session.leg(toward=A, is_nat=False), session.leg(toward=B, is_nat=False)
        a.security.policy = BROWSER
        desk.obey(session.offer(a, b, web.describe()))
        port = (desk.sound, desk.picture)[refused].port
        answer = session.answer(b, a, desk.describe().replace(b" %d RTP" % port, b" 0 RTP"))
        said = sdp.Description.parse(answer)
        assert said.media[refused].port == 0
        assert said.get("group") == f"BUNDLE {'va'[refused]}"
        left = said.media[1 - refused]
        text = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        await web.connect(text + answer[answer.index(b"m=%s " % left.kind.encode()) :], is_client=False)
        payload_type = (PICTURE, SOUND)[refused]
        web.say(rtp(1, payload_type=payload_type))
        assert (desk.picture, desk.sound)[refused].hear() == rtp(1, payload_type=payload_type)
        session.close()


def same_types(description: bytes) -> bytes:
    """The picture under the payload type of the sound."""
    for before in (b"SAVPF ", b"AVPF ", b"rtpmap:", b"fb:"):
        description = description.replace(before + b"%d" % PICTURE, before + b"%d" % SOUND)
    return description


async def test_payload_types_that_two_lines_have_are_bundled_by_name(plane: MediaPlane, phone: Make) -> None:
    """Nothing else tells their packets apart: what is only for a bundle, and names nothing, is refused."""
    web, desk = WebPhone(phone(A)), Desk(phone)
    session = plane.session("same")
    a, b = session.leg(toward=A, is_nat=False), session.leg(toward=B, is_nat=False)
    a.security.policy = BROWSER
    offer = same_types(web.describe())
    assert sdp.Description.parse(session.offer(a, b, offer)).media[1].port == 0
    told = session.offer(b, a, same_types(desk.describe()))
    said = sdp.Description.parse(told)
    assert said.get("group") == "BUNDLE 0 1"
    assert [line.get("extmap") for line in said.media] == ["1 urn:ietf:params:rtp-hdrext:sdes:mid"] * 2


async def test_an_answer_outside_the_bundle_is_refused(plane: MediaPlane, phone: Make) -> None:
    web, desk = WebPhone(phone(A)), Desk(phone)
    session = plane.session("outside")
    a, b = session.leg(toward=A, is_nat=False), session.leg(toward=B, is_nat=False)
    a.security.policy = BROWSER
    session.offer(b, a, desk.describe())
    answer = web.describe("active").replace(b"BUNDLE a v", b"BUNDLE a").replace(b"video 0", b"video 4444")
    with pytest.raises(RemoteProtocolError, match="no SRTP keys in the answer"):
        session.answer(a, b, answer)


def with_sound_only(description: bytes) -> bytes:
    return description[: description.index(b"m=video")].replace(b"BUNDLE a v", b"BUNDLE a")


async def test_a_picture_joins_the_transport_in_the_middle_of_a_call(plane: MediaPlane, phone: Make) -> None:
    """Keys and place stay; a hold and its end change nothing either."""
    web, desk = WebPhone(phone(A)), Desk(phone)
    session = plane.session("joins")
    a, b = session.leg(toward=A, is_nat=False), session.leg(toward=B, is_nat=False)
    a.security.policy = BROWSER
    desk.sound.obey(session.offer(a, b, with_sound_only(web.describe())))
    answer = session.answer(b, a, desk.describe()[: desk.describe().index(b"m=video")])
    await web.connect(answer, is_client=False)
    session.confirm()
    web.say(rtp(1, payload_type=SOUND, ssrc=5))
    assert desk.sound.hear() == rtp(1, payload_type=SOUND, ssrc=5)
    port = sdp.Description.parse(answer).media[0].port
    for seq, direction in ((2, b"sendrecv"), (3, b"sendonly"), (4, b"sendrecv")):
        offer = web.describe().replace(b"m=video 0", b"m=video %d" % web.phone.port)
        offer = offer.replace(b"a=bundle-only\r\n", b"").replace(b"a=mid:", b"a=%s\r\na=mid:" % direction)
        desk.obey(session.offer(a, b, offer))
        said = sdp.Description.parse(session.answer(b, a, desk.describe()))
        assert [line.port for line in said.media] == [port, port]
        assert said.get("group") == "BUNDLE a v"
        web.say(rtp(seq, payload_type=SOUND, ssrc=5), rtp(seq, payload_type=PICTURE, ssrc=MINE))
        assert desk.sound.hear() == rtp(seq, payload_type=SOUND, ssrc=5)
        assert desk.hear_picture() == rtp(seq, payload_type=PICTURE, ssrc=MINE)
    desk.picture.say(rtp(9, payload_type=PICTURE, ssrc=THEIRS))
    assert await web.hear() == rtp(9, payload_type=PICTURE, ssrc=THEIRS)


async def test_a_desk_phone_shows_a_picture_to_a_browser_in_the_middle_of_a_call(
    plane: MediaPlane, phone: Make
) -> None:
    web, desk = WebPhone(phone(A)), Desk(phone)
    session = plane.session("shows")
    a, b = session.leg(toward=A, is_nat=False), session.leg(toward=B, is_nat=False)
    a.security.policy = BROWSER
    desk.sound.obey(session.offer(a, b, with_sound_only(web.describe())))
    answer = session.answer(b, a, desk.describe()[: desk.describe().index(b"m=video")])
    await web.connect(answer, is_client=False)
    session.confirm()
    offer = sdp.Description.parse(session.offer(b, a, desk.describe()))
    [sound, picture] = offer.media
    assert (picture.port, picture.get("bundle-only")) == (sound.port, None)
    assert offer.get("group") == f"BUNDLE a {picture.get('mid')}"
    told = web.describe("passive").replace(b"m=video 0", b"m=video 9")
    told = told.replace(b"mid:v", b"mid:%s" % (picture.get("mid") or "").encode())
    told = told.replace(b"BUNDLE a v", b"BUNDLE a %s" % (picture.get("mid") or "").encode())
    desk.obey(session.answer(a, b, told))
    desk.picture.say(rtp(9, payload_type=PICTURE, ssrc=THEIRS))
    assert await web.hear() == rtp(9, payload_type=PICTURE, ssrc=THEIRS)
    web.say(rtp(3, payload_type=SOUND, ssrc=5), rtp(3, payload_type=PICTURE, ssrc=MINE))
    assert desk.sound.hear() == rtp(3, payload_type=SOUND, ssrc=5)
    assert desk.hear_picture() == rtp(3, payload_type=PICTURE, ssrc=MINE)
    report = session.close()
    assert [(one.leg, one.line, one.counters.packets) for one in report.streams] == [
        *((0, 0, 1), (0, 1, 1)),
        *((1, 0, 0), (1, 1, 1)),
    ]
