"""THREATS B12, C5, G9: bans for rubbish, bans by command, silence towards scanners."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..peers.harness import PASSWORD, Switch, users, wait_until
from ..peers.phone import Phone, bridge
from ..peers.raw import Wire
from .conftest import ALICE, BOB

RUBBISH = b"INVITE sip:x SIP/2.0\r\nVia: nonsense\r\nFrom: x\r\nTo: y\r\nCall-ID: 1\r\nCSeq: z\r\n\r\n"
EVIL = ("127.0.0.66", 0)


def flood(wire: Wire, count: int = 400) -> None:
    for at in range(count):
        wire.send(RUBBISH)
        if not at % 50:
            time.sleep(0.01)  # an attacker has time
    wire.trace.clear()
    wire.forget()


def is_answered(wire: Wire, method: str = "OPTIONS", timeout: float = 0.5) -> bool:
    wire.forget()
    wire.send(wire.request(method, f"sip:127.0.0.1:{wire.server[1]}"))
    return wire.take(lambda m: m.status > 0, timeout) is not None


def test_rubbish_bans_strangers_but_nobody_by_a_forged_address(tmp_path: Path) -> None:
    """A flood over UDP: the stranger is not heard any more, can still register; a phone is never banned."""
    with (
        Switch(tmp_path, users=users([ALICE, BOB]), sip={"source_rate": 100000}) as switch,
        Wire(switch.address, local=EVIL) as evil,
        Phone(switch.address, ALICE, PASSWORD) as alice,
    ):
        assert alice.register().status == 200
        with Wire(switch.address) as forger:  # it shares the phone's address
            flood(forger)
        assert alice.options() < 0.5
        flood(evil)
        said = switch.wait_said("auth.banned")
        assert "127.0.0.66" in said
        assert "malformed" in said
        assert not is_answered(evil)
        rows = json.loads(switch.cli("bans", "--json").stdout)
        assert [(row["source"], row["reason"]) for row in rows] == [("127.0.0.66", "malformed")]
        with Phone(switch.address, BOB, PASSWORD, local=EVIL) as bob:  # whose address was forged
            assert bob.register().status == 200
            assert bob.options() < 0.5
        assert switch.metric("switchroom_auth_banned") == 1
        assert switch.metric("switchroom_auth_bans_total") == 1


def test_rubbish_over_tcp_is_the_sender_s(tmp_path: Path) -> None:
    """An address is proven by its connection: not even a REGISTER is read then."""
    with Switch(tmp_path, users=users([ALICE]), auth={"max_malformed": 20}) as switch:
        for _ in range(25):
            with Wire(switch.address, "tcp", local=EVIL) as evil:
                evil.send(RUBBISH)
                evil.take(lambda m: False, 0.05)
        switch.wait_said("auth.banned")
        with Wire(switch.address, local=EVIL) as evil:
            assert not is_answered(evil, "REGISTER")
        with Wire(switch.address) as other:
            assert is_answered(other, "REGISTER")


def test_bans_by_command(tmp_path: Path) -> None:
    """`ban` shuts a source out although a phone is registered there; its call can end; `unban` lifts it."""
    with (
        Switch(tmp_path, users=users([ALICE, BOB])) as switch,
        Phone(switch.address, ALICE, PASSWORD, local=EVIL) as alice,
        Phone(switch.address, BOB, PASSWORD) as bob,
    ):
        assert alice.register().status == bob.register().status == 200
        caller, callee = bridge(alice, bob)
        assert switch.cli("bans").stdout.strip() == "Nobody is banned."
        assert switch.cli("ban", "127.0.0.66", "--seconds", "60").returncode == 0
        assert not is_answered(alice)
        alice.send(caller.request("BYE"))
        callee.answer_bye()
        assert alice.final(method="BYE").status == 200
        assert switch.cli("unban", "127.0.0.66").returncode == 0
        assert is_answered(alice)
        assert switch.cli("unban", "127.0.0.66").returncode == 2
        assert switch.cli("ban", "nonsense").returncode == 2
        switch.cli("ban", "127.0.0.66", "--seconds", "1")
        switch.cli("ban", "2001:db8::7")
        assert "2001:db8::/64" in switch.cli("bans").stdout
        wait_until(lambda: is_answered(alice), 5, "the end of the ban")
        assert switch.cli("unban", "--all").returncode == 0
        assert switch.cli("unban").returncode == 2


def test_bans_reach_all_workers(tmp_path: Path) -> None:
    """With two workers: a ban by command and one that a worker learnt hold in both."""
    with Switch(
        tmp_path,
        switch={"state_dir": str(tmp_path / "state"), "workers": 2},
        users=users([ALICE]),
        auth={"max_malformed": 20},
    ) as switch:
        wires = [Wire(switch.address, local=EVIL) for _ in range(8)]  # the kernel deals them out by port
        try:
            wait_until(lambda: all(is_answered(wire) for wire in wires), 10, "both workers")
            flood(wires[0], 60)
            switch.wait_said("auth.banned")
            wait_until(lambda: not any(is_answered(wire) for wire in wires), 10, "silence of both workers")
            assert len(json.loads(switch.cli("bans", "--json").stdout)) == 1
            assert switch.cli("unban", "127.0.0.66").returncode == 0
            assert all(is_answered(wire, timeout=3) for wire in wires)
            assert switch.cli("ban", "127.0.0.66").returncode == 0
            assert not any(is_answered(wire) for wire in wires)
        finally:
            for wire in wires:
                wire.close()


@contextmanager
def silent(folder: Path) -> Iterator[Switch]:
    """A switch that does not answer OPTIONS of strangers, by which others see that it is up."""
    switch = Switch(folder, users=users([ALICE, BOB]), sip={"silent_to_strangers": True})
    switch.config["switch"]["domain"] = "example.test"
    switch.wait_ready = lambda timeout=15.0: switch.wait_said("switch.started", timeout)  # type: ignore
    with switch:
        yield switch


def test_strangers_hear_nothing(tmp_path: Path) -> None:
    """silent_to_strangers: a scanner gets no octet; a phone that knows the domain registers and calls."""
    with (
        silent(tmp_path) as switch,
        Wire(switch.address, local=EVIL) as scanner,
        Phone(switch.address, ALICE, PASSWORD, domain="example.test") as alice,
    ):
        here = f"sip:{ALICE}@127.0.0.1:{switch.port}"
        for method in ("OPTIONS", "REGISTER", "INVITE", "MESSAGE", "SUBSCRIBE"):
            scanner.send(scanner.request(method, here))
        agent = [("User-Agent", "friendly-scanner")]
        scanner.send(scanner.request("REGISTER", "sip:example.test", headers=agent))
        scanner.send(RUBBISH)
        assert scanner.hears_nothing(1.0)
        assert alice.register().status == 200
        alice.send(alice.request("OPTIONS", here))
        assert alice.final(2).status == 200
        scanner.send(scanner.request("REGISTER", "sip:example.test"))
        assert scanner.final(2).status == 401
        assert switch.metric("switchroom_sip_ignored_total") == 6
