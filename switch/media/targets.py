"""Where media may be sent to: never to an address that turns the switch against its own network."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_PRIVATE = tuple(  # RFC 1918, 6598, 4193
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)
_OLD_MAPPED = 1 << 32  # ::a.b.c.d, the form before ::ffff:a.b.c.d


@lru_cache(maxsize=4096)
def parse_host(host: str) -> IPv4Address | IPv6Address | None:
    """Read an address, an IPv4 one also from its IPv6 clothing; None for a name."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@lru_cache(maxsize=4096)
def plain_host(host: str) -> str:
    """Return the address in its plain form; a name stays what it is."""
    address = parse_host(host)
    return host if address is None else str(address)


@lru_cache(maxsize=256)
def family_of(host: str) -> str:
    """Return what SDP calls the family of an address; a name is taken for one of IPv4."""
    address = parse_host(host)
    return "IP6" if address is not None and address.version == 6 else "IP4"


@lru_cache(maxsize=4096)
def place_of(host: str, toward: str, local: str) -> tuple[str | None, bool]:
    """Return both of what follows: of each leg both are asked, in each call."""
    return target_host(host, toward, local), is_hidden(host, toward)


def target_host(host: str, toward: str, local: str) -> str | None:
    """Return the host that packets for a signalled address go to, or None when nothing may be sent there.

    ``toward`` is where the signalling comes from, ``local`` the address that would send.
    """
    address, source, own = parse_host(host), parse_host(toward), parse_host(local)
    if address is None or source is None or own is None or address.version != own.version:
        return None  # a name: nobody waits for a resolver here; such a leg is learnt, if it may be
    if address.is_unspecified or address.is_multicast or _is_no_host(address):
        return None
    if address.is_loopback and not source.is_loopback:
        return None
    if address.is_link_local and not source.is_link_local:
        return None
    scope = getattr(source, "scope_id", None)
    if address.is_link_local and scope and not getattr(address, "scope_id", None):
        return f"{address}%{scope}"  # SDP has no word for the interface: it is the signalling's
    return str(address)


def is_hidden(host: str, toward: str) -> bool:
    """Whether packets for ``host`` cannot come from there: a name, or private while the signalling is not."""
    address, source = parse_host(host), parse_host(toward)
    if address is None:
        return True
    return source is not None and _is_private(address) and not _is_private(source) and not source.is_loopback


def _is_private(address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in _PRIVATE if network.version == address.version)


def _is_no_host(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return address.is_reserved or int(address) >> 24 == 0  # 240/4 with broadcast, 0/8
    return not address.is_loopback and int(address) < _OLD_MAPPED
