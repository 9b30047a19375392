"""Records and bindings as rows of the tables and back. A time there is in seconds of UTC since 1970."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .interfaces import StoredBinding
from .record import Direction, Record

LIVE_COLUMNS = (
    *("id", "call_id_a", "call_id_b", "caller", "callee", "from_user", "to_user"),
    *("setup_at", "ring_at", "answer_at", "codecs", "trunk"),
)
STATE_COLUMN = "state"  # of live calls that were answered
PLACE_COLUMNS = ("slot", "generation")  # of live calls: which life of which worker has them
OPEN_COLUMNS = (*LIVE_COLUMNS, STATE_COLUMN, *PLACE_COLUMNS)
CALL_COLUMNS = (
    *LIVE_COLUMNS,
    *("end_at", "duration", "cause", "reason", "ended_by", "verdict", "explanation"),
    *("a_packets", "a_size", "a_lost", "a_jitter_ms", "a_mos", "a_round_trip_ms", "a_secured"),
    *("b_packets", "b_size", "b_lost", "b_jitter_ms", "b_mos", "b_round_trip_ms", "b_secured"),
)
_SIDE = len(Direction._fields)
_LIVE = len(LIVE_COLUMNS)  # where what was live ends
_ENDED = len(CALL_COLUMNS) - 2 * _SIDE  # and where media begins
BINDING_COLUMNS = StoredBinding._fields
Row = tuple[Any, ...]


def row_record(row: Row) -> Record:
    """Read a row with CALL_COLUMNS, or with LIVE_COLUMNS of a call that was left open."""
    record = Record(
        id=row[0],
        call_id_a=row[1],
        call_id_b=row[2],
        caller=row[3],
        callee=row[4],
        from_user=row[5],
        to_user=row[6],
        setup_at=row[7],
        ring_at=row[8],
        answer_at=row[9],
        codecs=tuple(json.loads(row[10])),
        trunk=row[11],
    )
    if len(row) == len(CALL_COLUMNS):
        record.end_at, record.duration, record.cause, record.reason, record.ended_by = row[_LIVE : _LIVE + 5]
        record.verdict, explanation = row[_LIVE + 5 : _ENDED]
        record.explanation = tuple(explanation.split("\n")) if explanation else ()
        record.media_a, record.media_b = Direction(*row[_ENDED:-_SIDE]), Direction(*row[-_SIDE:])
    return record


def clean(row: Sequence[Any]) -> Row:
    """The row with what SQLite cannot take (lone surrogates) replaced."""
    return tuple(v.encode(errors="replace").decode() if isinstance(v, str) else v for v in row)
