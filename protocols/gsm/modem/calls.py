"""Calls that come in, told once each (3GPP TS 27.007 §6.11, §7.6)."""

from __future__ import annotations

from .events import Ringing
from .parameters import fields
from .scripts import Script, ask

__all__ = ["Calls"]

_PAUSE = 10.0  # seconds without a ring after which the next one is another call's


class Calls:
    """Puts RING and +CLIP together; networks that show no number ring alone."""

    def __init__(self) -> None:
        self._rung_at = -_PAUSE
        self._rings = 0
        self._is_told = self._is_rejecting = False

    def receive_line(self, line: str, now: float) -> Ringing | None:
        """RING, +CRING, +CLIP or NO CARRIER; the news, when it is some."""
        if line == "NO CARRIER":
            self._begin(-_PAUSE)
            return None
        if now - self._rung_at >= _PAUSE:
            self._begin(now)
        self._rung_at = now
        has_number = line.startswith("+CLIP")
        self._rings += not has_number
        if self._is_told or (not has_number and self._rings < 2):
            return None
        self._is_told = True
        return Ringing((fields(line) or [""])[0] if has_number else "")

    @property
    def is_to_be_rejected(self) -> bool:
        """Whether it rings and nothing was done about it."""
        return self._is_told and not self._is_rejecting

    def reject(self) -> Script:
        """AT+CHUP, or ATH for those that do not know it."""
        self._is_rejecting = True
        return self._reject()

    def _reject(self) -> Script:
        result = yield ask("AT+CHUP")
        if not result.is_ok:
            yield ask("ATH")
        self._is_rejecting = False  # if it rings on, once more

    def _begin(self, at: float) -> None:
        self._rung_at = at
        self._rings = 0
        self._is_told = self._is_rejecting = False
