"""How a session is ended in order: unbind, when nothing waits for an answer any more (SMPP 3.4 §4.2)."""

from __future__ import annotations

__all__ = ["Ending"]


class Ending:
    """What is known of an end that either side, or both, asked for."""

    __slots__ = ("_force_at", "asked_by_remote", "sent", "sent_due_at")

    def __init__(self) -> None:
        self._force_at: float | None = None  # we want to end: then, whatever still waits
        self.sent: int | None = None  # the number of our unbind
        self.sent_due_at = 0.0
        self.asked_by_remote: int | None = None  # the number of an unbind that we have not answered

    @property
    def is_wanted(self) -> bool:
        """Whether our unbind waits until it can go out."""
        return self._force_at is not None

    @property
    def is_ours(self) -> bool:
        """Whether we have begun to end: nothing new is sent."""
        return self._force_at is not None or self.sent is not None

    @property
    def has_begun(self) -> bool:
        """Whether either side wants to end."""
        return self.is_ours or self.asked_by_remote is not None

    def want(self, force_at: float) -> None:
        """We want to end; what waits for answers has until then."""
        if not self.is_ours:
            self._force_at = force_at

    def send(self, number: int, due_at: float) -> None:
        """Our unbind goes out."""
        self._force_at, self.sent, self.sent_due_at = None, number, due_at

    def ask(self, number: int, due_at: float) -> None:
        """The other end has asked; what it sent before is answered first, until then."""
        self.asked_by_remote, self.sent_due_at = number, due_at

    def next_at(self) -> float | None:
        """When to look again."""
        if self._force_at is not None:
            return self._force_at
        return self.sent_due_at if self.sent is not None or self.asked_by_remote is not None else None
