"""Two workers are one switch: real processes, phones on bare sockets, sipp, kill -9 (THREATS G2, G3, G10)."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from zlib import crc32

import pytest

from switchroom.switch.ops.control import ControlError
from tests.peers.harness import PASSWORD, Switch, users, wait_until
from tests.peers.phone import Dialog, Phone, bridge
from tests.peers.ports import TETHER, free_port
from tests.peers.raw import audio

SCENARIOS = Path(__file__).parents[3] / "bench" / "scenarios"
NAMES = range(2001, 2041)
MUCH = {
    "t1": 0.1,
    "t2": 0.4,
    "t4": 0.5,
    "source_rate": 100000,
    "source_burst": 100000,
    "total_rate": 100000,
    "total_burst": 100000,
}


def start(folder: Path, count: int = 2, **tables: object) -> Switch:
    callee = free_port()
    switch = Switch(
        folder,
        users=users(NAMES),
        switch={"workers": count},
        sip=MUCH,
        media={"ports": "45000-49999"},
        calls={"max_calls_per_user": 5, "user_rate": 1000, "survive_restart": False},
        routes=[{"match": "7*", "to": "trunk:out"}],
        trunks=[
            {"name": "out", "address": f"sip:127.0.0.1:{callee}", "options_interval": 0},
            {"name": "in", "sources": ["127.0.0.9/32"]},
        ],
        **tables,
    )
    switch.callee = callee  # type: ignore[attr-defined]
    return switch


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    with start(tmp_path_factory.mktemp("workers")) as running:
        wait_until(lambda: len(workers(running)) == 2, 30, "both workers")
        yield running


def workers(switch: Switch) -> dict[int, tuple[int, int]]:
    """The pid and the life of each worker."""
    try:
        texts = switch.status()["workers"]
    except ControlError:
        return {}
    found = [re.match(r"(\d+): pid (\d+), life (\d+)", text) for text in texts]
    return {int(m[1]): (int(m[2]), int(m[3])) for m in found if m}


def slot_in(to: str) -> int:
    """The worker that answered: its tag says so."""
    found = re.search(r"tag=([0-9a-f]{2})", to)
    assert found, to
    return int(found[1], 16)


def slot_of(dialog: Dialog) -> int:
    """The worker that has the caller's leg."""
    return slot_in(dialog.remote)


def placed(
    stack: ExitStack,
    switch: Switch,
    name: object,
    slot: int,
    transport: str = "udp",
    password: str = PASSWORD,
) -> Phone:
    """A phone which that worker reads: the kernel deals ports and connections out, so try some."""
    for _ in range(64):
        phone = stack.enter_context(Phone(switch.address, str(name), password, transport))
        answer, _ = phone.ask("OPTIONS", f"sip:{phone.domain}")
        if slot_in(answer.get("to")) == slot:
            return phone
    raise AssertionError(f"none of 64 ports is worker {slot}'s")


def dealt(slot: int) -> str:
    """A Call-ID for this worker of two: what begins at the address of a trunk, as here, is dealt by it."""
    return next(key for _ in range(64) if crc32((key := secrets.token_hex(8)).encode()) % 2 == slot)


def phones(stack: ExitStack, switch: Switch, names: range, transport: str) -> list[Phone]:
    """Registered; each worker reads half of them, two neighbours each."""
    count = switch.config["switch"]["workers"]
    if count > 1:  # a worker that is about to read for itself knows no nonce of the one that read for it
        wait_until(lambda: len(workers(switch)) == count, 30, "all workers")
    made = [placed(stack, switch, n, i // 2 % count, transport) for i, n in enumerate(names)]
    for phone in made:
        assert phone.register(contact=phone.contact).status == 200
    return made


def sipp(switch: Switch, calls: int, rate: int, *more: str) -> subprocess.Popen[bytes]:
    """Calls to 700, each from a port of its own, all from one trunk's address."""
    command = [
        *TETHER, "sipp", "-sf", str(SCENARIOS / "caller.xml"), f"127.0.0.1:{switch.port}", "-s", "700",
        "-i", "127.0.0.9", "-t", "un", "-max_socket", "4000", "-nostdin", "-r", str(rate), "-m", str(calls),
        "-l", str(calls), "-recv_timeout", "8000", "-timeout", "60",
        "-trace_stat", "-stf", str(switch.folder / "caller.csv"), "-fd", "1", *more,
    ]  # fmt: skip
    (switch.folder / "caller.csv").unlink(missing_ok=True)
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def callee(switch: Switch) -> Iterator[None]:
    command = [
        *TETHER, "sipp", "-sf", str(SCENARIOS / "callee.xml"), "-i", "127.0.0.1", "-max_socket", "4000",
        "-p", str(switch.callee), "-t", "u1", "-nostdin",  # type: ignore[attr-defined]
        "-key", "contact", f"127.0.0.1:{switch.callee}",  # type: ignore[attr-defined]
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    yield
    process.kill()
    process.wait()


def outcome(switch: Switch) -> tuple[int, int]:
    """Calls of sipp that succeeded and failed."""
    lines = (switch.folder / "caller.csv").read_text().splitlines()
    row = dict(zip(lines[0].split(";"), lines[-1].split(";"), strict=True))
    return int(row["SuccessfulCall(C)"]), int(row["FailedCall(C)"])


def test_calls_between_phones_of_all_workers_and_transports(switch: Switch) -> None:
    """Each way of pairing them: over UDP the ports decide the worker, over TCP the connection."""
    with ExitStack() as stack:
        over_udp = phones(stack, switch, range(2001, 2009), "udp")
        over_tcp = phones(stack, switch, range(2009, 2017), "tcp")
        wait_until(lambda: len(switch.registrations()) == 16, 30, "all registrations")
        seen = Counter[int]()
        for a, b in [*zip(over_udp, over_tcp, strict=True), *zip(over_tcp, reversed(over_udp), strict=True)]:
            calling, called = bridge(a, b)
            seen[slot_of(calling)] += 1
            if len(seen) % 2:
                assert calling.bye().status == 200
                called.answer_bye()
            else:
                assert called.bye().status == 200
                calling.answer_bye()
        assert set(seen) == {0, 1}
        assert switch.status()["forwarded"] > 0
        switch.wait_idle()
        for phone in (*over_udp, *over_tcp):
            assert phone.register(0, contact=phone.contact).status == 200
    wait_until(lambda: not switch.registrations(), 30, "nobody registered")


@pytest.mark.usefixtures("callee")
def test_no_call_of_a_load_from_many_ports_is_lost(switch: Switch) -> None:
    before = len(switch.records())
    with sipp(switch, 1000, 200, "-d", "500") as load:
        assert load.wait(60) == 0
    assert outcome(switch) == (1000, 0)
    switch.wait_idle(20)
    wait_until(lambda: len(switch.records()) == before + 1000, 30, "all records")
    wait_until(lambda: len(read_lines(switch)) == before + 1000, 30, "all lines")
    ids = Counter(str(line["id"]) for line in read_lines(switch))
    assert set(ids.values()) == {1}
    calls = [line for line in read_lines(switch) if line["callee"] == "700"]
    slots = Counter(str(line["call_id_b"])[:2] for line in calls)
    assert set(slots) == {"00", "01"}
    assert min(slots.values()) > 350  # one source address, but the Call-ID deals them out
    assert switch.metric("switchroom_workers") == 2


def read_lines(switch: Switch) -> list[dict[str, object]]:
    """Each line is whole, whoever wrote it."""
    return [json.loads(line) for line in (switch.state / "cdr.jsonl").read_text().splitlines()]


@pytest.mark.usefixtures("callee")
def test_a_worker_that_is_killed_takes_only_its_own_calls_along(switch: Switch) -> None:
    with ExitStack() as stack:
        made = phones(stack, switch, range(2017, 2041), "udp")
        up = [bridge(a, b) for a, b in zip(made[::2], made[1::2], strict=True)]
        lost = [pair for pair in up if slot_of(pair[0]) == 1]
        kept = [pair for pair in up if slot_of(pair[0]) == 0]
        assert lost
        assert kept
        with sipp(switch, 600, 100, "-d", "300") as load:
            time.sleep(2)
            pid, life = workers(switch)[1]
            os.kill(pid, signal.SIGKILL)
            for calling, _ in kept[::2]:
                assert calling.bye().status == 200  # at once, while the other one is dead
            assert lost[0][0].bye().status == 481
            wait_until(lambda: workers(switch).get(1, (0, life))[1] == life + 1, 30, "the next life")
            load.wait(60)
        assert re.search(r"worker\.restarted.*worker=1 seconds=[0-9.]+", switch.said(100_000))
        for calling, called in kept[1::2]:
            assert called.bye().status == 200
            calling.answer_bye()
        for _, called in lost[1:]:
            assert called.bye().status == 481
        succeeded, failed = outcome(switch)
        crashed = [row for row in switch.records() if row["reason"] == "crash"]
        by_phone = [row for row in crashed if row["callee"] != "700"]
        assert len(by_phone) == len(lost)
        assert {row["verdict"] for row in by_phone} == {
            f"the switch ended without warning while the call was up (worker 1, life {life})"
        }
        assert succeeded + failed == 600
        # A record is opened at the answer: calls that were being set up on that worker have none.
        assert failed <= len(crashed) - len(by_phone) + 20
        assert failed < 80
        assert all(str(row["call_id_b"])[:6] in ("", f"01{life:04x}") for row in crashed)
        assert len(switch.registrations()) == 24  # the new life has them from the store
        bridged = [bridge(a, b) for a, b in zip(made[::2], made[1::2], strict=True)]
        assert {slot_of(calling) for calling, _ in bridged} == {0, 1}
        for calling, called in bridged:
            assert calling.bye().status == 200
            called.answer_bye()
        for phone in made:
            phone.register(0, contact=phone.contact)
    switch.wait_idle(20)
    ids = Counter(str(line["id"]) for line in read_lines(switch))
    assert set(ids.values()) == {1}


def test_a_cap_holds_over_all_workers(switch: Switch) -> None:
    """Five calls at once: a sixth gets 503, also from a port that another worker reads."""
    with ExitStack() as stack:
        (b,) = phones(stack, switch, range(2002, 2003), "udp")
        made = [placed(stack, switch, 2001, i % 2) for i in range(8)]
        dialogs = []
        for i, phone in enumerate(made[:5]):
            dialogs.append(phone.start_call("2002", audio("127.0.0.1", 40000), call_id=dealt(i % 2)))
            called = b.incoming()
            called.respond(called.invite, 200, "OK", audio("127.0.0.1", 40002))  # type: ignore[arg-type]
            phone.answered(dialogs[-1])
        assert [slot_of(dialog) for dialog in dialogs] == [0, 1, 0, 1, 0]
        time.sleep(0.6)
        for phone in made[5:]:
            refused = phone.start_call("2002", audio("127.0.0.1", 40000))
            assert phone.final(method="INVITE", call_id=refused.call_id).status == 503
        for dialog in dialogs:
            assert dialog.bye().status == 200
        b.register(0, contact=b.contact)
    switch.wait_idle()


def test_a_call_is_hung_up_whoever_has_it(switch: Switch) -> None:
    with ExitStack() as stack:
        made = phones(stack, switch, range(2001, 2009), "udp")
        up = [bridge(a, b) for a, b in zip(made[::2], made[1::2], strict=True)]
        listed = switch.calls()
        assert len(listed) == len(up)
        for row in listed:
            done = switch.cli("hangup", str(row["id"]))
            assert done.returncode == 0, done.stderr
        for calling, called in up:
            calling.answer_bye()
            called.answer_bye()
        assert "there is no such call" in switch.cli("hangup", "nonsense").stderr
        for phone in made:
            phone.register(0, contact=phone.contact)
    switch.wait_idle()


def test_a_reload_reaches_all_workers_and_their_next_lives(switch: Switch) -> None:
    switch.config["users"].append({"name": "2999", "password": "another-password"})
    switch.write()
    assert switch.cli("reload").returncode == 0
    _, life = workers(switch)[0]
    os.kill(workers(switch)[0][0], signal.SIGKILL)  # the leader, too, can die
    wait_until(lambda: workers(switch).get(0, (0, life))[1] == life + 1, 30, "the next life")
    with ExitStack() as stack:
        for slot in (0, 1):
            phone = placed(stack, switch, 2999, slot, password="another-password")
            assert phone.register(contact=phone.contact).status == 200
            assert phone.register(0, contact=phone.contact).status == 200
    switch.file.write_text("[sip]\nnonsense = 1\n")
    assert "nonsense" in switch.cli("reload").stderr
    switch.write()


@pytest.mark.parametrize("count", [1, 2])
def test_a_drain_takes_no_new_calls_and_ends_with_the_last_one(tmp_path: Path, count: int) -> None:
    with start(tmp_path, count) as switch, ExitStack() as stack:
        made = phones(stack, switch, range(2001, 2009), "udp")
        up = [bridge(a, b) for a, b in zip(made[::2], made[1::2], strict=True)]
        assert switch.cli("drain").returncode == 0
        assert switch.status()["is_draining"]
        for phone in made:
            refused = phone.start_call("2001", audio("127.0.0.1", 40000))
            final = phone.final(method="INVITE", call_id=refused.call_id)
            assert (final.status, bool(final.get("retry-after"))) == (503, True)
            assert phone.register(contact=phone.contact).status == 200
        assert switch.cli("undrain").returncode == 0
        calling, called = bridge(made[0], made[3])
        assert calling.bye().status == 200
        called.answer_bye()
        assert switch.cli("drain").returncode == 0
        for calling, called in up:
            assert switch.is_alive
            assert calling.bye().status == 200
            called.answer_bye()
        assert switch.process is not None
        assert switch.process.wait(10) == 0
        answered = [line for line in read_lines(switch) if line["cause"] == 200]
        assert len(answered) == len(up) + 1


def test_a_drain_has_an_end(tmp_path: Path) -> None:
    with start(tmp_path) as switch, ExitStack() as stack:
        a, b = phones(stack, switch, range(2001, 2003), "udp")
        bridge(a, b)
        assert switch.cli("drain", "--timeout", "1").returncode == 0
        b.expect("BYE")
        assert switch.process is not None
        assert switch.process.wait(30) == 0
        assert [line["ended_by"] for line in read_lines(switch)] == ["switch"]


def test_workers_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    with start(tmp_path) as switch:
        wait_until(lambda: len(workers(switch)) == 2, 30, "both workers")
        pids = [pid for pid, _ in workers(switch).values()]
        assert switch.process is not None
        switch.process.kill()
        switch.process.wait()
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 30, "the end of all")
        switch.start()
        assert switch.status()["calls"] == 0
