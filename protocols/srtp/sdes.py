"""Keys in the description itself: the lines a=crypto; RFC 4568.

A line whose parameters would weaken the protection (UNENCRYPTED_SRTP and the like), or that asks for what
nobody uses (key derivation rates, several keys), is as good as none: ``read_cryptos`` leaves it out.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import NamedTuple

from .suites import SUITES

__all__ = ["Crypto", "parse_crypto", "read_cryptos"]

_LINE = re.compile(
    r"([1-9][0-9]{0,8}) +([A-Z0-9_]{1,40}) +inline:([!-:<-{}-~|]{20,512})((?: +[!-~]{1,64}){0,8}) *"
)
_LIFETIME = re.compile(r"(?:2\^[0-9]{1,2}|[0-9]{1,15})")
_MKI = re.compile(r"([0-9]{1,309}):([0-9]{1,3})")  # 128 octets at most
_HARMLESS = re.compile(
    r"(?:WSH=[0-9]{1,6}|KDR=0|-.*)"
)  # §6.3.7: with - in front nothing has to be understood
_MAX_LINES = 16
_MAX_MKI = 128


class Crypto(NamedTuple):
    """One a=crypto line: with this key its sender protects what it sends."""

    tag: int
    suite: str
    master: bytes  # key and salt
    mki: bytes = b""

    def __str__(self) -> str:
        """The value of the attribute."""
        mki = f"|{int.from_bytes(self.mki)}:{len(self.mki)}" if self.mki else ""
        return f"{self.tag} {self.suite} inline:{b64encode(self.master).decode()}{mki}"

    def __repr__(self) -> str:
        return f"Crypto({self.tag}, {self.suite})"  # its key is for nobody's log


def parse_crypto(value: str) -> Crypto | None:
    """Read the value of a=crypto; None when it is malformed, or nothing that we would use."""
    found = _LINE.fullmatch(value)
    if found is None or (suite := SUITES.get(found[2])) is None:
        return None
    if not all(_HARMLESS.fullmatch(parameter) for parameter in found[4].split()):
        return None
    text, *more = found[3].split("|")
    mki = _read_rest(more)
    try:
        master = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    if mki is None or len(master) != suite.master_size:
        return None
    return Crypto(int(found[1]), suite.name, master, mki)


def read_cryptos(values: Iterable[str]) -> tuple[Crypto, ...]:
    """Return the usable lines, the preferred one first; of two with one tag the first counts (§5.1.1)."""
    found: dict[int, Crypto] = {}
    for value in list(values)[:_MAX_LINES]:
        crypto = parse_crypto(value)
        if crypto is not None:
            found.setdefault(crypto.tag, crypto)
    return tuple(found.values())


def _read_rest(parts: list[str]) -> bytes | None:
    """The lifetime, which no call outlives, and the MKI; §6.1."""
    if parts and _LIFETIME.fullmatch(parts[0]):
        parts = parts[1:]
    if not parts:
        return b""
    found = _MKI.fullmatch(parts[0])
    if found is None or len(parts) > 1:
        return None
    number, size = int(found[1]), int(found[2])
    if not 0 < size <= _MAX_MKI or number >= 1 << 8 * size:
        return None
    return number.to_bytes(size)
