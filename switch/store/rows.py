"""Records and bindings as rows of the tables, and rows as records and bindings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any

from .interfaces import Direction, Record, StoredBinding

RECORD_COLUMNS = (
    *("id", "call_id_a", "call_id_b", "caller", "callee", "from_user", "to_user"),
    *("setup_at", "ring_at", "answer_at", "end_at", "duration", "cause", "reason", "ended_by", "codecs"),
    *("a_packets", "a_size", "a_lost", "a_jitter_ms", "b_packets", "b_size", "b_lost", "b_jitter_ms"),
)
BINDING_COLUMNS = (
    *("user", "contact", "expires_at", "q", "call_id", "cseq", "transport"),
    *("local_host", "local_port", "remote_host", "remote_port", "user_agent", "instance", "path"),
)
Row = tuple[Any, ...]

copy_record = attrgetter(*RECORD_COLUMNS[:16], "media_a", "media_b")  # what the loop's thread pays: a tuple


def record_row(copied: Row) -> Row:
    """Turn what ``copy_record`` took into what SQLite takes."""
    (*texts, setup, ring, answer, end, duration, cause, reason, ended_by, codecs, a, b) = copied
    return (
        *texts,
        to_text(setup),
        ring and to_text(ring),
        answer and to_text(answer),
        end and to_text(end),
        duration,
        cause,
        reason,
        ended_by,
        _codecs_text(codecs),
        *a,
        *b,
    )


@lru_cache(maxsize=256)
def _codecs_text(codecs: tuple[str, ...]) -> str:
    return json.dumps(codecs)


def row_record(row: Row) -> Record:
    """Read a row with RECORD_COLUMNS."""
    return Record(
        id=row[0],
        call_id_a=row[1],
        call_id_b=row[2],
        caller=row[3],
        callee=row[4],
        from_user=row[5],
        to_user=row[6],
        setup_at=datetime.fromisoformat(row[7]),
        ring_at=row[8] and datetime.fromisoformat(row[8]),
        answer_at=row[9] and datetime.fromisoformat(row[9]),
        end_at=row[10] and datetime.fromisoformat(row[10]),
        duration=row[11],
        cause=row[12],
        reason=row[13],
        ended_by=row[14],
        codecs=tuple(json.loads(row[15])),
        media_a=Direction(*row[16:20]),
        media_b=Direction(*row[20:24]),
    )


def binding_row(binding: StoredBinding) -> Row:
    """What SQLite takes, in the order of BINDING_COLUMNS."""
    b = binding
    return (
        *(b.user, b.contact, to_text(b.expires_at), b.q, b.call_id, b.cseq, b.transport),
        *(*b.local, *b.remote, b.user_agent, b.instance, "\n".join(b.path)),
    )


def row_binding(row: Row) -> StoredBinding:
    """Read a row with BINDING_COLUMNS."""
    return StoredBinding(
        user=row[0],
        contact=row[1],
        expires_at=datetime.fromisoformat(row[2]),
        q=row[3],
        call_id=row[4],
        cseq=row[5],
        transport=row[6],
        local=(row[7], row[8]),
        remote=(row[9], row[10]),
        user_agent=row[11],
        instance=row[12],
        path=tuple(row[13].split("\n")) if row[13] else (),
    )


def to_text(at: datetime) -> str:
    """Aware UTC as ISO 8601, always the same length, so that texts are in the order of time."""
    return at.isoformat(timespec="milliseconds")


def clean(row: Sequence[Any]) -> Row:
    """The row with what SQLite cannot take (lone surrogates) replaced."""
    return tuple(v.encode(errors="replace").decode() if isinstance(v, str) else v for v in row)
