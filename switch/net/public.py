"""The address that others know us by where a one-to-one NAT, or a port forwarding, is in between."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_network

from .addresses import split_scope

# RFC 1918, 6598, 3927, 4193, 4291: whoever has such an address has come without our NAT.
_PRIVATE = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),
    *("fc00::/7", "fe80::/10", "::1/128"),
)


class PublicAddress:
    """Tells which of two addresses a remote host is to be told; without a NAT always our own."""

    def __init__(self, host: str = "", inside: Sequence[str] = ()) -> None:
        self.host = host
        self._address = split_scope(host)[0] if host else None
        self._inside = tuple(map(ip_network, inside or _PRIVATE))
        self._is_outside = lru_cache(maxsize=4096)(self._judge)

    def for_host(self, remote: str, local: str) -> str:
        """Return the address that a remote host reaches us at, whom we reach from ``local``."""
        return self.host if self._address is not None and self._is_outside(remote) else local

    def _judge(self, remote: str) -> bool:
        address, _ = split_scope(remote)
        assert self._address is not None
        if address.version != self._address.version:  # the NAT is not on that way
            return False
        return not any(address in network for network in self._inside if network.version == address.version)
