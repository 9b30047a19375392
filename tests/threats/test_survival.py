"""Answered calls go on after kill -9 of the switch, or of one of its workers (THREATS G2, G3)."""

from __future__ import annotations

import itertools
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from switchroom.switch.ops.control import ControlError
from tests.peers.harness import PASSWORD, Switch, users, wait_until
from tests.peers.phone import Dialog, Phone
from tests.peers.raw import Message, audio, response_to
from tests.peers.rtp import Sound
from tests.peers.waiting import readable

NAMES = range(2001, 2011)
PACKET = 0.02
START = 30.0  # seconds: far more than a start takes, whoever else wants the processor


Property = Callable[[str, object], None]


class Talk:
    """Both ends send a packet every 20 ms; when each heard one."""

    def __init__(self, one: Sound, two: Sound) -> None:
        self.ends = (one, two)
        self.heard_at: tuple[list[float], list[float]] = ([], [])
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        next_at = time.monotonic()
        while not self._is_over.is_set():
            for end in self.ends:
                try:
                    end.socket.sendto(end.next_packet(), end.remote)
                except ConnectionRefusedError:
                    continue  # what an ICMP error of before leaves at the socket
            next_at += PACKET
            while (left := next_at - time.monotonic()) > 0:
                for sock in readable([end.socket for end in self.ends], left):
                    self._hear(sock)

    def _hear(self, sock: object) -> None:
        for end, heard in zip(self.ends, self.heard_at, strict=True):
            if end.socket is sock:
                try:
                    end.socket.recv(2048)
                except ConnectionRefusedError:
                    continue
                heard.append(time.monotonic())

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()

    def gaps(self, since: float) -> list[float]:
        """The longest silence that each end heard since then, up to now."""
        now = time.monotonic()
        found = []
        for heard in self.heard_at:
            at = [since, *(moment for moment in list(heard) if moment > since), now]
            found.append(max(b - a for a, b in itertools.pairwise(at)))
        return found

    def is_heard_since(self, moment: float) -> bool:
        return all(heard and heard[-1] > moment for heard in self.heard_at)


class Talking:
    """A call between two phones that talk."""

    def __init__(self, a: Dialog, b: Dialog, talk: Talk) -> None:
        self.a, self.b, self.talk = a, b, talk

    def call_ids(self, switch: Switch) -> list[object]:
        """Its row among the calls that are up, when its state is there."""
        rows = switch._rows("live")
        return [row["id"] for row in rows if row["call_id_a"] == self.a.call_id and row["state"]]


def port_in(body: bytes) -> int:
    return int(re.search(rb"m=audio (\d+)", body)[1])  # type: ignore[index]


@contextmanager
def call(a: Phone, b: Phone) -> Iterator[Talking]:
    """A call from a to b, answered, with sound both ways."""
    with Sound() as one, Sound() as two:
        caller = a.start_call(b.user, audio("127.0.0.1", one.port))
        callee = b.incoming()
        assert not isinstance(callee.invite, bytes)
        two.remote = ("127.0.0.1", port_in(callee.invite.body))
        callee.respond(callee.invite, 200, "OK", audio("127.0.0.1", two.port))
        answer = a.answered(caller)
        one.remote = ("127.0.0.1", port_in(answer.body))
        callee.wait_for("ACK")
        talk = Talk(one, two)
        try:
            began = time.monotonic()
            wait_until(lambda: talk.is_heard_since(began + 0.1), 5, "sound both ways")
            yield Talking(caller, callee, talk)
        finally:
            talk.stop()


def start(folder: Path, **tables: object) -> Switch:
    return Switch(folder, users=users(NAMES), **tables).start()


def phones(stack: ExitStack, switch: Switch, count: int, transport: str = "udp") -> list[Phone]:
    made = [stack.enter_context(Phone(switch.address, str(n), PASSWORD, transport)) for n in NAMES[:count]]
    for phone in made:
        assert phone.register(contact=phone.contact).status == 200
    return made


def max_gap(start: float) -> float:
    """How long it may be silent, by how long the start took: that says how busy the machine is."""
    return 1.0 + 1.5 * start


def ended(switch: Switch, count: int) -> list[dict[str, object]]:
    """The records of so many calls; the store writes some milliseconds after the event."""
    wait_until(lambda: len(switch.records()) >= count, 10, "the records")
    return switch.records()


def is_durable(switch: Switch, count: int) -> None:
    """The store writes some milliseconds after the event."""
    wait_until(
        lambda: sum(bool(row["state"]) for row in switch._rows("live")) == count, 5, "the state of calls"
    )


def hang_up(talking: Talking, timeout: float = 5.0) -> None:
    """The caller says BYE, and the callee gets one."""
    sent = talking.a
    sent.phone.send(sent.request("BYE"))
    talking.b.answer_bye(timeout)
    assert sent.phone.final(timeout, method="BYE", call_id=sent.call_id).status == 200


def test_a_call_goes_on_after_kill_9(tmp_path: Path, record_property: Property) -> None:
    switch = start(tmp_path / "one")
    with ExitStack() as stack:
        stack.callback(switch.stop)
        a, b = phones(stack, switch, 2)
        talking = stack.enter_context(call(a, b))
        answered_at = time.monotonic()
        is_durable(switch, 1)
        time.sleep(0.5)
        killed_at = time.monotonic()
        switch.kill()
        switch.start()
        ready_at = time.monotonic()
        wait_until(lambda: talking.talk.is_heard_since(ready_at), START, "sound after the restart")
        gaps = talking.talk.gaps(killed_at)
        record_property("silence", f"{gaps[0]:.2f} s and {gaps[1]:.2f} s; ready {ready_at - killed_at:.2f} s")
        assert max(gaps) < max_gap(ready_at - killed_at)
        assert [row["state"] for row in switch.calls()] == ["up"]
        assert hold(talking).status == 200
        hang_up(talking)
        lasted = time.monotonic() - answered_at
        [record] = wait_until(lambda: switch.records(), 5, "the record")
        assert (record["cause"], record["ended_by"]) == (200, "caller")
        assert abs(record["duration"] - lasted) < 0.5  # over the restart
        assert "survived a restart" in record["verdict"]
        switch.wait_idle()


def hold(talking: Talking) -> Message:
    """The callee sends a re-INVITE through the new process; the caller answers it."""
    sound = talking.talk.ends
    callee, caller = talking.b, talking.a
    callee.phone.send(callee.request("INVITE", body=audio("127.0.0.1", sound[1].port, "sendonly", 2)))
    number = callee.cseq
    request = caller.wait_for("INVITE")
    caller.respond(request, 200, "OK", audio("127.0.0.1", sound[0].port, "recvonly", 2))
    caller.wait_for("ACK")
    answer = callee.phone.final(5.0, method="INVITE", call_id=callee.call_id)
    callee.ack(number)
    return answer


def slot_of(dialog: Dialog) -> int:
    """The worker that has the caller's leg: its tag says so."""
    return int(re.search(r"tag=([0-9a-f]{2})", dialog.remote)[1], 16)  # type: ignore[index]


def worker(switch: Switch, slot: int) -> tuple[int, int]:
    """Pid and life of a worker; zeros while it is not there."""
    try:
        texts = switch.status()["workers"]
    except ControlError:
        return 0, 0
    found = [re.match(r"(\d+): pid (\d+), life (\d+)", text) for text in texts]
    return next(((int(m[2]), int(m[3])) for m in found if m and int(m[1]) == slot), (0, 0))


def test_the_calls_of_a_killed_worker_go_on(tmp_path: Path, record_property: Property) -> None:
    switch = start(tmp_path / "two", switch={"workers": 2})
    with ExitStack() as stack:
        stack.callback(switch.stop)
        made = phones(stack, switch, 10)
        up = [stack.enter_context(call(a, b)) for a, b in zip(made[::2], made[1::2], strict=True)]
        is_durable(switch, len(up))
        slot = slot_of(up[0].a)
        pid, life = worker(switch, slot)
        killed_at = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        hang_up(up[0], START)  # while it is dead: the BYE waits for the next life, or is sent again
        wait_until(lambda: worker(switch, slot)[1] == life + 1, START, "the next life")
        ready_at = time.monotonic()
        wait_until(lambda: all(one.talk.is_heard_since(ready_at) for one in up[1:]), 5, "sound in all calls")
        gaps = {slot_of(one.a): max(one.talk.gaps(killed_at)) for one in up[1:]}
        record_property("silence", f"by worker {gaps}; {slot} was killed")
        assert gaps.get(slot, 0.0) < max_gap(ready_at - killed_at)
        slots = {one.a.call_id: slot_of(one.a) for one in up[1:]}
        for one in up[1:]:
            hang_up(one)
        switch.wait_idle(15)
        records = ended(switch, len(up))
        assert [(row["cause"], row["ended_by"]) for row in records] == [(200, "caller")] * len(up)
        survivors = {row["call_id_a"] for row in records if "survived a restart" in str(row["verdict"])}
        assert survivors >= {call_id for call_id, at in slots.items() if at == slot}
        assert not survivors & {call_id for call_id, at in slots.items() if at != slot}
        assert len({row["id"] for row in records}) == len(up)


def test_the_calls_of_all_workers_go_on_when_all_are_killed(tmp_path: Path) -> None:
    switch = start(tmp_path / "all", switch={"workers": 2})
    with ExitStack() as stack:
        stack.callback(switch.stop)
        made = phones(stack, switch, 10)
        up = [stack.enter_context(call(a, b)) for a, b in zip(made[::2], made[1::2], strict=True)]
        is_durable(switch, len(up))
        assert switch.process is not None
        os.killpg(switch.process.pid, signal.SIGKILL)  # as systemd does, or the end of memory
        switch.process.wait()
        switch.start()
        wait_until(lambda: len(switch.calls()) == len(up), START, "all calls")
        ready_at = time.monotonic()
        wait_until(lambda: all(one.talk.is_heard_since(ready_at) for one in up), 5, "sound in all calls")
        for one in up:
            hang_up(one)
        switch.wait_idle(15)
        records = ended(switch, len(up))
        assert [(row["cause"], row["ended_by"]) for row in records] == [(200, "caller")] * len(up)


@pytest.mark.parametrize("count", [1, 2])
def test_calls_end_in_the_books_where_they_are_not_to_survive(tmp_path: Path, count: int) -> None:
    tables = {"calls": {"survive_restart": False}, "switch": {"workers": count}}
    switch = start(tmp_path / "not", **tables)
    with ExitStack() as stack:
        stack.callback(switch.stop)
        a, b = phones(stack, switch, 2)
        talking = stack.enter_context(call(a, b))
        wait_until(lambda: bool(switch._rows("live")), 5, "the open record")
        time.sleep(0.3)
        if count == 1:
            switch.kill()
            switch.start()
        else:
            slot = slot_of(talking.a)
            pid, life = worker(switch, slot)
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: worker(switch, slot)[1] == life + 1, START, "the next life")
        [record] = wait_until(lambda: switch.records(), 5, "the record")
        assert (record["cause"], record["reason"], record["ended_by"]) == (500, "crash", "switch")
        assert switch.calls() == []
        assert talking.a.bye().status == 481


def test_a_clean_stop_still_ends_all_calls(tmp_path: Path) -> None:
    switch = start(tmp_path / "clean")
    with ExitStack() as stack:
        stack.callback(switch.stop)
        a, b = phones(stack, switch, 2)
        talking = stack.enter_context(call(a, b))
        is_durable(switch, 1)
        assert switch.process is not None
        switch.process.send_signal(signal.SIGTERM)
        talking.a.answer_bye()
        talking.b.answer_bye()
        assert switch.process.wait(10) == 0
        switch.start()
        assert switch.calls() == []
        assert [row["reason"] for row in switch.records()] == ["Switch stopped"]


def test_a_call_whose_ports_are_taken_ends_with_bye_to_both(tmp_path: Path) -> None:
    switch = start(tmp_path / "taken")
    with ExitStack() as stack:
        stack.callback(switch.stop)
        a, b = phones(stack, switch, 2)
        talking = stack.enter_context(call(a, b))
        is_durable(switch, 1)
        switch.kill()
        thief = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        thief.bind(("127.0.0.1", talking.talk.ends[1].remote[1]))
        switch.start()
        assert "crash" in talking.a.answer_bye().get("reason")
        assert "crash" in talking.b.answer_bye().get("reason")
        [record] = wait_until(lambda: switch.records(), 5, "the record")
        assert (record["cause"], record["reason"], record["ended_by"]) == (500, "crash", "switch")
        switch.wait_idle()


def test_calls_that_ended_meanwhile_are_found_within_a_minute(tmp_path: Path) -> None:
    """One end hung up and gave up while nobody was there; asked, it says that it knows of no call."""
    switch = start(tmp_path / "gone")
    with ExitStack() as stack:
        stack.callback(switch.stop)
        a, b = phones(stack, switch, 2)
        talking = stack.enter_context(call(a, b))
        is_durable(switch, 1)
        killed_at = time.monotonic()
        switch.kill()
        switch.start()
        request = talking.a.wait_for("OPTIONS", 20)
        a.send(response_to(request, 481, "Call/Transaction Does Not Exist"))
        bye = talking.b.answer_bye(5)
        assert "crash" in bye.get("reason")
        assert time.monotonic() - killed_at < 60
        [record] = wait_until(lambda: switch.records(), 5, "the record")
        assert (record["cause"], record["reason"], record["ended_by"]) == (500, "crash", "switch")
        assert record["duration"] < 10.5  # until the last heartbeat, not until it was found out


def test_a_phone_on_tcp_comes_back_by_a_new_connection(tmp_path: Path) -> None:
    switch = start(tmp_path / "tcp")
    with ExitStack() as stack:
        stack.callback(switch.stop)
        (a,) = phones(stack, switch, 1)
        b = stack.enter_context(Phone(switch.address, "2002", PASSWORD, "tcp"))
        assert b.register(contact=b.contact).status == 200
        talking = stack.enter_context(call(a, b))
        is_durable(switch, 1)
        switch.kill()
        switch.start()
        again = stack.enter_context(Phone(switch.address, "2002", PASSWORD, "tcp"))
        assert again.register(contact=again.contact).status == 200
        talking.b.phone = again
        hang_up(talking)  # our BYE goes by the new connection
        [record] = wait_until(lambda: switch.records(), 5, "the record")
        assert (record["cause"], record["ended_by"]) == (200, "caller")


def test_no_call_is_lost_or_counted_twice(tmp_path: Path) -> None:
    """Kill -9 again and again: each answered call has one record (THREATS G2).

    Calls that ended the moment before may not be in the books: they are found out by their silence.
    """
    switch = start(tmp_path / "again", sip={"t1": 0.1, "t2": 0.4})
    with ExitStack() as stack:
        stack.callback(switch.stop)
        made = phones(stack, switch, 10)
        up: list[Talking] = []
        answered = 0
        for _ in range(5):
            idle = [phone for phone in made if not any(phone in (t.a.phone, t.b.phone) for t in up)]
            for a, b in zip(idle[::2], idle[1::2], strict=True):
                up.append(stack.enter_context(call(a, b)))
                answered += 1
            wait_until(lambda: up[-1].call_ids(switch), 5, "the last one in the books")
            hang_up(up.pop(0))
            hang_up(up.pop(0))
            switch.kill()  # the moment after
            switch.start()
        for talking in up:
            hang_up(talking)
        switch.wait_idle(40)
        records = ended(switch, answered)
        assert len(records) == answered == len({row["id"] for row in records})
