"""Where a message came from and goes to."""

from __future__ import annotations

from typing import NamedTuple


class Flow(NamedTuple):
    """One path between a local and a remote transport address (RFC 5626 §2)."""

    transport: str  # "UDP", "TCP", "TLS", "WS" or "WSS", as Via spells it
    local: tuple[str, int]
    remote: tuple[str, int]
    connection: int = 0  # numbers the stream; 0 is UDP, or a connection not opened yet
    name: str = ""  # whom the server has to prove to be when we open the connection (RFC 5922)

    @property
    def is_reliable(self) -> bool:
        """Whether the transport retransmits by itself, so that the transactions need not."""
        return self.transport != "UDP"

    @property
    def is_secure(self) -> bool:
        """Whether nobody on the way can read or change what goes this way."""
        return self.transport in ("TLS", "WSS")
