"""Who hears that somebody can be reached again: set_dpf (SMPP 3.4 §5.3.2.29) and alert_notification (§4.12).

What was asked for is written with the end of the message; it waits until whoever was away is there, and then
until the customer is bound as a receiver.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import NamedTuple, Protocol

from switchroom.protocols.smpp import Tag, value_of

from ..interfaces import Address, State
from ..stored import Stored

__all__ = ["Alert", "Alerts"]

PREFIX = "alert."
_GONE = ""
_AT_ONCE = 100  # that one customer is told in one pass of the loop
_AWAY = ("408", "480")  # SIP status: there was no phone, or none that answered


class Alert(NamedTuple):
    """What one customer waits for."""

    inlet: str
    whom: str  # account:NAME, user:NAME, or trunk:NAME/NUMBER
    number: Address  # that the message was for
    source: Address  # that it was from


class _Waiting(NamedTuple):
    alert: Alert
    slot: int
    at: float  # wall clock
    is_due: bool = False


class Account(Protocol):
    """A customer, where it is bound as a receiver."""

    @property
    def name(self) -> str: ...
    @property
    def is_receiving(self) -> bool: ...
    def alert(self, number: Address, source: Address, now: float) -> bool:
        """Write it; False: there is no room."""


class Alerts:
    """All that wait. Each has a slot in the store, which is used again: what is kept there is bounded."""

    def __init__(
        self,
        accounts: Iterable[Account],
        put: Callable[[str, str], None],
        posix: Callable[[float], float],
        limits: Callable[[], tuple[int, float]],
    ) -> None:
        """``put`` keeps a value; ``limits``: alerts a customer, and for how many seconds."""
        self._accounts, self._put, self._posix, self._limits = accounts, put, posix, limits
        self._inlets: dict[str, dict[Alert, _Waiting]] = {}  # of each the oldest first
        self._whom: dict[str, set[Alert]] = {}  # those that are not due
        self._due: dict[str, None] = {}  # inlets that have one
        self._free: list[int] = []
        self._slots = 0

    def __len__(self) -> int:
        return sum(map(len, self._inlets.values()))

    def load(self, values: Mapping[str, str], now: float) -> None:
        """Those that waited before the restart."""
        kept = {int(key.removeprefix(PREFIX)): value for key, value in values.items()}
        self._slots = max(kept, default=-1) + 1
        self._free = [slot for slot in range(self._slots) if not kept.get(slot)]
        found = sorted((_read(slot, value) for slot, value in kept.items() if value), key=lambda one: one.at)
        since = self._posix(now) - self._limits()[1]
        for waiting in found:
            self._keep(waiting)
            if waiting.at < since:
                self._drop(waiting)

    # -- what happens

    def on_final(self, message: Stored, now: float) -> None:
        """A message is done with: note who waits for whoever did not get it."""
        s = message.submission
        if not s.tlvs or message.state not in (State.EXPIRED, State.UNDELIVERABLE):
            return
        if value_of(s.tlvs, Tag.SET_DPF) != b"\1" or not s.inlet.startswith("account:"):
            return
        whom = self._missed(message)
        if whom:
            self._add(Alert(s.inlet, whom, s.destination, s.source), self._posix(now))

    def came(self, whom: str) -> None:
        """Somebody can be reached."""
        for alert in self._whom.pop(whom, ()):
            waiting = self._inlets[alert.inlet][alert]._replace(is_due=True)
            self._inlets[alert.inlet][alert] = waiting
            self._due[alert.inlet] = None
            self._write(waiting)

    def is_awaited(self, whom: str) -> bool:
        """Whether anybody wants to hear of it."""
        return whom in self._whom

    def tend(self, now: float) -> None:
        """See which customers are there, and tell them."""
        if not self._whom and not self._due:
            return
        there = [account for account in self._accounts if account.is_receiving]
        for account in there:
            self.came(account.name)
        for account in there:
            if account.name in self._due:
                self._tell(account, now)

    # -- how

    def _missed(self, message: Stored) -> str:
        """Whom it did not reach because he was not there."""
        is_expired = message.state is State.EXPIRED
        for way in (message.outlet or message.lane).split(","):
            kind = way.partition(":")[0]
            if kind == "user" and (is_expired or message.error in _AWAY):
                return way
            if kind == "account" and is_expired and not self._is_there(way):
                return way
            if kind == "trunk" and message.outlet:  # the carrier had it, and what was asked for too
                return f"{way}/{message.submission.destination.number}"
        return ""

    def _is_there(self, name: str) -> bool:
        return any(account.name == name and account.is_receiving for account in self._accounts)

    def _add(self, alert: Alert, posix: float) -> None:
        count, age = self._limits()
        waiting = self._inlets.get(alert.inlet, {})
        if alert in waiting:
            return
        for old in list(waiting.values()):
            if len(waiting) < count and old.at >= posix - age:
                break
            self._drop(old)
        if count:
            slot = self._free.pop() if self._free else self._slots
            self._slots = max(self._slots, slot + 1)
            self._keep(_Waiting(alert, slot, posix))
            self._write(self._inlets[alert.inlet][alert])

    def _keep(self, waiting: _Waiting) -> None:
        alert = waiting.alert
        self._inlets.setdefault(alert.inlet, {})[alert] = waiting
        if waiting.is_due:
            self._due[alert.inlet] = None
        else:
            self._whom.setdefault(alert.whom, set()).add(alert)

    def _drop(self, waiting: _Waiting) -> None:
        alert = waiting.alert
        found = self._inlets[alert.inlet]
        del found[alert]
        if not found:
            del self._inlets[alert.inlet]
        of_whom = self._whom.get(alert.whom, set())
        of_whom.discard(alert)
        if not of_whom:
            self._whom.pop(alert.whom, None)
        self._free.append(waiting.slot)
        self._put(f"{PREFIX}{waiting.slot}", _GONE)

    def _write(self, waiting: _Waiting) -> None:
        alert, _, at, is_due = waiting
        self._put(f"{PREFIX}{waiting.slot}", json.dumps([*alert, at, is_due]))

    def _tell(self, account: Account, now: float) -> None:
        since = self._posix(now) - self._limits()[1]
        due = [one for one in self._inlets.get(account.name, {}).values() if one.is_due]
        for waiting in islice(due, _AT_ONCE):
            alert = waiting.alert
            if waiting.at >= since and not account.alert(alert.number, alert.source, now):
                return
            self._drop(waiting)
        if len(due) <= _AT_ONCE:
            self._due.pop(account.name, None)


def _read(slot: int, value: str) -> _Waiting:
    inlet, whom, number, source, at, is_due = json.loads(value)
    return _Waiting(Alert(inlet, whom, Address(*number), Address(*source)), slot, at, is_due)
