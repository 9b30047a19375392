"""THREATS B3, B6, B7: lengths that lie, connections that dribble, and connections that die."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..peers.harness import PASSWORD, Switch, held, users, wait_until
from ..peers.phone import Phone
from ..peers.ports import free_port
from ..peers.raw import Wire
from ..peers.sipp import caller, sdp
from .conftest import ALICE, BOB, size
from .messages import message

MESSAGE_TIMEOUT = 1.0  # by default 32 s


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    """B6 with a message timeout of 1 s instead of 32 s; the caps are the default ones."""
    with Switch(
        tmp_path_factory.mktemp("streams"),
        users=users([ALICE, BOB]),
        calls={"user_rate": 10000, "max_calls_per_user": 10000},
        sip={
            "message_timeout": MESSAGE_TIMEOUT,
            "t1": 0.1,
            "t2": 0.4,
            "t4": 0.5,
            "source_rate": 100000,
            "source_burst": 100000,
        },
    ) as running:
        yield running
        assert "Traceback" not in running.log.read_text(errors="replace")


LIES = (
    "99999999999999",
    "4294967296",
    "65537",
    "-1",
    "+5",
    "0x10",
    "1e3",
    "5 5",
    "5,6",
    "",
    " ",
    "five",
    "\u0665",
)


@pytest.mark.parametrize("length", LIES)
def test_a_length_that_lies(server: Switch, length: str) -> None:
    """B3: refused before anything is read or kept: 400 or 413, and the connection is closed."""
    before = server.rss_bytes()
    with Wire(server.address, "tcp") as wire:
        wire.send(message("OPTIONS", {"Content-Length": length}).replace("/UDP", "/TCP"))
        sent = 0
        try:
            while not wire.is_closed_by_remote and sent < 4 << 20:
                wire.send(b"z" * 65536)
                sent += 65536
                wire.trace.clear()
                wire.take(lambda m: False, 0.01)
        except (ConnectionError, TimeoutError):
            pass
        else:
            assert wire.is_closed_by_remote
        assert sent <= 1 << 20
    assert server.rss_bytes() - before < 4 << 20
    with Wire(server.address) as probe:
        assert probe.options() < 0.2


def test_no_length_at_all_over_tcp(server: Switch) -> None:
    """B3, RFC 3261 §18.3: over a stream Content-Length is mandatory."""
    with Wire(server.address, "tcp") as wire:
        wire.send(message("OPTIONS", {"Content-Length": None}).replace("/UDP", "/TCP"))
        answer = wire.receive(MESSAGE_TIMEOUT + 1)
        assert answer is None or answer.status == 400
        wire.take(lambda m: False, 0.5)
        assert wire.is_closed_by_remote


def closed(wire: Wire, timeout: float) -> bool:
    wire.take(lambda m: False, timeout)
    return wire.is_closed_by_remote


def dribble(wires: list[Wire], text: bytes, seconds: float, probe: Wire) -> float:
    """One octet at a time on each connection; the worst time of an OPTIONS meanwhile."""
    worst = 0.0
    until = time.monotonic() + seconds
    for at in range(len(text)):
        for wire in wires:
            if not wire.is_closed_by_remote:
                try:
                    wire.send(text[at : at + 1])
                except (ConnectionError, TimeoutError):
                    wire.is_closed_by_remote = True
        worst = max(worst, probe.options())
        if time.monotonic() > until:
            break
        time.sleep(0.1)  # a client that dribbles: the pace is the attack
    return worst


def test_slow_and_idle_connections(server: Switch) -> None:
    """B6: 260 connections of 8 sources dribble or idle: all closed, OPTIONS < 200 ms, new ones served."""
    wires: list[Wire] = []
    try:
        for n in range(260):
            wires.append(Wire(server.address, "tcp", local=(f"127.0.7.{1 + n % 8}", 0)))
        dribblers, idlers = wires[::2], wires[1::2]
        with Wire(server.address) as probe:
            worst = dribble(dribblers, message("OPTIONS").encode(), MESSAGE_TIMEOUT + 1, probe)
            assert worst < 0.2
        served = 0
        for n in range(8):
            with Wire(server.address, "tcp", local=(f"127.0.8.{n + 1}", 0)) as fresh:
                served += fresh.options() < 1.0
        assert served == 8
        assert all(closed(w, 0.5) for w in dribblers)
        assert all(closed(w, MESSAGE_TIMEOUT + 2) for w in idlers)
    finally:
        for wire in wires:
            wire.close()


def test_a_cap_for_one_source(server: Switch) -> None:
    """B6: the 51st connection of one address is refused; another address is not."""
    wires = []
    try:
        for _ in range(60):
            try:
                wires.append(Wire(server.address, "tcp", local=("127.0.9.1", 0)))
            except ConnectionError:
                break
        alive = []
        for wire in wires:
            try:
                wire.options(1.0)
                alive.append(wire)
            except (AssertionError, ConnectionError, TimeoutError):
                assert wire.is_closed_by_remote or closed(wire, 0.5)
        assert len(alive) == 50
        with Wire(server.address, "tcp", local=("127.0.9.2", 0)) as other:
            assert other.options() < 1.0
    finally:
        for wire in wires:
            wire.close()


def test_a_connection_in_use_stays(server: Switch) -> None:
    """B6 must not cut off a telephone: registered over TCP, then silent beyond the message timeout."""
    with Phone(server.address, ALICE, PASSWORD, "tcp") as phone:
        assert phone.register().status == 200
        assert not closed(phone, MESSAGE_TIMEOUT * 2.5)
        assert phone.options() < 0.5


def test_keep_alive_over_tcp(server: Switch) -> None:
    """RFC 5626 §3.5.1: CRLF CRLF is answered with CRLF."""
    with socket.create_connection(server.address, 2) as connection:
        connection.sendall(b"\r\n\r\n")
        assert connection.recv(16) == b"\r\n"


@pytest.mark.peer("sipp")
def test_clients_that_die_in_mid_invite(server: Switch, tmp_path: Path) -> None:
    """B7 (25 kills; SWITCHROOM_LONG=1: 500): sipp -t tn, kill -9 with INVITEs under way: nothing leaked."""
    with Phone(server.address, BOB, PASSWORD) as callee:
        assert callee.register().status == 200
        scenario = tmp_path / "invite.xml"
        ladder = (
            caller(BOB, ALICE, PASSWORD).invite(sdp(), retrans=False).receive(100, optional=True).receive(200)
        )
        scenario.write_text(ladder.xml())
        command = [
            "sipp",
            f"127.0.0.1:{server.port}",
            "-auth_uri",
            f"{BOB}@127.0.0.1:{server.port}",
            "-sf",
            str(scenario),
            "-t",
            "tn",
            "-i",
            "127.0.0.1",
            "-r",
            "40",
            "-l",
            "40",
            "-m",
            "40",
            "-nostdin",
            "-max_socket",
            "100",
            "-p",
            "0",
        ]
        reached = 0
        for _ in range(size(25, 500)):
            command[-1] = str(free_port())
            callee.forget()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=tmp_path,
            )
            reached += callee.take(lambda m: m.start.startswith("INVITE"), 1.5) is not None
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert reached > 0
        with Wire(server.address) as probe:
            assert probe.options() < 0.5
    # the callee is gone too: its transactions end by timer B (6.4 s here), within the 40 s of the row
    wait_until(
        lambda: not any(held(server.status()).values()), 40, "0 calls, ports and transactions", interval=0.5
    )
    assert server.is_alive
