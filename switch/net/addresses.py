"""Which of our addresses faces a remote host: the one to advertise to it, in SIP and in SDP."""

from __future__ import annotations

import socket

from .clock import Clock
from .readiness import Readiness
from .recent import Recent
from .routes import CHANGES, NetlinkRoutes, Route, Routes, SocketRoutes, open_netlink


class Addresses:
    """Route look-ups with a cache, which is emptied when the kernel reports that a route or an address changed.

    The cache holds hosts, not networks: a host route or a policy rule may treat neighbours differently.
    """

    def __init__(
        self, *, clock: Clock | None = None, routes: Routes | None = None, max_age: float = 60.0, size: int = 4096
    ) -> None:
        self._clock = clock or Clock()
        self._routes = routes or best_routes()
        self._max_age = max_age
        self._cache: Recent[str, Route] = Recent(size)
        self._forget_at = 0.0
        self._monitor: socket.socket | None = None
        self._readiness: Readiness | None = None
        self.misses = 0

    def local_for(self, remote_host: str) -> str:
        """Return our address on the way to a host; OSError when no way leads there, ValueError for a name."""
        return self._find(remote_host).source

    def is_local(self, host: str) -> bool:
        """Whether an address is this machine's."""
        try:
            return self._find(host).is_local
        except OSError:
            return False

    def start(self) -> None:
        """Hear of changes from the kernel; without the right to, what is cached still expires."""
        if self._monitor is None:
            try:
                self._monitor = open_netlink(CHANGES)
            except OSError:
                return
            self._readiness = Readiness(self._monitor, self._on_change)

    def stop(self) -> None:
        """Close what is open."""
        if self._readiness is not None:
            self._readiness.close()
        if self._monitor is not None:
            self._monitor.close()
        self._readiness = self._monitor = None
        self._routes.close()

    def _find(self, host: str) -> Route:
        now = self._clock.now()
        if now >= self._forget_at:  # all at once: cheaper than an age for each, and look-ups are quick
            self._cache.clear()
            self._forget_at = now + self._max_age
        route = self._cache.get(host)
        if route is None:
            route = self._routes.find(host)
            self._cache.put(host, route)
            self.misses += 1
        return route

    def _on_change(self) -> None:
        assert self._monitor is not None
        self._cache.clear()
        try:
            while self._monitor.recv(65536):
                pass
        except OSError:  # nothing more, or more than the queue held: either way the cache is empty
            return


def best_routes() -> Routes:
    """Netlink where it is permitted."""
    try:
        return NetlinkRoutes()
    except OSError:
        return SocketRoutes()
