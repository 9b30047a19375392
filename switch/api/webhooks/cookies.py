"""What servers set (RFC 6265), kept for one conversation: in memory, few, and never for another host."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from http.cookies import CookieError, Morsel, SimpleCookie
from typing import NamedTuple
from urllib.parse import urlsplit

_MOST = 20  # of one host
_MAX_LINE = 4096


class _Cookie(NamedTuple):
    value: str
    path: str
    is_secure: bool


class Cookies:
    """Those of one conversation."""

    def __init__(self) -> None:
        self._by_host: dict[str, dict[str, _Cookie]] = {}

    def header(self, url: str) -> str:
        """What goes back to an address."""
        parts = urlsplit(url)
        found = [
            f"{name}={one.value}"
            for name, one in self._by_host.get(parts.hostname or "", {}).items()
            if _is_below(parts.path or "/", one.path) and (parts.scheme == "https" or not one.is_secure)
        ]
        return "; ".join(found)

    def learn(self, url: str, lines: Sequence[str]) -> None:
        """Take in the Set-Cookie lines of an answer; what has expired is forgotten."""
        if not lines:
            return
        kept = self._by_host.setdefault(urlsplit(url).hostname or "", {})
        for line in lines[:_MOST]:
            try:
                found = SimpleCookie(line[:_MAX_LINE])
            except CookieError:
                continue
            for name, one in found.items():
                if _is_over(one):
                    kept.pop(name, None)
                elif len(kept) < _MOST or name in kept:
                    path = one["path"] if one["path"].startswith("/") else "/"
                    kept[name] = _Cookie(one.coded_value, path, bool(one["secure"]))


def _is_below(path: str, wanted: str) -> bool:
    """RFC 6265 §5.1.4."""
    return path == wanted or (path.startswith(wanted) and (wanted[-1] == "/" or path[len(wanted)] == "/"))


def _is_over(one: Morsel[str]) -> bool:
    """A conversation does not last: only what is over at once matters."""
    age = str(one["max-age"])
    if age:
        return age == "0" or age.startswith("-")
    try:
        return bool(one["expires"]) and parsedate_to_datetime(one["expires"]).year < 2000
    except ValueError:
        return False
