"""Whose key it is: X.509 certificates of signers, up to roots that we believe (RFC 8226, RFC 5280 §6)."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

from ..errors import RemoteProtocolError

_MAX_DEPTH = 6
_MAX_SIZE = 65536


class CertificateError(RemoteProtocolError):
    """A certificate that cannot be used (437, RFC 8224 §6.2.2)."""


def read_certificates(pem: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file: the signer's, then those between it and the root."""
    if len(pem) > _MAX_SIZE:
        raise CertificateError("certificate that is too large", status=437)
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise CertificateError("no certificate", status=437) from None


def trusted_key(
    chain: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], at: float
) -> EllipticCurvePublicKey:
    """The first certificate's key, if the chain holds at a time (since 1970) and leads to a root."""
    if not chain:
        raise CertificateError("no certificate", status=437)
    try:
        _follow(chain[0], chain[1:], roots, at)
        key = chain[0].public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError("certificate that cannot be read", status=437) from None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise CertificateError("certificate with a key that is not on P-256", status=437)
    return key


def _follow(
    leaf: x509.Certificate, between: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], at: float
) -> None:
    current = leaf
    for depth in range(_MAX_DEPTH):
        if not _from(current) <= at <= _until(current):
            raise CertificateError("certificate that is not valid now", status=437)
        if current in roots:
            return
        issuer = next((c for c in (*roots, *between) if _has_issued(c, current, depth)), None)
        if issuer is None:
            break
        current = issuer
    raise CertificateError("certificate of nobody that is trusted", status=437)


def _from(certificate: x509.Certificate) -> float:
    return certificate.not_valid_before_utc.timestamp()


def _until(certificate: x509.Certificate) -> float:
    return certificate.not_valid_after_utc.timestamp()


def _has_issued(issuer: x509.Certificate, issued: x509.Certificate, depth: int) -> bool:
    if issuer.subject != issued.issuer or issuer is issued:
        return False
    try:
        limits = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        if not limits.ca or (limits.path_length is not None and limits.path_length < depth):
            return False
        issued.verify_directly_issued_by(issuer)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, InvalidSignature, TypeError, ValueError):
        return False
    return True
