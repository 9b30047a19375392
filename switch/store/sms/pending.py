"""What waits to be written: gathered by the loop's thread, taken whole by the writer's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .interfaces import Expecting, Orphan, Owed, Queued, Row

# Called in the loop's thread when what was pending with it is durable: is it written?, the argument, now
Ticket = tuple[Callable[[bool, Any, float], None], Any]
# id, state, outlet, route, attempts, changed_at, error, reason, parts
StateRow = tuple[int, int, str, str, int, float, str, str, int]
# id, body, coding, extra, wish, expires_at, is_redacted
BodyRow = tuple[int, bytes, int, str | None, int, float, int]


class Accepted(NamedTuple):
    """New messages, handed over together: they are refused when the disk fails, not tried again."""

    rows: list[Row]
    queued: list[Queued]
    timers: list[tuple[int, float]]
    keys: list[tuple[str, str, int, float]]  # inlet, key, message, at
    known: dict[int, int]  # filled in by the writer: new id: the id that had the same key already
    ticket: Ticket


class Pending:
    """Rows by table. Who adds to a list adds to ``size`` too."""

    __slots__ = (
        "accepted",
        "bodies",
        "expecting",
        "history",
        "orphans",
        "orphans_gone",
        "owed",
        "paid",
        "queued",
        "size",
        "states",
        "tickets",
        "timers",
        "unexpecting",
        "unqueued",
        "values",
    )

    def __init__(self) -> None:
        self.size = 0  # a measure of the work
        self.accepted: list[Accepted] = []
        self.states: dict[int, StateRow] = {}  # the latest of each message
        self.history: list[tuple[int, float, int, str, str]] = []  # message, at, state, outlet, note
        self.queued: list[Queued] = []
        self.unqueued: dict[tuple[str, int], list[int]] = {}  # messages by lane and rank
        self.timers: dict[int, float | None] = {}  # None: it has none any more
        self.expecting: list[Expecting] = []
        self.unexpecting: list[int] = []
        self.owed: list[Owed] = []
        self.paid: dict[str, list[int]] = {}  # notices by inlet
        self.orphans: list[Orphan] = []
        self.orphans_gone: list[int] = []
        self.bodies: dict[int, BodyRow] = {}
        self.values: dict[str, str] = {}
        self.tickets: list[Ticket] = []

    def accept(self, accepted: Accepted) -> None:
        """Messages are new."""
        self.accepted.append(accepted)
        self.size += len(accepted.rows) + 1

    def put(self, key: str, value: str) -> None:
        """A small value is another now."""
        self.values[key] = value
        self.size += 1

    def change(self, row: StateRow, note: str = "") -> None:
        """A message entered a state."""
        self.states[row[0]] = row
        self.history.append((row[0], row[5], row[1], row[2], note))
        self.size += 1

    def unqueue(self, lane: str, rank: int, message: int) -> None:
        """A message has left its lane."""
        self.unqueued.setdefault((lane, rank), []).append(message)
        self.size += 1

    def pay(self, inlet: str, notice: int) -> None:
        """A notice was acknowledged."""
        self.paid.setdefault(inlet, []).append(notice)
        self.size += 1

    def after(self, ticket: Ticket) -> None:
        """Call this when everything until now is durable."""
        self.tickets.append(ticket)
        self.size += 1

    def absorb(self, newer: Pending) -> None:
        """Take in what was asked for later, of what may be tried again: all but new messages."""
        self.size += newer.size
        self.states |= newer.states
        self.timers |= newer.timers
        self.bodies |= newer.bodies
        self.values |= newer.values
        for name in _LISTS:
            getattr(self, name).extend(getattr(newer, name))
        for name in _GROUPS:
            groups = getattr(self, name)
            for key, members in getattr(newer, name).items():
                groups.setdefault(key, []).extend(members)


_LISTS = (
    *("history", "queued", "expecting", "unexpecting", "owed", "orphans", "orphans_gone"),
    *("tickets", "accepted"),
)
_GROUPS = ("unqueued", "paid")
