"""THREATS E9: unsolicited lines at every octet, errors, silent hangs; nothing is lost or comes twice.

SWITCHROOM_LONG=1 sends and receives 1,000 messages.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from switchroom.protocols.gsm import modem as engine
from switchroom.protocols.gsm import tpdu
from switchroom.protocols.gsm.modem import ModemConfig, ModemEvent, ModemState
from switchroom.switch.sms.modems.simulator import Faults
from tests.switch.sms.modems.bench import Bench, Sink

COUNT = 1000 if os.environ.get("SWITCHROOM_LONG") else 100


class Customer(Bench):
    """Sends what failed again, and keeps what comes once, as the centre does by its key."""

    def __init__(self, config: ModemConfig, count: int) -> None:
        self.sinks = [Sink(f"+49170000001{n}") for n in range(10)]
        self.waiting = [f"message {n}" for n in range(count)]
        self.kept: dict[bytes, str] = {}
        self.reports: list[int] = []
        self.attempts: Counter[str] = Counter()
        self.down_at: float | None = None
        self.longest = 0.0
        super().__init__(config, seed=13)
        for sink in self.sinks:
            self.network.add(sink)

    @property
    def received(self) -> list[tpdu.Deliver]:
        return [deliver for sink in self.sinks for deliver in sink.received]

    def go_on(self) -> None:
        while self.waiting and self.modem.room:
            text = self.waiting.pop(0)
            self.attempts[text] += 1
            number = f"+49170000001{text[-1]}"
            self.send(text, number=number, wants_status_report=True)

    def on_event(self, event: ModemEvent) -> None:
        if isinstance(event, engine.SubmitFailed | engine.SubmitDoubtful):
            self.waiting.append(event.context)  # a doubt that no report ended: it was not sent
        elif isinstance(event, engine.MessageReceived):
            self.kept[event.octets] = event.deliver.text
        elif isinstance(event, engine.StatusReportReceived):
            self.reports.append(event.report.message_reference)
        elif isinstance(event, engine.StateChanged):
            if event.state is not ModemState.READY and self.down_at is None:
                self.down_at = self.now
            elif event.state is ModemState.READY and self.down_at is not None:
                self.longest = max(self.longest, self.now - self.down_at)
                self.down_at = None
        super().on_event(event)


@pytest.mark.parametrize("is_direct", [False, True])
def test_nothing_is_lost_and_nothing_comes_twice(is_direct: bool) -> None:
    config = ModemConfig(is_direct=is_direct, send_timeout=10.0, doubt_timeout=90.0, poll_interval=15.0)
    bench = Customer(config, COUNT)
    bench.device.faults = Faults(
        error_rate=0.1, hang_rate=0.01, late_hang_rate=0.01, hang_seconds=1e6, delay=1.0, is_interrupting=True
    )
    for n in range(COUNT):
        bench.network.inject(f"+4940{n}", bench.sim.number, tpdu.UserData(b"incoming %d" % n), bench.now + n)
    for _ in range(COUNT * 60):
        bench.go_on()
        bench.run(1.0)
        if len(bench.kept) == COUNT and len(bench.received) >= COUNT and not bench.waiting:
            break
    bench.run(300.0)
    arrived = Counter(deliver.text for deliver in bench.received)
    assert arrived == Counter({f"message {n}": 1 for n in range(COUNT)})
    assert Counter(bench.kept.values()) == Counter({f"incoming {n}": 1 for n in range(COUNT)})
    assert len(bench.reports) >= COUNT
    assert bench.reopened > 0
    assert sum(bench.attempts.values()) > COUNT
    assert bench.longest < 30.0
    assert bench.modem.state is ModemState.READY


def test_an_unsolicited_line_at_every_octet_of_a_message_being_sent() -> None:
    """Into the command, its echo, the prompt, the text and the answer: at each place once."""
    dry = Bench()
    dry.device.commands.has_echo = True
    total = 0
    for at in range(200):
        bench = Bench()
        bench.device.commands.has_echo = True
        moved = _send_with_line_at(bench, at)
        total = max(total, moved)
        assert [event.context for event in bench.of(engine.Submitted)] == ["x"], at  # type: ignore[attr-defined]
        assert [deliver.text for deliver in bench.other.received] == ["x"], at
        assert bench.texts() == ["meanwhile"], at
        assert bench.reopened == 0
        if at > moved:
            break
    assert total > 80


def _send_with_line_at(bench: Bench, place: int) -> int:
    """Move octets one by one; the line comes after so many. Gives how many there were."""
    bench.device.commands.routing = (0, 0, 0, 0, 0)  # stored, and told of by hand
    bench.network.inject("+491", bench.sim.number, tpdu.UserData(b"meanwhile"), bench.now)
    bench.network.handle_timer(bench.now + 1.0)
    moved = 0
    is_told = False
    back = b""
    submit = tpdu.Submit(tpdu.Address.of("+491700000002"), tpdu.UserData(b"x"))
    bench.modem.send_submit(submit, "x", bench.now)
    out = bench.modem.data_to_send()
    while out or back:
        if moved >= place and not is_told:
            is_told = True
            bench.modem.receive_data(b'\r\n+CMTI: "SM",1\r\n', bench.now)
        if out:
            bench.device.receive_data(out[:1], bench.now)
            out = out[1:]
        else:
            bench.modem.receive_data(back[:1], bench.now)
            back = back[1:]
        moved += 1
        back += bench.device.data_to_send()
        out += bench.modem.data_to_send()
    if not is_told:
        bench.modem.receive_data(b'\r\n+CMTI: "SM",1\r\n', bench.now)
    bench.run(5.0)
    return moved
