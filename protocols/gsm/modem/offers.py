"""What was offered to the owner and not taken yet: it is in a storage, and found there again and again."""

from __future__ import annotations

from .events import Garbled, Handle, MessageReceived, StatusReportReceived

__all__ = ["Offer", "Offers"]

_AGAIN = 60.0  # seconds until a stored message that nobody took is offered once more

Offer = MessageReceived | StatusReportReceived | Garbled


class Offers:
    """Knows whether something is news."""

    def __init__(self) -> None:
        self._offered: dict[Handle, float] = {}
        self._garbled: dict[Handle, str] = {}

    def clear(self) -> None:
        """After a reset anything may be anywhere."""
        self._offered.clear()
        self._garbled.clear()

    def is_new(self, event: Offer, now: float) -> bool:
        """Whether the owner is to have it now."""
        handle = event.handle
        if not handle.storage:
            return True
        if isinstance(event, Garbled) and self._garbled.get(handle) != event.line:
            self._garbled[handle] = event.line  # read it again: the line may have been torn
            return False
        if self._offered.get(handle, 0.0) > now:
            return False
        self.keep(handle, now)
        return True

    def keep(self, handle: Handle, now: float) -> None:
        """It stays where it is, and is offered again later."""
        self._offered[handle] = now + _AGAIN

    def forget(self, handle: Handle) -> None:
        """It is gone."""
        self._offered.pop(handle, None)
        self._garbled.pop(handle, None)
