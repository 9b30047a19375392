"""What digests and seals are made of: MD5 and SHA-256 (RFC 7616 §3.4), keyed BLAKE2s (RFC 7693)."""

from __future__ import annotations

from contextlib import suppress
from hashlib import blake2s, md5, sha256

with suppress(ImportError):  # takes half of what OpenSSL's does, which prepares longer than this is hashed
    from _md5 import md5  # type: ignore[import-not-found, no-redef]

__all__ = ["ALGORITHMS", "MD5", "SHA_256", "Sealer", "compute_a1", "compute_response"]

MD5 = "MD5"
SHA_256 = "SHA-256"
ALGORITHMS = (SHA_256, MD5)  # the strongest first: RFC 8760 §2.3 wants the order of preference
_HASHES = {MD5: md5, SHA_256: sha256}


def compute_a1(username: str, realm: str, password: str, algorithm: str = MD5) -> str:
    """H(A1): all of a password that a server needs to keep (RFC 7616 §3.4.2)."""
    return _HASHES[algorithm](f"{username}:{realm}:{password}".encode()).hexdigest()


def compute_response(
    a1: str,
    method: str,
    uri: str,
    nonce: str,
    algorithm: str = MD5,
    qop: str | None = None,
    nc: str | None = None,
    cnonce: str | None = None,
) -> str:
    """The request-digest (RFC 7616 §3.4.1; without qop as RFC 2069 had it)."""
    hash_of = _HASHES[algorithm]
    a2 = hash_of(f"{method}:{uri}".encode()).hexdigest()
    if qop is None:
        return hash_of(f"{a1}:{nonce}:{a2}".encode()).hexdigest()
    return hash_of(f"{a1}:{nonce}:{nc}:{cnonce}:{qop}:{a2}".encode()).hexdigest()


class Sealer:
    """Seals texts with a secret: keyed BLAKE2s (RFC 7693), a third of what HMAC costs."""

    def __init__(self, secret: bytes, size: int) -> None:
        """``size``: octets of a seal, two digits each."""
        self._keyed = blake2s(key=blake2s(secret).digest(), digest_size=size)

    def seal(self, text: str) -> str:
        """The text's seal."""
        keyed = self._keyed.copy()
        keyed.update(text.encode("utf-8", "surrogateescape"))
        return keyed.hexdigest()
