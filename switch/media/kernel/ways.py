"""Which interfaces and which next hop a stream's packets take, asked of the kernel by netlink."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from ipaddress import ip_address
from typing import NamedTuple

from switchroom.switch.net.addresses import open_netlink
from switchroom.switch.net.interfaces import NLM_F_REQUEST, NLMSG_ERROR, attributes_of

_GETROUTE = 26
_DST, _SRC, _OIF, _GATEWAY, _METRICS, _VIA = 1, 2, 4, 5, 8, 18
_MTU = 2  # of the metrics
_UNICAST, _LOCAL = 1, 2
_ROUTE = struct.Struct("=BBBBBBBBI")  # rtnetlink(7)
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_GET_MTU, _GET_HARDWARE = 0x8921, 0x8927
_ETHERNET = 1  # ARPHRD_ETHER
_REQUEST = struct.Struct("16s16x")  # struct ifreq


class NoWay(Exception):  # noqa: N818 - an answer, not a fault
    """The kernel cannot relay between these; says why."""


class Hop(NamedTuple):
    """Where packets to a host leave, and come from."""

    interface: int
    next_hop: bytes
    mtu: int


class Way(NamedTuple):
    """One direction of a stream through this machine."""

    in_interface: int
    out_interface: int
    max_size: int
    next_hop: bytes


class Ways:
    """Look-ups with a memory, which is emptied when the network changes."""

    def __init__(self) -> None:
        self._hops: dict[tuple[str, str], Hop | str] = {}

    def forget(self) -> None:
        """Something changed."""
        self._hops.clear()

    def find(self, source: str, local: str, sender: str, target: str) -> Way:
        """From ``source`` to ``local``, and from ``sender`` to ``target``; NoWay says why not."""
        if (":" in source) != (":" in target):
            raise NoWay("the legs differ in IP version")
        came, leaves = self._hop(local, source), self._hop(sender, target)
        return Way(came.interface, leaves.interface, leaves.mtu, leaves.next_hop)

    def _hop(self, local: str, remote: str) -> Hop:
        found = self._hops.get((local, remote))
        if found is None:
            if len(self._hops) > 8192:
                self._hops.clear()
            try:
                found = _ask(local, remote)
            except NoWay as error:
                found = str(error)
            except OSError as error:
                found = f"no route to {remote}: {error.strerror}"
            self._hops[local, remote] = found
        if isinstance(found, str):
            raise NoWay(found)
        return found


def _ask(local: str, remote: str) -> Hop:
    source, target = ip_address(local), ip_address(remote)
    if target.is_link_local:
        raise NoWay("link-local addresses")
    family = socket.AF_INET if target.version == 4 else socket.AF_INET6
    size = target.max_prefixlen
    body = _ROUTE.pack(family, size, size, 0, 0, 0, 0, 0, 0)
    for kind, value in ((_DST, target.packed), (_SRC, source.packed)):
        body += _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value
    with open_netlink(0) as sock:
        sock.send(_HEADER.pack(_HEADER.size + len(body), _GETROUTE, NLM_F_REQUEST, 0, 0) + body)
        data = sock.recv(65536)
    if _HEADER.unpack_from(data)[1] == NLMSG_ERROR:
        error = -struct.unpack_from("=i", data, _HEADER.size)[0]
        raise OSError(error, os.strerror(error))
    return _read(data, target.packed)


def _read(data: bytes, target: bytes) -> Hop:
    kind = _ROUTE.unpack_from(data, _HEADER.size)[7]
    found = dict(attributes_of(data, _HEADER.size + _ROUTE.size))
    if kind != _UNICAST or _OIF not in found:
        raise NoWay("an address of this machine" if kind == _LOCAL else "no route of the ordinary kind")
    interface = int.from_bytes(found[_OIF], "little")
    next_hop = found.get(_GATEWAY, target)
    if _VIA in found:  # an IPv4 route by way of an IPv6 neighbour
        next_hop = found[_VIA][2:]
    metrics = dict(attributes_of(found.get(_METRICS, b""), 0))
    mtu = _mtu_of(interface)
    if _MTU in metrics:
        mtu = min(mtu, int.from_bytes(metrics[_MTU], "little"))
    return Hop(interface, next_hop, mtu)


def _mtu_of(interface: int) -> int:
    """Of an interface that has frames of Ethernet; others the program cannot read."""
    name = socket.if_indextoname(interface)
    request = _REQUEST.pack(name.encode())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        (hardware,) = struct.unpack_from("=H", fcntl.ioctl(sock, _GET_HARDWARE, request), 16)
        (mtu,) = struct.unpack_from("=i", fcntl.ioctl(sock, _GET_MTU, request), 16)
    if hardware != _ETHERNET:
        raise NoWay("loopback" if hardware == 772 else f"{name} has no Ethernet frames")
    if mtu <= 0:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return int(mtu)
