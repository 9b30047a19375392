"""What is to be asked of a modem, script by script: the most urgent first, one at a time."""

from __future__ import annotations

import heapq
from itertools import count

from .dialogue import Dialogue
from .results import Result, ResultKind
from .scripts import Pause, Script, Urgency

__all__ = ["Agenda"]


class Agenda:
    """Runs scripts over a dialogue."""

    def __init__(self, dialogue: Dialogue) -> None:
        self.dialogue = dialogue
        self.pause_until: float | None = None
        self._waiting: list[tuple[int, int, str, Script]] = []
        self._keys: set[str] = set()
        self._number = count()
        self._running: Script | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, urgency: Urgency, script: Script, key: str = "") -> None:
        """A script to be run when its turn comes; of those with one key one waits."""
        if key in self._keys:
            script.close()
            return
        if key:
            self._keys.add(key)
        heapq.heappush(self._waiting, (urgency, next(self._number), key, script))

    def next_urgency(self) -> int | None:
        """Of what would run now; None: there is nothing, or something runs."""
        return self._waiting[0][0] if self._waiting and self._running is None else None

    def begin(self, now: float) -> None:
        """Run the next script."""
        _, _, key, self._running = heapq.heappop(self._waiting)
        self._keys.discard(key)
        self.step(None, now)

    def step(self, result: Result | None, now: float) -> None:
        """Go on with the one that runs."""
        script = self._running
        if script is None:
            return
        try:
            wanted = next(script) if result is None else script.send(result)
        except StopIteration:
            self._running = None
            return
        if isinstance(wanted, Pause):
            self.pause_until = now + wanted.seconds
        else:
            self.dialogue.send_command(wanted, now)

    def handle_timer(self, now: float) -> None:
        """A pause ends."""
        if self.pause_until is not None and self.pause_until <= now:
            self.pause_until = None
            self.step(Result(ResultKind.OK), now)

    def abandon(self) -> None:
        """The one that runs is not gone on with."""
        script, self._running = self._running, None
        self.pause_until = None
        if script is not None:
            script.close()
            self.dialogue.reset()

    def drop(self) -> None:
        """Nothing of what waits is done. A message among it hears that it was not sent, in its turn."""
        waiting = [script for urgency, *_, script in sorted(self._waiting) if urgency == Urgency.SEND]
        self._waiting.clear()
        self._keys.clear()
        for script in waiting:
            _lose(script)


def _lose(script: Script) -> None:
    lost = Result(ResultKind.LOST, has_begun=False)
    try:
        next(script)
        while True:
            script.send(lost)
    except StopIteration:
        return
