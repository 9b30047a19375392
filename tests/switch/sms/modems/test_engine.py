"""The modem engine against the simulated modem: everything that a day with a modem brings."""

from __future__ import annotations

import pytest

from switchroom.protocols.errors import LocalProtocolError
from switchroom.protocols.gsm import modem as engine
from switchroom.protocols.gsm import split, tpdu
from switchroom.protocols.gsm.modem import ModemConfig, ModemState
from switchroom.switch.sms.modems.simulator import Faults, Rule, Sim
from switchroom.switch.sms.modems.simulator.storage import Status
from tests.switch.sms.modems.bench import Bench


def test_a_modem_gets_ready() -> None:
    bench = Bench()
    facts = bench.modem.facts
    assert bench.modem.state is ModemState.READY
    assert (facts.manufacturer, facts.model) == ("Switchroom", "Modem Simulator")
    assert (facts.number, facts.operator, facts.signal_dbm) == ("+491700000001", "Switchroom Sim", -71)
    assert facts.imei.isdigit()
    assert facts.imsi.startswith("26299")
    assert (facts.storage, facts.stored, facts.room) == ("SM", 0, 30)
    assert facts.service_centre == "+49170000000"
    assert bench.device.commands.routing == (2, 1, 0, 2, 0)


@pytest.mark.parametrize("is_text_only", [False, True])
@pytest.mark.parametrize("text", ["Hello there", "Grüße: 5 € {x}", "Привет 😀", "a" * 400, "ж" * 200])
def test_messages_go_out(text: str, is_text_only: bool) -> None:
    bench = Bench(is_text_only=is_text_only)
    bench.send(text)
    bench.run(5.0)
    assert "".join(deliver.text for deliver in bench.other.received) == text
    sent = bench.of(engine.Submitted)
    assert len(sent) == len(bench.other.received)
    if len(sent) > 1:
        assert [d.user_data.header.concatenation.number for d in bench.other.received] == [  # type: ignore[union-attr]
            n + 1 for n in range(len(sent))
        ]


@pytest.mark.parametrize("is_direct", [False, True])
@pytest.mark.parametrize("is_text_only", [False, True])
def test_messages_and_reports_come_in(is_direct: bool, is_text_only: bool) -> None:
    bench = Bench(ModemConfig(is_direct=is_direct), is_text_only=is_text_only)
    bench.network.inject("+4911111", bench.sim.number, tpdu.UserData(b"first"), bench.now)
    bench.network.inject("Bank", bench.sim.number, tpdu.UserData("жж".encode("utf-16-be")), bench.now, 8)
    bench.send("with a report", wants_status_report=True)
    bench.run(30.0)
    assert bench.texts() == ["first", "жж"]
    assert [e.deliver.source.number for e in bench.of(engine.MessageReceived)] == ["+4911111", "Bank"]  # type: ignore[attr-defined]
    (report,) = bench.of(engine.StatusReportReceived)
    (sent,) = bench.of(engine.Submitted)
    assert report.report.message_reference == sent.reference  # type: ignore[attr-defined]
    assert tpdu.fate(report.report.status) is tpdu.Fate.DELIVERED  # type: ignore[attr-defined]
    assert len(bench.sim.messages) == 0
    assert bench.network.next_timer() is None  # everything was acknowledged


def test_nothing_is_deleted_before_the_owner_has_it() -> None:
    for is_direct in (False, True):
        bench = Bench(ModemConfig(is_direct=is_direct))
        bench.takes = False
        bench.network.inject("+491", bench.sim.number, tpdu.UserData(b"keep me"), bench.now)
        bench.run(50.0)
        if not is_direct:
            assert len(bench.sim.messages) == 1
        assert bench.texts()[0] == "keep me"
        bench.takes = True
        bench.run(200.0)
        assert len(bench.texts()) >= 2  # it was offered again
        assert len(bench.sim.messages) == 0
        assert bench.network.next_timer() is None


def test_what_was_stored_while_nobody_was_there() -> None:
    bench = Bench(is_opened=False)
    bench.device.commands.routing = (0, 0, 0, 0, 0)
    for n in range(35):  # more than the SIM has room for: the network keeps the rest
        bench.network.inject("+491", bench.sim.number, tpdu.UserData(b"%d" % n), 0.0)
    bench.network.handle_timer(10.0)
    assert len(bench.sim.messages) == 30
    bench.open()
    bench.run(60.0)
    assert sorted(map(int, bench.texts())) == list(range(35))
    assert len(bench.sim.messages) == 0


@pytest.mark.parametrize("is_text_only", [False, True])
def test_what_was_not_deleted_comes_again_as_the_same(is_text_only: bool) -> None:
    bench = Bench(is_text_only=is_text_only)
    bench.takes = False
    long = split("Grüße € " * 30)
    for part in long:
        bench.network.inject("+491", bench.sim.number, tpdu.UserData.of(part), bench.now)
    bench.network.inject("+492", bench.sim.number, tpdu.UserData("жж".encode("utf-16-be")), bench.now, 8)
    bench.run(5.0)
    told = [(e.octets, e.deliver.text) for e in bench.of(engine.MessageReceived)]  # type: ignore[attr-defined]
    assert [text for _, text in told] == [part.text for part in long] + ["жж"]
    bench.events.clear()
    bench.modem.disconnect(bench.now)  # nothing was deleted: it is read from a list now
    bench.open()
    bench.run(20.0)
    assert [(e.octets, e.deliver.text) for e in bench.of(engine.MessageReceived)] == told  # type: ignore[attr-defined]


def test_errors_and_what_they_mean() -> None:
    bench = Bench()
    bench.network.rules = [
        Rule.parse("491*=fail:1"),
        Rule.parse("492*=fail:38"),
        Rule.parse("493*=status:70"),
    ]
    bench.send("a", number="+491")
    bench.send("b", number="+492")
    bench.send("c", number="+493", wants_status_report=True)
    bench.run(10.0)
    wrong, down = bench.of(engine.SubmitFailed)
    assert (wrong.context, wrong.fault, wrong.result.code) == ("a", engine.Fault.PERMANENT, 1)  # type: ignore[attr-defined]
    assert (down.context, down.fault) == ("b", engine.Fault.TEMPORARY)  # type: ignore[attr-defined]
    assert down.result.meaning == "+CMS ERROR 38: network out of order"  # type: ignore[attr-defined]
    (report,) = bench.of(engine.StatusReportReceived)
    assert tpdu.fate(report.report.status) is tpdu.Fate.EXPIRED  # type: ignore[attr-defined]


def test_a_pin_is_never_tried_twice() -> None:
    sim = Sim("+491", pin="1234")
    bench = Bench(ModemConfig(pin="1234"), sim=sim)
    assert bench.modem.state is ModemState.READY
    sim = Sim("+491", pin="1234")
    bench = Bench(ModemConfig(pin="9999"), sim=sim)
    bench.run(300.0)
    assert bench.modem.state is ModemState.BLOCKED
    assert bench.of(engine.PinRefused) == [engine.PinRefused("9999")]
    bench.modem.disconnect(bench.now)
    bench.open()
    bench.run(30.0)
    assert sim.attempts == 2
    assert "not tried again" in bench.modem.reason
    assert Bench(sim=Sim("+491", pin="1")).modem.reason == "the SIM wants a PIN and none is configured"


def test_a_modem_that_loses_the_network_finds_it_again() -> None:
    bench = Bench()
    bench.device.commands.is_on = False
    bench.run(40.0)
    assert bench.modem.state is ModemState.SEARCHING
    assert bench.modem.room == 0
    bench.device.commands.is_on = True
    bench.run(40.0)
    assert bench.modem.state is ModemState.READY


def test_a_code_is_answered() -> None:
    bench = Bench()
    bench.modem.send_ussd("*100#", "balance", bench.now)
    with pytest.raises(LocalProtocolError):
        bench.modem.send_ussd("*101#", "again", bench.now)
    bench.run(5.0)
    assert bench.of(engine.UssdAnswered) == [engine.UssdAnswered("balance", "Your balance is 12.34")]
    for wrong in ("", 'a"', "x" * 200, "ж"):
        with pytest.raises(LocalProtocolError):
            bench.modem.send_ussd(wrong, None, bench.now)


@pytest.mark.parametrize("is_late", [False, True])
def test_a_modem_that_hangs_is_reset_and_the_message_has_a_fate(is_late: bool) -> None:
    faults = Faults(**{"late_hang_rate" if is_late else "hang_rate": 1.0}, hang_seconds=1e6)
    bench = Bench(ModemConfig(send_timeout=10.0, doubt_timeout=60.0), faults=faults)
    bench.send("x", wants_status_report=True)
    began = bench.now
    bench.run(1.0)
    bench.device.faults = Faults()
    bench.run(60.0, until=lambda: bench.modem.state is ModemState.READY and bench.reopened > 0)
    assert bench.now - began < 40.0
    bench.run(100.0)
    assert bench.reopened == 1
    if is_late:  # the status report told that it was sent
        assert [event.context for event in bench.of(engine.Submitted)] == ["x"]  # type: ignore[attr-defined]
    else:
        assert [event.context for event in bench.of(engine.SubmitDoubtful)] == ["x"]  # type: ignore[attr-defined]


def test_an_answer_that_comes_too_late() -> None:
    bench = Bench(ModemConfig(send_timeout=5.0), faults=Faults(delay=7.0))
    bench.send("slow", wants_status_report=True)
    bench.run(30.0)
    assert [event.context for event in bench.of(engine.Submitted)] == ["slow"]  # type: ignore[attr-defined]
    assert len(bench.other.received) == 1
    assert bench.modem.state is ModemState.READY
    assert bench.reopened == 0


def test_a_connection_that_breaks() -> None:
    bench = Bench(faults=Faults(delay=5.0))
    bench.send("one")
    bench.send("two")
    bench.run(1.0)
    bench.modem.disconnect(bench.now, "unplugged")
    bench.pump()
    assert bench.modem.state is ModemState.CLOSED
    assert [event.context for event in bench.of(engine.SubmitDoubtful)] == ["one"]  # type: ignore[attr-defined]
    (failed,) = bench.of(engine.SubmitFailed)
    assert (failed.context, failed.fault) == ("two", engine.Fault.TEMPORARY)  # type: ignore[attr-defined]
    assert bench.modem.room == 0


def test_a_call_is_told_once_and_rejected_until_it_ends() -> None:
    bench = Bench()
    asked: list[bytes] = []
    hear = bench.device.receive_data
    bench.device.receive_data = lambda data, now: (asked.append(data), hear(data, now))  # type: ignore[method-assign,assignment,func-returns-value]
    for _ in range(3):
        bench.device.tell("RING")
        bench.device.tell('+CLIP: "+4930123",145')
        bench.run(3.0)
    assert bench.of(engine.Ringing) == [engine.Ringing("+4930123")]
    assert b"".join(asked).count(b"AT+CHUP") == 3
    bench.device.tell("NO CARRIER")
    for _ in range(2):  # this one shows no number
        bench.device.tell("RING")
        bench.run(3.0)
    assert bench.of(engine.Ringing)[1:] == [engine.Ringing("")]
    assert bench.of(engine.Noise) == []


def test_a_call_that_ends_meanwhile_is_not_the_end_of_a_message() -> None:
    bench = Bench(faults=Faults(delay=2.0))
    bench.send("x")
    bench.run(1.0)
    bench.modem.receive_data(b"\r\nNO CARRIER\r\n", bench.now)
    assert bench.of(engine.SubmitFailed) == []
    bench.run(3.0)
    assert len(bench.of(engine.Submitted)) == 1


def test_a_modem_that_finds_no_network_is_restarted() -> None:
    bench = Bench(ModemConfig(search_timeout=120.0))
    bench.device.commands.is_on = False
    bench.run(100.0)
    assert bench.modem.state is ModemState.SEARCHING
    bench.run(100.0)  # AT+CFUN=1,1 switches its radio on
    assert bench.modem.state is ModemState.READY
    assert [event.reason for event in bench.of(engine.StateChanged) if event.state is ModemState.STUCK] == [  # type: ignore[attr-defined]
        "restarting the modem"
    ]


def test_a_storage_that_is_full_of_others_messages_is_told_of() -> None:
    sim = Sim("+491700000001", capacity=3)
    for _ in range(3):
        sim.messages.add(Status.UNSENT, bytes.fromhex("0001000A91947110325400000568656C6C6F"))
    bench = Bench(sim=sim)
    bench.run(120.0)
    assert bench.of(engine.StorageFull) == [engine.StorageFull("SM", 3)]
    assert (bench.modem.facts.stored, bench.modem.facts.room) == (3, 3)
    assert bench.of(engine.MessageReceived) == []  # and none of them is deleted
    assert len(sim.messages) == 3
