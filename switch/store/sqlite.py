"""Bindings and call records in one SQLite file: WAL, one writer thread, group commit."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from .commit import Committer, alive_key
from .interfaces import RecordSink, Restore, StoredBinding
from .record import Record
from .rows import (
    BINDING_COLUMNS,
    CALL_COLUMNS,
    OPEN_COLUMNS,
    row_record,
)
from .schema import StoreError, connect, create_private
from .settings import SqliteSettings
from .texts import SqliteTexts
from .writer import Writer

MAX_GAP = 60.0  # seconds without a sign of life after which no call is gone on with
_RESERVE_FOR_ENDS = 0.75  # a call that is up must find room for its end when no new one may begin

_SELECT_CALLS = f"SELECT {', '.join(CALL_COLUMNS)} FROM calls"
_SELECT_RECENT = f"{_SELECT_CALLS} ORDER BY seq DESC LIMIT ?"
_SELECT_BEGINNING = f"{_SELECT_CALLS} WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"
_LAST = "\U0010ffff"  # sorts after whatever an id may go on with


class SqliteBindings:
    """A BindingStore."""

    def __init__(self, path: Path, writer: Writer) -> None:
        self._path, self._writer = path, writer
        self.refused_count = 0

    def load(self, now: float) -> list[StoredBinding]:
        """Give what had not expired at ``now``, in seconds since 1970; for the start, it blocks."""
        with closing(connect(self._path)) as connection:
            connection.execute("DELETE FROM bindings WHERE expires_at <= ?", (now,))
            rows = connection.execute(f"SELECT {', '.join(BINDING_COLUMNS)} FROM bindings")
            return [StoredBinding(*row) for row in rows]

    def save(self, binding: StoredBinding) -> None:
        """Keep the binding in place of an earlier one of the same user and contact."""
        self._put((binding.user, binding.contact), binding, False)

    def renew(self, binding: StoredBinding) -> None:
        """The same of one that is kept, and only its time moves: durable a little later, with others."""
        self._put((binding.user, binding.contact), binding, True)

    def remove(self, user: str, contact: str) -> None:
        """Forget one contact."""
        self._put((user, contact), None, False)

    async def flush(self) -> None:
        """Return when everything asked for until now is durable."""
        await self._writer.flush()

    def _put(self, key: tuple[str, str], binding: StoredBinding | None, may_wait: bool) -> None:
        writer = self._writer
        with writer.lock:
            bindings = writer.pending.bindings
            if key not in bindings and not writer.has_room():
                self.refused_count += 1
                return
            bindings[key] = binding
            if may_wait:
                writer.wake_later()
            else:
                writer.wake()


class SqliteRecords:
    """A RecordStore."""

    def __init__(self, path: Path, writer: Writer, place: tuple[int, int] | None) -> None:
        self._path, self._writer = path, writer
        self._slot = None if place is None else place[0]
        self._place = place or (0, 0)
        self.refused_count = 0

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be written that no new call should be taken."""
        return not self._writer.has_room(_RESERVE_FOR_ENDS)

    def open(self, record: Record) -> None:
        """A call is being set up."""
        self._put(record)

    def answered(self, record: Record) -> None:
        """It was answered."""
        self._put(record)

    def close(self, record: Record) -> None:
        """It ended; nothing is written about it after this."""
        row, writer = record.ended(), self._writer
        with writer.lock:
            pending = writer.pending
            known = pending.live.pop(record.id, None) or pending.ended.get(record.id)
            if known is None and not writer.has_room():
                self.refused_count += 1
                return
            pending.ended[record.id] = row
            writer.wake()

    def heartbeat(self, now: float) -> None:
        """The switch lives; after a crash this is the end of the calls that were up."""
        with self._writer.lock:
            self._writer.pending.alive_at = now
            self._writer.wake()

    def recover(self, now: float, *, died_at: float | None = None, restore: Restore | None = None) -> int:
        """Close what a crash left open and count it; for the start, before the first ``open``; it blocks.

        A worker closes what earlier lives of its slot left; whoever saw them die knows when, else the last
        heartbeat tells. What ``restore`` takes stays open; it is asked about what was up not long ago.
        """
        where, slots = ("", ()) if self._slot is None else (" WHERE slot = ?", (self._slot,))
        query = f"SELECT {', '.join(OPEN_COLUMNS)} FROM live{where}"
        with closing(connect(self._path)) as connection:
            state = dict(connection.execute("SELECT key, value FROM state WHERE key LIKE 'alive_at%'"))
            left = connection.execute(query, slots).fetchall()
        restored = 0
        for *row, kept, slot, generation in left:
            record, alive = row_record(tuple(row)), state.get(alive_key(slot))
            alive_at = died_at or (float(alive) if alive else None)
            last_at = max(filter(None, (alive_at, record.answer_at)), default=now)
            may_live = bool(kept) and abs(now - last_at) <= MAX_GAP
            if (
                may_live
                and restore is not None
                and restore(record, json.loads(kept), slot, min(last_at, now))
            ):
                restored += 1
                continue
            _end_by_crash(record, alive_at)
            if self._slot is not None:
                record.verdict = f"{record.verdict} (worker {slot}, life {generation})"
            self.close(record)
        self.heartbeat(now)
        return len(left) - restored

    async def recent(self, limit: int = 100) -> list[Record]:
        """Give the records of the latest calls that ended, the newest first."""
        return await asyncio.to_thread(self._read, _SELECT_RECENT, limit)

    async def beginning(self, id: str, limit: int = 2) -> list[Record]:
        """Give the records of ended calls, however old, whose id is this or begins so; by the index."""
        if not id.isascii():
            return []  # none of ours has such an id, and SQLite takes no lone surrogates
        return await asyncio.to_thread(self._read, _SELECT_BEGINNING, id, id + _LAST, limit)

    async def flush(self) -> None:
        """Return when everything asked for until now is durable."""
        await self._writer.flush()

    def _read(self, query: str, *values: str | int) -> list[Record]:
        with closing(connect(self._path)) as connection:
            return [row_record(row) for row in connection.execute(query, values)]

    def _put(self, record: Record) -> None:
        row, writer = record.live(self._place[0], self._place[1]), self._writer
        with writer.lock:
            live = writer.pending.live
            if record.id not in live and not writer.has_room(_RESERVE_FOR_ENDS):
                self.refused_count += 1
                return
            live[record.id] = row
            writer.wake()


class SqliteStore:
    """One file, its writer and its faces, ``bindings``, ``records``, ``texts`` and ``settings``.

    When the disk fails, what is written waits in memory, one state per call or contact, up to ``capacity``
    entries. Beyond three quarters no new call is entered (``records.is_full``), beyond it nothing.
    """

    def __init__(
        self,
        path: Path,
        sink: RecordSink | None = None,
        *,
        capacity: int = 50_000,
        min_delay: float = 0.001,
        max_delay: float = 0.050,
        place: tuple[int, int] | None = None,
    ) -> None:
        """``place``: slot and generation of the worker, when several write to this file."""
        self._path, self._place = path, place
        self._committer = Committer(path, sink, place[0] if place else 0)
        self._writer = Writer(
            self._committer.commit, capacity=capacity, min_delay=min_delay, max_delay=max_delay
        )
        self._lock_descriptor = -1
        self.bindings = SqliteBindings(path, self._writer)
        self.records = SqliteRecords(path, self._writer, place)
        self.texts = SqliteTexts(path, self._writer, place and place[0])
        self.settings = SqliteSettings(path, self._writer)

    def start(self) -> None:
        """Open the file, bring it up to date and begin to write; StoreError says why not."""
        try:
            create_private(self._path)
            if self._place is None:  # else the supervisor has locked it for all
                self._lock_descriptor = lock_store(self._path)
            self._committer.open()
        except (sqlite3.Error, OSError, StoreError) as error:
            self._release()
            reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else error
            raise StoreError(f"{self._path}: {reason}") from None
        self._writer.start()

    def close(self) -> None:
        """Write what waits and close the file; it blocks, some five seconds at most."""
        self._writer.close()
        self._release()

    async def flush(self) -> None:
        """Return when everything asked for until now is durable."""
        await self._writer.flush()

    def identity(self) -> tuple[int, bytes]:
        """Which life of the switch this is, and the secret of all its lives; for the start, it blocks."""
        with closing(connect(self._path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            kept = dict(connection.execute("SELECT key, value FROM state WHERE key IN ('life', 'secret')"))
            life, secret = int(kept.get("life", 0)) + 1, kept.get("secret") or secrets.token_hex(32)
            put = "INSERT OR REPLACE INTO state (key, value) VALUES ('life', ?), ('secret', ?)"
            connection.execute(put, (str(life), secret))
            connection.execute("COMMIT")
        return life, bytes.fromhex(secret)

    def feed(self) -> None:
        """Other workers have ended calls: give the sink what it lacks."""
        with self._writer.lock:
            self._writer.pending.has_lines = True
            self._writer.wake()

    def purge(self, now: float) -> None:
        """Forget bindings that have expired; for one of several workers, of which none does it by itself."""
        with self._writer.lock:
            self._writer.pending.purge_at = now
            self._writer.wake()

    @property
    def counters(self) -> dict[str, int]:
        """For metrics: entries that wait, commits, failed commits, entries refused or lost."""
        refused = self.bindings.refused_count + self.records.refused_count + self.texts.refused_count
        return {
            "waiting": self._writer.waiting_count,
            "commits": self._writer.commit_count,
            "failures": self._writer.failure_count,
            "lost": refused + self._writer.lost_count + self._committer.bad_row_count,
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _release(self) -> None:
        self._committer.close()
        if self._lock_descriptor >= 0:
            os.close(self._lock_descriptor)
            self._lock_descriptor = -1


def lock_store(path: Path) -> int:
    """Lock the file for this switch: two on one file would end each other's calls in the book."""
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreError("another switch that is running uses it") from None
    return descriptor


def _end_by_crash(record: Record, alive_at: float | None) -> None:
    began = record.answer_at or record.ring_at or record.setup_at
    record.end_at = max(alive_at or began, began)
    record.duration = record.end_at - record.answer_at if record.answer_at else 0.0
    record.cause, record.reason, record.ended_by = 500, "crash", "switch"
    state = "was up" if record.answer_at else "was being set up"
    record.verdict = f"the switch ended without warning while the call {state}"
