"""Text mode, for modems that have no PDU mode (3GPP TS 27.005 §3): its lines from TPDUs and back.

The character set is UCS2 there, so that text and user data of any kind are hexadecimal digits.
"""

from __future__ import annotations

import re

from ...errors import RemoteProtocolError
from ..text import Charset, DataCoding
from ..tpdu import (
    Address,
    Deliver,
    Relative,
    StatusReport,
    Submit,
    Timestamp,
    TypeOfNumber,
    UserData,
    user_data_of,
)
from .dialogue import Command
from .parameters import fields, integer

__all__ = ["commands_of", "read_message", "read_report"]

_TIME = re.compile(r"(\d\d)/(\d\d)/(\d\d),(\d\d):(\d\d):(\d\d)([+-]\d\d)?")
_UDHI, _REPORT, _RELATIVE = 0x40, 0x20, 0x10


def commands_of(submit: Submit, timeout: float) -> list[Command]:
    """AT+CSMP with what a TPDU says beside its text, and AT+CMGS."""
    header = submit.user_data.header
    coding = DataCoding.parse(submit.data_coding)
    first = 0x01 | _RELATIVE | _UDHI * (header is not None) | _REPORT * submit.wants_status_report
    validity = submit.validity.value if isinstance(submit.validity, Relative) else 167  # a day
    if coding.charset is Charset.GSM7 and header is None:
        body, data_coding = _hex(submit.text), submit.data_coding
    else:  # octets as they stand in the TPDU; TS 27.005 §3.1 <data>
        body, data_coding = submit.user_data.write(submit.data_coding)[1:].hex().upper(), submit.data_coding
    kind = 145 if submit.destination.type_of_number is TypeOfNumber.INTERNATIONAL else 129
    return [
        Command(f"AT+CSMP={first},{validity},{submit.protocol_id},{data_coding}"),
        Command(f'AT+CMGS="{_hex(submit.destination.number)}",{kind}', body=body, timeout=timeout),
    ]


def read_message(headline: str, lines: list[str]) -> Deliver | StatusReport | None:
    """What AT+CMGR writes, with AT+CSDH=1; None: it is not one that came in."""
    status, *values = fields(headline) or [""]
    if not status.startswith("REC"):
        return None
    times = [place for place, value in enumerate(values) if _TIME.fullmatch(value)]
    if len(times) == 2:
        return _report(values)
    if len(times) != 1:
        raise RemoteProtocolError(f"a message without a time: {headline[:80]!r}")
    rest = values[times[0] + 1 :]  # tooa, fo, pid, dcs, sca, tosca, length
    numbers = [integer(rest, place, 0) & 0xFF for place in (1, 2, 3)]
    return _deliver(values[0], values[times[0]], "\n".join(lines), *numbers)


def read_report(line: str) -> StatusReport | None:
    """+CDS: <fo>,<mr>,[<ra>],[<tora>],<scts>,<dt>,<st>."""
    return _report(fields(line))


def _report(values: list[str]) -> StatusReport | None:
    times = [_timestamp(value) for value in values if _TIME.fullmatch(value)]
    status = integer(values, len(values) - 1)
    if len(times) != 2 or len(values) < 7 or status < 0:
        return None
    number = Address.of(_unhex(values[2]))
    return StatusReport(integer(values, 1, 0) & 0xFF, number, times[0], times[1], status & 0xFF)


def _deliver(source: str, at: str, body: str, first: int, protocol_id: int, data_coding: int) -> Deliver:
    charset = DataCoding.parse(data_coding).charset
    octets = _octets(body)
    if octets is None or (charset is Charset.GSM7 and not first & _UDHI):
        text = body if octets is None else octets.decode("utf-16-be", "replace")
        data = UserData(text.encode("utf-16-be", "replace"))
        data_coding = 8
    else:
        data = user_data_of(octets, data_coding, has_header=bool(first & _UDHI))
    return Deliver(Address.of(_unhex(source)), _timestamp(at), data, data_coding, protocol_id)


def _timestamp(text: str) -> Timestamp:
    match = _TIME.fullmatch(text)
    assert match is not None
    year, month, day, hour, minute, second = (int(match[n]) for n in range(1, 7))
    return Timestamp(2000 + year, month, day, hour, minute, second, int(match[7] or 0))


def _hex(text: str) -> str:
    return text.encode("utf-16-be", "replace").hex().upper()


def _octets(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text.strip('"'))  # which some put around it (SIMCom)
    except ValueError:
        return None


def _unhex(text: str) -> str:
    """A number, which may be written in UCS-2 as well."""
    octets = _octets(text) if len(text) % 4 == 0 and text.startswith("00") else None
    return text if not octets else octets.decode("utf-16-be", "replace")
