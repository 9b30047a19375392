"""The messages in hand and what is written of them: every change of state goes through here."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from switchroom.switch.net import Clock
from switchroom.switch.sms.interfaces import Change, State
from switchroom.switch.sms.stored import Stored
from switchroom.switch.store.sms import Queued, SqliteMessages

Follower = Callable[[Sequence[Change], float], None]


class Log(Protocol):
    """What is needed of a logger."""

    def info(self, event: str, **values: object) -> object: ...
    def warning(self, event: str, **values: object) -> object: ...
    def error(self, event: str, **values: object) -> object: ...


class Book:
    """What all parts of the centre share."""

    def __init__(self, store: SqliteMessages, clock: Clock, log: Log) -> None:
        self.store, self.clock, self.log = store, clock, log
        self.followers: list[Follower] = []
        self._changes: list[Change] = []
        self.counters: dict[str, int] = dict.fromkeys(
            ("accepted", "refused", "sent", "delivered", "failed", "retried", "maybe_twice", "dead"), 0
        )
        self.failures: dict[tuple[str, str], int] = {}  # by outlet and reason
        # Messages that were settled moments ago: what is read from the disk may not know it yet
        self.settled: set[int] = set()

    def enter(
        self, message: Stored, state: State, now: float, *, error: str = "", reason: str = "", note: str = ""
    ) -> None:
        """A message enters a state."""
        message.state = state
        message.changed_at = self.clock.posix(now)
        if error or reason:
            message.error, message.reason = error, reason
        self.store.pending.change(message.state_row(), note or reason)
        if self.followers:
            self._note(message)

    def begin(self, message: Stored) -> None:
        """A message is new: its first state stands in its row."""
        if self.followers:
            self._note(message)

    def queue(self, message: Stored) -> None:
        """Write down where it waits."""
        self.store.pending.queued.append(Queued(message.lane, message.rank, message.id, message.expires_at))
        self.store.pending.size += 1

    def settle(self, *ids: int) -> None:
        """Until it is durable, nothing that is read about these messages or notices counts."""
        self.settled.update(ids)
        self.store.pending.after((self._unsettle, ids))

    def _unsettle(self, _: bool, ids: tuple[int, ...], now: float) -> None:
        self.settled.difference_update(ids)

    def count_failure(self, outlet: str, reason: str) -> None:
        """For metrics: bounded, whatever the reasons are."""
        key = (outlet, reason)
        if key in self.failures or len(self.failures) < 1000:
            self.failures[key] = self.failures.get(key, 0) + 1

    # -- followers

    def _note(self, message: Stored) -> None:
        s = message.submission
        self._changes.append(
            Change(
                message.id,
                s.inlet,
                message.outlet,
                message.state,
                message.changed_at,
                s.source.number,
                s.destination.number,
                message.error,
                message.reason,
            )
        )
        if len(self._changes) == 1:
            self.store.pending.after((self._tell, None))

    def _tell(self, is_written: bool, _: Any, now: float) -> None:
        changes, self._changes = self._changes, []
        if changes and is_written:
            for follower in self.followers:
                follower(changes, now)


def as_json(**values: Any) -> str:
    """A detail for the store; what is nothing is left out."""
    return json.dumps({name: value for name, value in values.items() if value})
