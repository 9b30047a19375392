"""Secrets at rest: tokens that sign webhooks are sealed with a key of the state folder, others hashed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_SIZE = 12


class Vault:
    """Seals and opens with one key, which is made the first time, for its owner alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cipher: AESGCM | None = None

    def start(self) -> None:
        """Read the key, or make it; it blocks."""
        try:
            key = self._path.read_bytes()
        except FileNotFoundError:
            key = AESGCM.generate_key(256)
            with os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(key)
                file.flush()
                os.fsync(file.fileno())
        self._cipher = AESGCM(key)

    def seal(self, secret: str, owner: str) -> str:
        """Encrypt a secret; it opens for the same owner only."""
        assert self._cipher is not None
        nonce = os.urandom(_NONCE_SIZE)
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, secret.encode(), owner.encode())).decode()

    def open(self, sealed: str, owner: str) -> str:
        """Decrypt a secret; ValueError: it was sealed with another key or for somebody else."""
        assert self._cipher is not None
        data = base64.b64decode(sealed)
        try:
            return self._cipher.decrypt(data[:_NONCE_SIZE], data[_NONCE_SIZE:], owner.encode()).decode()
        except InvalidTag:
            raise ValueError(f"{owner}: its token cannot be opened: api.key is another") from None


def new_secret() -> str:
    """A secret of 128 bits, as long as clients expect one."""
    return secrets.token_hex(16)


def hash_secret(secret: str) -> str:
    """What is kept of a secret that we made: it is random, so it needs no slow hash."""
    salt = os.urandom(16)
    return salt.hex() + hashlib.sha256(salt + secret.encode()).hexdigest()


def is_secret(secret: str, hashed: str) -> bool:
    """Whether a secret is the one that was hashed."""
    salt = bytes.fromhex(hashed[:32])
    return hmac.compare_digest(hashlib.sha256(salt + secret.encode()).hexdigest(), hashed[32:])
