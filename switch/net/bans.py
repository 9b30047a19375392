"""Who is not listened to, why, and for how long; the listeners ask before anything is parsed."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from .limits import source_of

MAX_BACK_OFF = 8  # times the first ban: so long a ban can become, and so long an ended one is remembered


class Ban(NamedTuple):
    """One source: an IPv4 address, or an IPv6 /64."""

    source: str
    until: float
    seconds: float  # how long it is; the next one soon after lasts twice as long
    reason: str  # "passwords", "malformed", "operator"
    is_proven: bool = True  # False: it may have been somebody who forged the address (over UDP)


class BanList:
    """A bounded number of bans; those that have ended are remembered for a while, for the next one."""

    def __init__(self, max_sources: int = 10_000) -> None:
        self._max_sources = max_sources
        self.table: OrderedDict[str, Ban] = OrderedDict()
        self.dropped = 0

    def find(self, host: str, now: float) -> Ban | None:
        """The ban that this address is under."""
        ban = self.table.get(source_of(host))
        return ban if ban is not None and now < ban.until else None

    def put(self, ban: Ban, now: float) -> None:
        """Begin a ban, or change one."""
        table = self.table
        table[ban.source] = ban
        table.move_to_end(ban.source)
        while len(table) > self._max_sources or _is_forgotten(next(iter(table.values())), now):
            table.popitem(last=False)

    def next_length(self, source: str, first: float, now: float) -> float:
        """How long a ban that begins now lasts: who goes on as before is listened to less and less."""
        last = self.table.get(source)
        longest = first * MAX_BACK_OFF
        if last is None or now >= last.until + longest:
            return first
        return min(2 * last.seconds, longest)

    def lift(self, source: str) -> list[str]:
        """End the ban of a source, or all (""); gives those that were lifted."""
        if source:
            return [source] if self.table.pop(source, None) is not None else []
        lifted = list(self.table)
        self.table.clear()
        return lifted

    def rows(self, now: float) -> list[Ban]:
        """The bans that hold."""
        return [ban for ban in self.table.values() if now < ban.until]


def _is_forgotten(ban: Ban, now: float) -> bool:
    return now >= ban.until + ban.seconds * MAX_BACK_OFF
