"""STIR and SHAKEN: who calls is signed by who knows him (RFC 8224 to 8226, RFC 8588, RFC 8946)."""

from .authority import NumberAuthority, number_authority, read_authority
from .certificates import CertificateError, read_certificates, trusted_key
from .identity import IdentityHeader, canonical_number, party_of
from .passport import Passport, PassportError, canonical, compact, parse, split, verify

__all__ = [
    "CertificateError",
    "IdentityHeader",
    "NumberAuthority",
    "Passport",
    "PassportError",
    "canonical",
    "canonical_number",
    "compact",
    "number_authority",
    "parse",
    "party_of",
    "read_authority",
    "read_certificates",
    "split",
    "trusted_key",
    "verify",
]
