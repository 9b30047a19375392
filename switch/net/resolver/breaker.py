"""Domains whose servers do not answer are left alone for a while (THREATS D1)."""

from __future__ import annotations

from switchroom.switch.net.limits import Recent

_FAILURES = 3  # in a row
_FIRST_PAUSE = 5.0  # seconds; each further failure doubles it
_LAST_PAUSE = 60.0
_REMEMBERED = 2048


class Breaker:
    """After some failures in a row a domain is asked again only after a pause, and then by one question."""

    def __init__(self) -> None:
        self._domains = Recent(_REMEMBERED)  # failures, not before

    def admits(self, domain: str, now: float) -> bool:
        """Whether the domain may be asked; the question that is let through is the trial."""
        failures, retry_at = self._domains.get(domain) or (0, 0.0)
        if failures < _FAILURES:
            return True
        if now < retry_at:
            return False
        self._domains.put(domain, (failures, now + _FIRST_PAUSE))
        return True

    def report(self, domain: str, now: float, *, is_good: bool) -> None:
        """How it went."""
        if is_good:
            if self._domains.get(domain) is not None:
                self._domains.put(domain, (0, 0.0))
            return
        failures = (self._domains.get(domain) or (0, 0.0))[0] + 1
        pause = min(_FIRST_PAUSE * 2.0 ** max(failures - _FAILURES, 0), _LAST_PAUSE)
        self._domains.put(domain, (min(failures, 16), now + pause))

    def is_suspect(self, domain: str) -> bool:
        """Whether the last question about it failed."""
        return (self._domains.get(domain) or (0, 0.0))[0] > 0

    def open_count(self, now: float) -> int:
        """Domains that are left alone now."""
        return sum(
            failures >= _FAILURES and now < retry_at for failures, retry_at in self._domains.young.values()
        )

    def clear(self) -> None:
        """Give everybody a new chance."""
        self._domains.clear()
