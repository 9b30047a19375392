"""Kinds of modems, as their manuals and published logs show them: made ready, sending, receiving, asked."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from switchroom.protocols.gsm import modem as engine
from switchroom.protocols.gsm import split, tpdu
from switchroom.protocols.gsm.modem import Modem, ModemConfig, ModemEvent, ModemState
from tests.protocols.gsm.modem.player import Player


class Kind(NamedTuple):
    name: str
    model: str
    operator: str
    routing: str  # AT+CNMI
    reference: int
    has_balance: bool = True


KINDS = [
    Kind("huawei-e1752", "huawei E1752", "Cell C", "2,1,0,2,0", 64),
    Kind("wavecom-900e", "WAVECOM MODEM MULTIBAND  900E  1800", "20810", "2,1,0,2,0", 7, False),
    Kind("siemens-mc35i", "SIEMENS MC35i", "MTS-RUS", "2,1,0,2,1", 131, False),
    Kind("sim800", "SIMCOM_Ltd SIMCOM_SIM800L", "vodafone", "2,1,0,1,0", 21),
    Kind("quectel-ec25", "Quectel EC25", "Telekom.de", "2,1,0,2,0", 78),
    Kind("zte-k3565", "ZTE INCORPORATED K3565-Z", "vodafone UK", "2,1,0,2,0", 5),
]
REPORT = "07917238010010F506{:02X}0B917238010259F3302110122081043021101220910400"
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


class Session:
    """The engine and a kind, on one clock."""

    def __init__(self, name: str, player: Player | None = None, **config: Any) -> None:
        self.now = 0.0
        self.player = player or Player(name)
        self.modem = Modem(ModemConfig(**{"pin": "1234", **config}))
        self.events: list[ModemEvent] = []
        self.takes = True
        self.modem.connect(0.0)
        self.run(25.0)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            self.pump()
            at = self.modem.next_timer()
            if at is None or at > end:
                break
            self.now = max(self.now, at)
            self.modem.handle_timer(self.now)
        self.now = end

    def pump(self) -> None:
        while True:
            out, back = self.modem.data_to_send(), self.player.data_to_send()
            self.player.receive_data(out)
            for at in range(0, len(back), 7):  # as it comes over a wire
                self.modem.receive_data(back[at : at + 7], self.now)
            while (event := self.modem.next_event()) is not None:
                self.events.append(event)
                handle = getattr(event, "handle", None)
                if handle is not None and self.takes:
                    self.modem.acknowledge(handle, self.now)
            if not out and not back:
                return

    def of(self, kind: type) -> list[ModemEvent]:
        return [event for event in self.events if isinstance(event, kind)]

    def send(self, text: str) -> None:
        [part] = split(text)
        to = tpdu.Address.of("+27831020953")
        submit = tpdu.Submit(to, tpdu.UserData.of(part), wants_status_report=True)
        self.modem.send_submit(submit, text, self.now)
        self.run(2.0)


@each_kind
def test_it_gets_ready(kind: Kind) -> None:
    session = Session(kind.name)
    modem, facts = session.modem, session.modem.facts
    assert modem.state is ModemState.READY, (modem.reason, session.player.heard)
    assert f"{facts.manufacturer} {facts.model}" == kind.model
    assert facts.operator == kind.operator
    assert facts.is_pdu_mode
    assert facts.storage == "SM"
    assert facts.signal_dbm is not None
    assert session.player.heard.count(f"AT+CNMI={kind.routing}") >= 1
    assert sum(command.startswith("AT+CPIN=") for command in session.player.heard) <= 1
    assert session.player.heard.count("AT+CMEE=1") == (2 if kind.name == "zte-k3565" else 1)
    assert not session.of(engine.ResetWanted)


@each_kind
def test_it_sends_and_the_report_comes(kind: Kind) -> None:
    session = Session(kind.name)
    session.send("hello")
    assert session.of(engine.Submitted) == [engine.Submitted("hello", kind.reference)]
    if kind.routing[6] == "2":
        session.player.say('+CDSI: "SM",0' if kind.name == "quectel-ec25" else '+CDSI: "SR",0')
        session.run(2.0)
    if kind.name == "quectel-ec25":  # it was not there: from now on they come directly
        assert session.of(engine.StatusReportReceived) == []
        assert session.player.heard[-1] == "AT+CNMI=2,1,0,1,0"
    if kind.name in ("quectel-ec25", "sim800"):
        session.player.say("+CDS: 25", REPORT.format(kind.reference))
        session.run(2.0)
    (report,) = session.of(engine.StatusReportReceived)
    assert isinstance(report, engine.StatusReportReceived)
    assert report.report.message_reference == kind.reference
    assert tpdu.fate(report.report.status) is tpdu.Fate.DELIVERED


@each_kind
def test_it_receives_and_deletes(kind: Kind) -> None:
    session = Session(kind.name)
    session.player.say('+CMTI: "SM",7')
    session.run(2.0)
    (message,) = session.of(engine.MessageReceived)
    assert isinstance(message, engine.MessageReceived)
    assert (message.deliver.source.number, message.deliver.text) == ("+27831020953", "Test")
    assert any(command.startswith("AT+CMGD=7") for command in session.player.heard)


@each_kind
def test_a_call_is_rejected_in_whatever_way_it_is_told(kind: Kind) -> None:
    session = Session(kind.name)
    session.player.say("+CRING: VOICE", '+CLIP: "+27820000001",145,,,,0')
    session.run(2.0)
    assert session.of(engine.Ringing) == [engine.Ringing("+27820000001")]
    assert "AT+CHUP" in session.player.heard


@each_kind
def test_a_code_is_asked_in_the_form_that_it_takes(kind: Kind) -> None:
    if not kind.has_balance:
        return
    session = Session(kind.name)
    session.modem.send_ussd("*100#", "x", session.now)
    session.run(2.0)
    is_packed = kind.name.startswith("huawei")
    session.player.say('+CUSD: 0,"D9775D0E1287D961F7B80C",15' if is_packed else '+CUSD: 0,"Your balance",15')
    session.run(1.0)
    (answer,) = session.of(engine.UssdAnswered)
    assert isinstance(answer, engine.UssdAnswered)
    assert answer.text.startswith("Your balanc")


def test_a_telephone_that_sends_and_does_not_read() -> None:
    session = Session("nokia-n79")
    assert session.modem.state is ModemState.READY
    assert session.modem.facts.revision == "V ICPR72_08w44.1"
    session.send("hello")
    assert session.of(engine.Submitted) == [engine.Submitted("hello", 9)]
    session.run(600.0)
    assert session.modem.state is ModemState.READY
    assert not session.of(engine.ResetWanted)
