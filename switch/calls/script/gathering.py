"""Keys that a caller presses: each once, and as many of them as a program asked for. Time is an argument."""

from __future__ import annotations

from collections import deque

_SAME = 0.3  # seconds within which a key that comes another way is the same press
_MAX_WAITING = 128


class Keypad:
    """Keys as they were pressed; what comes twice, by INFO and in the media, counts once."""

    def __init__(self) -> None:
        self.waiting: deque[str] = deque(maxlen=_MAX_WAITING)
        self._last = ("", "", 0.0)  # the key, the way it came, when

    def press(self, key: str, way: str, now: float) -> bool:
        """Take a key that came by "media" or "info"; False: it is known from the other way."""
        last, last_way, at = self._last
        if key == last and way != last_way and now - at < _SAME:
            return False
        self._last = (key, way, now)
        self.waiting.append(key)
        return True


class Gathering:
    """Collects keys until there are ``count``, one of ``finish_on`` came, or time is over."""

    def __init__(
        self, count: int | None, *, timeout: float, between: float, finish_on: str, now: float
    ) -> None:
        self.count, self.finish_on = count, finish_on
        self.timeout, self.between = timeout, between
        self.keys = ""
        self.finished_by = ""  # the key that ended it
        self.until: float | None = now + timeout  # None: the clock stands, for a prompt is being played
        self.is_over = count == 0

    def hold(self) -> None:
        """A prompt is played: the time runs from its end on."""
        if not self.keys:
            self.until = None

    def resume(self, now: float) -> None:
        """It is over."""
        if self.until is None:
            self.until = now + self.timeout

    def press(self, key: str, now: float) -> None:
        """A key was pressed."""
        if self.is_over:
            return
        if key in self.finish_on:
            self.finished_by = key
            self.is_over = True
            return
        self.keys += key
        self.until = now + self.between
        self.is_over = self.count is not None and len(self.keys) >= self.count

    def check(self, now: float) -> None:
        """Time has passed."""
        if self.until is not None and now >= self.until:
            self.is_over = True
