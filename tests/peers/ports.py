"""Ports for the processes of a test: below the kernel's ephemeral range, so that nobody else picks them."""

from __future__ import annotations

import itertools
import os
import socket

_LOW, _HIGH = 11000, 29000
_next = itertools.count(_LOW + (os.getpid() * 37) % (_HIGH - _LOW))


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def free_port(count: int = 1) -> int:
    """The first of `count` neighbouring ports that are free for UDP and TCP."""
    for number in _next:
        port = _LOW + (number - _LOW) % (_HIGH - _LOW - count)
        if all(_is_free(port + i) for i in range(count)):
            for _ in range(count - 1):
                next(_next)
            return port
    raise AssertionError("not reached")
