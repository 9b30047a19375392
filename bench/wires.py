"""Network namespaces for benchmarks: phones behind two wires, and a wire between them for comparison.

    phones "left" 192.0.2.9 ---- 192.0.2.1 |        | 203.0.113.1 ---- 203.0.113.9 phones "right"
    phones "left" 198.51.100.1 -------------- direct -------------- 198.51.100.2 phones "right"

``enter()`` starts the program again in a namespace of its own, so that nothing outside is changed.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_INSIDE = "SWITCHROOM_BENCH_INSIDE"


class Place(NamedTuple):
    """Where phones of even and of odd number are, and our addresses on the way to them."""

    phones: tuple[str, str]
    ours: tuple[str, str]
    direct: tuple[str, str]
    namespaces: tuple[str, str] = ("", "")

    def hosts(self, *, is_direct: bool) -> str:
        """As rtp_traffic reads them."""
        hosts = self.direct if is_direct else self.phones
        return ",".join(f"{host}@{name}" for host, name in zip(hosts, self.namespaces, strict=True))

    def frames(self, *, is_direct: bool) -> str:
        """As rtp_frames reads them: where frames leave, and which card they are for."""
        hosts = self.direct if is_direct else self.phones
        one, other = self.namespaces
        cards = (
            (("direct", _hardware("direct", other)), ("direct", _hardware("direct", one)))
            if is_direct
            else (("wire", _hardware(one)), ("wire", _hardware(other)))
        )
        return ",".join(
            f"{host}@{name}/{interface}/{card}"
            for host, name, (interface, card) in zip(hosts, self.namespaces, cards, strict=True)
        )


LOOPBACK = Place(*([("127.0.0.1", "127.0.0.1")] * 3))
WIRES = Place(
    ("192.0.2.9", "203.0.113.9"),
    ("192.0.2.1", "203.0.113.1"),
    ("198.51.100.1", "198.51.100.2"),
    ("left", "right"),
)
SIX = WIRES._replace(
    phones=("2001:db8:1::9", "2001:db8:2::9"),
    ours=("2001:db8:1::1", "2001:db8:2::1"),
    direct=("2001:db8:3::1", "2001:db8:3::2"),
)


def enter() -> None:
    """Go on in a namespace of our own, with all wires up."""
    if _INSIDE not in os.environ:
        os.environ[_INSIDE] = "1"
        alone = ("unshare", "--net", "--mount", "--fork", "--kill-child")
        os.execvp(alone[0], (*alone, sys.executable, *sys.argv))
    run("mount -t tmpfs none /run", "ip link set lo up")
    os.makedirs("/run/netns", exist_ok=True)
    for name, four, six in zip(WIRES.namespaces, WIRES.ours, SIX.ours, strict=True):
        run(
            f"ip netns add {name}",
            f"ip link add name {name} type veth peer name wire netns {name}",
            f"ip link set {name} up",
            f"ip -n {name} link set lo up",
            f"ip -n {name} link set wire up",
        )
        _address("", name, four, six)
        _address(f"-n {name} ", "wire", four[:-1] + "9", six[:-1] + "9")
    run("ip -n left link add name direct type veth peer name direct netns right")
    for name, four, six in zip(WIRES.namespaces, WIRES.direct, SIX.direct, strict=True):
        run(f"ip -n {name} link set direct up")
        _address(f"-n {name} ", "direct", four, six)


def _address(where: str, name: str, four: str, six: str) -> None:
    run(f"ip {where}addr add {four}/24 dev {name}", f"ip {where}addr add {six}/64 dev {name} nodad")


def _hardware(interface: str, namespace: str = "") -> str:
    command = ["ip", "-j", *(["-n", namespace] if namespace else []), "link", "show", interface]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return str(found[0]["address"])


@contextmanager
def inside(name: str) -> Iterator[None]:
    """What is opened here belongs to this namespace."""
    with open("/proc/self/ns/net") as home, open(f"/run/netns/{name}") as there:
        _enter(there.fileno())
        try:
            yield
        finally:
            _enter(home.fileno())


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def run(*commands: str) -> None:
    for command in commands:
        subprocess.run(command.split(), check=True)
