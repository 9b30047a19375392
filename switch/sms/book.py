"""The messages in hand and what is written of them: every change of state goes through here."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from switchroom.switch.net import Clock
from switchroom.switch.sms.histogram import Histogram
from switchroom.switch.sms.interfaces import Change, State
from switchroom.switch.sms.stored import Stored
from switchroom.switch.store.sms import Pending, Queued, SqliteMessages

_SLEW = 2.0  # seconds by which the wall clock may be put right at a time
_STEP_TIME = 3600.0
_AT_ONCE, _TICK = 1e-3, 1e-6  # seconds between states that are entered at once: the history has their order

Follower = Callable[[Sequence[Change], float], None]


class Log(Protocol):
    """What is needed of a logger."""

    def debug(self, event: str, /, **values: object) -> object: ...
    def info(self, event: str, /, **values: object) -> object: ...
    def warning(self, event: str, /, **values: object) -> object: ...
    def error(self, event: str, /, **values: object) -> object: ...
    def exception(self, event: str, /, **values: object) -> object: ...


class Book:
    """What all parts of the centre share."""

    def __init__(self, store: SqliteMessages, clock: Clock, log: Log) -> None:
        self.store, self.clock, self.log = store, clock, log
        self.followers: list[Follower] = []
        self._changes: list[Change] = []
        self.counters: dict[str, int] = dict.fromkeys(
            ("accepted", "refused", "sent", "delivered", "failed", "retried", "maybe_twice", "dead"), 0
        )
        self.answer_times, self.delivery_times = Histogram(), Histogram()
        self.receipt_times: dict[str, Histogram] = {}  # by outlet
        self.failures: dict[tuple[str, str], int] = {}  # by outlet and reason
        self.outcomes: dict[tuple[str, State], int] = {}
        # Messages that were settled moments ago: what is read from the disk may not know it yet
        self.settled: set[int] = set()
        self.unplaced: set[int] = set()  # written into their lanes, or about to be, and not in memory yet
        self._now = self._posix = -1.0
        self._offset: float | None = None  # of the wall clock from the monotonic one
        self._stepped_at: float | None = None
        self._gathered_for: Pending | None = None
        self._gathered: dict[Any, list[Any]] = {}

    def posix(self, now: float) -> float:
        """What the wall clock shows; asked for several times with the same ``now``.

        Stored times are of the wall clock. Were it followed at once when somebody sets it, all that waits
        could expire in a moment (THREATS G5): a step counts when it has lasted for an hour.
        """
        if now != self._now:
            self._now = now
            self._posix = now + self._offset_at(now)
        return self._posix

    def _offset_at(self, now: float) -> float:
        offset = self.clock.posix(now) - now
        if self._offset is None or abs(offset - self._offset) < _SLEW:
            self._offset, self._stepped_at = offset, None
        elif self._stepped_at is None:
            self._stepped_at = now
            self.log.warning("messages.clock_stepped", seconds=round(offset - self._offset, 1))
        elif now - self._stepped_at >= _STEP_TIME:
            self._offset, self._stepped_at = offset, None
        return self._offset

    def enter(
        self, message: Stored, state: State, now: float, *, error: str = "", reason: str = "", note: str = ""
    ) -> None:
        """A message enters a state."""
        message.state = state
        self._stamp(message, now)
        if error or reason:
            message.error, message.reason = error, reason
        self.store.pending.change(message.state_row(), note or reason)
        if self.followers:
            self._note(message)

    def claim(self, message: Stored, now: float) -> None:
        """A message goes to an outlet: no step of its history, but to be known after a crash."""
        message.state = State.SENDING
        self._stamp(message, now)
        pending = self.store.pending
        pending.states[message.id] = message.state_row()
        pending.size += 1
        if self.followers:
            self._note(message)

    def _stamp(self, message: Stored, now: float) -> None:
        at, before = self.posix(now), message.changed_at
        message.changed_at = before + _TICK if at <= before < at + _AT_ONCE else at

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
        self.later(self._unsettle, ids)

    def _unsettle(self, _: bool, all_ids: list[tuple[int, ...]], now: float) -> None:
        # what is being read may be older still
        self.store.when_read(self._forget, all_ids, now)

    def _forget(self, _: Any, all_ids: list[tuple[int, ...]], now: float) -> None:
        for ids in all_ids:
            self.settled.difference_update(ids)

    def later(self, call: Callable[[bool, list[Any], float], None], thing: Any) -> None:
        """Give this to ``call`` when what is pending is durable: all that are given to it by then at once."""
        pending = self.store.pending
        if pending is not self._gathered_for:
            self._gathered_for, self._gathered = pending, {}
        things = self._gathered.get(call)
        if things is None:
            things = self._gathered[call] = []
            pending.after((call, things))
        things.append(thing)

    def count(self, outlet: str, state: State) -> None:
        """For metrics: what became of messages by each way, those of users together."""
        key = ("user" if outlet.startswith("user:") else outlet, state)
        self.outcomes[key] = self.outcomes.get(key, 0) + 1

    def time_receipt(self, message: Stored, now: float) -> None:
        """For metrics: a next hop says what became of what it took."""
        found = self.receipt_times.setdefault(message.outlet, Histogram())
        found.add(max(0.0, self.posix(now) - message.changed_at))

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
