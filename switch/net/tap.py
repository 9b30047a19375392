"""Who sees each message as it is on the wire."""

from __future__ import annotations

from switchroom.protocols.sip.flow import Flow


class Tap:
    """Is shown what came, one by one, and what left, as it left at once."""

    def came(self, data: bytes, flow: Flow, now: float) -> None:
        """A message came."""

    def left(self, messages: list[tuple[bytes, Flow]], now: float) -> None:
        """These left."""
