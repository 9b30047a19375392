"""What every process of a test needs: ports of its own, and an end when the tests are killed."""

from __future__ import annotations

import os
import socket

TETHER = ("setpriv", "--pdeathsig", "KILL")  # in front of a command: it does not outlive the tests

_LOW, _HIGH = 11000, 29000  # below the kernel's ephemeral range, so that nobody else picks them
_used: set[int] = set()


def _is_free(port: int) -> bool:
    if port in _used:
        return False
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def free_port(count: int = 1) -> int:
    """The first of `count` neighbouring ports that are free for UDP and TCP; given out once in a round."""
    for _ in range(2):
        for offset in range(_HIGH - _LOW):
            port = _LOW + (os.getpid() * 37 + len(_used) + offset) % (_HIGH - _LOW)
            if port + count <= _HIGH and all(_is_free(port + i) for i in range(count)):
                _used.update(range(port, port + count))
                return port
        _used.clear()
    raise AssertionError("no free port")
