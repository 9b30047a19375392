"""Slows down those who guess passwords or send rubbish: bans, and alerts for accounts (THREATS B12, C5).

A failure is a wrong answer to a challenge that was really received there, so that nobody can get another's
address banned by forging it. Rubbish over UDP may be forged: such a ban does not hold for trunks and
registered phones, lets REGISTER pass, and never lasts longer than the first. Everything is kept for a
bounded number of addresses and names.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from math import inf
from typing import NamedTuple, TypeVar

from switchroom.switch.net.bans import MAX_BACK_OFF, Ban, BanList
from switchroom.switch.net.limits import source_of

T = TypeVar("T")

__all__ = ["MAX_BACK_OFF", "AccountAttacked", "Ban", "Guard", "GuardLimits", "SourceBanned"]


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """What is allowed before somebody is not heard any more; counts, seconds."""

    max_failures: int = 20
    failure_window: float = 600.0  # so many failures are forgotten in this time
    ban_time: float = 600.0  # of the first ban; each that follows soon lasts twice as long as the last
    max_unanswered: int = 100
    unanswered_window: float = 60.0
    max_malformed: int = 200  # messages that cannot be read; 0: any number
    malformed_window: float = 60.0


class SourceBanned(NamedTuple):
    """A source is not listened to from now on."""

    ban: Ban
    user: str = ""  # the account that it tried last


class AccountAttacked(NamedTuple):
    """Many wrong passwords for one account, from wherever; its owner goes on as before."""

    user: str
    source: str  # the address of the last one


Alert = SourceBanned | AccountAttacked


class _Levels:
    """How full a bucket is for each key: an event adds one, time empties it; the oldest key goes."""

    __slots__ = ("_levels", "_max_keys")

    def __init__(self, max_keys: int) -> None:
        self._max_keys = max_keys
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # key -> level, as of when

    def __len__(self) -> int:
        return len(self._levels)

    def level(self, key: str, leak: float, now: float) -> float:
        """How full it is by now."""
        known = self._levels.get(key)
        if known is None:
            return 0.0
        level, since = known
        level -= (now - since) * leak
        return level if level > 0.0 else 0.0

    def add(self, key: str, leak: float, now: float, most: float = inf) -> float:
        """One more, unless it holds so much already; return how full it is now."""
        level = self.level(key, leak, now)
        if level >= most:
            return level + 1.0
        level += 1.0
        self._levels[key] = level, now
        self._levels.move_to_end(key)
        if len(self._levels) > self._max_keys:
            self._levels.popitem(last=False)
        return level

    def forget(self, key: str) -> None:
        """Empty it."""
        self._levels.pop(key, None)

    def take_one(self, key: str) -> None:
        """One less."""
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
        self.ban_list = BanList(max_sources)
        self._on_alert = on_alert
        self._max_sources = max_sources
        self._failed = _Levels(max_sources)
        self._accounts = _Levels(max_sources)
        self._unanswered = _Levels(max_sources)
        self._malformed = _Levels(max_sources)
        self._alerted: OrderedDict[str, float] = OrderedDict()  # account -> when an alert may be given again

    def is_banned(self, host: str, now: float) -> bool:
        """Whether nothing that needs a password is heard from this address."""
        if not self.ban_list.table:
            return False
        ban = self.ban_list.find(host, now)
        if ban is None or not ban.is_proven:  # these the listeners have let through
            return False
        self.dropped += 1
        return True

    def may_challenge(self, host: str, now: float) -> bool:
        """Count a challenge to this address; False when too many were never answered: then send none.

        Anybody can forge these, so they ban nobody: who holds a nonce goes on being heard.
        """
        limits, source = self.limits, source_of(host)
        leak = limits.max_unanswered / limits.unanswered_window
        if self._unanswered.add(source, leak, now, limits.max_unanswered) < limits.max_unanswered + 1.0:
            return True
        self.dropped += 1
        return False

    def succeeded(self, host: str) -> None:
        """A right answer came from this address."""
        self._unanswered.take_one(source_of(host))

    def failed(self, host: str, user: str, now: float, *, is_known: bool = True) -> None:
        """A wrong answer to one of our nonces came from this address, for this name."""
        limits, source, user = self.limits, source_of(host), user[:64]
        self.failures += 1
        self._unanswered.take_one(source)
        leak = limits.max_failures / limits.failure_window
        if self._failed.add(source, leak, now) > limits.max_failures - 0.5:
            self._ban(source, "passwords", now, user=user)
        is_attacked = self._accounts.add(user, leak, now) > limits.max_failures - 0.5
        if is_attacked and is_known and now >= self._alerted.get(user, now):
            _put(self._alerted, user, now + limits.failure_window, self._max_sources)
            self._on_alert(AccountAttacked(user, source))

    def malformed(self, host: str, now: float, *, is_proven: bool) -> None:
        """A message that could not be read came from this address; proven: over a connection."""
        limits, source = self.limits, source_of(host)
        if not limits.max_malformed:
            return
        leak = limits.max_malformed / limits.malformed_window
        is_too_much = self._malformed.add(source, leak, now) > limits.max_malformed - 0.5
        if is_too_much and self.ban_list.find(host, now) is None:
            self._ban(source, "malformed", now, is_proven=is_proven)

    def ban(self, host: str, seconds: float, now: float) -> Ban:
        """Somebody who runs the switch wants this source not to be heard."""
        ban = Ban(_source(host), now + seconds, seconds, "operator")
        self.ban_list.put(ban, now)
        return ban

    def lift(self, host: str) -> list[str]:
        """End a ban, or all (""), and forget what led to it; gives the sources."""
        lifted = self.ban_list.lift(_source(host) if host else "")
        for source in lifted:
            self._failed.forget(source)
            self._malformed.forget(source)
        return lifted

    def banned(self, now: float) -> dict[str, float]:
        """The banned sources and when each ban ends."""
        return {ban.source: ban.until for ban in self.ban_list.rows(now)}

    def learn(self, ban: Ban, now: float) -> None:
        """Another worker has banned this source."""
        self.ban_list.put(ban, now)

    def _ban(self, source: str, reason: str, now: float, *, user: str = "", is_proven: bool = True) -> None:
        self.bans += 1
        first = self.limits.ban_time
        seconds = self.ban_list.next_length(source, first, now) if is_proven else first
        ban = Ban(source, now + seconds, seconds, reason, is_proven)
        self.ban_list.put(ban, now)
        self._on_alert(SourceBanned(ban, user))


def _source(text: str) -> str:
    """What an operator writes: an address, or a network as ``bans`` lists it; ValueError when neither."""
    return source_of(str(ip_address(text.removesuffix("/64"))))


def _put(table: OrderedDict[str, T], key: str, value: T, max_keys: int) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > max_keys:
        table.popitem(last=False)
