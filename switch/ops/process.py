"""A process that serves: its loop, its collector, its limits, and what it tells systemd."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import socket
from contextlib import AbstractAsyncContextManager

from . import pages

_GC_THRESHOLDS = (10_000, 50, 1_000)  # often a little, hardly ever all: a long pause is heard


def loop_factory() -> type[asyncio.AbstractEventLoop]:
    """The quickest loop there is."""
    try:
        import uvloop
    except ImportError:  # not built for this machine: the same, slower
        return asyncio.SelectorEventLoop
    return uvloop.Loop


def pause_collector() -> None:
    """While it starts: nothing of what is made then is garbage, and calls may wait for it."""
    gc.disable()


def tune_collector() -> None:
    """After the start: few and short collections."""
    gc.enable()
    gc.freeze()  # what the start made stays for ever; a look for the rest would hold up calls
    gc.set_threshold(*_GC_THRESHOLDS)


def prepare() -> None:
    """Before the start: what is made from now on stays for long."""
    pause_collector()
    pages.take_large()


def settle() -> None:
    """After the start."""
    tune_collector()
    pages.make_large()


def run(serving: AbstractAsyncContextManager[object]) -> None:
    """Serve until SIGINT or SIGTERM."""

    async def until_told() -> None:
        told, loop = asyncio.Event(), asyncio.get_running_loop()
        for one in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(one, told.set)
        async with serving:
            await told.wait()

    raise_file_limit()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(until_told())


def raise_file_limit() -> None:
    """Each call has four sockets of media: take what the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def notify(state: str) -> None:
    """Tell systemd (sd_notify(3)): READY=1, RELOADING=1, STOPPING=1; without systemd nothing happens."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not place:
        return
    address = "\0" + place[1:] if place.startswith("@") else place
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.sendto(state.encode(), address)
        except OSError:
            return  # nobody listens any more: nothing depends on it
