"""Slows down those who guess passwords: a ban for their address, an alert for the account (THREATS C5).

A failure is a wrong answer to a challenge that was really received there, so that nobody can get another's
address banned by forging it. Everything is kept for a bounded number of addresses and names.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from switchroom.switch.net.limits import source_of

T = TypeVar("T")

MAX_BACK_OFF = 8  # times ban_time: so long a ban can become, and so long an ended one is remembered


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """What is allowed before somebody is not heard any more; counts, seconds."""

    max_failures: int = 20
    failure_window: float = 600.0  # so many failures are forgotten in this time
    ban_time: float = 600.0  # of the first ban; each that follows soon lasts twice as long as the last
    max_unanswered: int = 100
    unanswered_window: float = 60.0


class SourceBanned(NamedTuple):
    """An address has guessed too often."""

    source: str
    user: str  # the account that it tried last
    until: float
    seconds: float = 0.0  # how long it is


class AccountAttacked(NamedTuple):
    """Many wrong passwords for one account, from wherever; its owner goes on as before."""

    user: str
    source: str  # the address of the last one


Alert = SourceBanned | AccountAttacked


class _Ban(NamedTuple):
    until: float
    seconds: float


class _Levels:
    """How full a bucket is for each key: an event adds one, time empties it; the oldest key goes."""

    __slots__ = ("_levels", "_max_keys")

    def __init__(self, max_keys: int) -> None:
        self._max_keys = max_keys
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # key -> level, as of when

    def __len__(self) -> int:
        return len(self._levels)

    def level(self, key: str, leak: float, now: float) -> float:
        level, since = self._levels.get(key, (0.0, now))
        return max(0.0, level - (now - since) * leak)

    def add(self, key: str, leak: float, now: float) -> float:
        level = self.level(key, leak, now) + 1.0
        self._levels[key] = level, now
        self._levels.move_to_end(key)
        if len(self._levels) > self._max_keys:
            self._levels.popitem(last=False)
        return level

    def take_one(self, key: str) -> None:
        known = self._levels.get(key)
        if known is None:
            return
        if known[0] > 1.0:
            self._levels[key] = known[0] - 1.0, known[1]
        else:
            del self._levels[key]


class Guard:
    """Counts failures by source address and by account; says who is not listened to."""

    def __init__(
        self,
        limits: GuardLimits = GuardLimits(),
        on_alert: Callable[[Alert], None] = lambda alert: None,
        *,
        max_sources: int = 10_000,
    ) -> None:
        self.limits = limits
        self.failures = 0
        self.bans = 0
        self.dropped = 0
        self._on_alert = on_alert
        self._max_sources = max_sources
        self._failed = _Levels(max_sources)
        self._accounts = _Levels(max_sources)
        self._unanswered = _Levels(max_sources)
        self._banned: OrderedDict[str, _Ban] = OrderedDict()  # by source; also those that have ended
        self._alerted: OrderedDict[str, float] = OrderedDict()  # account -> when an alert may be given again

    def is_banned(self, host: str, now: float) -> bool:
        """Whether nothing that needs a password is heard from this address."""
        if not self._banned:
            return False
        source = source_of(host)
        ban = self._banned.get(source)
        if ban is None or now >= ban.until:
            return False
        self.dropped += 1
        return True

    def may_challenge(self, host: str, now: float) -> bool:
        """Count a challenge to this address; False when too many were never answered: then send none.

        Anybody can forge these, so they ban nobody: who holds a nonce goes on being heard.
        """
        limits, source = self.limits, source_of(host)
        leak = limits.max_unanswered / limits.unanswered_window
        if self._unanswered.level(source, leak, now) >= limits.max_unanswered:
            self.dropped += 1
            return False
        self._unanswered.add(source, leak, now)
        return True

    def succeeded(self, host: str) -> None:
        """A right answer came from this address."""
        if self._unanswered:
            self._unanswered.take_one(source_of(host))

    def failed(self, host: str, user: str, now: float, *, is_known: bool = True) -> None:
        """A wrong answer to one of our nonces came from this address, for this name."""
        limits, source, user = self.limits, source_of(host), user[:64]
        self.failures += 1
        self._unanswered.take_one(source)
        leak = limits.max_failures / limits.failure_window
        if self._failed.add(source, leak, now) > limits.max_failures - 0.5:
            self._ban(source, user, now)
        is_attacked = self._accounts.add(user, leak, now) > limits.max_failures - 0.5
        if is_attacked and is_known and now >= self._alerted.get(user, now):
            _put(self._alerted, user, now + limits.failure_window, self._max_sources)
            self._on_alert(AccountAttacked(user, source))

    def banned(self, now: float) -> dict[str, float]:
        """The banned sources and when each ban ends."""
        return {source: ban.until for source, ban in self._banned.items() if now < ban.until}

    def learn(self, source: str, until: float, seconds: float) -> None:
        """Another worker has banned this source."""
        _put(self._banned, source, _Ban(until, seconds), self._max_sources)

    def _ban(self, source: str, user: str, now: float) -> None:
        self.bans += 1
        seconds, longest = self.limits.ban_time, self.limits.ban_time * MAX_BACK_OFF
        last = self._banned.get(source)
        if last is not None and now < last.until + longest:
            seconds = min(2 * last.seconds, longest)  # it goes on as before: listen less and less
        _put(self._banned, source, _Ban(now + seconds, seconds), self._max_sources)
        self._on_alert(SourceBanned(source, user, now + seconds, seconds))


def _put(table: OrderedDict[str, T], key: str, value: T, max_keys: int) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > max_keys:
        table.popitem(last=False)
