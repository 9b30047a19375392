"""What the fragment of an address says of how it is asked: ``#ct=500&rt=2000&tt=5000&rc=2&rp=5xx,ct``."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

CONNECT, READ = "ct", "rt"  # what may fail, besides 4xx and 5xx
_POLICIES = frozenset({"4xx", "5xx", CONNECT, READ, "all"})
_MAX_MS = 60_000
_MAX_RETRIES = 5


@dataclass(frozen=True, slots=True)
class Overrides:
    """None: it says nothing of that."""

    connect: float | None = None  # seconds
    read: float | None = None
    total: float | None = None
    retries: int | None = None
    policy: frozenset[str] | None = None

    @classmethod
    def of(cls, url: str) -> Overrides:
        """Read them; what cannot be read is as if it were not there."""
        fragment = urlsplit(url).fragment
        if not fragment:
            return _NONE
        given = dict(parse_qsl(fragment))
        retries, policy = given.get("rc", ""), frozenset(given.get("rp", "").split(","))
        return cls(
            _seconds(given.get(CONNECT, "")),
            _seconds(given.get(READ, "")),
            _seconds(given.get("tt", "")),
            retries=min(int(retries), _MAX_RETRIES) if _is_number(retries) else None,
            policy=policy if policy <= _POLICIES else None,
        )

    def allows(self, failure: str, default: str) -> bool:
        """Whether it may be asked again after a failure; ``default``: the one after which it may anyway."""
        policy = frozenset({default}) if self.policy is None else self.policy
        return bool(failure) and (failure in policy or "all" in policy)


_NONE = Overrides()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 9


def _seconds(text: str) -> float | None:
    return min(max(int(text), 100), _MAX_MS) / 1000 if _is_number(text) else None


def kind_of(status: int) -> str:
    """The failure that a status is, as policies name it; empty: none."""
    return "5xx" if status >= 500 else "4xx" if status >= 400 else ""
