"""Sound as an endpoint makes it: numbered RTP packets of one stream, and what came back."""

from __future__ import annotations

import random
import socket
import struct
import time

from .waiting import readable


def packet(sequence: int, timestamp: int, ssrc: int, payload: bytes, payload_type: int = 0) -> bytes:
    return (
        struct.pack("!BBHII", 0x80, payload_type, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload
    )


class Sound:
    """One end of an RTP stream: a UDP socket, and the next one for RTCP."""

    def __init__(self, host: str = "127.0.0.1", mark: bytes = b"") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        while True:
            self.socket = socket.socket(family, socket.SOCK_DGRAM)
            self.control = socket.socket(family, socket.SOCK_DGRAM)
            self.socket.bind((host, 0))
            self.port = self.socket.getsockname()[1]
            try:
                self.control.bind((host, self.port + 1))
                if self.port % 2 == 0:
                    break
            except OSError:
                pass
            self.close()
        for one in (self.socket, self.control):
            one.setblocking(False)
        self.host = host
        self.remote: tuple[str, int] = ("", 0)
        self.ssrc = random.getrandbits(32)
        self.sequence = random.randrange(1000)
        self.mark = (mark or self.ssrc.to_bytes(4, "big")).ljust(160, b"\xff")
        self.heard: list[bytes] = []

    def close(self) -> None:
        self.socket.close()
        self.control.close()

    def __enter__(self) -> Sound:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def next_packet(self) -> bytes:
        self.sequence += 1
        return packet(self.sequence, self.sequence * 160, self.ssrc, self.mark)

    def send(self, count: int = 1, interval: float = 0.002) -> None:
        """Packets of the stream, faster than a real one."""
        for _ in range(count):
            self.socket.sendto(self.next_packet(), self.remote)
            time.sleep(interval)

    def send_raw(self, data: bytes) -> None:
        self.socket.sendto(data, self.remote)

    def receive(self, count: int = 1, timeout: float = 1.0) -> int:
        """Take packets until there are that many or the time is over; how many there are in `heard` now."""
        until = time.monotonic() + timeout
        while len(self.heard) < count:
            ready = readable([self.socket], max(0.0, until - time.monotonic()))
            if not ready:
                break
            self.heard.append(self.socket.recv(2048))
        return len(self.heard)

    def drain(self, quiet: float = 0.15) -> list[bytes]:
        """Everything that comes until nothing comes for a while."""
        while readable([self.socket], quiet):
            self.heard.append(self.socket.recv(2048))
        return self.heard

    def heard_with(self, mark: bytes) -> int:
        """How many of the packets heard carry that mark in their payload."""
        return sum(data[12 : 12 + len(mark)] == mark for data in self.heard)
