"""A callee for many calls at once: rings, answers, confirms BYE; a thread around one UDP socket."""

from __future__ import annotations

import socket
import threading

from .ports import free_port
from .raw import Headers, Message, Wire, audio, response_to
from .waiting import readable


class Answerer(threading.Thread):
    """Answers whatever comes; `seen` has the requests by method, `confirmed` the acknowledged Call-IDs."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        *,
        status: int = 200,
        is_ending: bool = True,
        wire: Wire | None = None,
    ) -> None:
        """``wire``: the socket of a phone that has registered; otherwise one of its own."""
        super().__init__(daemon=True)
        self._is_own = wire is None
        if wire is None:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            self.address = (host, free_port())
            self.socket.bind(self.address)
        else:
            self.socket, self.address = wire.socket, wire.address
        self.status, self.is_ending = status, is_ending
        self.headers: Headers = ()  # of refusals
        self.seen: dict[str, list[Message]] = {}
        self.confirmed: set[str] = set()
        self._is_over = False

    def __enter__(self) -> Answerer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self.join(5)
        if self._is_own:
            self.socket.close()

    def count(self, method: str) -> int:
        return len({m.get("call-id") for m in self.seen.get(method, [])})

    def run(self) -> None:
        while not self._is_over:
            if not readable([self.socket], 0.1):
                continue
            try:
                data, remote = self.socket.recvfrom(65536)
            except ConnectionError:
                continue
            if data.strip():
                self._answer(Message.parse(data), remote)

    def _answer(self, message: Message, remote: tuple[str, int]) -> None:
        if message.is_response:
            return
        self.seen.setdefault(message.method, []).append(message)
        tag = "answerer-" + message.get("call-id")[-8:]
        contact = ("Contact", f"<sip:answerer@{self.address[0]}:{self.address[1]}>")
        if message.method == "ACK":
            self.confirmed.add(message.get("call-id"))
        elif message.method == "INVITE" and self.status == 200:
            self.socket.sendto(response_to(message, 180, "Ringing", tag=tag, headers=[contact]), remote)
            body = audio(self.address[0], 39000)
            headers = [contact, ("Content-Type", "application/sdp")]
            self.socket.sendto(response_to(message, 200, "OK", tag=tag, headers=headers, body=body), remote)
        elif message.method == "INVITE":
            self.socket.sendto(response_to(message, self.status, tag=tag, headers=self.headers), remote)
        elif message.method != "BYE" or self.is_ending:
            self.socket.sendto(response_to(message, 200, "OK", tag=tag), remote)
