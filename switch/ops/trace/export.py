"""Copies of messages for a collector, by HEP over UDP: what the system cannot take at once is not sent."""

from __future__ import annotations

import socket

from switchroom.protocols import hep
from switchroom.protocols.sip import Flow
from switchroom.switch.config import split_address

from ..mask import mask

_BUFFER = 1 << 20  # octets that may wait in the socket


class Exporter:
    """One socket to one collector; never waits, never raises."""

    def __init__(self, address: str, capture_id: int, password: str) -> None:
        host, port = split_address(address)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self._address = (host, port)
        self._id, self._password = capture_id, password
        self.sent = self.lost = 0

    def send(self, at: float, direction: str, data: bytes, flow: Flow, correlation: str) -> None:
        """Send a copy of a message, without the proofs of who somebody is; ``at`` in seconds since 1970."""
        ends = (flow.local, flow.remote) if direction == "out" else (flow.remote, flow.local)
        payload = mask(data).encode("utf-8", "surrogateescape")
        try:
            packet = hep.encode(
                hep.Capture(at, flow.transport, *ends, payload, correlation), self._id, self._password
            )
            self._socket.sendto(packet, self._address)
            self.sent += 1
        except (OSError, ValueError):
            self.lost += 1

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
