"""Messages of one receiver one after the other, on routes that ask for it."""

from __future__ import annotations

from collections import deque

from switchroom.switch.sms.stored import Stored

_WAITING = 10_000  # messages in memory that wait for one before them


class Turns:
    """Who is on the way to whom, and who waits for that. ``Stored.turn`` names route and receiver."""

    def __init__(self) -> None:
        self._going: dict[str, int] = {}
        self._waiting: dict[str, deque[Stored]] = {}
        self.count = 0

    @property
    def is_full(self) -> bool:
        """Whether no more may be set aside."""
        return self.count >= _WAITING

    def take(self, message: Stored) -> bool:
        """Whether it is this one's turn; then it is until ``end``."""
        return self._going.setdefault(message.turn, message.id) == message.id

    def wait(self, message: Stored) -> None:
        """Set it aside until the one before has come to its end."""
        self._waiting.setdefault(message.turn, deque()).append(message)
        self.count += 1

    def end(self, message: Stored) -> Stored | None:
        """It has been taken by the next hop, or never will be: who is next."""
        if self._going.get(message.turn) != message.id:
            return None
        del self._going[message.turn]
        waiting = self._waiting.get(message.turn)
        if waiting is None:
            return None
        found = waiting.popleft()
        self.count -= 1
        if not waiting:
            del self._waiting[message.turn]
        return found

    def remove(self, id: int) -> Stored | None:
        """Take out one that waits: it is cancelled, or expired."""
        for turn, waiting in self._waiting.items():
            for message in waiting:
                if message.id == id:
                    waiting.remove(message)
                    self.count -= 1
                    if not waiting:
                        del self._waiting[turn]
                    return message
        return None
