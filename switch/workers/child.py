"""A worker's process: one switch, told by the supervisor what to be, and asked by it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from switchroom.switch.config import Config
from switchroom.switch.net.bus import Line
from switchroom.switch.net.place import Place
from switchroom.switch.ops.control import answer
from switchroom.switch.ops.log import Handle, configure, get_logger
from switchroom.switch.ops.messages import message_lines

from .channel import Channel


@dataclass(frozen=True, slots=True)
class Orders:
    """What a worker is to be; sockets as the descriptors that it has inherited."""

    config: Config
    slot: int
    generation: int
    count: int
    secret: bytes
    inbox: int
    others: Mapping[int, int]
    sockets: Sequence[Sequence[int]]
    died_at: float | None


class Worker:
    """One life of a worker."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._channel = Channel(self._on_message, self._on_question)
        self._orders: asyncio.Future[Orders] = asyncio.get_running_loop().create_future()
        self._stop_asked = asyncio.Event()
        self._switch: Any = None
        self._logs: Handle | None = None

    async def run(self) -> None:
        """Serve until the supervisor says stop, or is gone."""
        from switchroom.switch.app import Switch  # while the supervisor writes the orders

        from ..ops.process import raise_file_limit, settle

        await self._channel.open(self._sock)
        reading = asyncio.ensure_future(self._channel.run())
        reading.add_done_callback(lambda _: self._on_gone())
        orders = await self._orders
        self._logs = configure(orders.config.log, worker=orders.slot)
        raise_file_limit()
        try:
            self._switch = Switch(orders.config, _place(orders))
            self._show_messages(orders.config)
            await self._switch.start()
        except Exception as error:  # noqa: BLE001 - whatever it is, the supervisor is to know
            self._channel.send("failed", f"{type(error).__name__}: {error}" if not str(error) else str(error))
            await asyncio.sleep(0.1)
            return
        settle()
        self._channel.send("ready", {"bound": self._switch.face.bound})
        await self._stop_asked.wait()
        await self._switch.stop()
        self._channel.send("stopped")
        await asyncio.sleep(0)
        self._logs.close()

    def _show_messages(self, config: Config) -> None:
        is_debug = config.log.level == "debug"
        records = self._switch.trace.ring.records
        self._switch.show_messages(message_lines(get_logger("serve"), records) if is_debug else None)

    def _on_gone(self) -> None:
        """Without the supervisor there is nobody to share the ports with: end in order."""
        self._stop_asked.set()
        if not self._orders.done():
            self._orders.cancel()

    def _on_message(self, name: str, payload: Any) -> None:
        if name == "orders":
            self._orders.set_result(payload)
        elif name == "stop":
            self._stop_asked.set()
        elif name == "peers" and self._switch is not None:
            self._switch.neighbours.meet(*payload)

    async def _on_question(self, name: str, arguments: dict[str, Any]) -> Any:
        if self._switch is None:
            raise LookupError("the worker is starting")
        if name == "reload":
            config = arguments["config"]
            waiting = await self._switch.reload(config)
            if self._logs is not None:
                self._logs.apply(config.log)
            self._show_messages(config)
            return {"needs_restart": waiting}
        if name == "metrics page":
            return self._switch.metrics.render()
        result = await answer(
            self._switch.control.handlers, name, arguments, is_leader=self._switch.bus.is_leader
        )
        return result if isinstance(result, dict | list | str | int | float | None) else list(result)


def _place(orders: Orders) -> Place:
    opened = {number: socket.socket(fileno=number) for each in orders.sockets for number in each}
    for sock in opened.values():
        sock.setblocking(False)
    inbox = socket.socket(fileno=orders.inbox)
    others = {slot: socket.socket(fileno=number) for slot, number in orders.others.items()}
    for sock in (inbox, *others.values()):
        sock.setblocking(False)
    return Place(
        orders.slot,
        orders.generation,
        orders.count,
        orders.secret,
        Line(inbox, others),
        [[opened[number] for number in each] for each in orders.sockets],
        orders.died_at,
    )


def main() -> None:
    """What the supervisor executes: the descriptor of the channel is the only argument."""
    os.umask(0o077)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)  # a signal to the group is for the supervisor
    from ..ops.process import loop_factory, prepare

    prepare()
    sock = socket.socket(fileno=int(sys.argv[1]))
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_live(sock))


async def _live(sock: socket.socket) -> None:
    await Worker(sock).run()


if __name__ == "__main__":
    main()
