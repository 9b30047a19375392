"""Who may come in: Basic credentials, remembered for a while, and what a wrong one costs."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections import OrderedDict
from typing import TYPE_CHECKING

from switchroom.switch.net.limits import source_of

from ..wire.errors import ApiError
from .principal import Principal
from .rates import Rates
from .vault import is_secret

if TYPE_CHECKING:
    from .accounts import Accounts

_MAX_HEADER = 1024
_MAX_KNOWN = 10_000
_KNOWN_FOR = 60.0
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="Switchroom"'}


class Gate:
    """Tells who asks. A right header is remembered by its MAC, so that not each request costs hashes."""

    def __init__(self, accounts: Accounts, *, failure_rate: float = 1.0, failure_burst: float = 20.0) -> None:
        self._accounts = accounts
        self._failures = Rates(failure_rate, failure_burst)
        self._pepper = os.urandom(32)
        self._known: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()
        accounts.on_change = self._known.clear
        self.refused_count = 0

    def admit(self, header: str, source: str, now: float) -> Principal:
        """Give the principal of an Authorization header; ApiError: it proves nothing."""
        if not header:
            raise ApiError(20003, headers=_CHALLENGE)
        given = header[:_MAX_HEADER].encode("utf-8", "replace")
        mark = hashlib.blake2b(given, key=self._pepper, digest_size=32).digest()
        known = self._known.get(mark)
        if known is not None and known[1] > now:
            return known[0]
        source = source_of(source) if source else ""
        if self._failures.is_empty(source, now):
            raise ApiError(20429, "Too many wrong credentials", headers={"Retry-After": "5"})
        principal = self._check(header)
        if principal is None:
            self._failures.take(source, now)
            self.refused_count += 1
            raise ApiError(20003, headers=_CHALLENGE)
        self._known[mark] = (principal, now + _KNOWN_FOR)
        if len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)
        return principal

    def _check(self, header: str) -> Principal | None:
        scheme, _, encoded = header.partition(" ")
        if scheme.lower() != "basic" or len(header) > _MAX_HEADER:
            return None
        try:
            user, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        if user.startswith("SK"):
            return self._check_key(user, password)
        tokens = self._accounts.tokens(user)
        if not any(_is_equal(password, token) for token in tokens):
            return None
        return Principal(user, is_main=self._accounts.is_main(user))

    def _check_key(self, sid: str, secret: str) -> Principal | None:
        key = self._accounts.key(sid)
        if key is None or not is_secret(secret, key.data["hash"]):
            return None
        scopes = tuple(key.data["scopes"])
        return Principal(key.account, sid, scopes, is_main=self._accounts.is_main(key.account))


def _is_equal(one: str, other: str) -> bool:
    return hmac.compare_digest(hashlib.sha256(one.encode()).digest(), hashlib.sha256(other.encode()).digest())
