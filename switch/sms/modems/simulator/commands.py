"""The commands that a simulated modem knows (ITU-T V.250, 3GPP TS 27.007), and what it answers."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from switchroom.protocols.gsm import DEFAULT, Charset, decode, encode
from switchroom.protocols.gsm.modem import fields, integer

from .messages import Messages

if TYPE_CHECKING:
    from .device import SimulatedModem

__all__ = ["Commands"]

OK, ERROR = "OK", "ERROR"
_EXTENDED = "+^*%$#"
_BASIC = re.compile(r"(&?[A-CE-Z])(\d*)|(S)(\d+)(=\d*|\?)", re.IGNORECASE)

_NAMES = {
    **dict.fromkeys(("+CGMI", "+GMI"), "Switchroom"),
    **dict.fromkeys(("+CGMM", "+GMM"), "Modem Simulator"),
    **dict.fromkeys(("+CGMR", "+GMR"), "1.0"),
}
_RANGES = {  # what AT+…=? says
    "+CMGF": "(0,1)",
    "+CSMS": "(0,1)",
    "+CREG": "(0-2)",
    "+CMEE": "(0-2)",
    "+CFUN": "(0,1,4),(0,1)",
    "+CNMI": "(0-2),(0-3),(0,2),(0-2),(0,1)",
    "+CPMS": '("SM","ME"),("SM","ME"),("SM","ME")',
    "+CSCS": '("GSM","IRA","UCS2","HEX","8859-1")',
    "+CSQ": "(0-31,99),(0-7,99)",
    "+CMMS": "(0-2)",
    "+CUSD": "(0-2)",
    "+CLIP": "(0,1)",
    "+CSDH": "(0,1)",
    "+CMGL": "(0-4)",
    "+CPIN": "",
    "+CNMA": "(0-2)",
}


class Commands:
    """State of the interpreter: everything that a restart forgets."""

    def __init__(self, modem: SimulatedModem) -> None:
        self.modem = modem
        self.has_echo = True
        self.is_busy = False
        self.is_on = True  # the radio; +CFUN
        self.error_format = 0  # +CMEE
        self.charset = "GSM"  # +CSCS
        self.settings: dict[str, str] = {}  # of commands that change nothing here
        self.registration_format = 0
        self.messages = Messages(self)
        self._chain: deque[tuple[str, str]] = deque()
        self._handlers: dict[str, Callable[[str], str | None]] = {
            "+CPIN": self._pin,
            "+CFUN": self._function,
            "+CREG": self._registration,
            "+CGREG": self._registration,
            "+CEREG": self._registration,
            "+COPS": self._operator,
            "+CMEE": self._error_reports,
            "+CSCS": self._character_set,
            "+CUSD": self._ussd,
            "+CNUM": self._own_number,
            "+CLAC": self._list,
            "+CHUP": lambda _: OK,
            **self.messages.handlers,
        }

    @property
    def routing(self) -> tuple[int, int, int, int, int]:
        """AT+CNMI."""
        return self.messages.routing

    @routing.setter
    def routing(self, value: tuple[int, int, int, int, int]) -> None:
        self.messages.routing = value

    def receive(self, pdu: object) -> bool | None:
        """A message or report came over the air: taken, not taken, or AT+CNMA is to say so."""
        return self.messages.receive(pdu)

    # -- lines

    def execute(self, line: str) -> None:
        """One line of commands."""
        self.is_busy = True
        if line[:2].upper() != "AT":
            self.modem.finish(ERROR)
            return
        self._chain = deque(_split(line[2:]))
        self.go_on(OK)

    def go_on(self, result: str) -> None:
        """A command ended: the next one of the line, or the end."""
        while result == OK and self._chain:
            name, rest = self._chain.popleft()
            answer = self._run(name, rest)
            if answer is None:
                return  # it will say later
            result = answer
        self._chain.clear()
        self.modem.finish(result)

    def _run(self, name: str, rest: str) -> str | None:
        if name[0] not in _EXTENDED:
            return self._basic(name, rest)
        if not self.modem.sim.is_unlocked and name not in _WITHOUT_PIN:
            return self.error(11, 311)
        if rest == "=?":
            known = name in self._handlers or name in _ANSWERS or name in _RANGES or name in _SETTINGS
            if name in _RANGES:
                is_text_only = name == "+CMGF" and self.modem.is_text_only
                self.modem.write(f"{name}: {'(1)' if is_text_only else _RANGES[name]}")
            return OK if known else ERROR
        if name in self._handlers:
            return self._handlers[name](rest)
        if name in _NAMES and not rest:
            self.modem.write(_NAMES[name])
            return OK
        if name in _ANSWERS and rest in ("", "?"):
            self.modem.write(_ANSWERS[name](self.modem))
            return OK
        return self._setting(name, rest) if name in _SETTINGS else self.error(4)

    def _basic(self, name: str, value: str) -> str:
        """ATE0, ATZ, AT&F and their like; calls go nowhere."""
        name = name.upper()
        if name in ("Z", "&F"):
            self.has_echo, self.error_format, self.charset = True, 0, "GSM"
            self.messages.reset()
        elif name == "E":
            self.has_echo = value not in ("", "0")
        elif name == "I":
            self.modem.write("Switchroom Modem Simulator")
        elif name == "D":
            return "NO CARRIER"
        elif name == "S" and value.endswith("?"):
            self.modem.write("000")
        elif name not in _BASICS:
            return ERROR
        return OK

    def error(self, cme: int, cms: int | None = None) -> str:
        """An error as AT+CMEE wants it; messages have numbers of their own, whatever it wants."""
        if cms is not None:
            return f"+CMS ERROR: {cms}"
        return f"+CME ERROR: {cme}" if self.error_format else ERROR

    # -- text of parameters

    def to_charset(self, text: str) -> str:
        """A string as AT+CSCS has it."""
        if self.charset == "UCS2":
            return encode(text, Charset.UCS2).hex().upper()
        if self.charset == "HEX":
            return DEFAULT.encode_lossy(text).hex().upper()
        return text

    def from_charset(self, text: str) -> str:
        """The other way; what does not fit is taken as it stands."""
        try:
            octets = bytes.fromhex(text) if self.charset in ("UCS2", "HEX") else None
        except ValueError:
            return text
        if octets is None:
            return text
        return decode(octets, Charset.UCS2) if self.charset == "UCS2" else DEFAULT.decode(octets)

    # -- commands

    def _setting(self, name: str, rest: str) -> str:
        if rest.startswith("="):
            self.settings[name] = rest[1:]
        elif rest == "?":
            self.modem.write(f"{name}: {self.settings.get(name, _SETTINGS[name])}")
        return OK

    def _pin(self, rest: str) -> str:
        sim = self.modem.sim
        if rest == "?":
            state = "READY" if sim.is_unlocked else "SIM PIN" if sim.attempts else "SIM PUK"
            self.modem.write(f"+CPIN: {state}")
            return OK
        if sim.is_unlocked:
            return self.error(3)
        if not sim.attempts or rest.lstrip("=").strip('"') != sim.pin:
            sim.attempts = max(sim.attempts - 1, 0)
            return self.error(16 if sim.attempts else 12)
        sim.attempts, sim.is_unlocked = 3, True
        return OK

    def _function(self, rest: str) -> str | None:
        if rest == "?":
            self.modem.write(f"+CFUN: {1 if self.is_on else 0}")
        elif rest.endswith("1,1"):
            self.modem.later(1.0, self.modem.restart)
        else:
            self.is_on = rest.startswith("=1")
        return OK

    def _registration(self, rest: str) -> str:
        if rest.startswith("="):
            self.registration_format = integer(fields(":" + rest[1:]), 0, 0)
        else:
            status = 1 if self.is_on and self.modem.sim.is_unlocked else 0
            self.modem.write(f"+CREG: {self.registration_format},{status}")
        return OK

    def _operator(self, rest: str) -> str:
        if rest == "?":
            long = self.settings.get("+COPS", "3,0").endswith("0")
            name = self.modem.network.operator if long else "26299"
            self.modem.write(f'+COPS: 0,{0 if long else 2},"{name}"')
        elif rest.startswith("=3,"):
            self.settings["+COPS"] = rest[1:]
        elif rest == "=?":
            self.modem.write(f'+COPS: (2,"{self.modem.network.operator}","Sim","26299")')
        return OK

    def _own_number(self, rest: str) -> str:
        number = self.modem.sim.number
        self.modem.write(f'+CNUM: "","{self.to_charset(number)}",{145 if number.startswith("+") else 129}')
        return OK

    def _error_reports(self, rest: str) -> str:
        if rest == "?":
            self.modem.write(f"+CMEE: {self.error_format}")
        elif rest.startswith("="):
            self.error_format = integer([rest[1:]], 0, 0)
        return OK

    def _character_set(self, rest: str) -> str:
        if rest == "?":
            self.modem.write(f'+CSCS: "{self.charset}"')
        elif rest.startswith("="):
            wanted = rest[1:].strip('"')
            if wanted not in ("GSM", "IRA", "UCS2", "HEX", "8859-1"):
                return self.error(4)
            self.charset = wanted
        return OK

    def _ussd(self, rest: str) -> str:
        values = fields(":" + rest.lstrip("="))
        if rest.startswith("=") and len(values) > 1:
            code = self.from_charset(values[1])
            text = "Your balance is 12.34" if code == "*100#" else f"Unknown code {code}"
            self.modem.later(0.5, lambda: self.modem.tell(f'+CUSD: 0,"{self.to_charset(text)}",15'))
        return OK

    def _list(self, rest: str) -> str:
        for name in sorted({*self._handlers, *_NAMES, *_ANSWERS, *_SETTINGS}):
            self.modem.write(f"AT{name}")
        return OK


def _imei(modem: SimulatedModem) -> str:
    return f"35{modem.sim.imsi[-12:]}0"


_ANSWERS: dict[str, Callable[[SimulatedModem], str]] = {
    "+CGSN": _imei,
    "+GSN": _imei,
    "+CIMI": lambda modem: modem.sim.imsi,
    "+CSQ": lambda modem: "+CSQ: 21,99",
    "+CBC": lambda modem: "+CBC: 0,100",
    "+CPAS": lambda _: "+CPAS: 0",
    "+CCID": lambda modem: f"+CCID: 8949{modem.sim.imsi}",
    "+GCAP": lambda _: "+GCAP: +CGSM",
}
_SETTINGS = {  # taken, shown, and nothing follows from them
    "+CLIP": "0,1",
    "+CRC": "0",
    "+CVHU": "0",
    "+IFC": "2,2",
    "+IPR": "0",
    "+ICF": "3,3",
    "+CSAS": "0",
    "+CRES": "0",
    "+CLIR": "0,0",
    "+COLP": "0,0",
    "+CCWA": "0",
    "+CMUX": "0",
    "+CSSN": "0,0",
    "+CRSL": "0",
    "+CCLK": '"26/01/01,00:00:00+00"',
    "+WIND": "0",
    "+CTZU": "0",
    "+CTZR": "0",
    "+CGATT": "1",
}
_BASICS = frozenset(
    ("V", "Q", "X", "H", "S", "M", "L", "&C", "&D", "&K", "&W", "&S", "A", "O", "T", "P", "W", "&V")
)
_WITHOUT_PIN = frozenset(
    (
        "+CPIN",
        "+CMEE",
        "+CFUN",
        "+CGMI",
        "+CGMM",
        "+CGMR",
        "+CGSN",
        "+GMI",
        "+GMM",
        "+GMR",
        "+GSN",
        "+CLAC",
        "+CSCS",
    )
)


def _split(line: str) -> Iterator[tuple[str, str]]:
    """Commands of a line: names, and what stands behind them."""
    at = 0
    while at < len(line):
        if line[at] in "; ":
            at += 1
        elif line[at] in _EXTENDED:
            end = _end_of(line, at)
            match = re.match(r"[+^*%$#][A-Z0-9]*", line[at:end], re.IGNORECASE)
            name = match[0] if match is not None else line[at]
            yield name.upper(), line[at + len(name) : end].strip()
            at = end
        elif line[at] in "dD":
            end = _end_of(line, at)
            yield "D", line[at + 1 : end]
            at = len(line)
        else:
            match = _BASIC.match(line, at)
            if match is None:
                yield "?", line[at:]
                return
            yield (match[1], match[2]) if match[1] else ("S", match[4] + match[5])
            at = match.end()


def _end_of(line: str, at: int) -> int:
    """Where a command ends: at a semicolon that stands in no string."""
    is_quoted = False
    for place in range(at, len(line)):
        if line[place] == '"':
            is_quoted = not is_quoted
        elif line[place] == ";" and not is_quoted:
            return place
    return len(line)
