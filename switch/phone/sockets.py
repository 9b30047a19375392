"""A pair of UDP sockets for one stream: RTP on an even port, RTCP on the next; RFC 3550 §11."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

__all__ = ["RtpSockets"]

_TRIES = 100
_BATCH = 64  # datagrams read at one wake-up
_MAX_SIZE = 2048  # a longer datagram is no voice packet: it arrives cut and fails its checks

Receive = Callable[[bytes, tuple[str, int]], None]


class RtpSockets:
    """Two non-blocking sockets in the running loop."""

    def __init__(self, host: str, receive_rtp: Receive, receive_rtcp: Receive) -> None:
        self._rtp, self._rtcp = _bind_pair(host)
        self.port: int = self._rtp.getsockname()[1]
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._rtp, _read, self._rtp, receive_rtp)
        self._loop.add_reader(self._rtcp, _read, self._rtcp, receive_rtcp)

    def send_rtp(self, data: bytes, remote: tuple[str, int]) -> bool:
        return _send(self._rtp, data, remote)

    def send_rtcp(self, data: bytes, remote: tuple[str, int]) -> bool:
        return _send(self._rtcp, data, remote)

    def close(self) -> None:
        """Leave the loop and free the ports; a second time does nothing."""
        for sock in (self._rtp, self._rtcp):
            if sock.fileno() >= 0:
                self._loop.remove_reader(sock)
                sock.close()


def _bind_pair(host: str) -> tuple[socket.socket, socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(_TRIES):
        rtp = _bind(family, host, 0)
        port = rtp.getsockname()[1]
        if port % 2 == 0:
            try:
                return rtp, _bind(family, host, port + 1)
            except OSError:  # somebody has that one
                rtp.close()
        else:
            rtp.close()
    raise OSError(f"no pair of free UDP ports on {host}")


def _bind(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def _read(sock: socket.socket, receive: Receive) -> None:
    for _ in range(_BATCH):
        if sock.fileno() < 0:
            return  # what came before made the owner close
        try:
            data, remote = sock.recvfrom(_MAX_SIZE)
        except BlockingIOError:
            return
        except OSError:
            continue  # an ICMP error of something sent earlier
        receive(data, remote[:2])


def _send(sock: socket.socket, data: bytes, remote: tuple[str, int]) -> bool:
    try:
        sock.sendto(data, remote)
    except OSError:  # full buffer, ICMP error, no route: a lost packet like any other
        return False
    return True
