"""The commands for messages of a simulated modem (3GPP TS 27.005), in PDU mode and text mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from switchroom.protocols.errors import ProtocolError
from switchroom.protocols.gsm import Charset, DataCoding, choose
from switchroom.protocols.gsm.modem import fields, integer
from switchroom.protocols.gsm.tpdu import (
    Address,
    Command,
    Deliver,
    ProtocolId,
    Relative,
    StatusReport,
    Submit,
    UserData,
    from_hex,
    parse_from_centre,
    parse_from_telephone,
    to_hex,
    user_data_of,
)

from .network import CENTRE
from .storage import STATUS_WORDS, Entry, Status, Storage, StorageFullError
from .wording import describe

if TYPE_CHECKING:
    from .commands import Commands

__all__ = ["Messages"]

OK, ERROR = "OK", "ERROR"
_FULL, _INDEX, _INVALID, _NOT_ALLOWED, _NOT_SUPPORTED = 322, 321, 304, 302, 303


class Messages:
    """+CMGS, +CMGR, +CNMI and the rest."""

    def __init__(self, commands: Commands) -> None:
        self.commands = commands
        self.modem = commands.modem
        self.reset()
        self.storages = ["SM", "SM", "SM"]  # to read, to write, for what comes in
        self.centre = CENTRE.number
        self.handlers: dict[str, Callable[[str], str | None]] = {
            "+CMGF": self._format,
            "+CSMS": self._service,
            "+CPMS": self._storage,
            "+CNMI": self._routing,
            "+CSCA": self._centre,
            "+CSMP": self._parameters,
            "+CSDH": self._headers,
            "+CMMS": self._more,
            "+CMGS": self._send,
            "+CMGW": self._write,
            "+CMSS": self._send_stored,
            "+CMGC": self._command,
            "+CMGL": self._list,
            "+CMGR": self._read,
            "+CMGD": self._delete,
            "+CNMA": self._acknowledge,
        }

    def reset(self) -> None:
        """As ATZ leaves it."""
        self.is_text = self.modem.is_text_only
        self.service = 0
        self.routing = (0, 0, 0, 0, 0)
        self.parameters = [17, 167, 0, 0]
        self.has_details = False
        self.is_kept_open = 0

    # -- settings

    def _format(self, rest: str) -> str:
        if rest == "?":
            self.modem.write(f"+CMGF: {int(self.is_text)}")
        elif rest == "=0" and self.modem.is_text_only:
            return self.commands.error(4)
        elif rest.startswith("="):
            self.is_text = rest == "=1"
        return OK

    def _service(self, rest: str) -> str:
        if rest == "?":
            self.modem.write(f"+CSMS: {self.service},1,1,1")
        elif rest.startswith("="):
            self.service = integer([rest[1:]], 0, 0)
            self.modem.write("+CSMS: 1,1,1")
        return OK

    def _storage(self, rest: str) -> str:
        if rest.startswith("="):
            wanted = fields(":" + rest[1:])
            if not wanted or any(name not in ("SM", "ME") for name in wanted):
                return self.commands.error(4, _NOT_SUPPORTED)
            self.storages[: len(wanted)] = wanted
            numbers = [f"{len(s)},{s.capacity}" for s in map(self.storage, self.storages)]
            self.modem.write("+CPMS: " + ",".join(numbers))
        else:
            stores = [self.storage(name) for name in self.storages]
            self.modem.write("+CPMS: " + ",".join(f'"{s.name}",{len(s)},{s.capacity}' for s in stores))
        return OK

    def storage(self, name: str) -> Storage:
        """SM or ME."""
        return self.modem.sim.messages if name == "SM" else self.modem.equipment

    def _routing(self, rest: str) -> str:
        if rest == "?":
            self.modem.write("+CNMI: " + ",".join(map(str, self.routing)))
        elif rest.startswith("="):
            values = [integer([value], 0, 0) for value in fields(":" + rest[1:])]
            if any(value > limit for value, limit in zip(values, (3, 3, 3, 2, 1), strict=False)):
                return self.commands.error(4, _NOT_SUPPORTED)
            mode, deliver, broadcast, report, buffer = (*values, 0, 0, 0, 0, 0)[:5]
            self.routing = (mode, deliver, broadcast, report, buffer)
        return OK

    def _centre(self, rest: str) -> str:
        if rest.startswith("="):
            self.centre = self.commands.from_charset((fields(":" + rest[1:]) or [""])[0])
        else:
            self.modem.write(f'+CSCA: "{self.commands.to_charset(self.centre)}",145')
        return OK

    def _parameters(self, rest: str) -> str:
        if rest == "?":
            self.modem.write("+CSMP: " + ",".join(map(str, self.parameters)))
        elif rest.startswith("="):
            for place, value in enumerate(fields(":" + rest[1:])[:4]):
                self.parameters[place] = integer([value], 0, self.parameters[place])
        return OK

    def _headers(self, rest: str) -> str:
        if rest == "?":
            self.modem.write(f"+CSDH: {int(self.has_details)}")
        elif rest.startswith("="):
            self.has_details = rest == "=1"
        return OK

    def _more(self, rest: str) -> str:
        if rest == "?":
            self.modem.write(f"+CMMS: {self.is_kept_open}")
        elif rest.startswith("="):
            self.is_kept_open = integer([rest[1:]], 0, 0)
        return OK

    # -- out

    def _send(self, rest: str) -> None:
        self._take(rest, self._submit)

    def _write(self, rest: str) -> None:
        self._take(rest, self._store)

    def _take(self, rest: str, use: Callable[[bytes], None]) -> None:
        """Prompt for a PDU or a text, and use the TPDU that comes of it."""
        values = fields(":" + rest.lstrip("="))

        def done(text: bytes | None) -> None:
            if text is None:
                self.commands.go_on(OK)
                return
            try:
                octets = self._from_text(values, text) if self.is_text else _from_pdu(values, text)
            except (ProtocolError, ValueError):
                self.commands.go_on(self.commands.error(0, 305 if self.is_text else _INVALID))
            else:
                use(octets)

        self.modem.ask_for_text(done)

    def _from_text(self, values: list[str], text: bytes) -> bytes:
        number = self.commands.from_charset(values[0] if values else "")
        first, validity, protocol_id, coding = self.parameters
        body = text.decode("latin-1").replace("\r", "\n")
        if DataCoding.parse(coding).charset is not Charset.GSM7 or first & 0x40:
            data = user_data_of(bytes.fromhex(body), coding, has_header=bool(first & 0x40))
        else:
            said = self.commands.from_charset(body)
            encoding = choose(said)
            data = UserData(encoding.encode(said))
            if encoding.charset is Charset.UCS2:
                coding = 8
        return bytes(
            Submit(
                Address.of(number),
                data,
                coding,
                protocol_id,
                Relative(validity & 0xFF) if first & 0x10 else None,
                wants_status_report=bool(first & 0x20),
            )
        )

    def _submit(self, octets: bytes) -> None:
        modem, faults = self.modem, self.modem.faults
        chance = modem.random.random()
        if chance < faults.hang_rate:
            modem.hang()
        elif chance < faults.hang_rate + faults.error_rate:
            modem.later(faults.delay, lambda: self.commands.go_on("+CMS ERROR: 500"))
        else:
            modem.later(faults.delay, lambda: self._send_now(octets))

    def _send_now(self, octets: bytes) -> None:
        modem = self.modem
        try:
            submit = parse_from_telephone(octets)
        except ProtocolError:
            self.commands.go_on(f"+CMS ERROR: {_INVALID}")
            return
        if not self.commands.is_on:
            self.commands.go_on("+CMS ERROR: 331")
            return
        if not isinstance(submit, Submit):
            self.commands.go_on(f"+CMS ERROR: {_INVALID}")
            return
        reference = modem.sim.references = (modem.sim.references + 1) % 256
        error = modem.network.submit(modem.sim.number, _with_reference(submit, reference), modem.now)
        if modem.random.random() < modem.faults.late_hang_rate:
            modem.hang()
        elif error:
            self.commands.go_on(f"+CMS ERROR: {error}")
        elif modem.random.random() >= modem.faults.drops_answers:
            modem.write(f"+CMGS: {reference}")
            self.commands.go_on(OK)
        else:
            self.commands.is_busy = False

    def _store(self, octets: bytes) -> None:
        try:
            place = self.storage(self.storages[1]).add(Status.UNSENT, b"\x00" + octets)
        except StorageFullError:
            self.commands.go_on(f"+CMS ERROR: {_FULL}")
            return
        self.modem.write(f"+CMGW: {place}")
        self.commands.go_on(OK)

    def _send_stored(self, rest: str) -> str | None:
        entry = self.storage(self.storages[1]).entries.get(integer(fields(":" + rest.lstrip("=")), 0))
        if entry is None:
            return f"+CMS ERROR: {_INDEX}"
        self._submit(_without_centre(entry.octets))
        return None

    def _command(self, rest: str) -> None:
        def use(octets: bytes) -> None:
            pdu = parse_from_telephone(octets)
            if not isinstance(pdu, Command):
                self.commands.go_on(f"+CMS ERROR: {_INVALID}")
                return
            error = self.modem.network.command(self.modem.sim.number, pdu, self.modem.now)
            self.modem.write(f"+CMGC: {pdu.message_reference}")
            self.commands.go_on(f"+CMS ERROR: {error}" if error else OK)

        self._take(rest, use)

    # -- in

    def receive(self, pdu: object) -> bool | None:
        """What came over the air: taken, not taken (no room), or AT+CNMA is to say."""
        if isinstance(pdu, StatusReport):
            return self._receive_report(pdu)
        assert isinstance(pdu, Deliver)
        if pdu.protocol_id == ProtocolId.TYPE_0:
            return True
        if self.routing[1] == 2:
            return self._tell_whole("+CMT", pdu)
        place = self._keep(pdu)
        if place is None:
            return False
        if self.routing[1] in (1, 3):
            self.modem.tell(f'+CMTI: "{self.storages[2]}",{place}')
        return True

    def _receive_report(self, pdu: StatusReport) -> bool | None:
        if self.routing[3] == 1:
            return self._tell_whole("+CDS", pdu)
        if self.routing[3] == 2:
            place = self._keep(pdu)
            if place is None:
                return False
            self.modem.tell(f'+CDSI: "{self.storages[2]}",{place}')
        return True  # with ds=0 nobody wants to know

    def _keep(self, pdu: Deliver | StatusReport) -> int | None:
        line, _ = to_hex(pdu, CENTRE)
        try:
            return self.storage(self.storages[2]).add(Status.UNREAD, bytes.fromhex(line))
        except StorageFullError:
            return None

    def _tell_whole(self, name: str, pdu: Deliver | StatusReport) -> bool | None:
        line, size = to_hex(pdu, CENTRE)
        if self.is_text:
            headline, text = describe(pdu, self.commands.to_charset, has_details=self.has_details)
            self.modem.tell(f"{name}: {headline}" + (f"\r\n{text}" if isinstance(pdu, Deliver) else ""))
        else:
            self.modem.tell(f"{name}: {',' if name == '+CMT' else ''}{size}\r\n{line}")
        return None if self.service == 1 else True

    def _acknowledge(self, rest: str) -> str:
        is_taken = not rest.startswith("=2")
        return OK if self.modem.acknowledge(is_taken) else "+CMS ERROR: 340"

    # -- what is stored

    def _list(self, rest: str) -> str:
        wanted = _statuses(rest.lstrip("=").split(",")[0].strip('"'))
        if wanted is None:
            return self.commands.error(0, 305 if self.is_text else _INVALID)
        for place, entry in sorted(self.storage(self.storages[0]).entries.items()):
            if entry.status in wanted:
                self._show(f"+CMGL: {place},", entry, is_list=True)
                _mark_read(entry)
        return OK

    def _read(self, rest: str) -> str:
        entry = self.storage(self.storages[0]).entries.get(integer(fields(":" + rest.lstrip("=")), 0))
        if entry is None:
            return f"+CMS ERROR: {_INDEX}"
        self._show("+CMGR: ", entry, is_list=False)
        _mark_read(entry)
        return OK

    def _show(self, headline: str, entry: Entry, *, is_list: bool) -> None:
        octets = _without_centre(entry.octets)
        if not self.is_text:
            self.modem.write(f"{headline}{entry.status},,{len(octets)}\r\n{entry.octets.hex().upper()}")
            return
        is_incoming = entry.status in (Status.UNREAD, Status.READ)
        pdu = parse_from_centre(octets) if is_incoming else parse_from_telephone(octets)
        told, text = describe(
            pdu, self.commands.to_charset, has_details=self.has_details and not is_list, has_name=True
        )
        self.modem.write(f'{headline}"{STATUS_WORDS[entry.status]}",{told}' + (f"\r\n{text}" if text else ""))

    def _delete(self, rest: str) -> str:
        values = fields(":" + rest.lstrip("="))
        storage = self.storage(self.storages[0])
        if len(storage) == storage.capacity:
            self.modem.network.has_room(self.modem.number, self.modem.now)
        if (flag := integer(values, 1, 0)) > 0:
            storage.remove_all(flag)
            return OK
        return OK if storage.remove(integer(values, 0)) else f"+CMS ERROR: {_INDEX}"


def _from_pdu(values: list[str], text: bytes) -> bytes:
    _, octets = from_hex(text.decode("latin-1").strip())
    if len(octets) != integer(values, 0):
        raise ValueError("the length is another one")
    parse_from_telephone(octets)
    return octets


def _without_centre(octets: bytes) -> bytes:
    return octets[1 + octets[0] :]


def _with_reference(submit: Submit, reference: int) -> Submit:
    octets = bytearray(bytes(submit))
    octets[1] = reference
    again = parse_from_telephone(bytes(octets))
    assert isinstance(again, Submit)
    return again


def _mark_read(entry: Entry) -> None:
    if entry.status is Status.UNREAD:
        entry.status = Status.READ


def _statuses(word: str) -> tuple[Status, ...] | None:
    """What AT+CMGL is to list, as a number or in words; none is what was not read yet."""
    if word in ("4", "ALL"):
        return tuple(Status)
    for status, words in STATUS_WORDS.items():
        if word in (str(int(status)), words):
            return (status,)
    return (Status.UNREAD,) if not word else None
