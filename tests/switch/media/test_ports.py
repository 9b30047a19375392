"""Where ports come from and that all of them come back; THREATS G11."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane, NoPortsLeft
from switchroom.switch.media._engine import Engine
from switchroom.switch.media.ports import Ports, affordable_pairs

from .conftest import local_for
from .phones import Call, Phone

HOST = "127.0.0.55"  # nobody else binds there


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(64)
    engine.start()
    yield engine
    engine.stop()


def make(engine: Engine, clock: Clock, ports: range, pairs: int = 64) -> Ports:
    return Ports(engine, ports, pairs, clock, quarantine=1.0)


def test_rtp_is_even_and_rtcp_odd(engine: Engine, clock: Clock) -> None:
    ports = make(engine, clock, range(28001, 28012))
    taken = sorted(ports.take(HOST).port for _ in range(5))
    assert taken == [28002, 28004, 28006, 28008, 28010]
    with pytest.raises(NoPortsLeft):
        ports.take(HOST)


def test_both_ports_are_bound(engine: Engine, clock: Clock) -> None:
    pair = make(engine, clock, range(28100, 28102)).take(HOST)
    for port in (pair.port, pair.port + 1):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
            pytest.raises(OSError, match="in use"),
        ):
            other.bind((HOST, port))


def test_ports_are_not_in_order(engine: Engine, clock: Clock) -> None:
    ports = make(engine, clock, range(28200, 28400))
    taken = [ports.take(HOST).port for _ in range(20)]
    assert taken != sorted(taken)


def test_a_pair_rests_before_it_serves_again(engine: Engine, clock: Clock) -> None:
    ports = make(engine, clock, range(28400, 28402))
    pair = ports.take(HOST)
    first = pair.generation
    ports.give_back(pair)
    with pytest.raises(NoPortsLeft):
        ports.take(HOST)
    clock.now += 1.0
    assert ports.take(HOST) is pair
    assert pair.generation != first


def test_the_one_that_rested_longest_is_next(engine: Engine, clock: Clock) -> None:
    ports = make(engine, clock, range(28410, 28420))
    pairs = [ports.take(HOST) for _ in range(5)]
    for pair in reversed(pairs):
        ports.give_back(pair)
        clock.now += 0.1
    clock.now += 1.0
    assert [ports.take(HOST) for _ in range(5)] == pairs[::-1]


def test_idle_pairs_are_closed_in_time(engine: Engine, clock: Clock) -> None:
    ports = make(engine, clock, range(28420, 28460), pairs=5)
    pairs = [ports.take(HOST) for _ in range(5)]
    for pair in pairs:
        ports.give_back(pair)
        clock.now += 10.0
    assert ports.close_idle()
    assert len(ports._hosts[HOST].resting) == 5
    clock.now += 21.0  # the first two have rested for more than a minute
    assert ports.close_idle()
    taken = [ports.take(HOST) for _ in range(5)]
    assert len(set(taken) & set(pairs)) == 3
    assert not ports.close_idle()
    assert {pair.index for pair in taken} == {pair.index for pair in pairs}


def test_ports_of_other_programs_are_passed_over(engine: Engine, clock: Clock) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as even,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as odd,
    ):
        even.bind((HOST, 28500))
        odd.bind((HOST, 28503))
        ports = make(engine, clock, range(28500, 28506))
        assert ports.take(HOST).port == 28504
        with pytest.raises(NoPortsLeft):
            ports.take(HOST)
    assert ports.take(HOST).port in (28500, 28502)


def test_an_address_that_is_not_ours(engine: Engine, clock: Clock) -> None:
    with pytest.raises(NoPortsLeft):
        make(engine, clock, range(28600, 28700)).take("192.0.2.77")


def test_descriptors_move_to_the_address_that_needs_them(engine: Engine, clock: Clock) -> None:
    ports = make(engine, clock, range(28700, 28800), pairs=1)
    pair = ports.take(HOST)
    with pytest.raises(NoPortsLeft):
        ports.take("127.0.0.56")
    ports.give_back(pair)
    clock.now += 1.0
    other = ports.take("127.0.0.56")
    assert (other.index, other.host) == (pair.index, "127.0.0.56")


def test_thousands_of_calls_leak_nothing(clock: Clock) -> None:
    gc.collect()  # what other tests left is not ours to count
    before = len(os.listdir("/proc/self/fd"))
    engine = Engine(64)
    engine.start()
    ports = make(engine, clock, range(29000, 29100))
    for _ in range(2000):
        pairs = [ports.take(HOST) for _ in range(20)]
        for pair in pairs:
            ports.give_back(pair)
        clock.now += 1.0
    assert ports.in_use == 0
    engine.stop()
    assert len(os.listdir("/proc/self/fd")) == before


def test_ports_run_out_with_a_word_and_come_back(a: Phone, b: Phone) -> None:
    """G11 with a cap: the call too many is refused, the others go on, later there is room again."""
    loop = asyncio.new_event_loop()
    plane = MediaPlane(MediaConfig(ports="29200-29899"), local_for, print, quarantine=0.0, max_pairs=6)
    plane.start(loop)
    calls = [Call(plane, a, b).set_up() for _ in range(3)]
    refused = Call(plane, a, b)
    with pytest.raises(NoPortsLeft):
        refused.set_up()
    assert plane.ports_in_use == 12  # nothing is held for the one refused
    refused.session.close()
    calls[0].session.close()
    calls.append(Call(plane, a, b).set_up())
    for call in calls:
        call.session.close()
    assert plane.ports_in_use == plane.session_count == 0
    plane.stop()
    loop.close()


_FEW_DESCRIPTORS = """
import asyncio, sys
from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane, NoPortsLeft
sdp = b"v=0\\r\\no=- 1 1 IN IP4 127.0.0.1\\r\\nc=IN IP4 127.0.0.1\\r\\nm=audio 9 RTP/AVP 0\\r\\n"
plane = MediaPlane(MediaConfig(ports="22000-23999"), lambda toward: "127.0.0.1", print, quarantine=0.0)
plane.start(asyncio.new_event_loop())
for _ in range(2):
    sessions, refused = [], 0
    for _ in range(300):
        session = plane.session("")
        try:
            session.offer(*(session.leg(toward="127.0.0.1", is_nat=False) for _ in range(2)), sdp)
        except NoPortsLeft:
            refused += 1
        sessions.append(session)
    with open("/dev/null"):  # descriptors are left for everything else
        print(300 - refused, refused)
    for session in sessions:
        session.close()
assert plane.ports_in_use == 0
plane.stop()
"""


def test_few_descriptors(tmp_path: Path) -> None:
    """G11: 300 calls with a limit of 256 descriptors, twice."""
    ran = subprocess.run(
        ["prlimit", "--nofile=256", sys.executable, "-c", _FEW_DESCRIPTORS],
        capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert ran.stderr == ""
    first, second = ran.stdout.split("\n")[:2]
    assert first == second
    carried = int(first.split()[0])
    assert 20 <= carried <= 64


def test_a_configured_address_is_said_and_bound(a: Phone, b: Phone) -> None:
    loop = asyncio.new_event_loop()
    plane = MediaPlane(MediaConfig(ports="29200-29899", address="127.0.0.44"), local_for, print)
    plane.start(loop)
    Call(plane, a, b).set_up()
    assert a.media[0] == b.media[0] == "127.0.0.44"
    plane.stop()
    loop.close()


def test_an_address_outside_a_nat_is_said_but_not_bound(a: Phone, b: Phone) -> None:
    loop = asyncio.new_event_loop()
    plane = MediaPlane(MediaConfig(ports="29200-29899", address="198.51.100.1"), local_for, print)
    plane.start(loop)
    Call(plane, a, b).set_up()
    assert a.media[0] == b.media[0] == "198.51.100.1"
    for leg in (a, b):
        leg.media = ("127.0.0.1", leg.media[1])  # what the NAT does
    a.say(b"\x80\x00" + bytes(170))
    assert b.hear() == b"\x80\x00" + bytes(170)
    plane.stop()
    loop.close()


def test_no_route_is_no_port() -> None:
    def no_route(toward: str) -> str:
        raise OSError(101, "Network is unreachable")

    loop = asyncio.new_event_loop()
    plane = MediaPlane(MediaConfig(ports="29200-29899"), no_route, print)
    plane.start(loop)
    with Phone("127.0.0.2") as phone, pytest.raises(NoPortsLeft, match="unreachable"):
        Call(plane, phone, phone).set_up()
    plane.stop()
    loop.close()


def test_what_comes_after_the_stop_does_no_harm(a: Phone, b: Phone) -> None:
    loop = asyncio.new_event_loop()
    plane = MediaPlane(MediaConfig(ports="29200-29899"), local_for, print, quarantine=0.0)
    plane.start(loop)
    calls = [Call(plane, a, b).set_up() for _ in range(3)]
    plane.stop()
    for call in calls * 700:  # more than the ring of commands holds
        call.session.close()
    fresh = plane.session("fresh")  # its address has no rested pair
    with pytest.raises(NoPortsLeft):
        fresh.offer(
            fresh.leg(toward="::1", is_nat=False), fresh.leg(toward="::1", is_nat=False), a.describe()
        )
    loop.close()


def test_descriptors_are_kept_for_what_is_not_media(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (20_000, 20_000))
    assert affordable_pairs(49_152) == (20_000 - 4096) // 2  # signalling, storage and API have the rest
    assert affordable_pairs(100) == 400  # no more than eight addresses have in so small a range
