"""A document, how it stands in a row, and what may be asked of the table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

COLUMNS = (
    *("seq", "sid", "account", "kind", "parent", "name", "state", "source", "target"),
    *("at", "created_at", "updated_at", "data"),
)
_TIMES = ("at", "created_at", "updated_at")
_CLOCK = 3600.0  # clocks are set
_LONGEST = 45 * 86400.0  # from making a message to sending it: it may be scheduled
_LAST = (
    "seq <= (SELECT seq FROM documents WHERE kind = ? AND created_at <= ? ORDER BY created_at DESC LIMIT 1)"
)
_FIRST = "seq >= (SELECT seq FROM documents WHERE kind = ? AND created_at >= ? ORDER BY created_at LIMIT 1)"
# What is not done yet: the states of the index by_state
OPEN_STATES = ("accepted", "queued", "sending", "sent", "scheduled", "pending", "dead")
_TEXTS = ("parent", "name", "state", "source", "target")


@dataclass(frozen=True, slots=True)
class Document:
    """One resource. ``name``, when given, is unique within its kind; ``at`` is the time it is filtered by."""

    seq: int
    sid: str
    account: str
    kind: str
    created_at: float
    updated_at: float
    data: dict[str, Any]
    parent: str = ""
    name: str | None = None
    state: str = ""
    source: str = ""
    target: str = ""
    at: float = 0.0

    def change(self, now: float, *, data: dict[str, Any] | None = None, **columns: Any) -> Document:
        """The document with some of it changed; ``data`` names only the fields that differ."""
        merged = {**self.data, **data} if data else self.data
        return replace(self, data=merged, updated_at=now, **columns)

    def row(self) -> tuple[Any, ...]:
        """What SQLite takes, in the order of COLUMNS."""
        text = json.dumps(self.data, separators=(",", ":"), ensure_ascii=False)
        return (
            *(self.seq, self.sid, self.account, self.kind, self.parent, self.name, self.state, self.source),
            *(self.target, self.at, self.created_at, self.updated_at, text),
        )


def read_row(row: Sequence[Any]) -> Document:
    """Read a row with COLUMNS."""
    seq, sid, account, kind, parent, name, state, source, target, at, created_at, updated_at, data = row
    return Document(
        *(seq, sid, account, kind, created_at, updated_at, json.loads(data)),
        *(parent, name, state, source, target, at),
    )


@dataclass(frozen=True, slots=True)
class Query:
    """Documents of one kind, newest first; ``account`` None asks for those of all, which no request may."""

    kind: str
    account: str | None
    parent: str | None = None
    equal: dict[str, str] = field(default_factory=dict)  # of the text columns
    # Of the time columns, or of times in the data, both ends included
    since: dict[str, float] = field(default_factory=dict)
    until: dict[str, float] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)  # of the data: must be equal
    prefix: str = ""  # of the name
    before: int | None = None  # seq: what comes after it in the order
    after: int | None = None  # seq: what comes before it
    is_ascending: bool = False
    limit: int = 50

    def sql(self) -> tuple[str, list[Any]]:
        """The statement and what is bound to it; columns come from this file alone."""
        where, bound = self._where()
        is_up = self.after is not None or self.is_ascending
        order = "ASC" if is_up else "DESC"
        statement = f"SELECT {', '.join(COLUMNS)} FROM documents WHERE {where} ORDER BY seq {order} LIMIT ?"
        return statement, [*bound, self.limit]

    def count_sql(self) -> tuple[str, list[Any]]:
        """The same, for how many there are."""
        where, bound = self._where()
        return f"SELECT count(*) FROM documents WHERE {where}", bound

    def tally_sql(self, added: str) -> tuple[str, list[Any]]:
        """The same for each day, with the sum of a field of the data; days are counted from 1970 on."""
        where, bound = self._where()
        total = "sum(json_extract(data, ?))" if added else "0"
        path = [f'$."{_field(added)}"'] if added else []
        statement = f"SELECT CAST(created_at / 86400 AS INTEGER) AS day, count(*), {total} FROM documents"
        return f"{statement} WHERE {where} GROUP BY day", [*path, *bound]

    def _where(self) -> tuple[str, list[Any]]:
        terms: list[tuple[str, Any]] = [("kind = ?", self.kind)]
        if self.account is not None:
            terms.append(("account = ?", self.account))
        if self.parent is not None:
            terms.append(("parent = ?", self.parent))
        terms += [(f"{_column(name, _TEXTS)} = ?", value) for name, value in self.equal.items()]
        terms += [(f"{_time(name)} >= ?", value) for name, value in self.since.items()]
        terms += [(f"{_time(name)} <= ?", value) for name, value in self.until.items()]
        if self.prefix:
            terms += [("name >= ?", self.prefix), ("name < ?", self.prefix + "\U0010ffff")]
        if self.before is not None:
            terms.append(("seq < ?", self.before))
        if self.after is not None:
            terms.append(("seq > ?", self.after))
        bound = [value for _, value in terms]
        where = [term for term, _ in terms]
        where += self._hints()
        for term, at in self._ends():
            where.append(term)
            bound += [self.kind, at]
        for name, value in self.fields.items():
            where.append("json_extract(data, ?) = ?")
            bound += [f'$."{_field(name)}"', value]
        return " AND ".join(where), bound

    def _hints(self) -> list[str]:
        """What says that a partial index has all rows: SQLite does not see it from values that are bound."""
        found = [f"{_column(name, _TEXTS)} <> ''" for name in ("target", "source") if self.equal.get(name)]
        if self.parent and not found:  # a number narrows more than what is above
            found.append("parent <> ''")
        if self.equal.get("state") in OPEN_STATES:
            found.append(f"state IN ({', '.join(map(repr, OPEN_STATES))})")
        return found

    def _ends(self) -> list[tuple[str, float]]:
        """Where in the order of seq times begin and end: nothing is sent or over before it was made."""
        found = []
        if self.until:
            last = min(self.until.values()) + _CLOCK
            found.append((_LAST, last))
        if self.since:
            first = min(at - (0.0 if name == "created_at" else _LONGEST) for name, at in self.since.items())
            found.append((_FIRST, first - _CLOCK))
        return found


def _column(name: str, known: tuple[str, ...]) -> str:
    if name not in known:
        raise ValueError(f"{name}: not a column to ask by")
    return name


def _time(name: str) -> str:
    return name if name in _TIMES else f"json_extract(data, '$.\"{_field(name)}\"')"


def _field(name: str) -> str:
    if not name.replace("_", "").isalnum():
        raise ValueError(f"{name}: not a field to ask by")
    return name
