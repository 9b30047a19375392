"""The thread that writes messages: what many hand over within a few milliseconds is one durable commit."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

import structlog

from switchroom.switch.store.writer import CommitError

from .commit import Committer
from .pending import Pending

_CLOSE_TIMEOUT = 5.0
_QUIET = 0.05  # seconds without work after which the next is written at once
_PLENTY = 64  # that much is worth a commit without waiting for more
_GAP = 0.002  # who waits for an answer before the next message sends none meanwhile: nothing more comes
_SLOW = 1.0  # seconds of a commit that are worth a line
_SWEEP_INTERVAL = 60.0
_SWEEP_TIME = 0.05  # seconds of house-keeping at a time

log = structlog.get_logger("switchroom.store")


class Writer:
    """Group commit: while the disk fails new messages are refused, all else is tried until it works."""

    def __init__(
        self, committer: Committer, done: deque[tuple[bool, Pending]], tell: Callable[[], None]
    ) -> None:
        """What is decided about goes to ``done``; ``tell`` is called then, in this thread."""
        self._committer, self._done, self._tell_done = committer, done, tell
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._inbox: list[Pending] = []
        self.size = 0  # of what waits in the inbox
        self._is_idle = self.is_closing = False
        self._pause, self._rested_at = 0.0, 0.0
        self._sweep_at = self._told_slow_at = 0.0
        self._thread = threading.Thread(target=self._run, name="messages", daemon=True)
        self.commit_count = self.failure_count = self.lost_count = 0
        self.is_failing = False
        self.delay = 0.005  # the longest that a little work waits for more
        self.work: Callable[..., None] | None = None  # house-keeping

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, pending: Pending) -> None:
        """Write this too; whoever gives it does not touch it again."""
        with self._lock:
            self._inbox.append(pending)
            before, self.size = self.size, self.size + pending.size
            if self._is_idle or before < _PLENTY <= self.size:
                self._is_idle = False
                self._changed.notify()

    def close(self) -> None:
        """Write what waits and end the thread; what fails for five seconds is given up."""
        with self._lock:
            self.is_closing = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def take(self) -> Pending:
        """All that waits, as one."""
        with self._lock:
            inbox, self._inbox, self.size = self._inbox, [], 0
        taken = inbox[0] if inbox else Pending()
        for newer in inbox[1:]:
            taken.absorb(newer)
        return taken

    def _run(self) -> None:
        while self._wait_for_work():
            if self.size:
                self._write(self.take())
            elif self._committer.regain() and self.is_failing:
                self._recovered()
            self._sweep()

    def _wait_for_work(self) -> bool:
        with self._changed:
            if not self.size and not self.is_closing:
                self._is_idle = True
                self._changed.wait(1.0 if self.is_failing else _SWEEP_INTERVAL)
                self._is_idle = False
            self._wait_for_more()
            return bool(self.size or not self.is_closing)

    def _wait_for_more(self) -> None:
        """A little work waits for more, while more comes."""
        now = time.monotonic()
        until = now + (0.001 if now - self._rested_at > _QUIET else self.delay)
        size = -1
        while size < self.size < _PLENTY and now < until and not self.is_closing:
            size = self.size
            self._changed.wait(min(until - now, _GAP))
            now = time.monotonic()

    def _write(self, pending: Pending) -> None:
        give_up_at, pause = 0.0, 0.05
        while True:
            try:
                if self._committer.is_full and not self._committer.regain():
                    self._refuse(pending)
                began_at = time.monotonic()
                self._committer.commit(pending)
                self._tell_slow(time.monotonic() - began_at)
            except CommitError as error:
                self.failure_count += 1
                self._tell(error)
                self._refuse(pending)
            else:
                self.commit_count += 1
                if self.is_failing and not self._committer.is_full:
                    self._recovered()
                self._finish(True, pending)
                return
            if self.is_closing:
                give_up_at = give_up_at or time.monotonic() + _CLOSE_TIMEOUT
                if time.monotonic() >= give_up_at:
                    break
            time.sleep(pause)
            pause = min(pause * 2, 1.0)
            pending.absorb(self.take())
        self.lost_count += pending.size
        log.error("messages.lost", entries=pending.size)
        self._finish(False, pending)

    def _refuse(self, pending: Pending) -> None:
        """New messages are not acknowledged yet: who sent them hears that there is no room."""
        if pending.accepted:
            refused = Pending()
            refused.accepted, pending.accepted = pending.accepted, []
            self._finish(False, refused)

    def _finish(self, is_written: bool, pending: Pending) -> None:
        self._rested_at = time.monotonic()
        self._done.append((is_written, pending))
        self._tell_done()

    def _sweep(self) -> None:
        if self.work is None or self.is_failing or time.monotonic() < self._sweep_at:
            return
        self._sweep_at = time.monotonic() + _SWEEP_INTERVAL
        self._committer.sweep(self.work, time.monotonic() + _SWEEP_TIME)

    def _tell_slow(self, seconds: float) -> None:
        if seconds >= _SLOW and time.monotonic() >= self._told_slow_at:
            self._told_slow_at = time.monotonic() + _SWEEP_INTERVAL
            log.warning("messages.slow_disk", seconds=round(seconds, 1), waiting=self.size)

    def _recovered(self) -> None:
        self.is_failing = False
        log.info("messages.recovered")

    def _tell(self, error: CommitError) -> None:
        if not self.is_failing:
            self.is_failing = True
            log.error("messages.failed", reason=str(error))
