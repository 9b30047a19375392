"""The bus between the workers of one switch: messages for another's calls, and news that all should have.

Each worker reads one SEQPACKET socket pair, to whose other end all others write. The supervisor made it, so
it outlives the worker, and what waits in it is read by the next one. A message on it carries many frames: a
system call costs more than a frame. When a worker does not read, up to ``MAX_WAITING`` octets wait for it
here; then what comes is dropped and counted: whoever sent a datagram repeats it, and a worker that is away
for so long is killed and begins with what the store has.

News are pickled: both ends of the socket pair are ours, and it has no name by which others could open it.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
import struct
from collections import Counter, deque
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple

import structlog

from switchroom.protocols.sip.flow import Flow

from .backlog import is_new

MAX_WAITING = 8 << 20  # octets for one worker
MAX_FRAME = 1 << 19
_MAX_BATCH = 60_000  # octets of a message: larger ones are made of pages, which costs more
_BUFFER = 4 << 20  # of the kernel, for one worker
_READS_A_TURN = 64
_RAPID = 8  # wake-ups in a row that are no further apart than a tick
TICK = 0.001  # seconds that a message may wait for others, when they come fast
_SO_SNDBUFFORCE = 32
_HEAD = struct.Struct("<BBHI")  # kind, slot of the sender, octets of the first part, octets of all

log = structlog.get_logger("net")


class Kind(IntEnum):
    """What a frame is."""

    MESSAGE = 1  # came here, is yours: flow, octets
    SEND = 2  # send it over your connection: flow, octets
    FAILED = 3  # a connection of mine is closed: flow, reason
    NEWS = 4  # topic, pickled


class Frame(NamedTuple):
    """One frame as it came."""

    kind: int
    slot: int  # whose
    first: bytes
    rest: bytes


class Line(NamedTuple):
    """Our ends of the bus: what we read, and what each other worker reads."""

    inbox: socket.socket
    others: Mapping[int, socket.socket]


class Bus:
    """One worker's end; with no line it is alone and everything here costs nothing."""

    def __init__(self, slot: int = 0, line: Line | None = None) -> None:
        self.slot = slot
        self.line = line
        self.is_alone = line is None
        self.is_leader = slot == 0  # does what only one may do
        self.counters: Counter[str] = Counter()
        self.on_frames: Callable[[list[Frame]], None] = self._tell_all
        self.on_lost: list[Callable[[int], None]] = []  # called with the slot of a worker that died
        self.on_found: list[Callable[[int], None]] = []  # ... of one that is there (again)
        self._topics: dict[str, list[Callable[[Any, int], None]]] = {}
        self._ways = {} if line is None else {slot: _Way(sock, self) for slot, sock in line.others.items()}
        self._buffer = memoryview(bytearray(MAX_FRAME + _MAX_BATCH) if line else b"")
        self._flush_soon: asyncio.Handle | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._woken_at = 0.0
        self._rapid_wakes = 0

    # -- life

    def start(self) -> None:
        """Begin to read; first what waited for the last life."""
        if self.line is not None:
            while self._take(is_stale=True):
                pass
            asyncio.get_running_loop().add_reader(self.line.inbox.fileno(), self._on_readable)

    def stop(self) -> None:
        """Send what waits, as far as it goes, and read no more."""
        if self.line is None:
            return
        if self._tick is not None:
            self._tick.cancel()
        asyncio.get_running_loop().remove_reader(self.line.inbox.fileno())
        self.flush()
        for way in self._ways.values():
            way.stop()
        if self._flush_soon is not None:
            self._flush_soon.cancel()

    # -- news

    def publish(self, topic: str, payload: Any) -> None:
        """Tell all other workers."""
        if self.line is None:
            return
        self._put_all(Kind.NEWS, topic.encode(), pickle.dumps(payload, pickle.HIGHEST_PROTOCOL))

    def send(self, slot: int, topic: str, payload: Any) -> None:
        """Tell one other worker."""
        if slot in self._ways:
            self._put(slot, Kind.NEWS, topic.encode(), pickle.dumps(payload, pickle.HIGHEST_PROTOCOL))

    def subscribe(self, topic: str, hear: Callable[[Any, int], None]) -> None:
        """Hear what others publish: the payload, and the slot of who did."""
        self._topics.setdefault(topic, []).append(hear)

    def tell(self, frame: Frame) -> None:
        """Hand news to those who want to hear of it; nothing else comes here."""
        hearers = self._topics.get(frame.first.decode())
        if hearers:
            payload = pickle.loads(frame.rest)
            for hear in hearers:
                hear(payload, frame.slot)

    # -- messages

    def forward(self, slot: int, data: bytes, flow: Flow) -> None:
        """Give a message to the worker whose it is."""
        self.counters["forwarded"] += 1
        self._put(slot, Kind.MESSAGE, pack_flow(flow), data)

    def send_over(self, data: bytes, flow: Flow) -> bool:
        """Have a message sent over a connection of another worker; False when there is none such."""
        slot = flow.connection >> 40
        if slot == self.slot or slot not in self._ways:
            return False
        self.counters["sent_over"] += 1
        self._put(slot, Kind.SEND, pack_flow(flow), data)
        return True

    def tell_closed(self, flow: Flow, reason: str) -> None:
        """A connection of ours is closed: others may have used it."""
        if self.line is not None:
            self._put_all(Kind.FAILED, pack_flow(flow), reason.encode())

    def flush(self) -> None:
        """Send what was put: once for a pass."""
        for way in self._ways.values():
            if way.frames:
                way.flush()

    def lost(self, slot: int) -> None:
        """The supervisor says that a worker died."""
        for hear in self.on_lost:
            hear(slot)

    def found(self, slot: int) -> None:
        """The supervisor says that a worker is there, for the first time or again."""
        for hear in self.on_found:
            hear(slot)

    def _put_all(self, kind: Kind, first: bytes, rest: bytes) -> None:
        for slot in self._ways:
            self._put(slot, kind, first, rest)

    def _put(self, slot: int, kind: Kind, first: bytes, rest: bytes) -> None:
        size = len(first) + len(rest)
        if size > MAX_FRAME:
            self.counters["dropped"] += 1
            log.error("bus.frame_too_large", kind=kind.name, size=size)
            return
        self._ways[slot].put(_HEAD.pack(kind, self.slot, len(first), size), first, rest)
        if self._flush_soon is None:
            self._flush_soon = asyncio.get_running_loop().call_soon(self._on_flush_soon)

    def _on_flush_soon(self) -> None:
        self._flush_soon = None
        self.flush()

    # -- reading

    def catch_up(self) -> None:
        """Hear what others said before now, so that what comes of their answers is not taken before it.

        A phone registered at one worker may call through another at once: both wake up for the same moment.
        """
        if self.line is not None:
            self._take()

    def _on_readable(self) -> None:
        """While messages come fast, take what a tick brought, as with UDP: each wake-up costs much."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._rapid_wakes = self._rapid_wakes + 1 if now - self._woken_at <= TICK else 0
        self._woken_at = now
        self._take()
        if self._rapid_wakes >= _RAPID and self.line is not None:
            loop.remove_reader(self.line.inbox.fileno())
            self._tick = loop.call_later(TICK, self._on_tick)

    def _on_tick(self) -> None:
        assert self.line is not None
        loop = asyncio.get_running_loop()
        if self._take():
            self._tick = loop.call_later(TICK, self._on_tick)
        else:
            self._tick, self._rapid_wakes = None, 0
            loop.add_reader(self.line.inbox.fileno(), self._on_readable)

    def _take(self, *, is_stale: bool = False) -> int:
        assert self.line is not None
        frames: list[Frame] = []
        for _ in range(_READS_A_TURN):
            try:
                size = self.line.inbox.recv_into(self._buffer)
            except (BlockingIOError, InterruptedError):
                break
            frames += _frames(bytes(self._buffer[:size]))
        if frames:
            self.counters["received"] += len(frames)
            self.on_frames([frame for frame in frames if not _is_repeated(frame)] if is_stale else frames)
        return len(frames)

    def _tell_all(self, frames: list[Frame]) -> None:
        for frame in frames:
            if frame.kind == Kind.NEWS:
                self.tell(frame)


def _is_repeated(frame: Frame) -> bool:
    """Whether a frame that waited is left to its repetitions: another worker may have begun them already.

    Over UDP each request that begins something is repeated until it is answered (RFC 3261 §17.1).
    """
    return frame.kind == Kind.MESSAGE and is_new(frame.rest) and not unpack_flow(frame.first).is_reliable


class _Way:
    """To one other worker."""

    __slots__ = ("_bus", "_loop", "_socket", "_waiting", "_waiting_size", "frames", "size")

    def __init__(self, sock: socket.socket, bus: Bus) -> None:
        self._socket, self._bus = sock, bus
        self._loop: asyncio.AbstractEventLoop | None = None  # while the socket is watched
        self._waiting: deque[bytes] = deque()
        self._waiting_size = 0
        self.frames: list[bytes] = []
        self.size = 0

    def put(self, *parts: bytes) -> None:
        """Put a frame into the next message."""
        size = sum(map(len, parts))
        if self.size and self.size + size > _MAX_BATCH:
            self.flush()
        self.frames += parts
        self.size += size

    def flush(self) -> None:
        """Send the frames as one message, or queue it behind what waits."""
        message, self.frames, self.size = b"".join(self.frames), [], 0
        if not self._waiting and self._send(message):
            return
        if self._waiting_size + len(message) > MAX_WAITING:
            self._bus.counters["dropped"] += 1
            return
        self._waiting.append(message)
        self._waiting_size += len(message)
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_writer(self._socket.fileno(), self._on_writable)

    def stop(self) -> None:
        """Watch no more."""
        if self._loop is not None:
            self._loop.remove_writer(self._socket.fileno())
            self._loop = None

    def _on_writable(self) -> None:
        while self._waiting and self._send(self._waiting[0]):
            self._waiting_size -= len(self._waiting.popleft())
        if not self._waiting:
            self.stop()

    def _send(self, message: bytes) -> bool:
        try:
            self._socket.send(message)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:  # the supervisor is gone: so are we, soon
            self._bus.counters["dropped"] += 1
            log.debug("bus.failed", reason=os.strerror(error.errno or 0))
        return True


def _frames(message: bytes) -> list[Frame]:
    found, at, end = [], 0, len(message)
    while at < end:
        kind, slot, first_size, size = _HEAD.unpack_from(message, at)
        at += _HEAD.size
        middle = at + first_size
        found.append(Frame(kind, slot, message[at:middle], message[middle : at + size]))
        at += size
    return found


def make_pair() -> tuple[socket.socket, socket.socket]:
    """What one worker reads, and what the others write to."""
    inbox, outbox = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for sock in (inbox, outbox):
        sock.setblocking(False)
    try:
        outbox.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _BUFFER)
    except PermissionError:
        outbox.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    return inbox, outbox


@lru_cache(maxsize=8192)
def pack_flow(flow: Flow) -> bytes:
    """A flow as it goes over the bus."""
    (local, local_port), (remote, remote_port) = flow.local, flow.remote
    fields = (flow.transport, local, local_port, remote, remote_port, flow.connection, flow.name)
    return "\t".join(map(str, fields)).encode()


@lru_cache(maxsize=8192)
def unpack_flow(packed: bytes) -> Flow:
    """The flow again."""
    transport, local, local_port, remote, remote_port, connection, name = packed.decode().split("\t")
    return Flow(transport, (local, int(local_port)), (remote, int(remote_port)), int(connection), name)
