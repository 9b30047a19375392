"""Where strangers may have the switch call or fetch: a name is resolved, and each address is checked."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

_SHARED = ip_network("100.64.0.0/10")
_NAT64 = IPv6Network("64:ff9b::/96")
_6TO4 = IPv6Network("2002::/16")
_NEVER = ("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "fe80::/10", "ff00::/8", "::/128")
_NEVER_NETWORKS = tuple(ip_network(text) for text in _NEVER)


class ForbiddenError(OSError):
    """The address is one that webhooks may not reach."""


class Fence:
    """Says which addresses may be reached: public ones, and private ones that the configuration names."""

    def __init__(self, private: Iterable[str] = ()) -> None:
        self._private = [ip_network(text) for text in private]

    def allows(self, text: str) -> bool:
        """Whether an address may be reached; what hides an IPv4 address counts as that one."""
        try:
            address = _inner(ip_address(text.partition("%")[0]))
        except ValueError:
            return False
        if any(address.version == net.version and address in net for net in self._private):
            return True
        if any(address.version == net.version and address in net for net in _NEVER_NETWORKS):
            return False
        return address.is_global and not (address.version == 4 and address in _SHARED)


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _6TO4:
        return IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    if address.packed[:12] == bytes(12) and int(address) > 1:
        return IPv4Address(int(address))  # IPv4-compatible, RFC 4291 §2.5.5.1
    return address
