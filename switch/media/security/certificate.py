"""A certificate for handshakes, made by ourselves and for a while: the descriptions name it (RFC 5763 §5)."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from switchroom.protocols.srtp import Certificate

_LIFETIME = datetime.timedelta(days=365)
_SKEW = datetime.timedelta(days=1)  # clocks of others
_NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "switchroom")])


def make_certificate() -> Certificate:
    """Return a new one."""
    key = ec.generate_private_key(ec.SECP256R1())
    today = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_NAME)
        .issuer_name(_NAME)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - _SKEW)
        .not_valid_after(today + _LIFETIME)
        .sign(key, hashes.SHA256())
    )
    return Certificate(certificate, key)
