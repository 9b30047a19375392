"""What this machine knows by itself: /etc/resolv.conf and /etc/hosts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from switchroom.protocols.sip.locating import Question, host_name
from switchroom.switch.config import split_address

RESOLV_CONF = Path("/etc/resolv.conf")
HOSTS = Path("/etc/hosts")
_MAX_SIZE = 1 << 20
_MAX_SERVERS = 3  # as the C library
_LOOPBACK = {"A": ("127.0.0.1",), "AAAA": ("::1",)}


class Places:
    """Both files, read again when they have changed; ``refresh`` looks."""

    def __init__(self, nameservers: list[str], resolv_conf: Path = RESOLV_CONF, hosts: Path = HOSTS) -> None:
        self._resolv_conf, self._hosts = resolv_conf, hosts
        self._seen: dict[Path, tuple[int, int]] = {}
        self._found: dict[Question, tuple[str, ...]] = {}
        self._names: set[str] = set()
        self._system_servers: list[tuple[str, int]] = []
        self.given = nameservers

    @property
    def servers(self) -> list[tuple[str, int]]:
        """Whom to ask, in order."""
        return [split_address(text) for text in self.given] or self._system_servers

    def find(self, question: Question) -> tuple[str, ...] | None:
        """What this machine says about a host itself; localhost is always here (RFC 6761 §6.3)."""
        name = question.name
        if question.kind == "SRV":  # what stands in this file has no services but its address
            name = name.split(".", 2)[-1]
        if name in self._names:
            return self._found.get(question, ())
        if name == "localhost" or name.endswith(".localhost"):
            return _LOOPBACK.get(question.kind, ())
        return None

    def refresh(self) -> None:
        """Read what has changed; it blocks, for a moment."""
        if self._has_changed(self._resolv_conf):
            self._system_servers = list(_nameservers(_lines(self._resolv_conf)))[:_MAX_SERVERS]
        if self._has_changed(self._hosts):
            self._found = _hosts(_lines(self._hosts))
            self._names = {question.name for question in self._found}

    def _has_changed(self, path: Path) -> bool:
        try:
            stat = os.stat(path)
        except OSError:
            state = (0, 0)
        else:
            state = (stat.st_mtime_ns, stat.st_size)
        has_changed = self._seen.get(path) != state
        self._seen[path] = state
        return has_changed


def _lines(path: Path) -> Iterator[list[str]]:
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_SIZE).decode("utf-8", "replace")
    except OSError:
        return
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) > 1:
            yield words


def _nameservers(lines: Iterator[list[str]]) -> Iterator[tuple[str, int]]:
    for key, value, *_ in lines:
        if key == "nameserver":
            address = _address(value)
            if address:
                yield address, 53


def _hosts(lines: Iterator[list[str]]) -> dict[Question, tuple[str, ...]]:
    found: dict[Question, tuple[str, ...]] = {}
    for address, *names in lines:
        plain = _address(address)
        if not plain:
            continue
        kind = "AAAA" if ":" in plain else "A"
        for name in names:
            host = host_name(name)
            if host is not None:
                question = Question(host, kind)
                found[question] = (*found.get(question, ()), plain)
    return found


def _address(text: str) -> str:
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    return text
