"""Answers of the DNS: for as long as they hold, and longer while it is dead (RFC 2308, RFC 8767)."""

from __future__ import annotations

from dataclasses import dataclass

from switchroom.protocols.sip.locating import Question, Record
from switchroom.switch.config.dns import DnsConfig
from switchroom.switch.net.limits import Recent

_RETRY_INTERVAL = 5.0  # seconds that a question which failed is not asked again


@dataclass(slots=True)
class Entry:
    """One answer; ``records`` of a question that never had one are None."""

    records: tuple[Record, ...] | None
    expires_at: float
    stale_until: float
    retry_at: float = 0.0  # it failed: not before this is it asked again


class Cache:
    """Bounded by count; what is used stays."""

    def __init__(self, config: DnsConfig) -> None:
        self.apply(config)

    def apply(self, config: DnsConfig) -> None:
        """Go on with other limits, from nothing."""
        self._config = config
        self._entries = Recent(config.cache_size // 2)  # it holds two generations

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, question: Question, records: tuple[Record, ...], ttl: int, now: float) -> None:
        """Keep an answer."""
        config = self._config
        most = config.max_ttl if records else min(config.max_negative_ttl, config.max_ttl)
        expires_at = now + min(max(ttl, config.min_ttl), most)
        self._entries.put(question, Entry(records, expires_at, expires_at + config.stale_time))

    def fail(self, question: Question, now: float) -> None:
        """Remember that nobody could answer; what was known stays known."""
        entry: Entry | None = self._entries.get(question)
        if entry is None:
            entry = Entry(None, now, now)
            self._entries.put(question, entry)
        entry.retry_at = now + _RETRY_INTERVAL

    def fresh(self, question: Question, now: float) -> tuple[Record, ...] | None:
        """The answer while it holds, or what there is while asking again would be in vain."""
        entry: Entry | None = self._entries.get(question)
        if entry is None:
            return None
        if now < entry.expires_at:
            return entry.records
        if now < entry.retry_at:
            return self._old(entry, now) or ()
        return None

    def stale(self, question: Question, now: float) -> tuple[Record, ...] | None:
        """The answer, even if it holds no more."""
        entry: Entry | None = self._entries.get(question)
        return None if entry is None else self._old(entry, now)

    @staticmethod
    def _old(entry: Entry, now: float) -> tuple[Record, ...] | None:
        return entry.records if now < max(entry.expires_at, entry.stale_until) else None
