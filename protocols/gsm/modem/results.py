"""How a command ends, and what errors mean (ITU-T V.250, 3GPP TS 27.005 §3.2.5, TS 27.007 §9.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from ..tpdu import failure_meaning

__all__ = ["Fault", "Result", "ResultKind", "parse_final"]


class ResultKind(Enum):
    """Who says how it ended."""

    OK = "OK"
    ERROR = "ERROR"
    CMS = "+CMS ERROR"  # of the short message service
    CME = "+CME ERROR"  # of the equipment
    TIMEOUT = "time-out"
    LOST = "connection lost"


class Fault(Enum):
    """What an error means for what was to be done."""

    TEMPORARY = "temporary"  # later it may go
    PERMANENT = "permanent"  # it is the message that is refused
    SUBSCRIPTION = "subscription"  # not with this SIM
    MODEM = "modem"  # the modem or its SIM does not work
    UNKNOWN = "unknown"  # it may have been done


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a command, and the lines that came before it."""

    kind: ResultKind
    code: int | None = None
    lines: tuple[str, ...] = ()
    has_begun: bool = True  # else the modem never had all of what it was to do

    @property
    def is_ok(self) -> bool:
        """Whether it was done."""
        return self.kind is ResultKind.OK

    @property
    def fault(self) -> Fault:
        """What an error means for the command; nothing without one."""
        if self.kind in (ResultKind.TIMEOUT, ResultKind.LOST):
            return Fault.UNKNOWN if self.has_begun else Fault.TEMPORARY
        if self.kind is ResultKind.CMS and self.code is not None:
            return _cms_fault(self.code)
        if self.kind is ResultKind.CME and self.code is not None:
            return Fault.TEMPORARY if self.code in _CME_TEMPORARY else Fault.MODEM
        return Fault.TEMPORARY

    @property
    def meaning(self) -> str:
        """In words."""
        if self.code is None:
            return self.kind.value
        return f"{self.kind.value} {self.code}: {_meaning(self.kind, self.code)}"

    def value(self, prefix: str) -> str | None:
        """What stands behind a prefix, in the first line that has it."""
        return next((line[len(prefix) :].strip() for line in self.lines if line.startswith(prefix)), None)


_FINAL = re.compile(r"\+(CMS|CME) ERROR: ?(.*)")
_ERRORS = frozenset({"ERROR", "COMMAND NOT SUPPORT", "TOO MANY PARAMETERS", "+CMS ERROR", "+CME ERROR"})


def parse_final(line: str) -> Result | None:
    """Read a final result code; None: it is none. NO CARRIER is about calls that came in: nothing dials."""
    if line == "OK":
        return Result(ResultKind.OK)
    if line in _ERRORS:
        return Result(ResultKind.ERROR)
    match = _FINAL.fullmatch(line)
    if match is None:
        return None
    kind = ResultKind.CMS if match[1] == "CMS" else ResultKind.CME
    words = match[2].strip().lower()
    if words.isascii() and words.isdigit() and len(words) < 6:
        return Result(kind, int(words))
    table = _CMS if kind is ResultKind.CMS else _CME  # +CMEE=2 writes words
    return Result(kind, next((code for code, meaning in table.items() if meaning.lower() == words), None))


_CMS = {
    1: "unassigned number",
    8: "operator determined barring",
    10: "call barred",
    17: "network failure",
    21: "short message transfer rejected",
    22: "memory capacity exceeded",
    27: "destination out of service",
    28: "unidentified subscriber",
    29: "facility rejected",
    30: "unknown subscriber",
    38: "network out of order",
    41: "temporary failure",
    42: "congestion",
    47: "resources unavailable",
    50: "requested facility not subscribed",
    69: "requested facility not implemented",
    81: "invalid short message transfer reference value",
    95: "invalid message",
    96: "invalid mandatory information",
    97: "message type non-existent",
    98: "message not compatible",
    99: "information element non-existent",
    111: "protocol error",
    127: "interworking",
    300: "ME failure",
    301: "SMS service of ME reserved",
    302: "operation not allowed",
    303: "operation not supported",
    304: "invalid PDU mode parameter",
    305: "invalid text mode parameter",
    310: "SIM not inserted",
    311: "SIM PIN required",
    312: "PH-SIM PIN required",
    313: "SIM failure",
    314: "SIM busy",
    315: "SIM wrong",
    316: "SIM PUK required",
    317: "SIM PIN2 required",
    318: "SIM PUK2 required",
    320: "memory failure",
    321: "invalid memory index",
    322: "memory full",
    330: "SMSC address unknown",
    331: "no network service",
    332: "network timeout",
    340: "no +CNMA acknowledgement expected",
    500: "unknown error",
}
_CME = {
    0: "phone failure",
    1: "no connection to phone",
    3: "operation not allowed",
    4: "operation not supported",
    5: "PH-SIM PIN required",
    10: "SIM not inserted",
    11: "SIM PIN required",
    12: "SIM PUK required",
    13: "SIM failure",
    14: "SIM busy",
    15: "SIM wrong",
    16: "incorrect password",
    17: "SIM PIN2 required",
    18: "SIM PUK2 required",
    20: "memory full",
    21: "invalid index",
    22: "not found",
    23: "memory failure",
    24: "text string too long",
    25: "invalid characters in text string",
    26: "dial string too long",
    27: "invalid characters in dial string",
    30: "no network service",
    31: "network timeout",
    32: "network not allowed - emergency calls only",
    50: "incorrect parameters",
    100: "unknown",
}
_CMS_PERMANENT = frozenset({1, 28, 30, 95, 96, 97, 98, 99, 111, 304, 305})
_CMS_SUBSCRIPTION = frozenset({8, 10, 21, 29, 50, 69})
_CMS_MODEM = frozenset({*range(300, 304), *range(310, 323), 330}) - {314}
_TP_PERMANENT = frozenset({*range(0x80, 0xB1), 0xC3, 0xC5, 0xC6, 0xC7})
_CME_TEMPORARY = frozenset({14, 30, 31, 32})


def _cms_fault(code: int) -> Fault:
    if code in _CMS_PERMANENT or code in _TP_PERMANENT:
        return Fault.PERMANENT
    if code in _CMS_SUBSCRIPTION or code in (0xC1, 0xC4):
        return Fault.SUBSCRIPTION
    return Fault.MODEM if code in _CMS_MODEM else Fault.TEMPORARY


def _meaning(kind: ResultKind, code: int) -> str:
    if kind is ResultKind.CMS and 128 <= code <= 255:
        return failure_meaning(code)  # TP-Failure-Cause
    known = (_CMS if kind is ResultKind.CMS else _CME).get(code)
    return known or ("of the manufacturer" if code >= 512 else "unassigned")
