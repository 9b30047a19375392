"""What SRTP can be keyed with; RFC 3711, RFC 6188, RFC 7714."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Suite(NamedTuple):
    """A cipher and how packets are authenticated, named as in RFC 4568 §6.2."""

    name: str
    key_size: int
    salt_size: int
    profile: str = ""  # as OpenSSL names its DTLS-SRTP profile (RFC 5764 §4.1.2); "": there is none

    @property
    def master_size(self) -> int:
        """Octets of the key with its salt."""
        return self.key_size + self.salt_size


SUITES: Mapping[str, Suite] = MappingProxyType(
    {
        suite.name: suite
        for suite in (
            Suite("AEAD_AES_128_GCM", 16, 12, "SRTP_AEAD_AES_128_GCM"),
            Suite("AEAD_AES_256_GCM", 32, 12, "SRTP_AEAD_AES_256_GCM"),
            Suite("AES_CM_128_HMAC_SHA1_80", 16, 14, "SRTP_AES128_CM_SHA1_80"),
            Suite("AES_CM_128_HMAC_SHA1_32", 16, 14, "SRTP_AES128_CM_SHA1_32"),
            Suite("AES_256_CM_HMAC_SHA1_80", 32, 14),
            Suite("AES_256_CM_HMAC_SHA1_32", 32, 14),
        )
    }
)
