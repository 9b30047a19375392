"""Packets that name their line (MID) or layer (RID) in a header extension; RFC 8285, 8843, 8852, 8853."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from switchroom.protocols import sdp
from switchroom.switch.media import MediaPlane
from switchroom.switch.media.security.bundle import are_alike, leads_of, mid_id_of, unused_id

from .phones import A, B, Phone
from .test_bundle import BROWSER, pli
from .test_cameras import Desk
from .web import PICTURE, SOUND, WebPhone

Make = Callable[[str], Phone]
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
MID_ID, RID_ID = 4, 10
SOURCES = (0x1111, 0x2222)
Elements = tuple[tuple[int, bytes], ...]


def short(*elements: tuple[int, bytes]) -> bytes:
    """An extension with headers of one octet; RFC 8285 §4.2."""
    body = b"".join(bytes(((number << 4) | (len(data) - 1),)) + data for number, data in elements)
    return _filled(0xBEDE, body)


def long(*elements: tuple[int, bytes]) -> bytes:
    """One with headers of two; §4.3."""
    return _filled(0x1000, b"".join(bytes((number, len(data))) + data for number, data in elements))


def _filled(profile: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack("!HH", profile, len(body) // 4) + body


def packet(seq: int, extension: bytes, ssrc: int, payload_type: int = PICTURE) -> bytes:
    head = struct.pack("!BBHII", 0x90 if extension else 0x80, payload_type, seq, 3000, ssrc)
    return head + extension + b"a picture"


class Nameless(WebPhone):
    """A browser with two cameras that tells no source, as Chromium does where it sends several layers."""

    layers = b""

    def describe(self, setup: str = "actpass", *, number: int = MID_ID) -> bytes:
        head, video = super().describe(setup).split(b"m=video", 1)
        name = f"a=extmap:{number} {MID}\r\n".encode() if number else b""
        other = f"a=extmap:{RID_ID} {RID}\r\n".encode() + self.layers
        lines = [b"m=video" + video.replace(b"mid:v", b"mid:v%d" % i) + name + other for i in range(2)]
        return head.replace(b"BUNDLE a v", b"BUNDLE a v0 v1") + name + b"".join(lines)


async def called(plane: MediaPlane, web: Nameless, desk: Desk) -> sdp.Description:
    """The browser calls; what it is answered."""
    session = plane.session("names")
    a, b = session.leg(toward=A, is_nat=False), session.leg(toward=B, is_nat=False)
    a.security.policy = BROWSER
    desk.obey(session.offer(a, b, web.describe()))
    layers = web.layers.replace(b"send", b"recv")
    answer = desk.describe().replace(
        b"a=rtcp-fb", f"a=extmap:{RID_ID} {RID}\r\n".encode() + layers + b"a=rtcp-fb"
    )
    told = session.answer(b, a, answer)
    await web.connect(told, is_client=False)
    return sdp.Description.parse(told)


@pytest.mark.parametrize("form", [short, long])
async def test_packets_that_name_their_line_go_there(
    plane: MediaPlane, phone: Make, form: Callable[..., bytes]
) -> None:
    """Also those after it of the same source, without a name; what leaves names nothing."""
    web, desk = Nameless(phone(A)), Desk(phone)
    said = await called(plane, web, desk)
    assert said.get("group") == "BUNDLE a v0 v1"
    assert len({line.port for line in said.media} - {0}) == 1
    assert all(f"{MID_ID} {MID}" in line.get_all("extmap") for line in said.media)
    for i in (1, 0):
        named = packet(1, form((MID_ID, b"v%d" % i), (RID_ID, b"h")), SOURCES[i])
        blank = bytes(3 if form is short else 4)
        web.say(named, packet(2, b"", SOURCES[i]))
        heard = desk.pictures[i].hear()
        assert heard == named.replace(form((MID_ID, b"v%d" % i), (RID_ID, b"h"))[4:][: len(blank)], blank)
        assert b"h" in heard[12:24]
        assert desk.pictures[i].hear() == packet(2, b"", SOURCES[i])
        desk.pictures[i].rtcp.sendto(pli(SOURCES[i]), desk.pictures[i].control)
        assert await web.hear() == pli(SOURCES[i])
    web.say(packet(1, short((MID_ID, b"a")), 5, SOUND))
    assert desk.sound.hear()[-9:] == b"a picture"


async def test_a_source_moves_to_the_line_that_it_names(plane: MediaPlane, phone: Make) -> None:
    web, desk = Nameless(phone(A)), Desk(phone)
    await called(plane, web, desk)
    for i in (0, 1):
        web.say(packet(1 + i, short((MID_ID, b"v%d" % i)), 9), packet(3 + i, b"", 9))
        desk.pictures[i].hear()
        assert desk.pictures[i].hear() == packet(3 + i, b"", 9)


async def test_a_line_that_nobody_has_is_dropped(plane: MediaPlane, phone: Make) -> None:
    web, desk = Nameless(phone(A)), Desk(phone)
    await called(plane, web, desk)
    before = plane.counters()["dropped_unlinked"]
    web.say(packet(1, short((MID_ID, b"v7")), 9), packet(2, short((MID_ID, b"v")), 9))
    web.say(packet(3, short((MID_ID, b"v1")), 9))
    assert desk.pictures[1].hear()[2:4] == b"\0\3"
    assert plane.counters()["dropped_unlinked"] - before == 2


async def test_layers_of_cameras_pass_with_their_names(plane: MediaPlane, phone: Make) -> None:
    """Simulcast: what one end has described the other is told, and which layer a packet is of stays in it."""
    web, desk = Nameless(phone(A)), Desk(phone)
    web.layers = b"a=rid:h send\r\na=rid:m send\r\na=rid:l send\r\na=simulcast:send h;m;l\r\n"
    said = await called(plane, web, desk)
    for line in said.media[1:]:
        assert line.get("simulcast") == "recv h;m;l"
        assert line.get_all("rid") == ["h recv", "m recv", "l recv"]
        assert f"{RID_ID} {RID}" in line.get_all("extmap")
    for i in (0, 1):
        for j, layer in enumerate((b"h", b"m", b"l")):
            source = 0x100 * (i + 1) + j
            web.say(packet(1, short((MID_ID, b"v%d" % i), (RID_ID, layer)), source))
            assert bytes((RID_ID << 4,)) + layer in desk.pictures[i].hear()
    for i in (0, 1):
        for j in range(3):
            source = 0x100 * (i + 1) + j
            web.say(packet(2, b"", source))
            assert desk.pictures[i].hear() == packet(2, b"", source)
            desk.pictures[i].rtcp.sendto(pli(source), desk.pictures[i].control)
            assert await web.hear() == pli(source)


async def test_a_browser_that_is_called_is_asked_to_name_its_lines(plane: MediaPlane, phone: Make) -> None:
    """Two cameras of a desk phone fit into one transport so; a re-offer says the same again."""
    web, desk = Nameless(phone(A)), Desk(phone)
    session = plane.session("asked")
    a, b = session.leg(toward=A, is_nat=False), session.leg(toward=B, is_nat=False)
    a.security.policy = BROWSER
    offer = session.offer(b, a, desk.describe())
    said = sdp.Description.parse(offer)
    assert said.get("group") == "BUNDLE 0 1 2"
    [number] = {mid_id_of(line) for line in said.media}
    answer = web.describe("passive", number=number).replace(b"m=video 0", b"m=video 9")
    answer = answer.replace(b"BUNDLE a v0 v1", b"BUNDLE 0 1 2")
    for name, mid in ((b"a", b"0"), (b"v0", b"1"), (b"v1", b"2")):
        answer = answer.replace(b"a=mid:%s\r" % name, b"a=mid:%s\r" % mid)
    desk.obey(session.answer(a, b, answer))
    await web.connect(offer, is_client=False)
    for i in (1, 0):
        web.say(packet(1, short((number, b"%d" % (i + 1))), SOURCES[i]), packet(2, b"", SOURCES[i]))
        assert desk.pictures[i].hear()[-9:] == b"a picture"
        assert desk.pictures[i].hear() == packet(2, b"", SOURCES[i])
    again = sdp.Description.parse(session.offer(b, a, desk.describe()))
    assert [mid_id_of(line) for line in again.media] == [number] * 3


HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nc=IN IP4 192.0.2.1\r\n"


def lines(*texts: str) -> tuple[sdp.Media, ...]:
    text = HEAD + "".join(f"m=video 4000 RTP/AVPF 96\r\na=rtpmap:96 VP8/90000\r\n{one}" for one in texts)
    return sdp.Description.parse(text.encode()).media


def line(mid: str, extmap: str) -> str:
    return f"a=mid:{mid}\r\na=extmap:{extmap}\r\n"


@pytest.mark.parametrize(
    ("first", "second", "is_joined"),
    [
        (line("0", f"4 {MID}"), line("1", f"4 {MID}"), True),
        (line("0", f"4/sendrecv {MID}"), line("1", f"4/sendonly {MID} x"), True),
        (line("0", f"4 {MID}"), line("0", f"4 {MID}"), False),
        (line("0", f"4 {MID}"), line("1", f"5 {MID}"), False),
        (line("0", f"4 {MID}"), line("1", f"4/recvonly {MID}"), False),
        (line("0", f"4 {MID}"), line("1", f"4 {RID}"), False),
        (line("0", f"4 {MID}"), line("x" * 17, f"4 {MID}"), False),
        (line("0", f"256 {MID}"), line("1", f"256 {MID}"), False),
        (line("0", "4"), line("1", f"x {MID}"), False),
    ],
)
def test_which_lines_packets_tell_apart(first: str, second: str, is_joined: bool) -> None:
    media = lines(first, second)
    leads = leads_of(media, (0, 1), is_theirs=True)
    assert leads == ({0: 0, 1: 0} if is_joined else {0: 0})
    assert are_alike(media, leads) is is_joined
    assert leads_of(media, (0, 1)) == {0: 0}
    assert leads_of(media, (0, 1), is_asked=True) == {0: 0, 1: 0}


def test_a_number_of_ours_is_nobody_elses() -> None:
    assert unused_id(lines("a=extmap:1 x\r\na=extmap:3/sendonly y\r\n", "a=extmap:2 z\r\n")) == 4
    assert unused_id(lines("".join(f"a=extmap:{i} x\r\n" for i in range(1, 15)))) == 0
