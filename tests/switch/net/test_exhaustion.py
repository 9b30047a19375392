"""No descriptor left: what waits is refused, what is there goes on, and all is well again afterwards."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchroom.protocols import sip

from .desk import Address, Tcp, Udp, request

CHILD = Path(__file__).with_name("child_exhausted.py")
DESCRIPTORS = 128


@pytest.fixture
def child() -> Iterator[tuple[Address, Address]]:
    """The UDP and TCP address of a process that may have few descriptors."""
    command = ["prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}", sys.executable, str(CHILD)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        udp, tcp = map(int, process.stdout.readline().split())
        yield ("127.0.0.1", udp), ("127.0.0.1", tcp)
        assert process.poll() is None  # alive to the end
        process.terminate()


async def ask(phone: Udp, address: Address, method: str) -> list[int]:
    """Ask by UDP; refused connections, open ones, faults."""
    phone.send(request(method), address)
    answer = sip.parse(await phone.receive())
    return [int(number) for number in (answer.get("Subject") or "").split()]


async def test_accept_survives_having_no_descriptor(child: tuple[Address, Address]) -> None:
    udp, tcp = child
    with Udp() as phone:
        async with await Tcp.open(tcp, "127.0.0.2") as old:
            old.send(request(via="TCP 192.0.2.99:5060"))
            await old.receive()
            await ask(phone, udp, "PUBLISH")
            for i in range(20):
                assert await Tcp.is_refused(tcp, f"127.0.1.{1 + i}")
            refused, connections, faults = await ask(phone, udp, "OPTIONS")
            assert (refused, connections, faults) == (20, 1, 0)
            old.send(request(via="TCP 192.0.2.99:5060"))
            assert sip.parse(await old.receive()).status == 200
            await ask(phone, udp, "NOTIFY")
            async with await Tcp.open(tcp, "127.0.0.3") as new:
                new.send(request(via="TCP 192.0.2.99:5060"))
                assert sip.parse(await new.receive()).status == 200


async def test_connections_take_at_most_half_of_the_descriptors(child: tuple[Address, Address]) -> None:
    udp, tcp = child
    with Udp() as phone:
        async with contextlib.AsyncExitStack() as stack:
            for i in range(100):
                with contextlib.suppress(ConnectionError):
                    await stack.enter_async_context(await Tcp.open(tcp, f"127.0.1.{1 + i}"))
            refused, connections, faults = await ask(phone, udp, "OPTIONS")
            assert refused == 0
            assert (
                connections == DESCRIPTORS // 2 * 3 // 4
            )  # a quarter of the half is for those whom we trust
            assert faults == 0
