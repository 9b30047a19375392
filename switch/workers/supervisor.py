"""The supervisor: makes the sockets, starts the workers, starts again who died, and speaks for all.

It owns what must outlive a worker: the listening sockets of all workers, each with its queue, the bus, the
lock on the store and the control socket. It handles no message, so a fault in a call cannot hurt it.
"""

from __future__ import annotations

import asyncio
import functools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from switchroom.switch.config import Config, split_listen
from switchroom.switch.net.bus import make_pair
from switchroom.switch.net.sockets import open_listener, open_udp
from switchroom.switch.ops.control import ControlServer
from switchroom.switch.ops.http import HttpServer
from switchroom.switch.ops.log import get_logger
from switchroom.switch.ops.records import RecordLines
from switchroom.switch.store import SqliteStore, lock_store

from .channel import Channel, Gone, Refused
from .child import Orders
from .merge import merge, merge_metrics

_MAX_GENERATION = 65536
_SHORT_LIFE = 10.0  # seconds: who dies sooner is started again after a pause that grows
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 30.0
_START_TIMEOUT = 60.0
_STOP_TIMEOUT = 15.0
_ASK_TIMEOUT = 9.0
_PING_INTERVAL = 5.0
_HANG_TIMEOUT = 30.0  # a loop that stood still for so long will not come back
_RECEIVE_BUFFER = 1 << 20


class WorkerFailed(OSError):  # noqa: N818 - what happened
    """A worker could not start; its words."""


class _Life:
    """One life of one worker: its process and the channel to it."""

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.process: subprocess.Popen[bytes] | None = None
        self.channel: Channel | None = None
        self.ready: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.began_at = time.monotonic()
        self.is_stopped = False
        self.tasks: list[asyncio.Future[Any]] = []

    def __str__(self) -> str:
        return f"pid {self.process.pid if self.process is not None else 0}, life {self.generation}"


class Supervisor:
    """N workers as one switch: ``start``, ``stop``, ``ask``."""

    def __init__(self, config: Config, count: int) -> None:
        self.config, self.count = config, count
        self.log = get_logger("supervisor")
        self._state = Path(config.switch.state_dir)
        self._secret, self._generation = b"", 1  # as the store has them: its identifiers stay known
        self._lives: dict[int, _Life] = {}
        self._readers: dict[int, int] = {}  # who reads for a worker that is dead
        self._lock = -1
        self._sockets: list[list[socket.socket]] = []
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._restarts: dict[int, asyncio.Task[None]] = {}
        self._failures: dict[int, int] = {}
        self._is_stopping = False
        self._is_draining = False
        self._watching: asyncio.Task[None] | None = None
        self.restarts = 0
        self.bound: list[tuple[str, str, int]] = []
        self.control = ControlServer(self._state / "control.sock", _Everything(self.ask))
        self.http = HttpServer(config.api.listen, _Pages(self))

    # -- life

    async def start(self) -> None:
        """Bring everything up; OSError and StoreError say what could not be had."""
        path = self._state / "switchroom.db"
        store = SqliteStore(path, RecordLines(self._state / "cdr.jsonl"))
        await asyncio.to_thread(self._recover, store)
        self._lock = lock_store(path)
        self._open_sockets()
        self._pairs = [make_pair() for _ in range(self.count)]
        await self.control.start()
        for slot in range(self.count):
            self._spawn(slot, self._generation % _MAX_GENERATION, None)
        await asyncio.gather(*(life.ready for life in self._lives.values()))
        await self.http.start()
        self._watching = asyncio.create_task(self._watch())
        self.log.info("supervisor.started", workers=self.count)

    async def stop(self) -> None:
        """End all calls with BYE, and all workers; the leader last: it writes the lines of all records."""
        self._is_stopping = True
        if self._watching is not None:
            self._watching.cancel()
        for task in self._restarts.values():
            task.cancel()
        await self.http.stop()
        await asyncio.gather(*(self._end(slot) for slot in list(self._lives) if slot))
        if 0 in self._lives:
            await self._end(0)
        await self.control.stop()
        for sock in [
            *(s for each in self._sockets for s in each),
            *(s for pair in self._pairs for s in pair),
        ]:
            sock.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _recover(self, store: SqliteStore) -> None:
        """Close what the last life of the switch left open, but for calls that its workers can go on with."""
        survive = self.config.calls.survive_restart
        with store:
            self._generation, self._secret = store.identity()
            count = store.records.recover(
                time.time(), restore=(lambda *left: left[2] < self.count) if survive else None
            )
        if count:
            self.log.warning("records.recovered", count=count)

    def _open_sockets(self) -> None:
        self._sockets = [[] for _ in range(self.count)]
        for transport, host, port in map(split_listen, self.config.sip.listen):
            _open(
                transport, host, port, is_shared=False
            ).close()  # else we might join those of another switch
            for slot in range(self.count):
                sock = _open(transport, host, port, is_shared=True)
                port = sock.getsockname()[1]
                self._sockets[slot].append(sock)
            self.bound.append((transport, host, port))

    # -- workers

    def _spawn(self, slot: int, generation: int, died_at: float | None) -> None:
        life = self._lives[slot] = _Life(generation)
        ours, theirs = socket.socketpair()
        fds = [[sock.fileno() for sock in each] for each in self._sockets]
        others = {n: pair[1].fileno() for n, pair in enumerate(self._pairs) if n != slot}
        inbox = self._pairs[slot][0].fileno()
        life.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "switchroom.switch.workers.child", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno(), inbox, *others.values(), *(fd for each in fds for fd in each)],
        )
        theirs.close()
        life.channel = Channel(functools.partial(self._on_message, slot, life), _no_questions)
        config = share_of(self.config, slot, self.count)
        orders = Orders(config, slot, generation, self.count, self._secret, inbox, others, fds, died_at)
        life.tasks = [asyncio.ensure_future(self._attend(slot, life, ours, orders))]

    async def _attend(self, slot: int, life: _Life, sock: socket.socket, orders: Orders) -> None:
        """One life of a worker, from its orders to its end."""
        assert life.channel is not None
        assert life.process is not None
        await life.channel.open(sock)
        life.channel.send("orders", orders)
        await life.channel.run()
        if life.process.poll() is None and not life.is_stopped:
            await asyncio.sleep(0.05)
            if life.process.poll() is None:
                life.process.kill()
        await asyncio.to_thread(life.process.wait)
        self._on_end(slot, life)

    def _on_message(self, slot: int, life: _Life, name: str, payload: Any) -> None:
        if name == "ready":
            if not life.ready.done():
                life.ready.set_result(None)
            self._readers.pop(slot, None)
            self._introduce()
        elif name == "failed" and not life.ready.done():
            life.is_stopped = True
            life.ready.set_exception(WorkerFailed(payload))
        elif name == "stopped":
            life.is_stopped = True

    def _introduce(self) -> None:
        """Tell all workers who is there, and who reads for whom."""
        alive = self._alive()
        peers = {slot: life.generation for slot, life in alive.items()}
        for life in alive.values():
            assert life.channel is not None
            life.channel.send("peers", (peers, dict(self._readers)))

    def _alive(self) -> dict[int, _Life]:
        return {
            slot: life
            for slot, life in sorted(self._lives.items())
            if life.ready.done() and not life.ready.exception()
        }

    def _on_end(self, slot: int, life: _Life) -> None:
        died_at = time.time()
        if self._lives.get(slot) is not life:
            return
        was_ready = life.ready.done() and not life.ready.exception()
        del self._lives[slot]
        if self._is_stopping:
            return
        status = life.process.returncode if life.process is not None else None
        self.log.error("worker.died", worker=slot, generation=life.generation, status=status)
        if not life.ready.done():
            life.ready.set_exception(WorkerFailed(f"worker {slot} ended with status {status}"))
        alive = self._alive()
        if alive and was_ready:
            self._readers[slot] = min(alive)
        for dead, reader in list(self._readers.items()):
            if reader == slot:  # the one that read for another died too
                self._readers[dead] = min(alive) if alive else -1
        self._introduce()
        self._restarts[slot] = asyncio.create_task(self._restart(slot, life, died_at))

    async def _restart(self, slot: int, life: _Life, died_at: float) -> None:
        if time.monotonic() - life.began_at < _SHORT_LIFE:
            failures = self._failures[slot] = self._failures.get(slot, 0) + 1
            if failures > 1:  # once at once: its calls wait
                await asyncio.sleep(min(_FIRST_PAUSE * 2 ** (failures - 2), _LONGEST_PAUSE))
        else:
            self._failures[slot] = 0
        self.restarts += 1
        self._spawn(slot, (life.generation + 1) % _MAX_GENERATION, died_at)
        try:
            await self._lives[slot].ready
        except WorkerFailed as error:
            self.log.error("worker.failed", worker=slot, reason=str(error))
            return  # its end follows, and the next attempt with it
        self.log.info("worker.restarted", worker=slot, seconds=round(time.time() - died_at, 3))
        if self._is_draining:
            await self.ask("drain")

    async def _end(self, slot: int) -> None:
        life = self._lives[slot]
        assert life.channel is not None
        assert life.process is not None
        life.is_stopped = True
        life.channel.send("stop")
        try:
            async with asyncio.timeout(_STOP_TIMEOUT):
                await asyncio.gather(*life.tasks, return_exceptions=True)
        except TimeoutError:
            life.process.kill()
            await asyncio.to_thread(life.process.wait)

    async def _watch(self) -> None:
        """Kill a worker that does not answer: its calls are lost, but those that come find another."""
        while True:
            await asyncio.sleep(_PING_INTERVAL)
            await asyncio.gather(*(self._ping(slot, life) for slot, life in self._alive().items()))

    async def _ping(self, slot: int, life: _Life) -> None:
        assert life.channel is not None
        assert life.process is not None
        try:
            await life.channel.ask("status", {}, _HANG_TIMEOUT)
        except TimeoutError:
            self.log.error("worker.hangs", worker=slot)
            life.process.kill()
        except (Gone, Refused):
            return

    # -- questions

    async def ask(self, name: str, /, **arguments: Any) -> Any:
        """Ask all workers and make one answer of theirs."""
        if name in ("drain", "undrain"):
            self._is_draining = name == "drain"
        alive = self._alive()
        answers = await self._ask_each(name, arguments)
        found = {slot: answer for slot, answer in answers.items() if not isinstance(answer, Exception)}
        if not found:
            refusals = [answer for answer in answers.values() if isinstance(answer, Refused)]
            raise refusals[0] if refusals else LookupError("no worker answers at present; they are starting")
        result = merge(list(found.values()))
        if name == "status":
            result["restarts"] = self.restarts
            result["workers"] = [
                f"{slot}: {alive[slot]}, {one['calls']} calls" for slot, one in found.items()
            ]
        return result

    async def _ask_each(self, name: str, arguments: dict[str, Any]) -> dict[int, Any]:
        alive = self._alive()
        answers = await asyncio.gather(
            *(life.channel.ask(name, arguments, _ASK_TIMEOUT) for life in alive.values() if life.channel),
            return_exceptions=True,
        )
        return dict(zip(alive, answers, strict=True))

    async def metrics(self) -> bytes:
        """One page for all workers."""
        pages = await self._ask_each("metrics page", {})
        own = (
            "# HELP switchroom_workers Workers that are there.\n# TYPE switchroom_workers gauge\n"
            f"switchroom_workers {len(self._alive())}\n"
            "# HELP switchroom_worker_restarts_total Workers that died and were started again.\n"
            "# TYPE switchroom_worker_restarts_total counter\n"
            f"switchroom_worker_restarts_total {self.restarts}\n"
        )
        return merge_metrics([page for page in pages.values() if isinstance(page, bytes)]) + own.encode()

    async def reload(self, config: Config) -> dict[str, Any]:
        """Give all workers another configuration, and those that start later too."""
        self.config = config
        alive = self._alive()
        answers = await asyncio.gather(
            *(
                life.channel.ask("reload", {"config": share_of(config, slot, self.count)}, _ASK_TIMEOUT)
                for slot, life in alive.items()
                if life.channel
            ),
            return_exceptions=True,
        )
        for answer in answers:
            if isinstance(answer, Refused):
                raise ValueError(str(answer.args[0]))
        return merge([answer for answer in answers if isinstance(answer, dict)]) or {"needs_restart": []}


class _Everything(dict[str, Callable[..., Any]]):
    """Whatever is asked goes to all workers: they know what they can answer."""

    def __init__(self, ask: Callable[..., Awaitable[Any]]) -> None:
        super().__init__()
        self._ask = ask

    def __missing__(self, name: str) -> Callable[..., Any]:
        return functools.partial(self._ask, name)


class _Pages:
    """The metrics of all workers."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    def render(self) -> Awaitable[bytes]:
        """The page as it is now."""
        return self._supervisor.metrics()


def share_of(config: Config, slot: int, count: int) -> Config:
    """The configuration of one worker: its share of the media ports, in pairs."""
    ports = config.media.port_range
    first = ports.start + ports.start % 2
    pairs = (ports.stop - first) // 2
    low, high = first + 2 * (pairs * slot // count), first + 2 * (pairs * (slot + 1) // count) - 1
    return config.model_copy(update={"media": config.media.model_copy(update={"ports": f"{low}-{high}"})})


def _open(transport: str, host: str, port: int, *, is_shared: bool) -> socket.socket:
    if transport == "udp":
        return open_udp(host, port, _RECEIVE_BUFFER, is_shared=is_shared)
    return open_listener(transport, host, port, is_shared=is_shared)


async def _no_questions(name: str, arguments: dict[str, Any]) -> Any:
    raise LookupError(name)
