"""Where a webhook may go: a name is resolved once, each address checked, and only that address is used."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import httpcore

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


class FencedBackend(httpcore.AsyncNetworkBackend):
    """Connects for httpcore: to an address that was looked up and checked here, never to a name."""

    def __init__(self, fence: Fence) -> None:
        self.fence = fence
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (httpcore's interface)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Look the name up, check each address, and connect to the first that answers."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except TimeoutError:
            raise httpcore.ConnectTimeout(f"{host}: its name was not found in time") from None
        except (OSError, UnicodeError):
            raise LookupError(host) from None
        addresses: Sequence[str] = list(dict.fromkeys(str(info[4][0]) for info in found))
        for address in addresses:
            if not self.fence.allows(address):
                raise ForbiddenError(f"{host}: {address} is not one that webhooks may reach")
        error: Exception = httpcore.ConnectError(f"{host}: has no address")
        for address in addresses[:2]:
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
        raise error

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        """No URL leads there."""
        raise ForbiddenError("webhooks go over TCP only")

    async def sleep(self, seconds: float) -> None:
        """Wait between attempts of httpcore."""
        await self._backend.sleep(seconds)
