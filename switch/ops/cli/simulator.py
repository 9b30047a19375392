"""What the commands of both simulators do: run until Ctrl-C, and take orders."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from switchroom.switch.sms.simulation.control import Orders


async def obey(orders: Orders, path: str) -> None:
    """Take orders from the standard input, and at a socket if there is to be one, until Ctrl-C."""
    from switchroom.switch.sms.simulation import Control

    control = Control(orders, typer.echo)
    if path:
        await control.listen(path)
    control.read_from(sys.stdin.fileno())
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    sys.stdout.flush()
    await ended.wait()
    control.close()
