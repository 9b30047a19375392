"""Phones that speak SRTP: their side is libsrtp, so that both sides of a call are not the same code."""

from __future__ import annotations

import os

from pylibsrtp import Policy as Terms
from pylibsrtp import Session

from switchroom.protocols import sdp
from switchroom.protocols.srtp import SUITES, Crypto, read_cryptos

from .phones import Phone

PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": Terms.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Terms.SRTP_PROFILE_AES128_CM_SHA1_32,
    "AEAD_AES_128_GCM": Terms.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": Terms.SRTP_PROFILE_AEAD_AES_256_GCM,
}


def session(suite: str, master: bytes, *, is_sender: bool) -> Session:
    """One direction of libsrtp."""
    ssrc = Terms.SSRC_ANY_OUTBOUND if is_sender else Terms.SSRC_ANY_INBOUND
    return Session(Terms(key=master, ssrc_type=ssrc, srtp_profile=PROFILES[suite]))


class SecurePhone:
    """A phone with a=crypto lines of its own in what it says."""

    def __init__(
        self,
        phone: Phone,
        *suites: str,
        proto: str = "RTP/SAVP",
        keys: dict[str, bytes] | None = None,
    ) -> None:
        self.phone = phone
        self.proto = proto
        self.keys = keys or {name: os.urandom(SUITES[name].master_size) for name in suites}
        self.sender: Session
        self.receiver: Session

    def describe(self, *lines: str, tag: int | None = None, formats: str = "0 8 101") -> bytes:
        """Its description; in an answer ``tag`` is that of the line that it takes."""
        cryptos = [Crypto(tag or i, name, key) for i, (name, key) in enumerate(self.keys.items(), start=1)]
        said = self.phone.describe(*[f"a=crypto:{one}" for one in cryptos], *lines, formats=formats)
        return said.replace(b"RTP/AVP", self.proto.encode())

    def obey(self, description: bytes) -> Crypto:
        """Send to where the description says, with the keys of its first line; returns that line."""
        self.phone.obey(description)
        media = sdp.Description.parse(description).media[0]
        crypto = next(one for one in read_cryptos(media.get_all("crypto")) if one.suite in self.keys)
        self.receiver = session(crypto.suite, crypto.master, is_sender=False)
        self.sender = session(crypto.suite, self.keys[crypto.suite], is_sender=True)
        return crypto

    def say(self, *packets: bytes) -> None:
        self.phone.say(*[self.sender.protect(packet) for packet in packets])

    def hear(self) -> bytes:
        """The next packet, after libsrtp has found it authentic."""
        return self.receiver.unprotect(self.phone.hear())
