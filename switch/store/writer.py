"""The one thread that writes: it gathers what many ask for and makes one durable commit of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from time import monotonic

import structlog

from .interfaces import StoredBinding
from .rows import Row
from .schema import StoreError

_CLOSE_TIMEOUT = 5.0
_PATIENCE = 0.25  # seconds that what may wait does: so many more share a commit, and a page

log = structlog.get_logger("switchroom.store")


class CommitError(Exception):
    """Nothing of the batch was written; it can be tried again."""


class Batch:
    """What waits to be written: of each record and binding only its latest state."""

    def __init__(self) -> None:
        self.live: dict[str, Row] = {}  # calls that are up, by id
        self.ended: dict[str, Row] = {}  # and those that are over
        self.bindings: dict[tuple[str, str], StoredBinding | None] = {}  # None: removed
        self.texts: dict[int, Row | None] = {}  # None: removed
        self.settings: dict[str, str] = {}
        self.alive_at = 0.0  # of the last heartbeat
        self.purge_at = 0.0  # bindings that expired until then are to go
        self.has_lines = False  # others have ended calls whose lines are ours to write

    def __len__(self) -> int:
        calls = len(self.live) + len(self.ended)
        return calls + len(self.bindings) + len(self.texts) + len(self.settings) + self._marks()

    def _marks(self) -> int:
        return bool(self.alive_at) + bool(self.purge_at) + self.has_lines

    def absorb(self, newer: Batch) -> None:
        """Take in what was asked for later."""
        for id in newer.ended:
            self.live.pop(id, None)
        self.live.update(newer.live)
        self.ended.update(newer.ended)
        self.bindings.update(newer.bindings)
        self.texts.update(newer.texts)
        self.settings.update(newer.settings)
        self.alive_at = newer.alive_at or self.alive_at
        self.purge_at = newer.purge_at or self.purge_at
        self.has_lines = newer.has_lines or self.has_lines


class Writer:
    """Group commit: ``commit`` runs in the writer's thread; its failures are retried until it works."""

    def __init__(
        self,
        commit: Callable[[Batch], None],
        *,
        capacity: int = 50_000,
        min_delay: float = 0.001,
        max_delay: float = 0.050,
        max_pause: float = 1.0,
    ) -> None:
        self._commit, self._capacity = commit, capacity
        self._min_delay, self._max_delay, self._max_pause = min_delay, max_delay, max_pause
        self._quiet_until = 0.0
        self.lock = threading.Lock()  # held for moments only: the loop's thread takes it for each write
        self._changed = threading.Condition(self.lock)
        self.pending = Batch()
        self._writing_count = 0
        self._is_idle = self._is_closing = False
        self._is_urgent = self._is_patient = False  # something cannot wait; nothing is known that cannot
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self.commit_count = self.failure_count = self.lost_count = 0
        self.is_failing = False
        self.on_texts: Callable[[list[int]], None] = lambda ids: None  # texts that are durable now

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    @property
    def waiting_count(self) -> int:
        """Entries that are not durable yet."""
        return len(self.pending) + self._writing_count

    def has_room(self, share: float = 1.0) -> bool:
        """Whether a new entry may come; updates of what waits already are always taken."""
        pending = self.pending  # asked for each call: the marks of a batch weigh nothing
        count = len(pending.live) + len(pending.ended) + len(pending.bindings) + len(pending.texts)
        return count + self._writing_count < self._capacity * share

    def wake(self) -> None:
        """Tell the thread that there is something; call it with the lock held."""
        self._is_urgent = True
        if self._is_idle or self._is_patient:
            self._is_idle = self._is_patient = False
            self._changed.notify()

    def wake_later(self) -> None:
        """The same, of what may wait a little for others."""
        if self._is_idle:
            self._is_idle = False
            self._changed.notify()

    async def flush(self) -> None:
        """Return when everything asked for until now is durable."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        with self.lock:
            if not self._thread.is_alive():
                if self.pending:
                    raise StoreError("is not open")
                return
            self._waiters.append((loop, done))
            self._is_idle = False
            self._changed.notify()
        await done

    def close(self) -> None:
        """Write what waits and end the thread; what fails for five seconds is given up and logged."""
        with self.lock:
            self._is_closing = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while self._wait_for_work():
            with self.lock:
                batch, self.pending = self.pending, Batch()
                self._is_urgent = False
                waiters, self._waiters = self._waiters, []
                self._writing_count = len(batch)
            began_at = monotonic()
            is_written = not batch or self._write(batch)
            self._rest(began_at)
            self._writing_count = 0
            for loop, done in waiters:
                _wake_waiter(loop, done, is_written)

    def _wait_for_work(self) -> bool:
        with self._changed:
            while not (self.pending or self._waiters or self._is_closing):
                self._is_idle = True
                self._changed.wait()
            self._is_idle = False
            if not (self._is_urgent or self._waiters or self._is_closing):
                self._is_patient = True
                self._changed.wait(_PATIENCE)
                self._is_patient = False
            if not self._waiters and not self._is_closing:
                delay = self._quiet_until - monotonic()
                self._changed.wait(max(self._min_delay, delay))  # a flush or the close cuts it short
            return bool(self.pending or self._waiters or not self._is_closing)

    def _rest(self, began_at: float) -> None:
        """Where nobody waits, writing may take a fortieth of the time: a slow disk gets larger batches."""
        now = monotonic()
        self._quiet_until = now + min(self._max_delay, 40 * (now - began_at))

    def _write(self, batch: Batch) -> bool:
        pause, give_up_at = 0.05, 0.0
        while True:
            try:
                self._commit(batch)
            except CommitError as error:
                self.failure_count += 1
                self._tell(error)
            else:
                self.commit_count += 1
                if batch.texts:
                    self.on_texts([id for id, row in batch.texts.items() if row is not None])
                if self.is_failing:
                    self.is_failing = False
                    log.info("store.recovered", entries=len(batch))
                return True
            with self._changed:
                if self._is_closing:
                    give_up_at = give_up_at or monotonic() + _CLOSE_TIMEOUT
                    if monotonic() >= give_up_at:
                        break
                self._changed.wait(pause)
                pause = min(pause * 2, self._max_pause)
                batch.absorb(self.pending)  # so that what waits stays one state per key
                self.pending = Batch()
                self._writing_count = len(batch)
        self.lost_count += len(batch)
        log.error("store.lost", entries=len(batch))
        return False

    def _tell(self, error: CommitError) -> None:
        if not self.is_failing:
            self.is_failing = True
            log.error("store.failed", reason=str(error), waiting=self.waiting_count)


def _wake_waiter(loop: asyncio.AbstractEventLoop, done: asyncio.Future[None], is_written: bool) -> None:
    def wake() -> None:
        if done.done():
            return  # whoever waited was cancelled
        if is_written:
            done.set_result(None)
        else:
            done.set_exception(StoreError("was closed before everything was written"))

    try:
        loop.call_soon_threadsafe(wake)
    except RuntimeError:
        log.debug("store.waiter_gone")  # its loop was closed meanwhile
