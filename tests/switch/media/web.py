"""A browser's side of a leg: ICE, a handshake, and sound and pictures on one socket under libsrtp."""

from __future__ import annotations

import asyncio
import contextlib
import time

from switchroom.protocols import sdp, srtp, stun
from switchroom.switch.media import MediaPlane
from switchroom.switch.media.security.certificate import make_certificate

from .phones import ALLOWANCE, Phone, rtp
from .secured import session

_CERTIFICATE = make_certificate()
SUITE = "AES_CM_128_HMAC_SHA1_80"
SOUND, PICTURE = 111, 96  # payload types


class WebPhone:
    """Offers a bundle of sound and picture, or answers one; ``connect`` finds the way and the keys."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        phone.rtp.setblocking(False)
        self.agent = stun.Agent(stun.make_credentials(), b"test", is_controlling=True)
        self.keys: srtp.Established

    def describe(self, setup: str = "actpass") -> bytes:
        """Both lines in a bundle; only the first one says what the transport is."""
        local = self.agent.local
        host, port = self.phone.host, self.phone.port
        text = [
            *("v=0", f"o=web 7 7 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0", "a=group:BUNDLE a v"),
            f"m=audio {port} UDP/TLS/RTP/SAVPF {SOUND}",
            f"a=rtpmap:{SOUND} opus/48000/2",
            *("a=mid:a", "a=rtcp-mux", f"a=setup:{setup}", f"a=fingerprint:{_CERTIFICATE.fingerprint}"),
            *(f"a=ice-ufrag:{local.ufrag}", f"a=ice-pwd:{local.password}"),
            f"a=candidate:1 1 udp 2130706431 {host} {port} typ host",
            f"m=video 0 UDP/TLS/RTP/SAVPF {PICTURE}",
            *(f"a=rtpmap:{PICTURE} VP8/90000", f"a=rtcp-fb:{PICTURE} nack pli"),
            *("a=mid:v", "a=rtcp-mux", "a=bundle-only"),
        ]
        return ("\r\n".join(text) + "\r\n").encode()

    async def connect(self, description: bytes, *, is_client: bool) -> None:
        """Until the keys are there; then packets may go either way."""
        said = sdp.Description.parse(description)
        media = said.media[0]
        candidates = [stun.Candidate.parse(value) for value in media.get_all("candidate")]
        credentials = stun.Credentials(media.get("ice-ufrag") or "", media.get("ice-pwd") or "")
        now = time.monotonic()
        self.agent.take_remote(
            credentials, [one for one in candidates if one], now, is_lite=b"a=ice-lite" in description
        )
        prints = srtp.read_fingerprints(media.get_all("fingerprint"))
        shake = srtp.Handshake(_CERTIFICATE, prints, (SUITE,), now, is_client=is_client)
        async with asyncio.timeout(ALLOWANCE):
            while not isinstance(event := shake.next_event(), srtp.Established):
                assert event is None, event
                await self._turn(shake)
        self.keys = event
        await self._turn(shake)
        self.sender = session(SUITE, event.local, is_sender=True)
        self.receiver = session(SUITE, event.remote, is_sender=False)

    async def _turn(self, shake: srtp.Handshake) -> None:
        now = time.monotonic()
        self.agent.handle_timer(now)
        with contextlib.suppress(BlockingIOError):
            while True:
                data, source = self.phone.rtp.recvfrom(4096)
                if data[0] < 4:
                    self.agent.receive_datagram(data, source, now)
                else:
                    shake.receive_datagram(data, now)
        if (at := shake.next_timer()) is not None and at <= now:
            shake.handle_timer(now)
        while (event := self.agent.next_event()) is not None:
            if isinstance(event, stun.Selected):
                self.phone.media = event.address
        for data, address in self.agent.datagrams_to_send():
            self.phone.rtp.sendto(data, address)
        if self.phone.media[1]:
            for data in shake.datagrams_to_send():
                self.phone.rtp.sendto(data, self.phone.media)
        await asyncio.sleep(0.005)  # the switch's own loop has its turn

    async def is_wanted(self) -> None:
        """Asks whether it may go on sending (RFC 7675), until that is answered."""
        now = time.monotonic()
        self.agent.handle_timer(now + 10.0)
        asked = self.agent.datagrams_to_send()
        assert asked
        for data, address in asked:
            self.phone.rtp.sendto(data, address)
        async with asyncio.timeout(ALLOWANCE):
            while True:
                with contextlib.suppress(BlockingIOError):
                    if self.phone.rtp.recv(4096)[:1] == b"\1":  # success
                        return
                await asyncio.sleep(0.002)

    def say(self, *packets: bytes) -> None:
        self.phone.say(*[self.sender.protect(packet) for packet in packets])

    def say_rtcp(self, *packets: bytes) -> None:
        self.phone.say(*[self.sender.protect_rtcp(packet) for packet in packets])

    async def hear(self) -> bytes:
        """The next packet of RTP or RTCP, in the clear."""
        async with asyncio.timeout(ALLOWANCE):
            while True:
                with contextlib.suppress(BlockingIOError):
                    data = self.phone.rtp.recv(4096)
                    if 192 <= data[1] <= 223:
                        return self.receiver.unprotect_rtcp(data)
                    if data[0] >> 6 == 2:
                        return self.receiver.unprotect(data)
                await asyncio.sleep(0.002)


def lines_of(plane: MediaPlane) -> int:
    """How many transports have a handshake."""
    return len(plane.guard.lines)


__all__ = ["PICTURE", "SOUND", "WebPhone", "lines_of", "rtp"]
