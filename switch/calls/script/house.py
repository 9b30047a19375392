"""What programs need of the switch: its calls, its clock, its sound, and a way to send what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from switchroom.switch.media.clips import Clips

if TYPE_CHECKING:
    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.media import MediaPlane


class House:
    """The doors; one for all calls."""

    def __init__(self, exchange: Exchange, flush: Callable[[], object], clips: Clips | None = None) -> None:
        self.exchange = exchange
        self.flush = flush  # what was asked of the SIP engine goes out
        self.clips = clips or Clips()

    @property
    def now(self) -> float:
        """Monotonic seconds."""
        return self.exchange.clock.now()

    @property
    def media(self) -> MediaPlane:
        """The media of all calls."""
        return self.exchange.media
