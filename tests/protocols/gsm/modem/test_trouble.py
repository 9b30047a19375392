"""What modems and SIMs do that nobody wants: no SIM, no answer, torn lines, errors of all kinds."""

from __future__ import annotations

import pytest

from switchroom.protocols.errors import LocalProtocolError
from switchroom.protocols.gsm import modem as engine
from switchroom.protocols.gsm import split, tpdu
from switchroom.protocols.gsm.modem import Fault, ModemState, Result, ResultKind, parse_final
from tests.protocols.gsm.modem.player import Player
from tests.protocols.gsm.modem.test_kinds import REPORT, Session

DELIVER = "0791448720003023240B917238010259F300003021101220810404D4F29C0E"
NOTHING: list[str] = []


def session() -> Session:
    """A SIM800 that is ready."""
    return Session("sim800")


# -- the start


def test_a_sim_that_is_missing_and_comes() -> None:
    player = Player("sim800")
    player.answer("AT+CPIN?", ["+CME ERROR: 10"], ["+CME ERROR: 10"], ["+CPIN: READY", "OK"])
    found = Session("", player)
    assert (found.modem.state, found.modem.reason) == (ModemState.BLOCKED, "no SIM")
    found.run(90.0)
    assert found.modem.state is ModemState.READY


def test_a_sim_that_never_answers() -> None:
    player = Player("sim800")
    player.answer("AT+CPIN?", ["+CME ERROR: 14"])
    found = Session("", player)
    found.run(10.0)
    assert (found.modem.state, found.modem.reason) == (ModemState.BLOCKED, "the SIM does not answer")


def test_a_sim_that_wants_its_puk_is_left_alone() -> None:
    player = Player("sim800")
    player.answer("AT+CPIN?", ["+CPIN: SIM PUK", "OK"])
    found = Session("", player)
    found.run(600.0)
    assert (found.modem.state, found.modem.reason) == (ModemState.BLOCKED, "the SIM wants SIM PUK")
    assert not any(command.startswith("AT+CPIN=") for command in found.player.heard)


def test_a_second_pin_is_none_of_ours() -> None:
    player = Player("sim800")
    player.answer("AT+CPIN?", ["+CPIN: SIM PIN2", "OK"])
    assert Session("", player).modem.state is ModemState.READY


def test_a_modem_that_answers_nothing() -> None:
    player = Player("sim800")
    player.answer("AT", NOTHING)
    found = Session("", player)
    assert found.of(engine.ResetWanted) == [engine.ResetWanted("no answer to AT")]
    assert found.modem.state is ModemState.STUCK


def test_a_modem_that_falls_silent_while_it_starts() -> None:
    player = Player("sim800")
    player.answer("AT+CIMI", NOTHING)
    found = Session("", player)
    found.run(60.0)
    assert found.of(engine.ResetWanted) == [engine.ResetWanted("it does not get ready")]


def test_what_is_configured_is_told() -> None:
    player = Player("sim800")
    player.answer("AT+CFUN?", ["+CFUN: 4", "OK"])
    player.answer("AT+CFUN=1", ["OK"])
    found = Session("", player, service_centre="+491710760000", init=("AT+CSCLK=0",))
    assert found.modem.state is ModemState.READY
    for command in ("AT+CFUN=1", 'AT+CSCA="+491710760000"', "AT+CSCLK=0"):
        assert command in found.player.heard


def test_without_pdu_mode_there_is_text_mode() -> None:
    player = Player("sim800")
    player.answer("AT+CMGF=0", ["ERROR"])
    player.answer("AT+CMGF=?", ["ERROR"])
    player.answer("AT+CMGF=1", ["OK"])
    found = Session("", player, is_direct=True)
    found.run(30.0)
    assert found.modem.state is ModemState.READY
    assert not found.modem.facts.is_pdu_mode
    assert not found.modem.needs_acknowledgement
    found.player.say('+CDS: 6,21,"+27831020953",145,"26/11/30,10:00:00+08","26/11/30,10:00:04+08",0')
    found.player.say('+CDS: 6,22,"+27831020953",145,"26/11/30"')
    found.run(1.0)
    (report,) = found.of(engine.StatusReportReceived)
    assert report.report.message_reference == 21  # type: ignore[attr-defined]
    assert len(found.of(engine.Garbled)) == 1
    found.player.answer("AT+CMGR=1", ['+CMGR: "STO SENT","+27831020953",', "004100", "OK"])
    found.player.answer("AT+CMGR=2", ['+CMGR: "REC READ","+27831020953",,"yesterday"', "004100", "OK"])
    found.player.answer(
        "AT+CMGR=3",
        ['+CMGR: "REC READ","002B0032","","26/11/30,10:00:00+08",145,4,0,0,"",145,5', "plain", "OK"],
    )
    found.player.say('+CMTI: "SM",1', '+CMTI: "SM",2', '+CMTI: "SM",3')
    found.run(5.0)
    found.player.say('+CMTI: "SM",2')
    found.run(5.0)
    (message,) = found.of(engine.MessageReceived)
    assert (message.deliver.source.number, message.deliver.text) == ("+2", "plain")  # type: ignore[attr-defined]
    assert [event.reason[:24] for event in found.of(engine.Garbled)[1:]] == ["a message without a time"]  # type: ignore[attr-defined]


# -- messages


def send(found: Session, text: str, **options: object) -> None:
    [part] = split(text)
    submit = tpdu.Submit(tpdu.Address.of("+27831020953"), tpdu.UserData.of(part), **options)  # type: ignore[arg-type]
    found.modem.send_submit(submit, text, found.now, has_more=True)


def test_the_connection_is_kept_while_there_is_more_if_the_modem_knows_how() -> None:
    found = session()
    send(found, "one")
    found.run(3.0)
    send(found, "two")
    found.run(3.0)
    assert found.player.heard.count("AT+CMMS=1") == 1  # it said ERROR
    assert len(found.of(engine.Submitted)) == 2


def test_more_than_a_modem_can_ever_send() -> None:
    found = session()
    found.player.answer("AT+CMGS=*", NOTHING)
    for n in range(102):
        send(found, f"{n}")
    with pytest.raises(LocalProtocolError, match="too much waits"):
        send(found, "one more")


def test_messages_without_answers_restart_it() -> None:
    found = session()
    found.player.answer("PDU", NOTHING)
    found.player.answer("AT+CMEE?", ["+CMEE: 1", "OK"])
    found.player.answer("AT+CFUN=1,1", ["OK"])
    for n in range(3):
        send(found, f"{n}")
        found.run(80.0)
    assert "AT+CFUN=1,1" in found.player.heard
    assert [event.context for event in found.of(engine.SubmitDoubtful)] == ["0", "1", "2"]  # type: ignore[attr-defined]


def test_of_two_in_doubt_it_is_the_one_of_that_time() -> None:
    found = session()
    send(found, "known", wants_status_report=True)
    found.run(2.0)
    known = found.now
    found.player.say("+CDS: 25", REPORT.format(21))  # what the centre's clock shows is learned
    found.run(1.0)
    found.player.answer("PDU", NOTHING)
    found.player.answer("AT+CMEE?", ["+CMEE: 1", "OK"])
    found.modem.config = engine.ModemConfig(doubt_timeout=1000.0, send_timeout=10.0)
    send(found, "first", wants_status_report=True)
    found.run(100.0)
    second = found.now
    send(found, "second", wants_status_report=True)
    found.run(30.0)
    at = tpdu.Timestamp.parse(bytes.fromhex("30211012208104"))
    sent_at = tpdu.Timestamp.at((at.posix or 0.0) + second - known, at.zone)
    to = tpdu.Address.of("+27831020953")
    line, size = tpdu.to_hex(tpdu.StatusReport(99, to, sent_at, sent_at), tpdu.Address.of("+1"))
    found.player.say(f"+CDS: {size}", line)
    found.player.say(f"+CDS: {size}", line)  # a copy says nothing more
    found.run(1.0)
    assert found.of(engine.Submitted)[1:] == [engine.Submitted("second", 99)]


def test_what_is_not_taken_is_offered_again_and_a_torn_line_is_read_again() -> None:
    found = session()
    found.takes = False
    found.player.answer("AT+CMGR=7", ["+CMGR: 0,,23", DELIVER[:-9], "OK"], ["+CMGR: 0,,23", DELIVER, "OK"])
    found.player.say('+CMTI: "SM",7')
    found.run(2.0)
    assert found.of(engine.Garbled) == []
    found.player.say('+CMTI: "SM",7')
    found.run(2.0)
    (message,) = found.of(engine.MessageReceived)
    assert isinstance(message, engine.MessageReceived)
    found.modem.acknowledge(message.handle, found.now, is_taken=False)
    found.modem.acknowledge(engine.Handle("SM", 7, -1), found.now)  # of another life
    found.player.say('+CMTI: "SM",7')
    found.run(2.0)
    assert len(found.of(engine.MessageReceived)) == 1
    assert "AT+CMGD=7" not in found.player.heard
    found.run(70.0)
    found.takes = True
    found.player.say('+CMTI: "SM",7')
    found.run(2.0)
    assert len(found.of(engine.MessageReceived)) == 2
    assert "AT+CMGD=7" in found.player.heard


def test_nothing_is_read_or_deleted_in_another_storage() -> None:
    found = session()
    found.player.answer('AT+CPMS="ME"', ["+CMS ERROR: 314"])
    found.player.say('+CMTI: "ME",7')
    found.run(2.0)
    assert "AT+CMGR=7" not in found.player.heard
    found.player.answer('AT+CPMS="ME"', ["+CPMS: 1,50,0,10,0,10", "OK"], ["+CMS ERROR: 314"])
    found.player.say('+CMTI: "ME",7')
    found.run(2.0)
    (message,) = found.of(engine.MessageReceived)
    assert message.handle == engine.Handle("ME", 7, 1)  # type: ignore[attr-defined]
    assert "AT+CMGD=7" not in found.player.heard
    found.player.answer('AT+CPMS="ME"', ["+CPMS: 1,50,0,10,0,10", "OK"])
    found.run(70.0)
    found.player.say('+CMTI: "ME",7')
    found.run(2.0)
    assert found.player.heard.count("AT+CMGD=7") == 1


def test_what_cannot_be_read_is_told_as_it_is() -> None:
    found = session()
    report = tpdu.SubmitReport(tpdu.Timestamp(2026, 11, 30, 10, 0, 0))
    octets = bytes(report)
    for index, line in ((1, "07917238010011F3"), (2, f"00{octets.hex()}")):
        found.player.answer(f"AT+CMGR={index}", [f"+CMGR: 0,,{len(line) // 2}", line, "OK"])
        for _ in range(2):
            found.player.say(f'+CMTI: "SM",{index}', '+CMTI: "SM"')
            found.run(2.0)
    first, second = found.of(engine.Garbled)
    assert isinstance(first, engine.Garbled)
    assert first.line == "07917238010011F3"
    assert second.reason == "a submit report"  # type: ignore[attr-defined]


def test_a_headline_without_its_body() -> None:
    found = session()
    found.player.say("+CMT: ,23", "+CREG: 1", "+CMT: ,23", DELIVER)
    found.run(2.0)
    assert len(found.of(engine.MessageReceived)) == 1


def test_a_direct_message_whose_acknowledgement_fails() -> None:
    player = Player("sim800")
    player.answer("AT+CSMS=1", ["+CSMS: 1,1,1", "OK"])
    player.answer("AT+CNMI=2,2,0,1,0", ["OK"])
    player.answer("AT+CNMA", ["+CMS ERROR: 340"])
    found = Session("", player, is_direct=True)
    found.player.say("+CMT: ,23", DELIVER)
    found.run(2.0)
    assert found.player.heard.count("AT+CNMI=2,2,0,1,0") == 2  # that it is to be told of was turned off


def test_a_full_storage_that_says_so() -> None:
    found = session()
    count = found.player.heard.count("AT+CMGL=4")
    found.player.say('^SMMEMFULL: "SM"')
    found.run(2.0)
    assert found.player.heard.count("AT+CMGL=4") > count


# -- codes


@pytest.mark.parametrize(
    ("answers", "said", "expected"),
    [
        (["+CME ERROR: 4"], [], ("", "+CME ERROR 4: operation not supported")),
        (["OK"], [], ("", "no answer")),
        (["OK"], ['+CUSD: 0,"004F004B",72'], ("OK", "")),
        (["OK"], ["+CUSD: 4"], ("", "not supported")),
    ],
)
def test_codes(answers: list[str], said: list[str], expected: tuple[str, str]) -> None:
    found = session()
    found.player.answer('AT+CUSD=1,"*100#",15', answers)
    found.modem.send_ussd("*100#", "x", found.now)
    found.run(1.0)
    found.player.say(*said)
    found.run(70.0)
    (answer,) = found.of(engine.UssdAnswered)
    assert isinstance(answer, engine.UssdAnswered)
    assert (answer.text, answer.error) == expected


# -- results


@pytest.mark.parametrize(
    ("line", "fault", "meaning"),
    [
        ("+CME ERROR: 30", Fault.TEMPORARY, "+CME ERROR 30: no network service"),
        ("+CME ERROR: 13", Fault.MODEM, "+CME ERROR 13: SIM failure"),
        ("+CME ERROR: SIM busy", Fault.TEMPORARY, "+CME ERROR 14: SIM busy"),
        ("+CMS ERROR: 193", Fault.SUBSCRIPTION, "+CMS ERROR 193: no subscription with the service centre"),
        ("+CMS ERROR: 195", Fault.PERMANENT, "+CMS ERROR 195: invalid address of a telephone"),
        ("+CMS ERROR: 9999", Fault.TEMPORARY, "+CMS ERROR 9999: of the manufacturer"),
        ("+CMS ERROR: 123", Fault.TEMPORARY, "+CMS ERROR 123: unassigned"),
        ("ERROR", Fault.TEMPORARY, "ERROR"),
    ],
)
def test_what_errors_mean(line: str, fault: Fault, meaning: str) -> None:
    result = parse_final(line)
    assert result is not None
    assert result.fault is fault
    assert result.meaning.lower() == meaning.lower()
    assert Result(ResultKind.LOST, has_begun=False).fault is Fault.TEMPORARY


def test_a_line_that_has_no_end() -> None:
    found = session()
    found.modem.receive_data(b"x" * 20_000 + b"\r\n+CREG: 0\r\n", found.now)
    assert found.modem.state is ModemState.SEARCHING
