"""Messages in one SQLite file: WAL, a thread that writes, a thread that reads."""

from __future__ import annotations

import asyncio
import math
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from switchroom.switch.store.schema import StoreError, create_private

from .commit import Committer
from .interfaces import Orphan, Reply, Row
from .pending import Pending
from .reader import Filter, Reader, read_once
from .sweep import Retention, sweep
from .writer import Writer

RESERVE_SIZE = 64 * 1024 * 1024
_MAX_ASKED = 1000

log = structlog.get_logger("switchroom.store")


class SqliteMessages:
    """A MessageStore. Without ``start_threads`` whoever owns it calls ``step``: tests walk it so."""

    def __init__(
        self, path: Path, *, reserve_size: int = RESERVE_SIZE, retention: Retention | None = None
    ) -> None:
        self._path = path
        self._committer = Committer(path, reserve_size)
        self._written: deque[tuple[bool, Pending]] = deque()
        self._tickets: deque[tuple[Callable[[bool, Any, float], None], bool, Any]] = deque()
        self._read: deque[tuple[Reply, Any, Any]] = deque()
        self._writer = Writer(self._committer, self._written, lambda: self.on_wake())
        self._questions: queue.SimpleQueue[tuple[str, tuple[Any, ...], Reply, Any] | None] = (
            queue.SimpleQueue()
        )
        self._asked: deque[tuple[str, tuple[Any, ...], Reply, Any]] = deque()
        self._reader = Reader(path)
        self._thread: threading.Thread | None = None
        self._last_id = 0
        self._open_count = 0  # of questions whose answers were not handed over yet
        self.pending = Pending()  # of the loop's thread, until it is handed to the writer's
        self.on_wake: Callable[[], None] = lambda: None
        self.retention = retention or Retention()

    # -- life

    def start(self, *, has_threads: bool = True) -> None:
        """Open the file, bring it up to date; StoreError says why not."""
        try:
            create_private(self._path)
            self._committer.open()
            self._last_id = self._once("last_id")
        except (sqlite3.Error, OSError, StoreError) as error:
            self._committer.close()
            reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else error
            raise StoreError(f"{self._path}: {reason}") from None
        if has_threads:
            self._writer.work = lambda connection, deadline: sweep(
                connection, self.retention, time.time(), lambda: time.monotonic() < deadline
            )
            self._thread = threading.Thread(target=self._answer, name="messages-reader", daemon=True)
            self._thread.start()
            self._writer.start()

    def close(self) -> None:
        """Write what waits and close the file."""
        self.wake()
        self._writer.close()
        if self._thread is not None:
            self._questions.put(None)
            self._thread.join()
        self._reader.close()
        self._committer.close()

    # -- writing

    @property
    def is_failing(self) -> bool:
        """Whether nothing can be written at present."""
        return self._writer.is_failing

    def wake(self) -> None:
        """``pending`` has something: hand it to the writer."""
        if self.pending.size and self._thread is not None:
            pending, self.pending = self.pending, Pending()
            self._writer.put(pending)

    def next_id(self) -> int:
        """An id above all that were given before: microseconds since 1970, where the clock allows it."""
        self._last_id = id = max(self._last_id + 1, time.time_ns() // 1000)
        return id

    def drain(self, now: float, seconds: float = math.inf) -> bool:
        """Call the tickets of what is durable and the replies of what was read; False: time was up."""
        until = time.monotonic() + seconds
        while self._tickets or self._written:
            if not self._tickets:
                is_written, pending = self._written.popleft()
                tickets = [accepted.ticket for accepted in pending.accepted] + pending.tickets
                self._tickets.extend((call, is_written, argument) for call, argument in tickets)
                continue
            call, is_written, argument = self._tickets.popleft()
            call(is_written, argument, now)
            if time.monotonic() >= until:
                return False
        while self._read:
            reply, answer, context = self._read.popleft()
            self._open_count -= 1
            reply(answer, context, now)
        return True

    def step(self, now: float) -> bool:
        """Do what the threads would do; True: there was something."""
        asked, self._asked = self._asked, deque()
        for method, values, reply, context in asked:
            self._read.append((reply, getattr(self._reader, method)(*values), context))
        if self.pending.size:
            pending, self.pending = self.pending, Pending()
            self._committer.commit(pending)
            self._written.append((True, pending))
        is_busy = bool(self._written or self._read)
        self.drain(now)
        return is_busy

    @property
    def counters(self) -> dict[str, int]:
        """For metrics."""
        return {
            "waiting": self.pending.size + self._writer.size,
            "commits": self._writer.commit_count,
            "failures": self._writer.failure_count,
            "lost": self._writer.lost_count + self._committer.bad_row_count,
        }

    # -- reading

    def ask(self, query: str, values: tuple[Any, ...], reply: Reply, context: Any = None) -> None:
        """Read something, by the name of a reader's method."""
        question = (query, values, reply, context)
        self._open_count += 1
        if self._thread is None:
            self._asked.append(question)
        else:
            self._questions.put(question)

    def when_read(self, reply: Reply, context: Any, now: float) -> None:
        """Say when all that was asked until now is answered."""
        if self._open_count:
            self.ask("nothing", (), reply, context)
        else:
            reply(None, context, now)

    def _answer(self) -> None:
        while (question := self._questions.get()) is not None:
            method, values, reply, context = question
            while True:
                try:
                    answer = getattr(self._reader, method)(*values)
                    break
                except sqlite3.Error as error:
                    self._reader.close()
                    log.warning("messages.unreadable", question=method, reason=str(error))
                    if self._writer.is_closing:
                        return
                    time.sleep(0.5)
            self._read.append((reply, answer, context))
            self.on_wake()

    async def read(self, method: str, *values: Any) -> Any:
        """Ask something on behalf of a person, without holding up the centre's questions."""
        return await asyncio.to_thread(read_once, self._path, method, values)

    async def find(self, wanted: Filter) -> list[Row]:
        """The latest messages that fit."""
        found: list[Row] = await self.read("find", wanted)
        return found

    # -- for the start

    def load_lanes(self) -> dict[str, int]:
        """How many messages wait in each lane."""
        found: dict[str, int] = self._once("lanes")
        return found

    def load_values(self, prefix: str = "") -> dict[str, str]:
        """The small values by key."""
        found: dict[str, str] = self._once("values", prefix)
        return found

    def load_since(self, since: float, limit: int = 100_000) -> list[Row]:
        """Messages that were taken since then."""
        found: list[Row] = self._once("since", since, limit)
        return found

    def load_turns(self, routes: tuple[str, ...], limit: int = 100_000) -> list[Row]:
        """Messages of some routes that wait for another attempt."""
        found: list[Row] = self._once("turns", routes, limit) if routes else []
        return found

    def load_orphans(self, since: float, limit: int = 100_000) -> list[Orphan]:
        """Receipts that matched nothing."""
        found: list[Orphan] = self._once("orphans", since, limit)
        return found

    def load_owing(self) -> dict[str, int]:
        """How many notices wait for each inlet."""
        found: dict[str, int] = self._once("owing")
        return found

    def take_claimed(self, after: int, limit: int) -> list[Row]:
        """Messages that were on their way when the switch ended, behind an id."""
        found: list[Row] = self._once("claimed", after, limit)
        return found

    def _once(self, method: str, *values: Any) -> Any:
        return read_once(self._path, method, values)
