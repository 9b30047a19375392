"""Run by test_addresses.py in a network namespace: what takes routes and queues that we may change."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop
from pyroute2 import IPRoute

from switchroom.protocols.sip import Flow
from switchroom.switch.net import Addresses, NetLimits
from switchroom.switch.net.limits import NetCounters
from switchroom.switch.net.udp import UdpListener

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.switch.net.desk import Desk, Log, Tcp, Udp, request  # run as a program, not as a test

_NODAD = 0x02  # IFA_F_NODAD: the address is usable at once


def configure() -> None:
    """Two networks on a pair of interfaces."""
    with IPRoute() as kernel:
        kernel.link("set", index=1, state="up")
        kernel.link("add", ifname="left", kind="veth", peer="right")
        for name in ("left", "right"):
            kernel.link("set", index=kernel.link_lookup(ifname=name)[0], state="up")
        left = kernel.link_lookup(ifname="left")[0]
        kernel.addr("add", index=left, address="192.0.2.1", prefixlen=24)
        kernel.addr("add", index=left, address="198.51.100.1", prefixlen=24)
        kernel.addr("add", index=left, address="2001:db8::1", prefixlen=64, flags=_NODAD)


def change() -> None:
    """Give a host another way, and us another address; in a thread, because IPRoute has a loop of its own."""
    with IPRoute() as kernel:
        left = kernel.link_lookup(ifname="left")[0]
        kernel.route("add", dst="192.0.2.7/32", oif=left, prefsrc="198.51.100.1")
        kernel.addr("add", index=left, address="203.0.113.1", prefixlen=24)


async def routes() -> None:
    addresses = Addresses(max_age=1e9)
    await addresses.start()
    assert addresses.local_for("192.0.2.7") == "192.0.2.1"
    assert addresses.local_for("198.51.100.7") == "198.51.100.1"
    assert addresses.local_for("2001:db8::7") == "2001:db8::1"
    assert addresses.is_local("198.51.100.1")
    assert not addresses.is_local("192.0.2.7")
    assert not addresses.is_local("203.0.113.1")
    with pytest.raises(OSError, match="unreachable"):
        addresses.local_for("203.0.113.7")
    await asyncio.to_thread(change)
    async with asyncio.timeout(5):
        while addresses.local_for("192.0.2.7") != "198.51.100.1":  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0)
        while not addresses.is_local("203.0.113.1"):  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert addresses.local_for("203.0.113.7") == "203.0.113.1"
    await addresses.stop()


def come_and_go(*, is_there: bool) -> None:
    with IPRoute() as kernel:
        left = kernel.link_lookup(ifname="left")[0]
        verb = "add" if is_there else "del"
        kernel.addr(verb, index=left, address="203.0.113.9", prefixlen=24)


async def listener() -> None:
    """A listener at an address that comes up, goes and comes again serves phones without a restart."""
    log = Log()
    addresses = Addresses(max_age=1e9, log=log)
    await addresses.start()
    listen = ("udp:203.0.113.9:5060", "tcp:203.0.113.9:5060", "udp:192.0.2.1:5060", "udp:[2001:db8::5]:5060")
    desk = Desk(*listen)
    async with desk:
        missing = [fields["listener"] for event, fields in desk.log.lines if event == "net.address_missing"]
        assert missing == [listen[0], listen[1], listen[3]], missing
        for _ in range(2):
            count = len(log.lines)
            await asyncio.to_thread(come_and_go, is_there=True)
            await until(lambda: len(log.lines) > count)  # noqa: B023
            assert log.lines[-1] == ("net.address_up", {"address": "203.0.113.9", "interface": "left"})
            assert addresses.is_local("203.0.113.9")
            with Udp("203.0.113.9") as phone:
                phone.send(request(), ("203.0.113.9", 5060))
                assert b"SIP/2.0 200" in await phone.receive()
            async with await Tcp.open(("203.0.113.9", 5060)) as caller:
                caller.send(request(via="TCP 203.0.113.9:5060"))
                assert b"SIP/2.0 200" in await caller.receive()
            flow = desk.face.flow_to("203.0.113.7", 5060)
            assert flow.local == ("203.0.113.9", 5060), flow
            assert desk.face.flow_to("192.0.2.7", 5060).local == ("192.0.2.1", 5060)
            count = len(log.lines)
            await asyncio.to_thread(come_and_go, is_there=False)
            await until(lambda: len(log.lines) > count)  # noqa: B023
            assert log.lines[-1] == ("net.address_down", {"address": "203.0.113.9", "interface": "left"})
            assert not addresses.is_local("203.0.113.9")
            with Udp("192.0.2.1") as phone:  # the others go on
                phone.send(request(), ("192.0.2.1", 5060))
                assert b"SIP/2.0 200" in await phone.receive()
    await addresses.stop()


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0.005)


def slow_down() -> None:
    """Let loopback pass 100 kB/s, so that a socket's send buffer fills."""
    with IPRoute() as kernel:
        kernel.tc("add", "tbf", index=1, handle=0x10000, rate="800kbit", burst=3000, limit=1_000_000)


async def queue() -> None:
    await asyncio.to_thread(slow_down)
    counters = NetCounters()
    listener = UdpListener(
        "127.0.0.1",
        0,
        on_datagrams=lambda batch: None,
        on_failures=lambda failures: None,
        limits=NetLimits(send_queue_size=60),
        counters=counters,
    )
    listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    listener.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as remote:
        remote.bind(("127.0.0.1", 0))
        remote.setblocking(False)
        flow = Flow("UDP", ("127.0.0.1", listener.port), remote.getsockname())
        for i in range(100):
            listener.outbox.append((b"%03d" % i + bytes(997), flow))
            if i % 10 == 9:
                listener.flush()
        dropped = counters.dropped["send_queue"]
        assert 0 < counters.datagrams_out < 40, counters
        assert dropped == 100 - 60 - counters.datagrams_out, counters
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            received = [int((await loop.sock_recv(remote, 2000))[:3]) for _ in range(100 - dropped)]
        assert received == list(range(100 - dropped)), received  # in order; the newest were dropped
        assert counters.datagrams_out == 100 - dropped
        listener.outbox.append((b"after", flow))
        listener.flush()
        async with asyncio.timeout(10):
            assert await loop.sock_recv(remote, 2000) == b"after"
    listener.close()


if __name__ == "__main__":
    configure()
    uvloop.run({"routes": routes, "queue": queue, "listener": listener}[sys.argv[1]]())
