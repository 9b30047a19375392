"""Messages in text mode (3GPP TS 27.005 §3.4): the parameters of a headline, and the text below it."""

from __future__ import annotations

from collections.abc import Callable

from switchroom.protocols.gsm import Charset, DataCoding
from switchroom.protocols.gsm.tpdu import (
    Address,
    Deliver,
    StatusReport,
    Submit,
    Timestamp,
    Tpdu,
    TypeOfNumber,
)

__all__ = ["describe"]


def describe(
    pdu: Tpdu, to_charset: Callable[[str], str], *, has_details: bool, has_name: bool = False
) -> tuple[str, str]:
    """What stands behind the status, and the text; a report has none."""
    if isinstance(pdu, StatusReport):
        number, kind = _number(pdu.recipient, to_charset)
        times = f'"{_time(pdu.timestamp)}","{_time(pdu.discharged)}"'
        return f"6,{pdu.message_reference},{number},{kind},{times},{pdu.status}", ""
    if isinstance(pdu, Deliver):
        number, kind = _number(pdu.source, to_charset)
        first = 4 | 0x40 * (pdu.user_data.header is not None)
        told = f'{number},,"{_time(pdu.timestamp)}"'
        if has_details:
            size = len(pdu.user_data.data)
            told += f',{kind},{first},{pdu.protocol_id},{pdu.data_coding},"",145,{size}'
        return told, _text(pdu, to_charset)
    if isinstance(pdu, Submit):
        number, _ = _number(pdu.destination, to_charset)
        return f"{number},", _text(pdu, to_charset)
    return "", ""


def _number(address: Address, to_charset: Callable[[str], str]) -> tuple[str, int]:
    kinds = {TypeOfNumber.INTERNATIONAL: 145, TypeOfNumber.ALPHANUMERIC: 208}
    return f'"{to_charset(address.number)}"', kinds.get(address.type_of_number, 129)


def _time(at: Timestamp) -> str:
    zone = f"{'-' if at.zone < 0 else '+'}{abs(at.zone):02}"
    return f"{at.year % 100:02}/{at.month:02}/{at.day:02},{at.hour:02}:{at.minute:02}:{at.second:02}{zone}"


def _text(pdu: Deliver | Submit, to_charset: Callable[[str], str]) -> str:
    """Characters where they are of the default alphabet without a header, octets in hexadecimal else."""
    coding = DataCoding.parse(pdu.data_coding)
    data = pdu.user_data
    if coding.charset is Charset.GSM7 and data.header is None:
        return to_charset(pdu.text)
    return data.write(pdu.data_coding)[1:].hex().upper()
