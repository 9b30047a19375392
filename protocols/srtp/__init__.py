"""Keys for SRTP (RFC 3711): in the description (SDES, RFC 4568), or of a handshake (DTLS-SRTP, RFC 5764)."""

from __future__ import annotations

from .dtls import (
    Certificate,
    Established,
    Failed,
    Fingerprint,
    Handshake,
    Setup,
    answer_setup,
    read_fingerprints,
)
from .sdes import Crypto, parse_crypto, read_cryptos
from .suites import SUITES, Suite

__all__ = [
    "SUITES",
    "Certificate",
    "Crypto",
    "Established",
    "Failed",
    "Fingerprint",
    "Handshake",
    "Setup",
    "Suite",
    "answer_setup",
    "parse_crypto",
    "read_cryptos",
    "read_fingerprints",
]
