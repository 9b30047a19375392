"""A modem engine, a simulated modem and a network in memory, with one clock that the tests walk."""

from __future__ import annotations

from collections.abc import Callable

from switchroom.protocols.gsm import modem as engine
from switchroom.protocols.gsm import split, tpdu
from switchroom.protocols.gsm.modem import Modem, ModemConfig, ModemEvent
from switchroom.switch.sms.modems.simulator import Faults, Network, Sim, SimulatedModem

START = 1_800_000_000.0


class Bench:
    """``modem`` talks to ``device``; what it tells is in ``events``, and it is answered by ``on_event``."""

    def __init__(
        self,
        config: ModemConfig = ModemConfig(),  # noqa: B008
        *,
        sim: Sim | None = None,
        faults: Faults | None = None,
        is_text_only: bool = False,
        seed: int = 1,
        is_opened: bool = True,
    ) -> None:
        self.now = 0.0
        self.network = Network(lambda now: START + now, seed=seed)
        self.sim = sim or Sim("+491700000001")
        self.device = SimulatedModem(
            self.sim, self.network, faults=faults, is_text_only=is_text_only, seed=seed
        )
        self.other = Sink("+491700000002")
        self.network.add(self.other)
        self.modem = Modem(config)
        self.events: list[ModemEvent] = []
        self.log: list[str] = []
        self.takes = True
        self.reopened = 0
        if is_opened:
            self.open()
            self.run(12.0)

    def open(self) -> None:
        self.device.open(self.now)
        self.modem.connect(self.now)
        self.pump()

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let time pass."""
        end = self.now + seconds
        while True:
            self.pump()
            if until():
                return
            parts = (self.modem, self.device, self.network)
            at = min((t for t in (part.next_timer() for part in parts) if t is not None), default=end + 1)
            if at > end:
                break
            self.now = max(self.now, at)
            for part in parts:
                part.handle_timer(self.now)
        self.now = end
        self.pump()

    def pump(self) -> None:
        while True:
            out, back = self.modem.data_to_send(), self.device.data_to_send()
            if out:
                self.device.receive_data(out, self.now)
            if back:
                self.modem.receive_data(back, self.now)
            while (event := self.modem.next_event()) is not None:
                self.events.append(event)
                self.on_event(event)
            if not out and not back:
                return

    def on_event(self, event: ModemEvent) -> None:
        if isinstance(event, engine.ResetWanted):
            self.reopened += 1
            self.modem.disconnect(self.now)
            self.device.data_to_send()
            self.open()
        handle = getattr(event, "handle", None)
        if handle is not None and self.takes:
            self.modem.acknowledge(handle, self.now)

    def of(self, kind: type) -> list[ModemEvent]:
        return [event for event in self.events if isinstance(event, kind)]

    def send(
        self, text: str, context: object = None, number: str = "+491700000002", **options: object
    ) -> None:
        for part in split(text):
            data = tpdu.UserData.of(part)
            coding = 8 if part.encoding.name == "UCS-2" else 0
            submit = tpdu.Submit(tpdu.Address.of(number), data, coding, **options)  # type: ignore[arg-type]
            self.modem.send_submit(submit, context or text, self.now)
        self.pump()

    def texts(self) -> list[str]:
        return [event.deliver.text for event in self.of(engine.MessageReceived)]  # type: ignore[attr-defined]


class Sink:
    """A telephone that takes everything."""

    def __init__(self, number: str) -> None:
        self.number = number
        self.received: list[tpdu.Deliver] = []

    def deliver(
        self, pdu: tpdu.Deliver | tpdu.StatusReport, now: float, done: Callable[[bool, float], None]
    ) -> None:
        if isinstance(pdu, tpdu.Deliver):
            self.received.append(pdu)
        done(True, now)
