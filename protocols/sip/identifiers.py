"""Branches, tags and Call-IDs: unguessable, and telling which switch and worker minted them."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import blake2b

from .hashing import Sealer

MAGIC_COOKIE = "z9hG4bK"  # RFC 3261 §8.1.1.7

_RANDOM = 8  # octets of an identifier: 64 bits; RFC 3261 §19.3 asks for 32, an off-path attacker for more
_POOL_SIZE = 4000  # octets fetched at once: the kernel is asked once in 500 identifiers
_SITE = slice(6, 12)
_SIZE = 12 + 2 * _RANDOM


def plain_identifier(head: str, octets: bytes, at: int) -> str:
    """A head and, in hexadecimal, the eight octets that stand at a place."""
    return head + octets[at : at + _RANDOM].hex()


try:
    from ._identifiers import identifier
except ImportError:  # not built: the same answers, slower
    globals()["identifier"] = plain_identifier


class Mint:
    """Makes identifiers ``<slot:2><generation:4><site:6><random:16>``, all hexadecimal.

    Workers of one switch share the secret, from which the site comes: each knows what the others minted.
    """

    __slots__ = ("_at", "_branch_head", "_head", "_pool", "_random", "_sealer", "_secret")

    def __init__(
        self,
        slot: int = 0,
        generation: int = 0,
        *,
        secret: bytes | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        if not (0 <= slot < 256 and 0 <= generation < 65536):
            raise ValueError("a slot is 0..255, a generation 0..65535")
        self._random = random
        self._share(random(32) if secret is None else secret)
        self._begin(f"{slot:02x}{generation:04x}{self._site()}")

    def renew(self, generation: int, secret: bytes) -> None:
        """Become a later life of the same switch: its identifiers of before are known."""
        self._share(secret)
        self._begin(f"{self._head[:2]}{generation % 65536:04x}{self._site()}")

    def _begin(self, head: str) -> None:
        self._head, self._branch_head = head, MAGIC_COOKIE + head
        self._pool, self._at = b"", 0

    def branch(self) -> str:
        """A Via branch for a new transaction."""
        at = self._next()
        return identifier(self._branch_head, self._pool, at)

    def call_id(self) -> str:
        """A Call-ID; without a host, which would tell where we live."""
        return self.tag()

    def tag(self) -> str:
        """A From or To tag for a new dialog."""
        at = self._next()
        return identifier(self._head, self._pool, at)

    def _next(self) -> int:
        """Where the octets of the next identifier stand in the pool."""
        at = self._at
        if at == len(self._pool):
            self._pool = self._random(_POOL_SIZE)
            at = 0
        self._at = at + _RANDOM
        return at

    def tag_for(self, key: str) -> str:
        """The same tag for the same key: what a stateless server puts in To (RFC 3261 §8.2.7)."""
        return self._head + self._sealer.seal(key)

    def is_own_branch(self, branch: str) -> bool:
        """Whether this switch, any worker of it, minted the branch: in a request it means a loop."""
        # the site stands behind the cookie, slot and generation
        return branch[13:19] == self._head[6:12] and self.slot_of(branch) is not None

    @property
    def head(self) -> str:
        """What our identifiers begin with, after the magic cookie of a branch."""
        return self._head

    def head_of(self, slot: int, generation: int) -> str:
        """What the identifiers of another worker of this switch begin with."""
        return f"{slot:02x}{generation:04x}{self._head[_SITE]}"

    @staticmethod
    def slot_of(identifier: str) -> tuple[int, int] | None:
        """The slot and generation in an identifier, or None when it is not of our form."""
        body = identifier.removeprefix(MAGIC_COOKIE)
        if len(body) != _SIZE or body.strip("0123456789abcdef"):
            return None
        return int(body[:2], 16), int(body[2:6], 16)

    def _share(self, secret: bytes) -> None:
        self._secret = secret
        self._sealer = Sealer(secret, _RANDOM)

    def _site(self) -> str:
        return blake2b(b"site", digest_size=3, key=self._secret[:64]).hexdigest()
