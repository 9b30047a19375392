"""How a modem is made ready: echo off, PIN, storage, routing of what comes in (TS 27.005, TS 27.007)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from .dialogue import Command
from .events import ModemState, PinRefused, PinTried, Registration
from .parameters import fields, integer, supported
from .results import Result, ResultKind
from .scripts import Pause, Script, ask, ask_plainly
from .traffic import note_storage

if TYPE_CHECKING:
    from .modem import Modem

__all__ = ["initialise", "look"]

_ATTEMPTS = 5
_SIM_ATTEMPTS = 15
_USABLE = ("READY", "SIM PIN2", "SIM PUK2")  # what PIN2 protects is none of ours
_MODE_ATTEMPTS = 5
_SIM_MISSING, _SIM_BUSY = 10, 14
_REGISTRATION = r"\+C(REG|EREG|GREG): ?\d+ ?, ?\d+ ?(,|$)"  # an answer; unasked there is but one number first

Step = Generator[Command | Pause, Result, bool]


def initialise(modem: Modem) -> Script:
    """From whatever state the modem is in to one that sends and receives."""
    if not (yield from _wake(modem)):
        modem.give_up("no answer to AT")
        return
    is_told = yield from _tell_basics()
    yield from _identify(modem)
    if not (yield from _unlock(modem)):
        return
    if not is_told:  # there are modems that hear nothing before the PIN
        yield from _tell_basics()
    if not modem.facts.manufacturer:
        yield from _identify(modem)
    result = yield ask("AT+CFUN?")
    if result.value("+CFUN:") in ("0", "4"):
        yield ask("AT+CFUN=1", timeout=30.0)
    yield from _read_sim(modem)
    yield from _choose_mode(modem)
    yield from _choose_storage(modem)
    yield from route(modem)
    for command in modem.config.init:
        yield ask(command)
    for command in ("AT+CLIP=1", "AT+CREG=1", "AT+CUSD=1"):
        yield ask(command)
    yield from look(modem)
    modem.is_set_up()


def _wake(modem: Modem) -> Step:
    for _ in range(_ATTEMPTS):
        modem.dialogue.send_escape()  # it may still wait for the end of a text
        result = yield ask("AT", timeout=2.0)
        if result.is_ok:
            modem.is_awake = True
            yield Pause(0.2)  # late answers to what was asked before are not ours
            return True
        if result.kind is not ResultKind.TIMEOUT:
            yield Pause(0.5)
    return False


def _tell_basics() -> Step:
    echo = yield ask("ATE0V1Q0")
    errors = yield ask("AT+CMEE=1")
    return echo.is_ok and errors.is_ok


def _identify(modem: Modem) -> Script:
    facts = modem.facts
    for command, name in (
        ("CGMI", "manufacturer"),
        ("CGMM", "model"),
        ("CGMR", "revision"),
        ("CGSN", "imei"),
    ):
        result = yield ask_plainly(f"AT+{command}")
        if result.is_ok and result.lines:
            setattr(facts, name, _plain(result))


def _plain(result: Result) -> str:
    """The answer to a question for one word; some modems put the command's name before it."""
    line = result.lines[0]
    return (line.partition(":")[2] if line.startswith("+") else line).strip().strip('"')[:64]


def _unlock(modem: Modem) -> Step:
    """See to it that the SIM is open. The PIN goes there once, and never again after it was refused."""
    for _ in range(_SIM_ATTEMPTS):
        result = yield Command("AT+CPIN?", may_lack_end=True)
        state = (result.value("+CPIN:") or "").strip('"')
        if state in _USABLE or (result.kind is ResultKind.ERROR and not state):
            return True  # some modems have no such command
        if state == "SIM PIN":
            if not (yield from _enter_pin(modem)):
                return False
        elif state:
            modem.block(f"the SIM wants {state}")
            return False
        elif result.code == _SIM_MISSING:
            modem.block("no SIM", is_for_good=False)
            return False
        yield Pause(2.0)
    modem.block("the SIM does not answer", is_for_good=False)
    return False


def _enter_pin(modem: Modem) -> Step:
    pin = modem.config.pin
    if not pin:
        modem.block("the SIM wants a PIN and none is configured")
        return False
    if pin == modem.refused_pin:
        modem.block("the SIM refused the configured PIN before; it is not tried again")
        return False
    modem.tell(PinTried(pin))
    modem.refused_pin = pin  # until it says that it took it: an answer that is lost counts as well
    result = yield ask(f'AT+CPIN="{pin}"', timeout=20.0)
    if result.is_ok:
        modem.refused_pin = ""
        return True
    modem.tell(PinRefused(pin))
    modem.block(f"the SIM refused the PIN: {result.meaning}")
    return False


def _read_sim(modem: Modem) -> Script:
    facts = modem.facts
    result = yield ask_plainly("AT+CIMI")
    if result.is_ok and result.lines:
        facts.imsi = _plain(result)
    result = yield ask("AT+CNUM")
    numbers = [fields(line) for line in result.lines]
    facts.number = next((f[1] for f in numbers if len(f) > 1 and f[1]), "")
    if modem.config.service_centre:
        yield ask(f'AT+CSCA="{modem.config.service_centre}"')
    result = yield ask("AT+CSCA?")
    facts.service_centre = (fields(result.lines[0]) or [""])[0] if result.lines else ""


def _choose_mode(modem: Modem) -> Script:
    """PDU mode, or text mode with everything in UCS-2 where there is no other."""
    is_pdu_mode = yield from _has_pdu_mode()
    modem.dialogue.is_pdu_mode = modem.facts.is_pdu_mode = is_pdu_mode
    if not is_pdu_mode:
        yield ask("AT+CMGF=1")
        yield ask("AT+CSDH=1")
        yield ask('AT+CSCS="UCS2"')
    # In text mode nobody could tell where the text of a +CMT ends: there messages are stored
    is_direct = modem.config.is_direct and modem.dialogue.is_pdu_mode
    result = yield ask(f"AT+CSMS={1 if is_direct else 0}")
    modem.needs_acknowledgement = is_direct and result.is_ok


def _has_pdu_mode() -> Step:
    """A modem that has just started may refuse it until it says that it is ready for messages."""
    for _ in range(_MODE_ATTEMPTS):
        result = yield ask("AT+CMGF=0")
        if result.is_ok:
            return True
        result = yield ask("AT+CMGF=?")
        modes = supported(result.lines[0]) if result.lines else []
        if modes and "0" not in modes[0]:
            return False
        yield Pause(2.0)
    return False


def _choose_storage(modem: Modem) -> Script:
    result = yield ask("AT+CPMS=?")
    groups = supported(result.lines[0]) if result.lines else []
    there = (groups[0] if groups else frozenset()) - {""} or frozenset(("SM",))
    wanted = modem.config.storage or ("SM" if "SM" in there else next(iter(sorted(there)), "SM"))
    modem.storages = [name for name in ("SR", "ME", "SM") if name in there and name != wanted] + [wanted]
    result = yield ask(f'AT+CPMS="{wanted}","{wanted}","{wanted}"')
    if not result.is_ok:
        result = yield ask(f'AT+CPMS="{wanted}"')
    modem.storage, modem.has_storages = wanted, result.is_ok
    note_storage(modem, result)


def route(modem: Modem) -> Script:
    """Have incoming messages and reports told (AT+CNMI), as near to what is wanted as the modem can."""
    result = yield ask("AT+CNMI=?")
    groups = supported(result.lines[0]) if result.lines else []
    mode = _first(groups, 0, "2", "1", "3", "0")
    told = ("2", "1") if modem.needs_acknowledgement else ("1", "2")
    deliver = _first(groups, 1, *(told if modem.dialogue.is_pdu_mode else ("1",)), "0")
    report = "0"
    if modem.config.wants_status_reports:
        is_direct = modem.needs_acknowledgement or modem.has_lost_reports
        report = _first(groups, 3, *(("1", "2") if is_direct else ("2", "1")), "0")
    buffer = _first(groups, 4, "0", "1")
    whole = f"{mode},{deliver},0,{report}"
    for command in (f"{whole},{buffer}", whole, f"{mode},{deliver}"):
        result = yield ask(f"AT+CNMI={command}")
        if result.is_ok:
            return


def _first(groups: list[frozenset[str]], place: int, *wanted: str) -> str:
    if place >= len(groups):
        return wanted[0]
    return next((value for value in wanted if value in groups[place]), "0")


def look(modem: Modem) -> Script:
    """Registration, operator, signal."""
    facts = modem.facts
    found = Registration.UNKNOWN
    for command in ("AT+CREG?", "AT+CEREG?"):
        result = yield ask(command, _REGISTRATION)
        if not result.lines:
            continue
        found = registration(integer(fields(result.lines[0]), 1))
        if found.is_registered:
            break
    modem.note_registration(found)
    if facts.registration.is_registered:
        result = yield ask("AT+COPS?", timeout=20.0)
        if result.lines:
            names = fields(result.lines[0])
            facts.operator = names[2] if len(names) > 2 else ""
    result = yield ask("AT+CSQ")
    if result.lines:
        rssi = integer(fields(result.lines[0]), 0, 99)
        facts.signal_dbm = -113 + 2 * rssi if 0 <= rssi <= 31 else None


def registration(status: int) -> Registration:
    """<stat>; what is unassigned says nothing."""
    return Registration(status) if 0 <= status <= 8 else Registration.UNKNOWN


def start_again(modem: Modem) -> Script:
    """A modem that answers but does not send: have it start anew."""
    modem.enter(ModemState.STUCK, "restarting the modem")
    yield ask("AT+CFUN=1,1", timeout=15.0)
    yield Pause(8.0)
    modem.start_over()
