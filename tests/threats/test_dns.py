"""D1, D2: a DNS that is dead, or that answers too much, does not hurt calls; strangers cannot make us ask."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ..peers.answerer import Answerer
from ..peers.dns import serving
from ..peers.harness import PASSWORD, Switch, user, wait_until
from ..peers.phone import Phone
from ..peers.ports import TETHER, free_port
from ..peers.raw import audio

ROUTES = [
    {"match": "91*", "to": "trunk:named"},
    {"match": "92*", "to": "trunk:numbered"},
    {"match": "93*", "to": "trunk:named-by-port"},
]


@contextmanager
def switch_with(folder: Path, nameserver: str, named: str, carrier: Answerer) -> Iterator[Switch]:
    """Two users, a trunk by address, and two by name."""
    host, port = carrier.address
    health = {"options_interval": 0}
    trunks = [
        {"name": "named", "address": f"sip:{named}", **health},
        {"name": "named-by-port", "address": f"sip:{named}:{port}", **health},
        {"name": "numbered", "address": f"sip:{host}:{port}", **health},
    ]
    tables = {"dns": {"nameservers": [nameserver]}, "trunks": trunks, "routes": ROUTES}
    tables["calls"] = {"user_rate": 1000, "max_calls_per_user": 1000}
    with Switch(folder, users=[user("1001"), user("1002")], **tables) as switch:
        yield switch


def call(phone: Phone, number: str, timeout: float = 8.0) -> tuple[int, float]:
    """The final status of a call, and how long it took."""
    began = time.monotonic()
    response, _ = phone.ask(
        "INVITE",
        f"sip:{number}@{phone.domain}",
        headers=[("Content-Type", "application/sdp")],
        body=audio("127.0.0.1", 40000),
        timeout=timeout,
    )
    return response.status, time.monotonic() - began


def test_d1_a_dead_dns(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead, Answerer() as carrier:
        dead.bind(("127.0.0.1", 0))  # takes everything, answers nothing
        address = f"127.0.0.1:{dead.getsockname()[1]}"
        with (
            switch_with(tmp_path, address, "dead.example", carrier) as switch,
            Phone(switch.address, "1001", PASSWORD) as alice,
            Phone(switch.address, "1002", PASSWORD) as impatient,
        ):
            took = []
            for _ in range(30):
                began = time.monotonic()
                dialog = impatient.start_call("911", audio("127.0.0.1", 40000))  # waits for the DNS meanwhile
                status, seconds = call(alice, "921")
                took.append(seconds)
                assert status == 200
                answer = impatient.final(8, method="INVITE", call_id=dialog.call_id)
                assert answer.status in (408, 480, 503)
                assert time.monotonic() - began < 4
            took.sort()
            assert took[-2] < 0.5, took  # whoever waits for the DNS waits for seconds
            assert switch.status()["loop_lag_max"] < 0.9


@contextmanager
def dnsmasq(folder: Path, *options: str) -> Iterator[tuple[str, Path]]:
    """A dnsmasq that knows only what its options say, and writes down what it is asked."""
    port, log = free_port(), folder / "dnsmasq.log"
    command = [
        *TETHER,
        "/usr/sbin/dnsmasq",
        "--keep-in-foreground",
        "--log-facility=-",
        "--no-resolv",
        "--no-hosts",
        "--log-queries",
    ]
    command += ["--conf-file=/dev/null", "--listen-address=127.0.0.1", "--bind-interfaces", "--local=//"]
    command += [f"--port={port}", f"--pid-file={folder}/dnsmasq.pid", *options]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        wait_until(lambda: "started" in log.read_text(), 5, "dnsmasq told it")
        yield f"127.0.0.1:{port}", log
    finally:
        process.terminate()
        process.wait(5)


def queries(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if " query[" in line]


@pytest.mark.peer("dnsmasq")
def test_d2_five_hundred_servers_and_strangers(tmp_path: Path) -> None:
    with Answerer() as carrier:
        port = carrier.address[1]
        options = [f"--srv-host=_sip._udp.many.test,h{i}.many.test,{port},{i % 3},{i}" for i in range(500)]
        options += [f"--host-record=h{i}.many.test,127.0.0.1" for i in range(500)]
        with (
            dnsmasq(tmp_path, *options) as (address, log),
            switch_with(tmp_path / "switch", address, "many.test", carrier) as switch,
            Phone(switch.address, "1001", PASSWORD) as alice,
        ):
            wait_until(lambda: queries(log), 5, "the trunk is looked up")
            time.sleep(0.5)
            before = len(queries(log))
            assert before <= 20  # for two trunks: not more than ten each
            assert call(alice, "911")[0] == 200
            assert len(queries(log)) - before <= 10
            before = len(queries(log))
            for host in ("attack.test", ".1", "[.1]", "many.test", "a" * 60 + ".test"):
                with Phone(switch.address, "stranger") as stranger:
                    headers = [("Route", f"<sip:{host};lr>"), ("Contact", f"<sip:x@{host}>")]
                    stranger.send(stranger.request("INVITE", f"sip:911@{host}", headers=headers))
                    time.sleep(0.1)
            assert len(queries(log)) == before
            assert switch.is_alive


def test_d2_aliases_that_lead_nowhere(tmp_path: Path) -> None:
    """D2: CNAMEs in a ring, to themselves, in a long chain (dnsmasq serves none of these)."""
    rings = ("a.test. 60 IN CNAME b.test.", "b.test. 60 IN CNAME a.test.", "own.test. 60 IN CNAME own.test.")
    chain = [f"c{i}.test. 60 IN CNAME c{i + 1}.test." for i in range(40)]
    with serving(*rings, *chain) as server, Answerer() as carrier:
        for name in ("a.test", "own.test", "c0.test"):
            with (
                switch_with(tmp_path / name, server.address, name, carrier) as switch,
                Phone(switch.address, "1001", PASSWORD) as alice,
            ):
                since = len(server.asked)
                status, seconds = call(alice, "911")
                assert (status in (480, 500, 503), seconds < 4) == (True, True), (name, status, seconds)
                assert len(server.asked) - since <= 10, server.asked[since:]
                assert call(alice, "921")[0] == 200
                assert switch.status()["loop_lag_max"] < 1
                assert "Traceback" not in switch.said(1_000_000)


@pytest.mark.peer("dnsmasq")
def test_the_next_server_takes_over(tmp_path: Path) -> None:
    with Answerer() as carrier:
        options = (
            f"--srv-host=_sip._udp.pair.test,one.pair.test,{free_port()},1,1",
            f"--srv-host=_sip._udp.pair.test,two.pair.test,{carrier.address[1]},2,1",
            "--naptr-record=pair.test,10,10,s,SIP+D2U,,_sip._udp.pair.test",
            "--host-record=one.pair.test,127.0.0.1",
            "--host-record=two.pair.test,127.0.0.1",
        )
        with (
            dnsmasq(tmp_path, *options) as (address, log),
            switch_with(tmp_path / "switch", address, "pair.test", carrier) as switch,
            Phone(switch.address, "1001", PASSWORD) as alice,
        ):
            wait_until(lambda: "query[SRV]" in log.read_text(), 5, "dnsmasq told it")
            status, seconds = call(alice, "911")
            assert status == 200
            assert seconds < 4
            assert "NAPTR" in log.read_text()
