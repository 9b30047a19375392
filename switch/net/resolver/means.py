"""What this machine can use of what the DNS offers: by its listeners and its routes."""

from __future__ import annotations

from collections.abc import Sequence

from switchroom.protocols.sip.locating import Means
from switchroom.switch.net.addresses import Addresses

_TRANSPORTS = ("UDP", "TCP", "TLS", "WS", "WSS")
_FAMILIES = {"ipv4": ("A", "AAAA"), "ipv6": ("AAAA", "A")}


def means_of(bound: Sequence[tuple[str, str, int]], addresses: Addresses, prefer: str) -> Means:
    """By the listeners (transport, host, port): a connection leaves from the network of one of them."""
    transports = {transport.upper() for transport, _, _ in bound}
    families = {"AAAA" if ":" in host else "A" for _, host, _ in bound}
    first = "AAAA" if prefer == "ipv6" else "A"

    def rank(address: str) -> int | None:
        try:
            addresses.local_for(address)
        except (OSError, ValueError):
            return None  # no way leads there
        return int((":" in address) != (first == "AAAA"))

    return Means(
        tuple(transport for transport in _TRANSPORTS if transport in transports),
        tuple(family for family in _FAMILIES[prefer] if family in families),
        rank,
    )
