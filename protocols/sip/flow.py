"""Where a message came from and goes to."""

from __future__ import annotations

from typing import NamedTuple


class Flow(NamedTuple):
    """One path between a local and a remote transport address (RFC 5626 §2)."""

    transport: str  # "UDP" or "TCP", as Via spells it
    local: tuple[str, int]
    remote: tuple[str, int]
    connection: int = 0  # numbers the stream; 0 is UDP, or a connection not opened yet

    @property
    def is_reliable(self) -> bool:
        """Whether the transport retransmits by itself, so that the transactions need not."""
        return self.transport != "UDP"
