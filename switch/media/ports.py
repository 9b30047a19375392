"""Pairs of UDP ports for media: RTP on an even one, RTCP on the next; RFC 3550 §11.

Sockets that a call gives back stay open and rest for a while, so that nothing late from the last call meets
the next one; then they serve again, which costs no system call. Nothing here searches: whatever is free lies
in a queue.
"""

from __future__ import annotations

import errno
import os
import resource
import struct
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._engine import Engine

MAX_PAIRS = 32768
_TRIES = 32  # ports in a row that other programs may hold
IDLE_TIMEOUT = 60.0
_CLOSED_AT_ONCE = 200
_LAST = 0xFFFFFFFF  # generation
_NOT_OURS = (errno.EADDRINUSE, errno.EACCES)


class NoPortsLeft(Exception):  # noqa: N818 - the word that its readers use
    """No pair of ports can be had: the range or the descriptors are used up; answer 503."""


class Pair:
    """Two bound ports, known to the engine as end ``index``."""

    __slots__ = ("generation", "host", "index", "port", "released_at", "user")

    def __init__(self, index: int, host: str, port: int) -> None:
        self.index = index
        self.host = host
        self.port = port
        self.generation = 0
        self.released_at = 0.0
        self.user: object = None  # whose it is


class _Host:
    """The ports of one local address."""

    __slots__ = ("again", "fresh", "resting")

    def __init__(self, ports: range) -> None:
        even = [port for port in ports if port % 2 == 0 and port + 1 in ports]
        # Not to be guessed by who wants to inject; the kernel is asked once, as a call waits for this
        places = struct.unpack(f"{len(even)}Q", os.urandom(8 * len(even)))
        self.fresh = deque([port for _, port in sorted(zip(places, even, strict=True))])
        self.resting: deque[Pair] = deque()  # open, the one that rested longest first
        self.again: set[int] = set()  # open, although they still stand in ``fresh``


class Ports:
    """All pairs of the switch, at most ``max_pairs`` open at once."""

    def __init__(
        self,
        sockets: Engine,
        ports: range,
        max_pairs: int,
        now: Callable[[], float],
        *,
        dscp: int = 46,
        quarantine: float = 1.0,
    ) -> None:
        self.in_use = 0
        self.dscp = dscp
        self._sockets = sockets
        self._range = ports
        self._now = now
        self._quarantine = quarantine
        self._indexes = list(reversed(range(max_pairs)))
        self._pairs: list[Pair | None] = [None] * max_pairs  # by index: those that are open
        self._hosts: dict[str, _Host] = {}
        self._generation = 0
        self._asked_at = 0.0  # when we asked last what time it is

    def user_of(self, index: int) -> object:
        """Return whose a pair is, or None."""
        pair = self._pairs[index]
        return None if pair is None else pair.user

    def users(self) -> list[object]:
        """Those who have pairs, each as often as it has one."""
        return [pair.user for pair in self._pairs if pair is not None and pair.user is not None]

    def take(self, host: str, user: object = None) -> Pair:
        """Return a pair on that local address; NoPortsLeft when there is none."""
        ports = self._hosts.get(host)
        if ports is None:
            ports = self._hosts[host] = _Host(self._range)
        return self._use(self._rested(ports) or self._open(host, ports), user)

    def take_again(self, host: str, port: int, user: object = None) -> Pair:
        """Return this very pair, which a call had in an earlier process; for the start."""
        ports = self._hosts.get(host)
        if ports is None:
            ports = self._hosts[host] = _Host(self._range)
        if not self._indexes:
            raise NoPortsLeft("all descriptors for media are in use")
        try:
            self._sockets.open(self._indexes[-1], host, port, self.dscp)
        except OSError as error:
            raise NoPortsLeft(str(error)) from error
        ports.again.add(port)
        return self._use(self._opened(host, port), user)

    def _opened(self, host: str, port: int) -> Pair:
        index = self._indexes.pop()
        pair = self._pairs[index] = Pair(index, host, port)
        return pair

    def _use(self, pair: Pair, user: object) -> Pair:
        pair.user = user
        self._generation = 1 if self._generation == _LAST else self._generation + 1
        pair.generation = self._generation
        self.in_use += 1
        return pair

    def give_back(self, pair: Pair) -> None:
        """A call is over, or needs it no more: the pair rests."""
        self._sockets.release(pair.index)
        pair.user = None
        pair.released_at = self._asked_at = self._now()
        ports = self._hosts[pair.host]
        ports.resting.append(pair)
        self.in_use -= 1

    def close_idle(self) -> bool:
        """Close some of what rested for long, so that a peak's sockets go in time; whether any still rest."""
        idle_since = self._now() - IDLE_TIMEOUT
        left = _CLOSED_AT_ONCE
        for ports in self._hosts.values():
            while left and ports.resting and ports.resting[0].released_at <= idle_since:
                self._close(ports, ports.resting.popleft())
                left -= 1
        return any(ports.resting for ports in self._hosts.values())

    def _rested(self, ports: _Host) -> Pair | None:
        if not ports.resting:
            return None
        first = ports.resting[0]
        rested_at = first.released_at + self._quarantine
        if rested_at > self._asked_at:  # else that is known already
            self._asked_at = self._now()
        return ports.resting.popleft() if rested_at <= self._asked_at else None

    def _open(self, host: str, ports: _Host) -> Pair:
        if not self._indexes and not self._close_elsewhere():
            raise NoPortsLeft("all descriptors for media are in use")
        for _ in range(min(_TRIES + len(ports.again), len(ports.fresh))):
            port = ports.fresh.popleft()
            if port in ports.again:
                ports.again.remove(port)  # it is open; when it closes it comes back
                continue
            try:
                self._sockets.open(self._indexes[-1], host, port, self.dscp)
            except OSError as error:
                ports.fresh.append(port)
                if error.errno in _NOT_OURS:
                    continue
                raise NoPortsLeft(str(error)) from error
            return self._opened(host, port)
        raise NoPortsLeft(f"all ports of {host} are in use")

    def _close_elsewhere(self) -> bool:
        """Another local address has idle sockets: their descriptors are wanted here."""
        for ports in self._hosts.values():  # as many as the machine has addresses
            pair = self._rested(ports)
            if pair is not None:
                self._close(ports, pair)
                return True
        return False

    def _close(self, ports: _Host, pair: Pair) -> None:
        self._sockets.close(pair.index)
        self._pairs[pair.index] = None
        self._indexes.append(pair.index)
        if pair.port in ports.again:
            ports.again.remove(pair.port)
        else:
            ports.fresh.append(pair.port)


def affordable_pairs(port_count: int) -> int:
    """Raise the soft limit of descriptors and return how many pairs it allows beside everything else."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (ValueError, OSError):  # a hard limit that the kernel does not grant after all
            pass
    if soft == resource.RLIM_INFINITY:
        return MAX_PAIRS
    reserve = min(4096, max(64, soft // 3))  # signalling, storage, API
    return max(1, min(MAX_PAIRS, (soft - reserve) // 2, max(port_count // 2, 1) * 8))
