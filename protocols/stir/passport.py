"""PASSporT: a signed statement of who calls whom (RFC 8225), also shaken (RFC 8588) and div (RFC 8946)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from ..errors import LocalProtocolError, RemoteProtocolError

_ECDSA = ECDSA(SHA256())
_HALF = 32  # octets of each of the two numbers of a signature (RFC 7518 §3.4)
_MAX_SIZE = 8192  # octets of a whole token
_PPTS = ("", "shaken", "div")
_ATTESTATIONS = ("A", "B", "C")


class PassportError(RemoteProtocolError):
    """A PASSporT that cannot be used: 437 for what we do not support, 438 for what is wrong."""


@dataclass(frozen=True, slots=True)
class Passport:
    """One statement: orig and dest are numbers (tn) or URIs, iat is in seconds since 1970."""

    orig: Mapping[str, Any]
    dest: Mapping[str, Any]
    iat: int
    x5u: str
    ppt: str = ""
    attest: str = ""  # shaken: A, B or C
    origid: str = ""  # shaken: which customer or gateway, in our own words
    div: Mapping[str, Any] | None = None  # div: who diverted the call
    more: Mapping[str, Any] = field(default_factory=dict)  # claims that are kept as they are, such as mky

    @property
    def header(self) -> dict[str, Any]:
        """The JOSE header (RFC 8225 §4)."""
        ppt = {"ppt": self.ppt} if self.ppt else {}
        return {"alg": "ES256", **ppt, "typ": "passport", "x5u": self.x5u}

    @property
    def claims(self) -> dict[str, Any]:
        """The claims (RFC 8225 §5)."""
        found = {"dest": self.dest, "iat": self.iat, "orig": self.orig, **self.more}
        if self.attest:
            found |= {"attest": self.attest, "origid": self.origid}
        if self.div is not None:
            found["div"] = self.div
        return found

    def signed_octets(self) -> bytes:
        """What is signed: header and claims in the one form that all agree on."""
        return _encode(canonical(self.header)) + b"." + _encode(canonical(self.claims))

    def sign(self, key: EllipticCurvePrivateKey) -> str:
        """The full form: header, claims and signature."""
        if not isinstance(key.curve, SECP256R1):
            raise LocalProtocolError("a PASSporT is signed with a key on the curve P-256")
        octets = self.signed_octets()
        r, s = decode_dss_signature(key.sign(octets, _ECDSA))
        signature = r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")
        return (octets + b"." + _encode(signature)).decode()


def canonical(value: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys and no white space (RFC 8225 §9)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def compact(token: str) -> str:
    """The compact form: whoever gets it makes header and claims again from the message (RFC 8225 §7)."""
    return f"..{token.rpartition('.')[2]}"


def parse(token: str) -> tuple[Passport, bytes]:
    """The statement of a full form, not verified yet, and its signature."""
    parts = token.split(".")
    if len(token) > _MAX_SIZE or len(parts) != 3:
        raise PassportError("PASSporT without three parts", status=438)
    header, claims = (_json(part) for part in parts[:2])
    if header.get("alg") != "ES256" or header.get("typ", "passport") != "passport":
        raise PassportError("PASSporT of another algorithm or type", status=437)
    ppt = header.get("ppt", "")
    if ppt not in _PPTS:
        raise PassportError("PASSporT with an extension that is not supported", status=437)
    x5u, iat = header.get("x5u"), claims.get("iat")
    if not isinstance(x5u, str) or not isinstance(iat, int) or isinstance(iat, bool):
        raise PassportError("PASSporT without x5u or iat", status=438)
    orig, dest = _party(claims, "orig"), _party(claims, "dest")
    known = {"dest", "iat", "orig", "attest", "origid", "div"}
    return Passport(
        orig,
        dest,
        iat,
        x5u,
        ppt,
        *_shaken(ppt, claims),
        div=_party(claims, "div") if ppt == "div" else None,
        more={name: value for name, value in claims.items() if name not in known},
    ), _decode(parts[2])


def verify(octets: bytes, signature: bytes, key: EllipticCurvePublicKey) -> None:
    """Check a signature over ``first.second`` of a token; PassportError(438) when it is not that key's."""
    if len(signature) != 2 * _HALF or not isinstance(key.curve, SECP256R1):
        raise PassportError("signature or key of another algorithm", status=438)
    r, s = (int.from_bytes(half, "big") for half in (signature[:_HALF], signature[_HALF:]))
    try:
        key.verify(encode_dss_signature(r, s), octets, _ECDSA)
    except InvalidSignature:
        raise PassportError("the signature is wrong", status=438) from None


def split(token: str) -> tuple[bytes, bytes]:
    """What a full form's signature covers, and the signature."""
    signed, _, signature = token.rpartition(".")
    return signed.encode(), _decode(signature)


def _shaken(ppt: str, claims: Mapping[str, Any]) -> tuple[str, str]:
    if ppt != "shaken":
        return "", ""
    attest, origid = claims.get("attest"), claims.get("origid")
    if attest not in _ATTESTATIONS or not isinstance(origid, str):
        raise PassportError("shaken PASSporT without attest or origid", status=438)
    return attest, origid


def _party(claims: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    party = claims.get(name)
    if not isinstance(party, dict) or not party:
        raise PassportError(f"PASSporT without {name}", status=438)
    return party


def _json(part: str) -> dict[str, Any]:
    try:
        value = json.loads(_decode(part))
    except (ValueError, RecursionError):
        raise PassportError("PASSporT that is no JSON", status=438) from None
    if not isinstance(value, dict):
        raise PassportError("PASSporT that is no JSON object", status=438)
    return value


def _encode(octets: bytes) -> bytes:
    return base64.urlsafe_b64encode(octets).rstrip(b"=")


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise PassportError("PASSporT that is not base64url", status=438) from None
