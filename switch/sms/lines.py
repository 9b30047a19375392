"""Messages that are done with as lines of JSON, beside the database: for whoever reads files.

A line follows the commit of its message, by a thread of its own. The database is what counts: lines of the
last moment before a crash are missing, and so are those that a disk does not take for long.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from typing import Any

from switchroom.switch.store.interfaces import RecordSink

from .book import Book, Log
from .interfaces import TEXT, State
from .stored import Stored

__all__ = ["MessageLines"]

_MAX_WAITING = 100_000  # lines
_BATCH = 1000
_RETRY_INTERVAL = 1.0  # seconds


class MessageLines:
    """``add`` is told of each message at its end."""

    def __init__(self, sink: RecordSink, book: Book, log: Log) -> None:
        self._sink, self._book, self._log = sink, book, log
        self.is_wanted = False
        self.dropped = 0
        self._waiting: deque[str] = deque()
        self._changed = threading.Condition()
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    def add(self, message: Stored, now: float) -> None:
        """A message has ended; its line is written when that is durable."""
        if self.is_wanted:
            self._book.later(self._write, _line(message))

    def stop(self) -> None:
        """Write what waits, as far as the disk takes it at once."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(5.0)
        self._sink.close()

    def _write(self, is_written: bool, lines: list[str], now: float) -> None:
        if not is_written:
            return
        room = _MAX_WAITING - len(self._waiting)
        if len(lines) > room:
            self.dropped += len(lines) - room
            self._log.warning("messages.lines_dropped", count=len(lines) - room, total=self.dropped)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="message lines", daemon=True)
            self._thread.start()
        with self._changed:
            self._waiting.extend(lines[:room])
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._is_stopping:
                    self._changed.wait()
                lines = [self._waiting[n] for n in range(min(_BATCH, len(self._waiting)))]
            if not lines:
                return
            try:
                self._sink.append("".join(lines).encode())
            except OSError:
                with self._changed:
                    if self._is_stopping:
                        return
                    self._changed.wait(_RETRY_INTERVAL)
                continue
            with self._changed:
                for _ in lines:
                    self._waiting.popleft()


def _line(message: Stored) -> str:
    s = message.submission
    fields: dict[str, Any] = {
        "id": str(message.id),
        "inlet": s.inlet,
        "from": s.source.number,
        "to": s.destination.number,
        "route": message.route,
        "outlet": message.outlet,
        "shown_from": message.source.number,
        "shown_to": message.destination.number,
        "state": State(message.state).name.lower(),
        "error": message.error,
        "reason": message.reason,
        "parts": message.parts,
        "attempts": message.attempts,
        "octets": len(s.body),
        "coding": "text" if s.coding == TEXT else s.coding,
        "accepted_at": round(message.accepted_at, 3),
        "ended_at": round(message.changed_at, 3),
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"
