"""Requests that have been sent and not been answered, by sequence number (SMPP 3.4 §2.7, §3.2)."""

from __future__ import annotations

from .events import Answer
from .pdu import GenericNack, Pdu, Response

__all__ = ["MAX_SEQUENCE_NUMBER", "Window"]

MAX_SEQUENCE_NUMBER = 0x7FFFFFFF


class Window:
    """Numbers requests and finds them again when their answers come, in whatever order."""

    __slots__ = ("_last", "_pending", "strays")

    def __init__(self, last: int = 0) -> None:
        self._last = last
        self._pending: dict[int, tuple[object, type[Pdu], float]] = {}  # in the order of sending
        self.strays = 0  # answers to nothing that waits for one

    def __len__(self) -> int:
        return len(self._pending)

    def number(self) -> int:
        """A sequence number that is not in use: after the last one the first comes again."""
        number = self._last
        while True:
            number = number + 1 if number < MAX_SEQUENCE_NUMBER else 1
            if number not in self._pending:
                self._last = number
                return number

    def open(self, context: object, response: type[Pdu], now: float) -> int:
        """A request is being sent that this kind of response answers: its number."""
        number = self.number()
        self._pending[number] = context, response, now
        return number

    def forget(self, number: int) -> None:
        """It was not sent after all."""
        self._pending.pop(number, None)

    def close(self, response: Response) -> Answer | None:
        """Which request this answers; None: none that waits, or not one of this kind."""
        number = response.sequence_number
        waiting = self._pending.get(number)
        if waiting is None or (type(response) is not waiting[1] and type(response) is not GenericNack):
            self.strays += 1
            return None
        del self._pending[number]
        return waiting[0], response, waiting[2]

    def first_sent_at(self) -> float | None:
        """When the request was sent that has waited for the longest."""
        for _, _, sent_at in self._pending.values():
            return sent_at
        return None

    def expire(self, before: float) -> list[object]:
        """Forget requests that were sent by then: their contexts."""
        late = []
        for number, (_, _, sent_at) in self._pending.items():
            if sent_at > before:
                break
            late.append(number)
        return [self._pending.pop(number)[0] for number in late]

    def clear(self) -> list[object]:
        """Forget all of them: their contexts."""
        contexts = [context for context, _, _ in self._pending.values()]
        self._pending.clear()
        return contexts
