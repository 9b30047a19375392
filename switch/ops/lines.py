"""Lines to a stream, by a thread of their own."""

from __future__ import annotations

import threading
from collections import deque
from typing import TextIO

_MAX_WAITING = 10_000  # lines that a slow reader may leave waiting; then they are dropped and counted


class LineWriter:
    """Writes lines in a thread: a terminal or pipe that nobody reads must not stop the calls."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: deque[str] = deque()
        self._changed = threading.Condition()
        self._is_idle = self._is_closing = False
        self.dropped_count = 0
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Hand a line to the thread."""
        if len(self._lines) >= _MAX_WAITING:
            self.dropped_count += 1
            return
        self._lines.append(line)
        if self._is_idle:
            with self._changed:
                self._changed.notify()

    def close(self, timeout: float = 2.0) -> None:
        """Write what waits, as far as somebody reads it."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._is_idle = True
                while not self._lines and not self._is_closing:
                    self._changed.wait()
                self._is_idle = False
            if not self._lines:
                return
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            dropped, self.dropped_count = self.dropped_count, 0
            if dropped:
                lines.append(f"{dropped} lines were dropped here: the reader of the log is too slow")
            try:
                self._stream.write("\n".join(lines) + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                self.dropped_count += len(lines)  # nobody is there; go on without
