"""STIR and SHAKEN: who calls is signed by who knows him (RFC 8224, RFC 8225, RFC 8588, RFC 8946)."""

from .certificates import CertificateError, read_certificates, trusted_key
from .identity import IdentityHeader, canonical_number, party_of
from .passport import Passport, PassportError, canonical, compact, parse, split, verify

__all__ = [
    "CertificateError",
    "IdentityHeader",
    "Passport",
    "PassportError",
    "canonical",
    "canonical_number",
    "compact",
    "parse",
    "party_of",
    "read_certificates",
    "split",
    "trusted_key",
    "verify",
]
