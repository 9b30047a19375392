"""What is pending as statements and their rows, in the order in which they are done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from .pending import Pending

# Rows a statement. SQLite runs a statement without the interpreter's lock, but each hand-over of the lock may
# wait for the loop's thread: a batch must need few of them, however large it is.
_CHUNKS = (512, 256, 128, 64, 32, 16, 8, 4, 2, 1)
_INSERT = ("INSERT OR REPLACE INTO {} VALUES ", "")
_PUT_MESSAGES = ("INSERT INTO messages VALUES ", "")
_PUT_HISTORY = ("INSERT OR IGNORE INTO history VALUES ", "")
_SET_STATES = (
    "UPDATE messages SET state = v.column2, outlet = v.column3, route = v.column4, attempts = v.column5, "
    "changed_at = v.column6, error = v.column7, reason = v.column8, parts = v.column9 FROM (VALUES ",
    ") AS v WHERE messages.id = v.column1",
)
_SET_BODIES = (
    "UPDATE messages SET body = v.column2, coding = v.column3, extra = v.column4, wish = v.column5, "
    "expires_at = v.column6, is_redacted = v.column7 FROM (VALUES ",
    ") AS v WHERE messages.id = v.column1",
)
Shape = tuple[str, str]


def _put(table: str) -> Shape:
    return (_INSERT[0].format(table), "")


_PUT_QUEUE, _PUT_TIMERS, _PUT_KEYS = _put("queue"), _put("timers"), _put("keys")
_PUT_EXPECTING, _PUT_NOTICES = _put("expecting"), _put("notices")
_PUT_ORPHANS, _PUT_STATE = _put("orphans"), _put("state")
_ONE_BY_ONE = {  # the same for a single row
    _SET_STATES: "UPDATE messages SET state = ?2, outlet = ?3, route = ?4, attempts = ?5, changed_at = ?6, "
    "error = ?7, reason = ?8, parts = ?9 WHERE id = ?1",
    _SET_BODIES: "UPDATE messages SET body = ?2, coding = ?3, extra = ?4, wish = ?5, expires_at = ?6, "
    "is_redacted = ?7 WHERE id = ?1",
}


def steps(pending: Pending) -> list[tuple[str, Sequence[Any]]]:
    """Everything as statements for single rows."""
    unqueued = [
        (lane, rank, message) for (lane, rank), messages in pending.unqueued.items() for message in messages
    ]
    found: list[tuple[str, Sequence[Any]]] = [
        ("DELETE FROM queue WHERE lane = ? AND rank = ? AND message = ?", unqueued)
    ]
    for shape, rows in statements(pending):
        if rows:
            found.append((_ONE_BY_ONE.get(shape) or sql_of(shape, len(rows[0]), 1), rows))
    paid = [(inlet, notice) for inlet, notices in pending.paid.items() for notice in notices]
    found.append(("DELETE FROM notices WHERE inlet = ? AND id = ?", paid))
    gone = [message for message, at in pending.timers.items() if at is None]
    for column, members in (
        ("timers WHERE message", gone),
        ("expecting WHERE key", pending.unexpecting),
        ("orphans WHERE id", pending.orphans_gone),
    ):
        found.append((f"DELETE FROM {column} = ?", [(member,) for member in members]))
    return found


def _fresh(pending: Pending, name: str, at: int) -> list[Any]:
    """The rows of all accepted batches, but for messages that were known already."""
    found: list[Any] = []
    for accepted in pending.accepted:
        rows = getattr(accepted, name)
        found += [row for row in rows if row[at] not in accepted.known] if accepted.known else rows
    return found


def departures(pending: Pending) -> Iterable[tuple[str, tuple[Any, ...]]]:
    """Out of the lanes first: what is replaced leaves its lane and takes the same place again."""
    for (lane, rank), messages in pending.unqueued.items():
        yield from _delete("queue WHERE lane = ? AND rank = ? AND message", (lane, rank), messages)


def statements(pending: Pending) -> list[tuple[Shape, Sequence[Any]]]:
    """What is new or changes."""
    queued = _fresh(pending, "queued", 2) + pending.queued
    timers = _fresh(pending, "timers", 0) + [
        (message, at) for message, at in pending.timers.items() if at is not None
    ]
    return [
        (_PUT_MESSAGES, _fresh(pending, "rows", 0)),
        (_PUT_QUEUE, queued),
        (_PUT_TIMERS, timers),
        (_SET_STATES, list(pending.states.values())),
        (_SET_BODIES, list(pending.bodies.values())),
        (_PUT_HISTORY, pending.history),
        (_PUT_EXPECTING, pending.expecting),
        (_PUT_NOTICES, [(o.inlet, o.id, o.message, o.state, o.at, o.detail) for o in pending.owed]),
        (_PUT_ORPHANS, pending.orphans),
        (_PUT_STATE, list(pending.values.items())),
    ]


def removals(pending: Pending) -> Iterable[tuple[str, tuple[Any, ...]]]:
    """What goes."""
    for inlet, notices in pending.paid.items():
        yield from _delete("notices WHERE inlet = ? AND id", (inlet,), notices)
    gone = [message for message, at in pending.timers.items() if at is None]
    yield from _delete("timers WHERE message", (), gone)
    yield from _delete("expecting WHERE key", (), pending.unexpecting)
    yield from _delete("orphans WHERE id", (), pending.orphans_gone)


def _delete(where: str, values: tuple[Any, ...], members: list[int]) -> Iterable[tuple[str, tuple[Any, ...]]]:
    for at, size in chunks(len(members)):
        yield f"DELETE FROM {where} IN ({_marks(size)})", (*values, *members[at : at + size])


@lru_cache(maxsize=1024)
def chunks(count: int) -> tuple[tuple[int, int], ...]:
    """Where the chunks begin, and their sizes: few sizes, so that statements are prepared once."""
    found, at = [], 0
    for size in _CHUNKS:
        while count - at >= size:
            found.append((at, size))
            at += size
    return tuple(found)


@lru_cache(maxsize=16)
def _marks(count: int) -> str:
    return ", ".join("?" * count)


@lru_cache(maxsize=128)
def sql_of(shape: Shape, column_count: int, row_count: int) -> str:
    """One statement for so many rows."""
    row = f"({_marks(column_count)})"
    return shape[0] + ", ".join([row] * row_count) + shape[1]
