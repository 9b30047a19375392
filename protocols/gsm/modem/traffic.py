"""Messages in and out of a modem, one script each: sending, reading, deleting, USSD."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

from ...errors import RemoteProtocolError
from ..text import DEFAULT, pack_ussd, unpack_ussd
from ..tpdu import Address, StatusReport, Submit, SubmitReport, from_hex, parse_from_centre, to_hex
from .dialogue import Command
from .events import (
    Garbled,
    Handle,
    MessageReceived,
    SimFacts,
    StatusReportReceived,
    StorageFull,
    SubmitFailed,
    Submitted,
    UssdAnswered,
)
from .offers import Offer
from .parameters import fields, integer
from .results import Fault, Result, ResultKind
from .scripts import Pause, Script, ask
from .textmode import commands_of, read_message, read_report

if TYPE_CHECKING:
    from .modem import Modem

__all__ = ["acknowledge", "delete", "note_storage", "offer", "read", "send", "sweep", "ussd"]


def send(modem: Modem, submit: Submit, context: Any, *, has_more: bool) -> Script:
    """AT+CMGS. With more to come the connection to the network is kept (AT+CMMS)."""
    if has_more and modem.has_cmms:
        result = yield ask("AT+CMMS=1")
        modem.has_cmms = result.is_ok or result.kind in (ResultKind.TIMEOUT, ResultKind.LOST)
    for command in _commands(modem, submit):
        result = yield command
        if not result.is_ok:
            break
    if result.is_ok:
        line = result.value("+CMGS:") or "-1"
        modem.submitted(Submitted(context, integer(fields(f":{line}"), 0)), submit)
    elif result.fault is Fault.UNKNOWN:
        modem.doubt(submit, context, result)
    else:
        modem.tell(SubmitFailed(context, result.fault, result))


def _commands(modem: Modem, submit: Submit) -> list[Command]:
    timeout = modem.config.send_timeout
    if not modem.dialogue.is_pdu_mode:
        return commands_of(submit, timeout)
    centre = modem.config.service_centre
    line, size = to_hex(submit, Address.of(centre) if centre else None)
    return [Command(f"AT+CMGS={size}", body=line, timeout=timeout)]


def read(modem: Modem, storage: str, index: int, *, is_report: bool = False) -> Script:
    """AT+CMGR of what +CMTI or +CDSI told of."""
    yield from _select(modem, storage)
    if modem.storage != storage:
        return  # elsewhere its number is another message; this one is found when all are looked through
    offer = yield from _fetch(modem, storage, index)
    if is_report and isinstance(offer, MessageReceived | None) and not modem.has_lost_reports:
        modem.has_lost_reports = True  # kept where nobody can read them (Quectel): let them come directly
        modem.reroute()


def _fetch(modem: Modem, storage: str, index: int) -> Generator[Command | Pause, Result, Offer | None]:
    """Read one that is stored, and offer it."""
    result = yield Command(f"AT+CMGR={index}", r"\+CMGR:", has_plain_answer=True)
    if not result.is_ok or not result.lines:
        return None
    offer = _stored(modem, Handle(storage, index, modem.life), result.lines[0], list(result.lines[1:]))
    if offer is not None:
        modem.offer(offer)
    return offer


def sweep(modem: Modem) -> Script:
    """AT+CMGL in every storage: what came while nobody was there, or told nobody."""
    every = "4" if modem.dialogue.is_pdu_mode else '"ALL"'
    for storage in modem.storages:
        result = yield from _select(modem, storage)
        if storage == modem.storages[-1]:
            note_storage(modem, result)
            _see_whether_full(modem)
        if modem.storage != storage:
            continue
        result = yield Command(f"AT+CMGL={every}", r"\+CMGL:", has_plain_answer=True, timeout=40.0)
        for headline, lines in _grouped(result.lines):
            index = integer(fields(headline), 0)
            if index < 0:
                continue
            if not modem.dialogue.is_pdu_mode:  # where a list does not say of what kind the octets are
                yield from _fetch(modem, storage, index)
                continue
            offer = _stored(modem, Handle(storage, index, modem.life), headline, lines)
            if offer is not None:
                modem.offer(offer)


def note_storage(modem: Modem, result: Result) -> None:
    """How full the storage of incoming messages is, from an answer to AT+CPMS."""
    line = result.value("+CPMS:")
    if line is not None:
        facts = modem.facts
        facts.storage = modem.storage
        facts.stored, facts.room = (integer(fields(f":{line}"), n, 0) for n in (0, 1))


def _see_whether_full(modem: Modem) -> None:
    """What came is deleted between one sweep and the next: what is there twice stays there."""
    facts = modem.facts
    facts.full_sweeps = facts.full_sweeps + 1 if 0 < facts.room <= facts.stored else 0
    if facts.full_sweeps == 2:
        modem.tell(StorageFull(facts.storage, facts.room))


def _grouped(lines: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    group: tuple[str, list[str]] | None = None
    for line in lines:
        if line.startswith("+CMGL:"):
            if group is not None:
                yield group
            group = (line, [])
        elif group is not None:
            group[1].append(line)
    if group is not None:
        yield group


def _select(modem: Modem, storage: str) -> Generator[Command | Pause, Result, Result]:
    """Have the next commands mean a storage; AT+CPMS also tells how full it is."""
    result = yield ask(f'AT+CPMS="{storage}"')
    is_selected = result.is_ok or not modem.has_storages  # where there is but one, it is that
    modem.storage = storage if is_selected else ""
    return result


def _stored(modem: Modem, handle: Handle, headline: str, lines: list[str]) -> Offer | None:
    """A stored message as news; None: it is one that goes out."""
    if modem.dialogue.is_pdu_mode:
        values = fields(headline)
        status = integer(values, 1 if headline.startswith("+CMGL:") else 0)
        return _of_pdu(handle, "".join(lines)) if status in (0, 1) and lines else None
    try:
        message = read_message(headline, lines)
    except RemoteProtocolError as error:
        return Garbled(handle, headline, str(error))
    if message is None:
        return None
    octets = "\n".join([*fields(headline)[1:], *lines]).encode("latin-1", "replace")  # whatever its status
    if isinstance(message, StatusReport):
        return StatusReportReceived(handle, message, octets)
    return MessageReceived(handle, message, octets)


def _of_pdu(handle: Handle, line: str) -> Offer:
    try:
        _, octets = from_hex(line)
        message = parse_from_centre(octets)
    except RemoteProtocolError as error:
        return Garbled(handle, line, str(error))
    if isinstance(message, SubmitReport):
        return Garbled(handle, line, "a submit report")
    if isinstance(message, StatusReport):
        return StatusReportReceived(handle, message, octets)
    return MessageReceived(handle, message, octets)


def offer(modem: Modem, line: str, body: str | None) -> None:
    """+CMT and +CDS: they came directly and are acknowledged when the owner has them."""
    handle = Handle("", 0, modem.life)
    if modem.dialogue.is_pdu_mode:
        modem.offer(_of_pdu(handle, body or ""))
        return
    if line.startswith("+CDS:"):
        report = read_report(line)
        octets = line.encode("latin-1", "replace")
        modem.offer(StatusReportReceived(handle, report, octets) if report else Garbled(handle, line, "+CDS"))


def delete(modem: Modem, handle: Handle) -> Script:
    """AT+CMGD, after the owner has the message; after a reset another one may be in its place."""
    if handle.life == modem.life:
        yield from _select(modem, handle.storage)
        if modem.storage != handle.storage:
            return  # it comes again, and is deleted then
        yield ask(f"AT+CMGD={handle.index}")
    modem.forget(handle)


def acknowledge(modem: Modem, *, is_taken: bool) -> Script:
    """AT+CNMA: the network hears that the message arrived, or is to send it again."""
    mode = ("0" if is_taken else "2") if modem.dialogue.is_pdu_mode else ""
    result = yield ask(f"AT+CNMA={mode}" if mode not in ("", "0") else "AT+CNMA")
    if not result.is_ok:
        modem.reroute()  # it has turned AT+CNMI off, as TS 27.005 §3.4.1 says it does


def ussd(modem: Modem, code: str, context: Any) -> Script:
    """AT+CUSD; the answer comes as an unsolicited line. Some modems want the code packed (Huawei, often)."""
    packed = pack_ussd(DEFAULT.encode_lossy(code)).hex().upper()
    forms = [packed, code] if is_packed(modem.facts) else [code, packed]
    for text in forms:
        result = yield ask(f'AT+CUSD=1,"{text}",15', r"(?!)", timeout=20.0)
        if result.is_ok:
            modem.facts.has_packed_ussd = text is packed
            return
        if result.kind is not ResultKind.ERROR:
            break  # it understood, or says nothing
    modem.answer_ussd(UssdAnswered(context, "", error=result.meaning))


def is_packed(facts: SimFacts) -> bool:
    """Whether USSD strings are septets in hexadecimal digits, against TS 27.007."""
    if facts.has_packed_ussd is not None:
        return facts.has_packed_ussd
    return facts.manufacturer.lower().startswith("huawei")


def read_ussd(facts: SimFacts, line: str, context: Any) -> UssdAnswered:
    """+CUSD: <m>[,<str>,<dcs>]."""
    values = fields(line)
    text = values[1] if len(values) > 1 else ""
    coding = integer(values, 2, 15)
    octets = None
    if len(text) % 2 == 0:
        try:
            octets = bytes.fromhex(text)
        except ValueError:
            octets = None
    if octets and (coding >> 2 & 3) == 2:
        text = octets.decode("utf-16-be", "replace")
    elif octets and is_packed(facts):
        text = DEFAULT.decode(unpack_ussd(octets))
    errors = {3: "another client answered", 4: "not supported", 5: "network timeout"}
    state = integer(values, 0, 0)
    return UssdAnswered(context, text, state == 1, errors.get(state, ""))
