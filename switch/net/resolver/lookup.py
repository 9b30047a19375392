"""One question on its way: over UDP to one name server after the other, over TCP for what is too long."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from switchroom.protocols.sip.locating import Question
from switchroom.switch.net.sockets import Readiness

from .wire import Answer, BadAnswer, Query, is_reply, is_truncated, read

Server = tuple[str, int]
OnAnswer = Callable[[Question, Answer | None, Server | None], None]

_RETRY_INTERVAL = 0.5  # seconds until the next server is asked, or the same again
_MAX_REPETITIONS = 2
_MAX_DATAGRAMS = 32  # that are looked at for one question: forgeries do not keep us busy
_LARGE = 4096  # octets; reading more than that takes a thread, so that the loop does not wait


@dataclass(slots=True)
class Allowance:
    """How many queries one location may still send, repetitions and all (THREATS D2)."""

    left: int = 10

    def take(self) -> bool:
        """One of them, if there is one left."""
        self.left -= 1
        return self.left >= 0


@dataclass(slots=True)
class LookupCounters:
    """Plain numbers since the start."""

    queries: int = 0
    answers: int = 0
    failures: int = 0
    bad_answers: int = 0


@dataclass(slots=True)
class _Attempt:
    server: Server
    query: Query
    sock: socket.socket
    readiness: Readiness


@dataclass(slots=True)
class Lookup:
    """Asks until there is an answer, no server is left or time is over; then calls back, once."""

    question: Question
    servers: Sequence[Server]
    allowance: Allowance
    counters: LookupCounters
    on_answer: OnAnswer
    _attempts: list[_Attempt] = field(default_factory=list)
    _refusals: int = 0
    _sent: int = 0
    _repeated: int = 0
    _received: int = 0
    _timers: list[asyncio.TimerHandle] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None
    _is_over: bool = False

    def start(self, timeout: float) -> None:
        """Send the first query."""
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_later(timeout, self._finish, None, None))
        self._attempt()

    def close(self) -> None:
        """Forget it; nobody is called."""
        self._is_over = True
        for attempt in self._attempts:
            attempt.readiness.close()
            attempt.sock.close()
        for timer in self._timers:
            timer.cancel()
        self._attempts.clear()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    def _attempt(self) -> None:
        """Ask the next server; repeat it in a moment."""
        if self._is_over or self._task is not None:
            return
        loop = asyncio.get_running_loop()
        if not self.allowance.take():
            if not self._attempts:  # else what is on its way may still be answered
                loop.call_soon(self._finish, None, None)
            return
        server = self.servers[self._sent % len(self.servers)]
        self._sent += 1
        query = Query.of(self.question)
        try:
            self._send(query, server)
        except OSError:
            loop.call_soon(self._refuse)  # not now: who asks is not ready for the answer
            return
        if self._repeated < _MAX_REPETITIONS:
            self._timers.append(loop.call_later(_RETRY_INTERVAL, self._repeat))

    def _repeat(self) -> None:
        self._repeated += 1
        self._attempt()

    def _send(self, query: Query, server: Server) -> None:
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            sock.connect(server)  # a port of its own for each query, and nobody else is heard
            sock.send(query.octets)
        except OSError:
            sock.close()
            raise
        self.counters.queries += 1
        attempt = _Attempt(server, query, sock, Readiness(sock, lambda: self._on_ready(attempt)))
        self._attempts.append(attempt)

    def _on_ready(self, attempt: _Attempt) -> None:
        try:
            octets = attempt.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:  # nobody listens there
            self._give_up(attempt)
            return
        self._received += 1
        if self._received > _MAX_DATAGRAMS:
            self._finish(None, None)
        elif is_reply(attempt.query, octets):
            if is_truncated(octets):
                self._ask_by_tcp(attempt)
            else:
                self._take(attempt, octets)

    def _take(self, attempt: _Attempt, octets: bytes) -> None:
        try:
            answer = read(attempt.query, octets)
        except BadAnswer:
            self.counters.bad_answers += 1  # forged, or broken; the true one may still come
            return
        if answer is None:
            self._give_up(attempt)
        else:
            self._finish(answer, attempt.server)

    def _give_up(self, attempt: _Attempt) -> None:
        """This server cannot answer: ask the next at once."""
        attempt.readiness.close()
        attempt.sock.close()
        self._attempts.remove(attempt)
        self._refuse()

    def _refuse(self) -> None:
        self._refusals += 1
        if self._refusals >= len(self.servers):
            self._finish(None, None)
        else:
            self._attempt()

    def _finish(self, answer: Answer | None, server: Server | None) -> None:
        if self._is_over:
            return
        self.close()
        if answer is None:
            self.counters.failures += 1
        else:
            self.counters.answers += 1
        self.on_answer(self.question, answer, server)

    # -- what does not fit into a datagram

    def _ask_by_tcp(self, attempt: _Attempt) -> None:
        if self._task is None and self.allowance.take():
            self._task = asyncio.get_running_loop().create_task(self._by_tcp(attempt))

    async def _by_tcp(self, attempt: _Attempt) -> None:
        answer = None
        try:
            octets = await self._exchange(attempt)
            if len(octets) > _LARGE:
                answer = await asyncio.to_thread(read, attempt.query, octets)
            else:
                answer = read(attempt.query, octets)
        except BadAnswer:
            self.counters.bad_answers += 1
        except (OSError, EOFError):
            pass
        self._finish(answer, attempt.server)

    async def _exchange(self, attempt: _Attempt) -> bytes:
        """Ask again over a connection (RFC 7766)."""
        reader, writer = await asyncio.open_connection(*attempt.server)
        try:
            self.counters.queries += 1
            octets = attempt.query.octets
            writer.write(len(octets).to_bytes(2, "big") + octets)
            size = int.from_bytes(await reader.readexactly(2), "big")
            return await reader.readexactly(size)
        finally:
            writer.close()
