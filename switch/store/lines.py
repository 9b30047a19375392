"""Lines of JSON for the calls that ended: what the view ``records`` has, octet by octet."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from .schema import RECORD_COLUMNS

if TYPE_CHECKING:
    from ._transaction import Transactions

CHUNK = 500  # lines that are read at once

_AS_JSON = ", ".join(f"'{name}', {'json(codecs)' if name == 'codecs' else name}" for name in RECORD_COLUMNS)
_SELECT = f"""
    SELECT count(*), max(seq), group_concat(line, char(10)) FROM (
        SELECT seq, json_object({_AS_JSON}) AS line FROM records
        WHERE seq > ? ORDER BY seq LIMIT {CHUNK}
    )
"""
# What the view makes of a column: decimals, a moment, JSON of its own, or nothing
_SHOWN: dict[str, int | str | None] = {
    **dict.fromkeys(RECORD_COLUMNS),
    **dict.fromkeys(("setup_at", "ring_at", "answer_at", "end_at"), "time"),
    "codecs": "json",
    "duration": 3,
    **{
        f"{side}_{name}": n
        for side in "ab"
        for name, n in (("jitter_ms", 2), ("mos", 2), ("round_trip_ms", 1))
    },
}

try:
    from ._lines import Lines

    _lines: Lines | None = Lines(_SHOWN, CHUNK)
except ImportError:  # not built: SQLite writes them, slower
    _lines = None


def lines_after(
    seq: int, connection: sqlite3.Connection, at_once: Transactions | None = None
) -> tuple[int, int, bytes]:
    """How many follow that one, the number of the last of them, and their lines."""
    found = None
    if _lines is not None and at_once is not None:
        found = _lines.after(seq, at_once)
    return found or lines_by_view(seq, connection)


def lines_by_view(seq: int, connection: sqlite3.Connection) -> tuple[int, int, bytes]:
    """The same, as SQLite writes them."""
    count, last, lines = connection.execute(_SELECT, (seq,)).fetchone()
    return (count, last, lines.encode() + b"\n") if count else (0, seq, b"")
