"""Which addresses this machine has at present, asked of the kernel by netlink."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple

# netlink(7), rtnetlink(7); a library for these few would cost the start of the switch 0.1 s
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
RTM_NEWLINK, RTM_GETLINK, RTM_NEWADDR, RTM_GETADDR = 16, 18, 20, 22

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence number, port
_ADDRESS = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index of the link
_LINK = struct.Struct("=BxHiII")  # family, type, index, flags, changed flags
_ATTRIBUTE = struct.Struct("=HH")
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_IFLA_IFNAME = 3
_IFF_UP, _IFF_RUNNING = 0x1, 0x40
_UNUSABLE = 0x40 | 0x08  # IFA_F_TENTATIVE: another host may have it; IFA_F_DADFAILED: it does
_BUFFER = 1 << 16


class Interface(NamedTuple):
    """A network interface."""

    name: str
    is_up: bool  # administratively, and with a carrier


def list_addresses(sock: socket.socket) -> dict[str, str]:
    """Return the usable addresses, each with its interface; a link-local one says it after a %."""
    links = {}
    for body in _dump(sock, RTM_GETLINK, RTM_NEWLINK):
        _, _, index, flags, _ = _LINK.unpack_from(body)
        name = next((v for kind, v in attributes_of(body, _LINK.size) if kind == _IFLA_IFNAME), b"")
        is_up = flags & (_IFF_UP | _IFF_RUNNING) == _IFF_UP | _IFF_RUNNING
        links[index] = Interface(name.rstrip(b"\0").decode(errors="replace"), is_up)
    found = {}
    for body in _dump(sock, RTM_GETADDR, RTM_NEWADDR):
        _, _, flags, _, index = _ADDRESS.unpack_from(body)
        attributes = dict(attributes_of(body, _ADDRESS.size))
        packed = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)  # on IPv4 the other is the peer's
        if _IFA_FLAGS in attributes:
            flags = int.from_bytes(attributes[_IFA_FLAGS], "little")
        link = links.get(index)
        if packed is None or link is None or not link.is_up or flags & _UNUSABLE:
            continue
        address = ip_address(packed)
        found[
            f"{address}%{link.name}" if address.is_link_local and address.version == 6 else str(address)
        ] = link.name
    return found


def _dump(sock: socket.socket, question: int, kind: int) -> Iterator[bytes]:
    """The bodies of what the kernel answers; it does so within the calls, so that reading never waits."""
    body = bytes(_LINK.size)  # of either question: all families, all links
    sock.send(_HEADER.pack(_HEADER.size + len(body), question, NLM_F_REQUEST | NLM_F_DUMP, 0, 0) + body)
    while True:
        data = sock.recv(_BUFFER)
        at = 0
        while at + _HEADER.size <= len(data):
            size, type_, _, _, _ = _HEADER.unpack_from(data, at)
            if type_ == NLMSG_DONE:
                return
            if type_ == NLMSG_ERROR or size < _HEADER.size:
                raise OSError("netlink refuses to list addresses")
            if type_ == kind:
                yield data[at + _HEADER.size : at + size]
            at += (size + 3) & ~3


def attributes_of(body: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Type and value of what follows the fixed part of a message."""
    while at + _ATTRIBUTE.size <= len(body):
        size, kind = _ATTRIBUTE.unpack_from(body, at)
        if size < _ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, body[at + _ATTRIBUTE.size : at + size]
        at += (size + 3) & ~3
