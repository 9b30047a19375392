"""THREATS G1, G2, G5, G11: nothing stays, no record is lost, clocks jump, descriptors run out."""

from __future__ import annotations

import random
import signal
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ..peers.answerer import Answerer
from ..peers.harness import PASSWORD, Switch, held, users, wait_until
from ..peers.phone import Dialog, Phone, bridge
from ..peers.ports import free_port
from ..peers.raw import audio, branch
from ..peers.rtp import Sound
from ..peers.sipp import Sipp, caller, sdp
from .conftest import ALICE, BOB, size

FAST = {"t1": 0.05, "t2": 0.2, "t4": 0.2, "source_rate": 100000, "source_burst": 100000}


def trunked(folder: Path, answerer: Answerer, **tables: Any) -> Switch:
    """A switch that takes calls from 127.0.0.0/8 without digest and sends 7... to the answerer."""
    host, port = answerer.address
    tables.setdefault("sip", FAST)
    return Switch(
        folder,
        users=users([ALICE, BOB]),
        trunks=[
            {"name": "in", "sources": ["127.0.0.0/8"]},
            {"name": "out", "address": f"sip:{host}:{port}"},
        ],
        routes=[{"match": "7*", "to": "trunk:out"}],
        **tables,
    )


def call(phone: Phone, number: str = "700") -> Dialog | None:
    """A call that is answered and acknowledged; None when it was refused with 503."""
    uri = f"sip:{number}@{phone.domain}"
    call_id, from_, via = branch(), f"{phone.identity};tag=a", branch()
    body = audio("127.0.0.1", 40000)
    phone.send(phone.request("INVITE", uri, call_id=call_id, from_=from_, body=body, via=via))
    dialog = Dialog(phone, call_id, from_, f"<{uri}>", uri)
    answer = phone.final(5, method="INVITE", call_id=call_id)
    phone.trace.clear()
    if answer.status == 503:
        phone.send(phone.request("ACK", uri, call_id=call_id, from_=from_, to=answer.get("to"), via=via))
        return None
    assert answer.status == 200, answer.start
    dialog.remote, dialog.target = answer.get("to"), answer.target
    dialog.ack()
    return dialog


# ---- G1


@pytest.mark.peer("sipp")
def test_calls_that_nobody_ends(tmp_path: Path) -> None:
    """G1 (30 calls of each kind; SWITCHROOM_LONG=1: 1000; short timers instead of 5 min): nothing stays."""
    count = size(30, 1000)
    tables: dict[str, Any] = {
        "calls": {"max_duration": 4, "answer_timeout": 2, "max_calls": 100000},
        "media": {"ports": "31000-47999", "rtp_timeout": 2, "first_rtp_timeout": 2},
    }
    with Answerer() as answerer, trunked(tmp_path, answerer, **tables) as switch:
        answered = caller("700").invite(sdp()).answered
        mixes = {
            "no ACK": answered(),
            "no BYE": caller("700").invite(sdp()).answered().ack(),
            "gone while it rings": caller("700").invite(sdp()).receive(100, optional=True),
            "dead in the middle": caller("700").invite(sdp()).answered().ack().pause(60000),
        }
        sizes = []
        for _ in range(2):
            runs = [
                Sipp(
                    tmp_path,
                    ladder,
                    remote=switch.address,
                    calls=count,
                    timeout=60,
                    extra=("-r", "40", "-l", str(count), "-deadcall_wait", "0"),
                )
                for ladder in mixes.values()
            ]
            for name, run in zip(mixes, runs, strict=True):
                if name == "dead in the middle":
                    wait_answered(run, count)
                    run.stop()
                else:
                    run.succeeds(60)
            with Phone(switch.address) as odd:
                for _ in range(3):
                    malformed_reinvite(odd)
            wait_until(
                lambda: not any(held(switch.status()).values()),
                25,
                "0 calls, ports, transactions",
                interval=0.5,
            )
            sizes.append(switch.rss_bytes())
            for run in runs:
                run.stop()
        assert sizes[1] <= sizes[0] * 1.05
        assert len(switch.live_records()) == 0
        assert len(switch.records()) >= 2 * 3 * count
        assert "Traceback" not in switch.log.read_text(errors="replace")


def wait_answered(run: Sipp, count: int) -> None:
    wait_until(lambda: len(run.received("SIP/2.0 200")) >= count, 30, "its calls to be up", interval=0.2)


def malformed_reinvite(phone: Phone) -> None:
    """A re-INVITE whose description cannot be read, on a call that is then left alone."""
    dialog = call(phone)
    assert dialog is not None
    phone.send(dialog.request("INVITE", body=b"v=0\r\nm=audio x\r\n"))
    assert phone.final(5, method="INVITE", call_id=dialog.call_id).status in (400, 488)


# ---- G2

HEARTBEAT = 10


def test_no_record_is_lost_at_kill(tmp_path: Path) -> None:
    """G2 (3 kills with 12 calls; SWITCHROOM_LONG=1: 100 with 50): answered = recorded, durations right."""
    dice = random.Random(1057)
    with Answerer() as answerer:
        switch = trunked(
            tmp_path,
            answerer,
            media={"first_rtp_timeout": 0, "rtp_timeout": 0},
            calls={"survive_restart": False},
        )
        answered: dict[str, float] = {}
        lasted: dict[str, float] = {}
        try:
            switch.start()
            for _ in range(size(3, 100)):
                with Phone(switch.address) as phone:
                    dialogs = []
                    for _ in range(size(12, 50)):
                        dialog = call(phone)
                        assert dialog is not None
                        answered[dialog.call_id] = time.monotonic()
                        dialogs.append(dialog)
                    for dialog in dialogs[:4]:
                        assert dialog.bye().status == 200
                        lasted[dialog.call_id] = time.monotonic() - answered[dialog.call_id]
                    phone.take(lambda m: False, dice.uniform(0.05, 1.5))  # killed at a random moment
                    switch.kill()
                    for dialog in dialogs[4:]:
                        lasted[dialog.call_id] = time.monotonic() - answered[dialog.call_id]
                switch.start()
                assert switch.status()["calls"] == 0
        finally:
            switch.stop()
    rows = switch.records()
    found = [row["call_id_a"] for row in rows]
    assert sorted(found) == sorted(answered)  # none lost, none double
    assert not switch.live_records()
    for row in rows:
        assert abs(row["duration"] - lasted[row["call_id_a"]]) <= HEARTBEAT + 1
    assert len({row["id"] for row in rows}) == len(rows)
    crashed = [row for row in rows if row["reason"] == "crash"]
    assert len(crashed) == len(answered) - 4 * size(3, 100)


def test_a_clean_stop_loses_no_record(tmp_path: Path) -> None:
    """G2, the other half: SIGTERM with calls up: BYE to both ends, all records closed, none left open."""
    with Answerer() as answerer, trunked(tmp_path, answerer) as switch, Phone(switch.address) as phone:
        dialogs = [d for d in (call(phone) for _ in range(10)) if d]
        assert len(dialogs) == 10
        assert switch.end(signal.SIGTERM) == 0
        for dialog in dialogs:
            phone.expect("BYE", call_id=dialog.call_id)
        assert answerer.count("BYE") == 10
        assert len(switch.records()) == 10
        assert not switch.live_records()
        assert {row["ended_by"] for row in switch.records()} == {"switch"}


# ---- G5


class FakeClock:
    """The wall clock of a process through libfaketime; the monotonic one is left alone."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "faketime"
        self.jump("+0")

    def jump(self, offset: str) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(offset + "\n")
        fresh.replace(self._file)

    @property
    def environment(self) -> dict[str, str]:
        library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1",
        }


@pytest.fixture
def clock(tmp_path: Path) -> FakeClock:
    return FakeClock(tmp_path)


@pytest.mark.peer("faketime")
def test_the_clock_jumps(tmp_path: Path, clock: FakeClock) -> None:
    """G5: +1 h, -1 h, +30 d under a call: it stays, registrations stay, its duration is right within 1 s."""
    switch = Switch(tmp_path / "switch", users=users([ALICE, BOB]))
    switch.start(environment=clock.environment)
    try:
        with (
            Phone(switch.address, ALICE, PASSWORD) as alice,
            Phone(switch.address, BOB, PASSWORD) as bob,
            Sound() as a,
            Sound() as b,
        ):
            assert bob.register(expires=600).status == 200
            assert alice.register(expires=600).status == 200
            began = time.monotonic()
            caller_, callee_ = bridge(alice, bob, a.port, b.port)
            for offset in ("+3600", "-3600", "+2592000"):
                clock.jump(offset)
                assert bob.take(lambda m: not m.is_response, 0.8) is None  # no BYE, no mass of messages
                assert len(switch.calls()) == 1
                assert {r["user"] for r in switch.registrations()} == {ALICE, BOB}
                assert alice.options() < 0.5
            alice.send(caller_.request("BYE"))
            callee_.answer_bye()
            lasted = time.monotonic() - began
            row = switch.wait_record()
            assert abs(row["duration"] - lasted) <= 1
            assert datetime.fromisoformat(row["end_at"]).timestamp() - time.time() > 29 * 86400  # it did jump
            again = bridge(alice, bob)
            alice.send(again[0].request("BYE"))
            again[1].answer_bye()
    finally:
        switch.stop()


# ---- G11


def test_descriptors_run_out(tmp_path: Path) -> None:
    """G11: 256 descriptors, 300 calls at once: the overflow gets 503, the process lives and recovers."""
    with Answerer() as answerer:
        switch = trunked(tmp_path, answerer, sip={**FAST, "t1": 0.5, "t2": 1.0})
        switch.start(prefix=["prlimit", "--nofile=256:256"])
        try:
            with Phone(switch.address) as phone:
                dialogs = [call(phone) for _ in range(300)]
                up = [d for d in dialogs if d is not None]
                assert 10 <= len(up) < 300
                assert len(switch.calls()) == len(up)  # its own command line still gets a descriptor
                assert phone.options() < 0.5
                with Phone(switch.address, transport="tcp") as stream:
                    assert stream.options() < 1.0
                for dialog in up:
                    assert dialog.bye().status == 200
                wait_until(lambda: switch.status()["calls"] == 0, 5, "all calls to end")
                wait_until(lambda: call(phone), 10, "a new call", interval=0.3)  # ports rest after a call
                again = [call(phone) for _ in range(5)]
                assert None not in again
        finally:
            switch.stop()
        assert "Traceback" not in switch.log.read_text(errors="replace")


def test_media_ports_run_out(tmp_path: Path) -> None:
    """G11: a range for 8 calls: the ninth gets 503, and one that ends makes room."""
    first = free_port(40) & ~1
    with Answerer() as answerer:
        switch = trunked(tmp_path, answerer, media={"ports": f"{first}-{first + 31}"})
        with switch, Phone(switch.address) as phone:
            up = [call(phone) for _ in range(8)]
            assert None not in up
            assert call(phone) is None
            assert up[0] is not None
            assert up[0].bye().status == 200
            wait_until(lambda: call(phone), 10, "room for one more", interval=0.3)


def test_connections_run_out(tmp_path: Path) -> None:
    """G11: accept() at the limit does not spin or die: UDP goes on, and connections are taken again later."""
    with Answerer() as answerer:
        switch = trunked(tmp_path, answerer)
        switch.start(prefix=["prlimit", "--nofile=64:64"])
        phones: list[Phone] = []
        try:
            for n in range(80):
                with suppress(ConnectionResetError):  # refused at once is as good as not served
                    phones.append(Phone(switch.address, transport="tcp", local=(f"127.0.4.{n % 4 + 1}", 0)))
            with Phone(switch.address) as probe:
                assert probe.options() < 0.5
                before = switch.cpu_seconds()
                probe.take(lambda m: False, 1.0)
                assert switch.cpu_seconds() - before < 0.5  # no busy loop
                for phone in phones:
                    phone.close()
                phones.clear()

                def is_served() -> bool:
                    try:
                        with Phone(switch.address, transport="tcp") as fresh:
                            return fresh.options(0.5) < 0.5
                    except (AssertionError, OSError):
                        return False

                wait_until(is_served, 5, "a connection that is served")
        finally:
            for phone in phones:
                phone.close()
            switch.stop()
