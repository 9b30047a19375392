"""A media plane among network namespaces, and phones that live in them; for what test_kernel.py runs."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack

from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane
from tests.peers.child_networks import inside, network, run

from .phones import Call, Phone, rtp

Case = Callable[[], Coroutine[None, None, None]]
Cases = dict[str, Case]
OURS = {"left": "192.0.2.1", "right": "203.0.113.1", "six": "2001:db8:1::1", "seven": "2001:db8:2::1"}
THEIRS = {"left": "192.0.2.9", "right": "203.0.113.9", "six": "2001:db8:1::9", "seven": "2001:db8:2::9"}
STRANGER = "192.0.2.66"


def local_for(toward: str) -> str:
    for name, ours in OURS.items():
        if toward.rpartition(THEIRS[name][-1])[0] == ours[:-1]:
            return ours
    raise OSError(f"no way leads to {toward}")


class House:
    """A plane, and phones that live in other namespaces."""

    def __init__(self, **media: object) -> None:
        self.ended: list[object] = []
        config = MediaConfig.model_validate({"ports": "30000-39999", "transcode": [], **media})
        self.plane = MediaPlane(config, local_for, self.ended.append, quarantine=0.0)
        self._stack = ExitStack()

    async def __aenter__(self) -> House:
        self.plane.start(asyncio.get_running_loop())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stack.close()
        self.plane.stop()

    def phone(self, name: str, host: str = "") -> Phone:
        with inside(name):
            return self._stack.enter_context(Phone(host or THEIRS[name]))

    def call(self, one: str = "left", other: str = "right", **kind: bool) -> Call:
        return Call(self.plane, self.phone(one), self.phone(other), **kind).set_up()

    def kernel_streams(self) -> int:
        return self.plane.engine.read_totals().kernel_streams


async def until(is_so: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110 - another thread's counters
            await asyncio.sleep(0.002)


class Talk:
    """A phone that speaks at a steady pace, in a thread, and another one that listens."""

    def __init__(self, speaker: Phone, listener: Phone, *, interval: float = 0.002, first: int = 1) -> None:
        self.sent: list[int] = []
        self.heard: list[int] = []
        self._speaker, self._listener, self._interval, self._seq = speaker, listener, interval, first
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=each) for each in (self._speak, self._listen)]
        for thread in self._threads:
            thread.start()

    def _speak(self) -> None:
        while not self._is_over.is_set():
            self.sent.append(self._seq)
            self._speaker.say(rtp(self._seq))
            self._seq += 1
            time.sleep(self._interval)

    def _listen(self) -> None:
        self._listener.rtp.settimeout(0.3)
        while True:
            try:
                self.heard.append(int.from_bytes(self._listener.rtp.recv(2048)[2:4], "big"))
            except TimeoutError:
                if self._is_over.is_set():
                    return

    async def stop(self) -> None:
        self._is_over.set()
        await asyncio.to_thread(lambda: [thread.join() for thread in self._threads])


async def warm(house: House, call: Call, count: int = 60, streams: int = 2) -> None:
    """Speak to each other until the kernel has taken over."""
    for seq in range(count):
        call.a.say(rtp(seq))
        call.b.say(rtp(seq))
        await asyncio.sleep(0.001)
    for phone in (call.a, call.b):
        for _ in range(count):
            phone.hear()
    await until(lambda: house.kernel_streams() == streams)


def received(sock: socket.socket) -> list[bytes]:
    """All that is there."""
    sock.setblocking(False)
    found = []
    while True:
        try:
            found.append(sock.recv(2048))
        except BlockingIOError:
            return found


def run_case(case: Case) -> None:
    """Make the networks, and run a case in the middle of them."""
    run("mount -t tmpfs none /run", "ip link set lo up")
    os.makedirs("/run/netns", exist_ok=True)
    for name, ours in OURS.items():
        size = 64 if ":" in ours else 24
        network(name, f"{ours}/{size}", f"{THEIRS[name]}/{size}")
    run(f"ip -n left addr add {STRANGER}/24 dev wire")
    asyncio.run(case())
