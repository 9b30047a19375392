"""Transfers, holds, pickups and parked calls between PJSIP's softphones, over UDP and TLS."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from switchroom.switch.ops.cli.certificate import make_certificate

from .harness import PASSWORD, Switch, Table, user, wait_until
from .pjsua import Pjsua, is_installed
from .ports import free_port

pytestmark = pytest.mark.skipif(not is_installed(), reason="pjsua2-python is not installed")

ALICE, BOB, CAROL = "2001", "2002", "2003"
HELD, HOLDING, ACTIVE = 3, 2, 1  # PJSUA_CALL_MEDIA_REMOTE_HOLD, _LOCAL_HOLD, _ACTIVE


class Room:
    """A switch and three softphones."""

    def __init__(self, folder: Path, transport: str, stack: ExitStack, *, workers: int = 1) -> None:
        names = (ALICE, BOB, CAROL)
        users = [user(name, pickup_group="desk") for name in names]
        lot = {"park_slots": "700-709"}
        self.switch = Switch(folder / "switch", users=users, features=lot, switch={"workers": workers})
        server, ca = self.switch.address, ""
        if transport == "tls":
            server = ("127.0.0.1", free_port())
            certificate = folder / "switch.pem"
            certificate.write_bytes(make_certificate(["127.0.0.1"]))
            self.switch.config["sip"]["listen"].append(f"tls:127.0.0.1:{server[1]}")
            self.switch.config["tls"] = {"certificate": str(certificate)}
            ca = str(certificate)
        stack.enter_context(self.switch.start())
        self.phones = [
            stack.enter_context(Pjsua(folder, name, PASSWORD, server, transport=transport, ca=ca))
            for name in names
        ]
        for phone in self.phones:
            phone.register()

    def connect(self, one: Pjsua, two: Pjsua) -> tuple[int, int]:
        """A call between two, up."""
        ours = one.call(two.user)
        theirs = two.incoming()
        two.answer(theirs)
        one.wait_state(ours, "CONFIRMED")
        two.wait_state(theirs, "CONFIRMED")
        return ours, theirs

    def record(self, source: str, target: str, number: int = 0) -> Table:
        """The record of a call from an account that another answered."""

        def found() -> Table | None:
            rows = [r for r in self.switch.records() if (r["from_user"], r["to_user"]) == (source, target)]
            return rows[number] if len(rows) > number else None

        return wait_until(found, 10, f"the record of {source} and {target}")

    def is_kept(self, key: str) -> bool:
        """Whether the store has it, and what was asked for before."""
        file = f"file:{self.switch.state}/switchroom.db?mode=ro"
        with closing(sqlite3.connect(file, uri=True, timeout=5)) as connection:
            return bool(connection.execute("SELECT 1 FROM state WHERE key = ?", (key,)).fetchall())

    def is_idle(self) -> None:
        self.switch.wait_idle(20)


@pytest.fixture(params=["udp", "tls"])
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    with ExitStack() as stack:
        yield Room(tmp_path, request.param, stack)


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Room]:
    with ExitStack() as stack:
        yield Room(tmp_path, "udp", stack)


def test_a_blind_transfer_between_three_phones(room: Room) -> None:
    alice, bob, carol = room.phones
    ours, theirs = room.connect(alice, bob)
    bob.xfer(theirs, CAROL)
    coming = carol.incoming()
    bob.wait("transfer_status", status=100)
    carol.answer(coming, 180)
    bob.wait("transfer_status", status=180)
    carol.answer(coming)
    bob.wait("transfer_status", status=200, final=True)
    bob.wait_state(theirs, "DISCONNECTED")
    carol.wait_state(coming, "CONFIRMED")
    wait_until(lambda: len(room.switch.calls()) == 1, 5, "one call")
    flows(carol)
    alice.hangup(ours)
    carol.wait_state(coming, "DISCONNECTED")
    first, second = room.record(ALICE, BOB), room.record(BOB, CAROL)
    assert first["reason"] == f"Transferred to {CAROL}"
    assert (second["caller"], second["callee"], second["cause"]) == (ALICE, CAROL, 200)
    assert second["a_packets"] > 10
    assert second["b_packets"] > 10
    room.is_idle()


def test_an_attended_transfer_with_both_on_hold(room: Room) -> None:
    alice, bob, carol = room.phones
    ours, theirs = room.connect(alice, bob)
    bob.hold(theirs)
    alice.wait("media", call=ours, status=HELD)
    asking, asked = room.connect(bob, carol)
    bob.hold(asking)
    carol.wait("media", call=asked, status=HELD)
    bob.xfer_replaces(theirs, asking)
    bob.wait("transfer_status", status=200, final=True)
    bob.wait_state(theirs, "DISCONNECTED")
    bob.wait_state(asking, "DISCONNECTED")
    alice.wait("media", call=ours, status=ACTIVE)
    carol.wait("media", call=asked, status=ACTIVE)
    flows(carol)
    carol.hangup(asked)
    alice.wait_state(ours, "DISCONNECTED")
    room.record(ALICE, BOB)
    last = room.record(BOB, CAROL, 1)
    assert (last["caller"], last["callee"]) == (ALICE, CAROL)
    assert last["a_packets"] > 10
    assert last["b_packets"] > 10
    assert len(room.switch.records()) == 3
    room.is_idle()


def test_a_transfer_to_somebody_who_is_busy(plain: Room) -> None:
    alice, bob, carol = plain.phones
    ours, theirs = plain.connect(alice, bob)
    bob.xfer(theirs, CAROL)
    carol.answer(carol.incoming(), 486)
    bob.wait("transfer_status", status=486, final=True)
    bob.hold(theirs)
    alice.wait("media", call=ours, status=HELD)
    bob.wait("media", call=theirs, status=HOLDING)  # has its answer: else pjsua refuses another re-INVITE
    bob.unhold(theirs)
    alice.hangup(ours)
    bob.wait_state(theirs, "DISCONNECTED")
    plain.is_idle()


def test_a_pickup(plain: Room) -> None:
    alice, bob, carol = plain.phones
    ours = alice.call(BOB)
    ringing = bob.incoming()
    bob.answer(ringing, 180)
    alice.wait_state(ours, "EARLY")
    taking = carol.call("*8")
    carol.wait_state(taking, "CONFIRMED")
    alice.wait_state(ours, "CONFIRMED")
    bob.wait_state(ringing, "DISCONNECTED")
    flows(carol)
    alice.hangup(ours)
    carol.wait_state(taking, "DISCONNECTED")
    row = plain.record(ALICE, CAROL)
    assert row["a_packets"] > 10
    assert row["b_packets"] > 10
    plain.is_idle()


def test_a_call_is_parked_and_taken(plain: Room) -> None:
    alice, bob, carol = plain.phones
    ours, theirs = plain.connect(alice, bob)
    bob.xfer(theirs, "703")
    bob.wait("transfer_status", status=200, final=True)
    bob.wait_state(theirs, "DISCONNECTED")
    taking = carol.call("703")
    carol.wait_state(taking, "CONFIRMED")
    flows(carol)
    alice.hangup(ours)
    carol.wait_state(taking, "DISCONNECTED")
    row = plain.record(CAROL, ALICE)
    assert row["a_packets"] > 10
    assert row["b_packets"] > 10
    plain.is_idle()


def test_attended_transfers_between_two_workers(tmp_path: Path) -> None:
    with ExitStack() as stack:
        room = Room(tmp_path, "udp", stack, workers=2)
        alice, bob, carol = room.phones
        for _ in range(4):  # the workers share the calls by chance
            _, theirs = room.connect(alice, bob)
            asking, _ = room.connect(bob, carol)
            for phone in room.phones:
                phone.events.clear()
            bob.xfer_replaces(theirs, asking)
            bob.wait("transfer_status", status=200, final=True)
            bob.wait_state(asking, "DISCONNECTED")
            bob.do("hangup_if_up", call=theirs)
            bob.wait_state(theirs, "DISCONNECTED")
            wait_until(lambda: len(room.switch.calls()) == 1, 5, "one call")
            flows(carol)
            carol.do("hangup_all")
            wait_until(lambda: not room.switch.calls(), 5, "no call")
            alice.wait("call_state", state="DISCONNECTED")
        room.is_idle()


def test_codes_survive_a_restart(plain: Room) -> None:
    alice, bob, carol = plain.phones
    done = bob.call("*21" + CAROL)
    bob.wait_state(done, "DISCONNECTED")
    wait_until(lambda: plain.is_kept(f"forwarding.{BOB}"), 5, "the setting on the disk")
    plain.switch.kill()  # -9
    plain.switch.start()
    ours = alice.call(BOB)
    coming = carol.incoming()
    carol.answer(coming)
    alice.wait_state(ours, "CONFIRMED")
    alice.hangup(ours)
    plain.is_idle()


def flows(phone: Pjsua) -> None:
    """Some sound passes: no event tells of it, the records count it."""
    phone.do("pause", seconds=0.6)
