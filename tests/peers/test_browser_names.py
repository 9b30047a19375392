"""Chromium sends two pictures in layers over one transport, and names lines and layers, not sources."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from switchroom.protocols import sdp
from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane
from switchroom.switch.media.security.policy import Policy
from tests.switch.media.phones import B, Phone

from .browser import PATIENCE, Browser, Page

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.slow]

WIDTHS = (640, 800)  # of the two pictures: smaller ones have one layer
KEY_FRAME = b"\x9d\x01\x2a"  # before width and height; RFC 6386 §9.1
_OFFER = f"""
    window.connection = new RTCPeerConnection({{bundlePolicy: "max-bundle"}});
    const pictures = {list(WIDTHS)}.map(width => {{
        const canvas = document.createElement("canvas");
        canvas.width = width; canvas.height = width * 3 / 4;
        const brush = canvas.getContext("2d");
        setInterval(() => {{
            brush.fillStyle = `hsl(${{Math.random() * 360}}, 90%, 50%)`;
            brush.fillRect(0, 0, canvas.width, canvas.height);
        }}, 100);
        return canvas.captureStream(10).getVideoTracks()[0];
    }});
    for (const track of pictures)
        connection.addTransceiver(track, {{direction: "sendonly", sendEncodings: [
            {{rid: "h"}}, {{rid: "l", scaleResolutionDownBy: 2}},
        ]}});
    const vp8 = RTCRtpSender.getCapabilities("video").codecs.filter(one => /VP8|rtx/.test(one.mimeType));
    connection.getTransceivers().forEach(one => one.setCodecPreferences(vp8));
    await connection.setLocalDescription();
    while (connection.iceGatheringState !== "complete") await new Promise(go => setTimeout(go, 20));
    return connection.localDescription.sdp;
"""


class Desk:
    """A receiver with a port for each picture, who takes whatever layers are offered."""

    def __init__(self, pictures: list[Phone]) -> None:
        self.pictures = pictures

    def answer(self, offer: bytes) -> bytes:
        said = sdp.Description.parse(offer)
        text = f"v=0\r\no=desk 7 7 IN IP4 {B}\r\ns=-\r\nc=IN IP4 {B}\r\nt=0 0\r\n"
        for line, phone in zip(said.media, self.pictures, strict=True):
            text += f"m=video {phone.port} {line.proto} {' '.join(line.formats)}\r\na=recvonly\r\n"
            for name in ("rtpmap", "fmtp", "rtcp-fb", "extmap", "rid", "simulcast"):
                for value in line.get_all(name):
                    told = value.replace("send", "recv") if name in ("rid", "simulcast") else value
                    text += f"a={name}:{told}\r\n"
        return text.encode()

    def hear_width(self, i: int, payload_type: int) -> int:
        """The width of the next key frame of a picture."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            data = self.pictures[i].rtp.recv(4096)
            at = data.find(KEY_FRAME)
            if data[1] & 0x7F == payload_type and 0 < at < 64:
                return int.from_bytes(data[at + 3 : at + 5], "little") & 0x3FFF
        raise AssertionError("no key frame")


@pytest.fixture
async def plane() -> AsyncIterator[MediaPlane]:
    config = MediaConfig(ports="22000-27999", transcode=[], kernel="off")
    plane = MediaPlane(config, lambda toward: "127.0.0.1", lambda session: None, quarantine=0.0)
    plane.start(asyncio.get_running_loop())
    yield plane
    plane.stop()


async def test_layers_of_two_pictures_arrive_where_they_belong(plane: MediaPlane, tmp_path: Path) -> None:
    with Browser(tmp_path / "browser", tmp_path) as browser, Phone(B) as one, Phone(B) as two:
        page: Page = await asyncio.to_thread(browser.page)
        offer = (await asyncio.to_thread(page.run, _OFFER)).encode()
        assert b"a=ssrc:" not in offer
        assert offer.count(b"a=simulcast:send h;l") == 2
        desk = Desk([one, two])
        for phone in desk.pictures:
            phone.rtp.settimeout(PATIENCE)
        session = plane.session("names")
        a, b = session.leg(toward="127.0.0.1", is_nat=False), session.leg(toward=B, is_nat=False)
        a.security.policy = Policy(is_browser=True)
        told = session.answer(b, a, desk.answer(session.offer(a, b, offer))).decode()
        said = sdp.Description.parse(told.encode())
        assert len({line.port for line in said.media} - {0}) == 1
        assert [line.get("simulcast") for line in said.media] == ["recv h;l"] * 2
        take = f"await connection.setRemoteDescription({{type: 'answer', sdp: {told!r}}});"
        await asyncio.to_thread(page.run, take)
        payload_type = int(said.media[0].formats[0])
        for i, width in enumerate(WIDTHS):  # which layers it sends at once is its own affair
            assert await asyncio.to_thread(desk.hear_width, i, payload_type) in (width // 2, width)
        session.close()
