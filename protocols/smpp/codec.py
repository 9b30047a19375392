"""PDUs from octets and back (SMPP 3.4 §3.2, §5). ``_codec.pyx`` is the fast twin.

``parse_pdus`` reads every whole PDU of what a connection has brought, in one call. A damaged one comes
out in its place as ``Malformed``, with the command_status to answer, so that its neighbours are not lost.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..errors import LocalProtocolError
from .commands import RESPONSE, CommandId, Status
from .layout import COMMANDS, DESTINATIONS, INTEGER, LAYOUTS, MESSAGE, TEXT, UNSUCCESSFUL, Field
from .pdu import Destination, Malformed, Pdu, Unsuccessful
from .tlv import Tlvs

__all__ = ["MAX_PDU_SIZE", "pack", "parse_pdus"]

MAX_PDU_SIZE = 70_000  # a message_payload of 65,535 octets and what stands around it
MAX_TLVS = 64

_HEADER = struct.Struct("!IIII")
_TLV = struct.Struct("!HH")


class _WrongError(Exception):
    """What is wrong with a body, and the status for it."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def parse_pdus(
    data: bytes | bytearray, start: int = 0, max_size: int = MAX_PDU_SIZE
) -> tuple[list[Pdu | Malformed], int]:
    """Every whole PDU from ``start`` on, and where the first one that is not whole yet begins.

    After a ``Malformed`` that is fatal nothing can be read any more: its command_length is a lie.
    """
    if start < 0:
        raise ValueError(f"start {start} is negative")
    found: list[Pdu | Malformed] = []
    end = len(data)
    while end - start >= 16:
        size, command_id, status, sequence_number = _HEADER.unpack_from(data, start)
        if not 16 <= size <= max_size:
            reason = f"command_length {size} is not 16 to {max_size}"
            found.append(Malformed(command_id, sequence_number, Status.RINVCMDLEN, reason, is_fatal=True))
            break
        if end - start < size:
            break
        body = bytes(data[start + 16 : start + size])
        start += size
        found.append(_read(body, command_id, status, sequence_number))
    return found, start


def _read(body: bytes, command_id: int, status: int, sequence_number: int) -> Pdu | Malformed:
    layout = LAYOUTS.get(command_id)
    if layout is None:
        reason = f"command_id 0x{command_id:08X} is unknown"
        return Malformed(command_id, sequence_number, Status.RINVCMDID, reason)
    if not body and command_id & RESPONSE:  # an error's response may have none (§4.4.2), and others do it too
        return layout.pdu(status=status, sequence_number=sequence_number)
    values: list[Any] = []
    try:
        at = 0
        for field in layout.fields:
            value, at = _READERS[field.kind](body, at, field)
            values.append(value)
        if layout.has_tlvs:
            values.append(_read_tlvs(body, at))
        elif at != len(body):
            raise _WrongError(Status.RINVCMDLEN, f"{len(body) - at} octets too many")
    except _WrongError as wrong:
        name = CommandId(command_id).name.lower()
        return Malformed(command_id, sequence_number, wrong.status, f"{name}: {wrong.reason}")
    return layout.pdu(*values, status, sequence_number)


def _read_integer(body: bytes, at: int, field: Field) -> tuple[int, int]:
    if at + field.size > len(body):
        raise _WrongError(Status.RINVCMDLEN, f"{field.name} is missing")
    return int.from_bytes(body[at : at + field.size]), at + field.size


def _read_text(body: bytes, at: int, field: Field) -> tuple[str, int]:
    end = body.find(0, at, at + field.size)
    if end < 0:
        if at + field.size > len(body):
            raise _WrongError(Status.RINVCMDLEN, f"{field.name} has no end")
        raise _WrongError(field.status, f"{field.name} is longer than {field.size - 1} octets")
    return body[at:end].decode("latin-1"), end + 1


def _read_message(body: bytes, at: int, field: Field) -> tuple[bytes, int]:
    size, at = _read_integer(body, at, _COUNT)
    if size > field.size or at + size > len(body):
        raise _WrongError(Status.RINVMSGLEN, f"sm_length {size} with {len(body) - at} octets behind it")
    return body[at : at + size], at + size


def _read_destinations(body: bytes, at: int, field: Field) -> tuple[tuple[Destination, ...], int]:
    count, at = _read_integer(body, at, _COUNT)
    if not 1 <= count <= field.size:
        raise _WrongError(Status.RINVNUMDESTS, f"{count} destinations, not 1 to {field.size}")
    found: list[Destination] = []
    for _ in range(count):
        flag, at = _read_integer(body, at, _FLAG)
        if flag == 1:
            ton, at = _read_integer(body, at, _TON)
            npi, at = _read_integer(body, at, _NPI)
            number, at = _read_text(body, at, _NUMBER)
            found.append(Destination(ton, npi, number))
        elif flag == 2:
            name, at = _read_text(body, at, _LIST)
            found.append(Destination(dl_name=name))
        else:
            raise _WrongError(Status.RINVDESTFLAG, f"dest_flag {flag}")
    return tuple(found), at


def _read_unsuccessful(body: bytes, at: int, field: Field) -> tuple[tuple[Unsuccessful, ...], int]:
    count, at = _read_integer(body, at, _COUNT)
    if count > field.size:
        raise _WrongError(Status.RINVNUMDESTS, f"{count} destinations, not 0 to {field.size}")
    found = []
    for _ in range(count):
        ton, at = _read_integer(body, at, _TON)
        npi, at = _read_integer(body, at, _NPI)
        number, at = _read_text(body, at, _NUMBER)
        error, at = _read_integer(body, at, _ERROR)
        found.append(Unsuccessful(ton, npi, number, error))
    return tuple(found), at


def _read_tlvs(body: bytes, at: int) -> Tlvs:
    found: list[tuple[int, bytes]] = []
    while at < len(body):
        if len(found) == MAX_TLVS:
            raise _WrongError(Status.RINVTLVSTREAM, f"more than {MAX_TLVS} optional parameters")
        if at + 4 > len(body):
            raise _WrongError(Status.RINVTLVSTREAM, f"{len(body) - at} octets are no optional parameter")
        tag, size = _TLV.unpack_from(body, at)
        at += 4
        if at + size > len(body):
            raise _WrongError(Status.RINVTLVLEN, f"optional parameter 0x{tag:04X} is cut off")
        found.append((tag, body[at : at + size]))
        at += size
    return tuple(found)


_COUNT = Field("number", INTEGER, 1)
_FLAG = Field("dest_flag", INTEGER, 1)
_TON = Field("dest_addr_ton", INTEGER, 1)
_NPI = Field("dest_addr_npi", INTEGER, 1)
_NUMBER = Field("destination_addr", TEXT, 21, Status.RINVDSTADR)
_LIST = Field("dl_name", TEXT, 21, Status.RINVDLNAME)
_ERROR = Field("error_status_code", INTEGER, 4)

_READERS: dict[int, Callable[[bytes, int, Field], tuple[Any, int]]] = {
    INTEGER: _read_integer,
    TEXT: _read_text,
    MESSAGE: _read_message,
    DESTINATIONS: _read_destinations,
    UNSUCCESSFUL: _read_unsuccessful,
}


def pack(pdu: Pdu, sequence_number: int | None = None) -> bytes:
    """The octets of a PDU, numbered ``sequence_number`` instead of its own where that is given.

    A value that its field cannot hold is a LocalProtocolError. A response that is an error and says nothing
    more has no body (§4.4.2).
    """
    command_id = COMMANDS[type(pdu)]
    layout = LAYOUTS[command_id]
    values: list[Any]
    *values, status, number = pdu
    if sequence_number is not None:
        number = sequence_number
    tlvs: Tlvs = values.pop() if layout.has_tlvs else ()
    body = b""
    if not (status and command_id & RESPONSE) or tlvs or any(values):
        written = map(_write, values, layout.fields)
        body = b"".join((*written, *(_write_tlv(tag, value) for tag, value in tlvs)))
    if not (0 <= status <= 0xFFFFFFFF and 0 <= number <= 0xFFFFFFFF):
        raise LocalProtocolError(f"status {status} or sequence number {number} has more than 32 bits")
    return _HEADER.pack(16 + len(body), command_id, status, number) + body


def _write(value: Any, field: Field) -> bytes:
    if field.kind == INTEGER:
        if not 0 <= value < 1 << 8 * field.size:
            raise LocalProtocolError(f"{field.name} {value} does not fit into {field.size} octets")
        return int(value).to_bytes(field.size)
    if field.kind == TEXT:
        return _write_text(value, field)
    if field.kind == DESTINATIONS and not value:
        raise LocalProtocolError(f"{field.name} is empty")
    if len(value) > field.size:
        raise LocalProtocolError(f"{field.name} has more than {field.size} octets or items: {len(value)}")
    if field.kind == MESSAGE:
        return bytes((len(value), *value))
    write = _write_destination if field.kind == DESTINATIONS else _write_unsuccessful
    return b"".join((bytes((len(value),)), *map(write, value)))


def _write_text(value: str, field: Field) -> bytes:
    try:
        data = value.encode("latin-1")
    except UnicodeEncodeError:
        raise LocalProtocolError(f"{field.name} {value!r} is not Latin-1") from None
    if len(data) >= field.size or 0 in data:
        raise LocalProtocolError(f"{field.name} has more than {field.size - 1} octets, or a NUL")
    return data + b"\0"


def _write_destination(destination: Destination) -> bytes:
    if destination.dl_name:
        return b"\x02" + _write_text(destination.dl_name, _LIST)
    return b"\x01" + _write_number(destination)


def _write_unsuccessful(one: Unsuccessful) -> bytes:
    return _write_number(one) + _write(one.error_status_code, _ERROR)


def _write_number(to: Destination | Unsuccessful) -> bytes:
    return (
        _write(to.dest_addr_ton, _TON)
        + _write(to.dest_addr_npi, _NPI)
        + _write_text(to.destination_addr, _NUMBER)
    )


def _write_tlv(tag: int, value: bytes) -> bytes:
    if not 0 <= tag <= 0xFFFF or len(value) > 0xFFFF:
        raise LocalProtocolError(f"optional parameter 0x{tag:04X} has {len(value)} octets")
    return _TLV.pack(tag, len(value)) + value


with suppress(ImportError):  # not built: the same answers, slower
    from ._codec import pack, parse_pdus
