"""What leaves is the same whether each port's own socket sends it or one raw socket does for all."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable

import pytest

from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane

from .conftest import local_for
from .phones import Call, Phone, rtp

IP_RECVTTL = 12  # of Linux; the module has no name for it


def may_send_raw() -> bool:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW).close()
    except PermissionError:
        return False
    return True


needs_raw = pytest.mark.skipif(not may_send_raw(), reason="no CAP_NET_RAW")


@pytest.fixture(params=[pytest.param(True, marks=needs_raw), False], ids=["raw", "plain"])
async def sending(request: pytest.FixtureRequest) -> AsyncIterator[MediaPlane]:
    """A plane of either kind."""
    config = MediaConfig(ports="22000-27999", transcode=[], raw_sockets=request.param, kernel="off")
    plane = MediaPlane(config, local_for, lambda session: None, quarantine=0.0)
    plane.start(asyncio.get_running_loop())
    assert plane.is_raw is request.param
    assert ("raw sockets" in plane.path) is request.param
    yield plane
    plane.stop()


@pytest.mark.parametrize("host", ["127.0.0.3", "::1"])
async def test_each_size_arrives_whole_from_its_port(
    sending: MediaPlane, a: Phone, phone: Callable[[str], Phone], host: str
) -> None:
    """The receiving kernel drops what has a wrong checksum."""
    b = phone(host)
    Call(sending, a, b).set_up()
    sent = [rtp(seq, size=size) for seq, size in enumerate((*range(100), 159, 160, 1199, 1200, 2035, 2036))]
    for packet in sent:
        a.say(packet)
        found, source = b.rtp.recvfrom(4096)
        assert found == packet
        assert source[:2] == b.media


async def test_packets_of_many_calls_keep_their_order(
    sending: MediaPlane, phone: Callable[[str], Phone]
) -> None:
    pairs = [(phone("127.0.0.2"), phone("127.0.0.3")) for _ in range(10)]
    for a, b in pairs:
        Call(sending, a, b).set_up()
    for seq in range(50):
        for a, _ in pairs:
            a.say(rtp(seq))
    for _, b in pairs:
        assert b.hear_until(rtp(49)) == [rtp(seq) for seq in range(50)]


@pytest.mark.parametrize(
    ("host", "level", "ask", "kinds"),
    [
        (
            "127.0.0.3",
            socket.IPPROTO_IP,
            (socket.IP_RECVTOS, IP_RECVTTL),
            (socket.IP_TOS, socket.IP_TTL),
        ),
        (
            "::1",
            socket.IPPROTO_IPV6,
            (socket.IPV6_RECVTCLASS, socket.IPV6_RECVHOPLIMIT),
            (socket.IPV6_TCLASS, socket.IPV6_HOPLIMIT),
        ),
    ],
)
async def test_mark_and_hops(
    sending: MediaPlane,
    a: Phone,
    phone: Callable[[str], Phone],
    host: str,
    level: int,
    ask: tuple[int, int],
    kinds: tuple[int, int],
) -> None:
    b = phone(host)
    for option in ask:
        b.rtp.setsockopt(level, option, 1)
    Call(sending, a, b).set_up()
    a.say(rtp(1))
    told = {kind: int.from_bytes(data, sys.byteorder) for _, kind, data in b.rtp.recvmsg(2048, 128)[1]}
    assert told == {kinds[0]: 46 << 2, kinds[1]: 64}


NARROW = """
import socket, subprocess
subprocess.run(["ip", "link", "set", "lo", "mtu", "600", "up"], check=True)
from switchroom.switch.media._engine import Engine, Stream
engine = Engine(4)
assert engine.send_raw()
engine.start()
phones = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
for index, phone in enumerate(phones):
    phone.bind(("127.0.0.2", 30_000 + index))
    phone.settimeout(5)
for index in range(2):
    engine.open(index, "127.0.0.1", 28_000 + 2 * index, 0)
    engine.program(index, Stream(1 - index, 7, 1, "127.0.0.2", ("127.0.0.2", 30_000 + index)))
for size in (100, 1200, 100):
    packet = bytes([0x80]) + bytes(11) + bytes(size)
    phones[0].sendto(packet, ("127.0.0.1", 28_000))
    assert phones[1].recv(4096) == packet
engine.stop()
totals = engine.read_totals()
assert totals.packets == 3 and not any(totals.dropped), totals
"""


@needs_raw
def test_what_the_way_does_not_take_in_one_piece_is_cut_up() -> None:
    command = ["unshare", "--net", sys.executable, "-c", NARROW]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if "unshare failed" in done.stderr:
        pytest.skip("no right to a network namespace")
    assert done.returncode == 0, done.stderr
