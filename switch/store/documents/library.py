"""Reads and writes documents; a write is durable when it returns, a read sees what was written before it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from ..schema import connect, create_private
from .document import COLUMNS, Document, Query, read_row
from .writer import Change, DocumentWriter

_SELECT = f"SELECT {', '.join(COLUMNS)} FROM documents WHERE "

_MAX_RECENT = 10_000

Event = tuple[str, str, str, dict[str, Any]]  # account, type, subject, data


class Library:
    """All of it belongs to the loop's thread, but for the writer's thread and one that reads lists."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = DocumentWriter(path)
        self._reader: sqlite3.Connection | None = None
        self._lists: sqlite3.Connection | None = None
        self._pool = ThreadPoolExecutor(1, "documents-read")
        self._pending: dict[str, Document | None] = {}  # on its way to the disk; None: removed
        self._pending_named: dict[str, Document] = {}  # of those the ones with a name: few
        self._counts: Counter[str] = Counter()
        self._recent: OrderedDict[str, Document] = OrderedDict()  # as they are on the disk
        self._by_name: OrderedDict[tuple[str, str], Document | None] = OrderedDict()  # None: nobody has it
        self._name_of: dict[str, tuple[str, str]] = {}  # of those in there, by SID
        self._seq = 0
        self.event_id = 0
        self.durable_event_id = 0

    def start(self) -> None:
        """Open the file; it blocks."""
        create_private(self._path)
        self._writer.start()
        self._reader, self._lists = connect(self._path), connect(self._path)
        self._seq = self._reader.execute("SELECT coalesce(max(seq), 0) FROM documents").fetchone()[0]
        self.event_id = self._reader.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0]
        self.durable_event_id = self.event_id

    def close(self) -> None:
        """Write what waits and close the file; it blocks."""
        self._writer.close()
        self._pool.shutdown()
        for connection in (self._reader, self._lists):
            if connection is not None:
                connection.close()
        self._reader = self._lists = None

    @property
    def is_full(self) -> bool:
        """Whether nothing new should be taken."""
        return self._writer.is_full

    @property
    def commit_count(self) -> int:
        """Transactions until now."""
        return self._writer.commit_count

    def next_seq(self) -> int:
        """A number above all that were given before."""
        self._seq += 1
        return self._seq

    # -- writing

    async def write(
        self,
        puts: Iterable[Document] = (),
        drops: Iterable[Document] = (),
        events: Sequence[Event] = (),
    ) -> None:
        """Write all of it or nothing, durably; TakenError: a name is another's."""
        await self.begin(puts, drops, events)

    def begin(
        self,
        puts: Iterable[Document] = (),
        drops: Iterable[Document] = (),
        events: Sequence[Event] = (),
    ) -> asyncio.Future[None]:
        """The same for who goes on before it is durable: what is read from now on has it already."""
        puts, drops = list(puts), list(drops)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        rows = self._event_rows(events)
        change = Change([doc.row() for doc in puts], [doc.seq for doc in drops], rows, done)
        self._writer.submit(change)
        for doc in puts:
            self._hold(doc.sid, doc)
        for doc in drops:
            self._hold(doc.sid, None)
        sids = [doc.sid for doc in (*puts, *drops)]
        last_event = rows[-1][0] if rows else 0
        done.add_done_callback(lambda future: self._settle(sids, last_event, future))
        return done

    def _event_rows(self, events: Sequence[Event]) -> list[tuple[Any, ...]]:
        rows = []
        now = time.time()
        for account, kind, subject, data in events:
            self.event_id += 1
            text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
            rows.append((self.event_id, account, kind, subject, now, text))
        return rows

    def _hold(self, sid: str, doc: Document | None) -> None:
        self._forget_name(sid, doc)
        self._counts[sid] += 1
        self._pending[sid] = doc
        if doc is not None and doc.name is not None:
            self._pending_named[sid] = doc
        else:
            self._pending_named.pop(sid, None)

    def _remember(self, sid: str, doc: Document | None, *, is_written: bool) -> None:
        if doc is None or not is_written:
            self._recent.pop(sid, None)
            return
        self._recent[sid] = doc
        if len(self._recent) > _MAX_RECENT:
            self._recent.popitem(last=False)

    def _settle(self, sids: list[str], last_event: int, future: asyncio.Future[None]) -> None:
        failed = future.cancelled() or future.exception() is not None
        for sid in sids:
            self._counts[sid] -= 1
            if not self._counts[sid]:
                del self._counts[sid]
                doc = self._pending.pop(sid, None)
                self._forget_name(sid, doc)
                self._remember(sid, doc, is_written=not failed)
                self._pending_named.pop(sid, None)
        self.durable_event_id = max(self.durable_event_id, last_event)

    def purge(self, kind: str, until: float) -> None:
        """Forget documents of a kind that were created until then."""
        self._sweep("DELETE FROM documents WHERE kind = ? AND created_at <= ?", (kind, until))

    def purge_events(self, until: float, count: int) -> None:
        """Forget events that happened until then, and all but the last so many."""
        self._sweep("DELETE FROM events WHERE at <= ? OR id <= ?", (until, self.event_id - count))

    def blank(self, kind: str, fields: Sequence[str], states: Iterable[str], until: float) -> None:
        """Empty text fields of documents of a kind, in these states, that were created until then."""
        states, paths = list(states), [f"$.{field}" for field in fields]
        any_state, changes = ", ".join("?" * len(states)), ", ?, ''" * len(paths)
        has_some = " OR ".join(["json_extract(data, ?) <> ''"] * len(paths))
        self._sweep(
            f"UPDATE documents SET data = json_set(data{changes}) "
            f"WHERE kind = ? AND created_at <= ? AND state IN ({any_state}) AND ({has_some})",
            (*paths, kind, until, *states, *paths),
        )

    def _forget_all(self) -> None:
        self._recent.clear()
        self._by_name.clear()
        self._name_of.clear()

    def _sweep(self, statement: str, bound: tuple[Any, ...]) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.add_done_callback(lambda _: self._forget_all())  # what was read meanwhile is old
        self._writer.submit(Change(purge=(statement, bound), done=done))

    # -- reading

    def get(self, kind: str, sid: str, account: str | None) -> Document | None:
        """The document by its SID; ``account`` None: whosever it is, which no request may ask."""
        if sid in self._pending:
            doc = self._pending[sid]
        else:
            doc = self._recent.get(sid) or self._one("sid = ?", (sid,))
            if doc is not None and doc.sid not in self._recent:
                self._remember(sid, doc, is_written=True)
        if doc is None or doc.kind != kind or (account is not None and doc.account != account):
            return None
        return doc

    def named(self, kind: str, name: str) -> Document | None:
        """The document of a kind by its name, whosever it is."""
        for doc in self._pending_named.values():
            if doc.name == name and doc.kind == kind:
                return doc
        key = (kind, name)
        if key in self._by_name:
            return self._by_name[key]
        found = self._one("kind = ? AND name = ?", key)
        if found is not None and found.sid in self._pending:
            return None  # it has another name by now, or is gone
        self._by_name[key] = found
        if found is not None:
            self._name_of[found.sid] = key
        if len(self._by_name) > _MAX_RECENT:
            _, oldest = self._by_name.popitem(last=False)
            if oldest is not None:
                self._name_of.pop(oldest.sid, None)
        return found

    def _forget_name(self, sid: str, doc: Document | None) -> None:
        """What was known of the names of a document is not true any more."""
        before = self._name_of.pop(sid, None)
        if before is not None:
            self._by_name.pop(before, None)
        if doc is not None and doc.name is not None:
            self._by_name.pop((doc.kind, doc.name), None)

    def names(self, kind: str) -> set[str]:
        """All names of a kind; from any thread."""
        with closing(connect(self._path)) as connection:
            found = connection.execute("SELECT name FROM documents WHERE kind = ? AND name > ''", (kind,))
            return {name for (name,) in found}

    def select(self, query: Query) -> list[Document]:
        """A short list, at once; newest first."""
        assert self._reader is not None
        return _select(self._reader, query)

    async def page(self, query: Query) -> list[Document]:
        """A list for somebody who asked for it, read beside the loop; newest first."""
        assert self._lists is not None
        if self._pending:  # what is read one by one is in lists too
            await self.begin()
        return await asyncio.get_running_loop().run_in_executor(self._pool, _select, self._lists, query)

    def count(self, query: Query) -> int:
        """How many there are."""
        assert self._reader is not None
        statement, bound = query.count_sql()
        return int(self._reader.execute(statement, bound).fetchone()[0])

    def tally(self, query: Query, added: str = "") -> tuple[int, int]:
        """How many there are, and the sum of a field of their data; from any thread."""
        days = self.tally_days(query, added).values()
        return sum(count for count, _ in days), sum(total for _, total in days)

    def tally_days(self, query: Query, added: str = "") -> dict[int, tuple[int, int]]:
        """The same by the day on which they were created, counted from 1970 on; from any thread."""
        statement, bound = query.tally_sql(added)
        with closing(connect(self._path)) as connection:
            rows = connection.execute(statement, bound)
            return {int(day): (int(count), int(total or 0)) for day, count, total in rows}

    async def events_after(self, accounts: Sequence[str], id: int, limit: int) -> list[tuple[Any, ...]]:
        """Durable events of accounts after one: id, account, type, subject, at, data."""
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, self._events_after, accounts, id, limit
        )

    def _events_after(self, accounts: Sequence[str], id: int, limit: int) -> list[tuple[Any, ...]]:
        assert self._lists is not None
        return self._lists.execute(
            "SELECT id, account, type, subject, at, data FROM events "
            f"WHERE account IN ({', '.join('?' * len(accounts))}) AND id > ? ORDER BY id LIMIT ?",
            (*accounts, id, limit),
        ).fetchall()

    async def told(
        self,
        account: str,
        kind: str,
        subject: str,
        since: float | None,
        until: float | None,
        between: tuple[int | None, int | None],
        limit: int,
    ) -> list[tuple[Any, ...]]:
        """Durable events of one type, the last first, as a page has them; ``between``: before and after."""
        before, after = between
        terms = [("account = ?", account), ("type = ?", kind)]
        terms += [("subject = ?", subject)] if subject else []
        bounds = (("at >= ?", since), ("at <= ?", until), ("id < ?", before), ("id > ?", after))
        terms += [(term, value) for term, value in bounds if value is not None]  # type: ignore[misc]
        order = "DESC" if after is None else "ASC"
        statement = (
            "SELECT id, account, type, subject, at, data FROM events "
            f"WHERE {' AND '.join(term for term, _ in terms)} ORDER BY id {order} LIMIT ?"
        )
        bound = [*(value for _, value in terms), limit]

        def select() -> list[tuple[Any, ...]]:
            assert self._lists is not None
            rows = self._lists.execute(statement, bound).fetchall()
            return rows if after is None else rows[::-1]

        if self._pending:
            await self.begin()
        return await asyncio.get_running_loop().run_in_executor(self._pool, select)

    async def first_event(self) -> int:
        """The first event that is still there, or the next one that will be."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._first_event)

    def _first_event(self) -> int:
        assert self._lists is not None
        (found,) = self._lists.execute("SELECT min(id) FROM events").fetchone()
        return self.event_id + 1 if found is None else int(found)

    def _one(self, where: str, bound: tuple[Any, ...]) -> Document | None:
        assert self._reader is not None
        row = self._reader.execute(_SELECT + where, bound).fetchone()
        return None if row is None else read_row(row)


def _select(connection: sqlite3.Connection, query: Query) -> list[Document]:
    statement, bound = query.sql()
    found = [read_row(row) for row in connection.execute(statement, bound)]
    return found[::-1] if query.after is not None else found
