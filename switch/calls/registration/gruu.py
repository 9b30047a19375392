"""Addresses that reach one phone of a user, wherever it is (RFC 5627)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from switchroom.protocols import sip

_NONCE_SIZE = 12
_MARK = "tgruu."  # in front of what only we can read


class Named(NamedTuple):
    """Whom a GRUU means."""

    user: str
    instance: str


class Gruus:
    """Makes and reads them without keeping any: a temporary one is the encrypted name of its phone."""

    def __init__(self, secret: bytes = b"") -> None:
        """``secret``: workers share it; temporary GRUUs last as long as it does."""
        key = hashlib.sha256(b"gruu" + secret).digest() if secret else secrets.token_bytes(32)
        self._cipher = ChaCha20Poly1305(key)

    def public(self, user: str, host: str, instance: str) -> str:
        """The one that names user and phone, always the same."""
        return f"sip:{sip.escape_user(user)}@{host};gr={instance}"

    def temporary(self, user: str, host: str, instance: str) -> str:
        """One that tells nobody who it is, another one each time."""
        nonce = secrets.token_bytes(_NONCE_SIZE)
        sealed = self._cipher.encrypt(nonce, f"{user}\0{instance}".encode(), None)
        token = base64.b32encode(nonce + sealed).decode().rstrip("=").lower()
        return f"sip:{_MARK}{token}@{host};gr"

    def read(self, uri: sip.Uri) -> Named | None:
        """Whom the URI means; None when it is no GRUU of ours."""
        mark = uri.param("gr")
        user = uri.user_unescaped
        if mark is None or not user:
            return None
        if mark:
            return Named(user, mark.lower())
        token = user.removeprefix(_MARK).upper()
        try:
            octets = base64.b32decode(token + "=" * (-len(token) % 8))
            name = self._cipher.decrypt(octets[:_NONCE_SIZE], octets[_NONCE_SIZE:], None).decode()
        except (binascii.Error, InvalidTag, ValueError):
            return None
        account, _, instance = name.partition("\0")
        return Named(account, instance)
