"""TPDUs from octets (3GPP TS 23.040 §9.2.2); which one it is depends on who sent it."""

from __future__ import annotations

from ...errors import RemoteProtocolError
from .address import Address, read_address, read_service_centre, write_service_centre
from .octets import Reader
from .pdus import Command, Deliver, DeliverReport, StatusReport, Submit, SubmitReport, Tpdu
from .times import read_timestamp, read_validity
from .userdata import UserData, read_user_data

__all__ = ["from_hex", "parse_from_centre", "parse_from_telephone", "to_hex"]

MAX_SIZE = 255  # octets; no TPDU has more than 176


def parse_from_centre(data: bytes, *, is_error: bool = False) -> Deliver | StatusReport | SubmitReport:
    """Read what a telephone gets. A reserved kind is read as SMS-DELIVER (§9.2.3.1)."""
    reader = _reader(data)
    first = reader.octet("first octet")
    if first & 0x03 == 2:
        return _read_status_report(reader, first)
    if first & 0x03 == 1:
        return _read_submit_report(reader, first, is_error)
    return _read_deliver(reader, first)


def parse_from_telephone(data: bytes, *, is_error: bool = False) -> Submit | Command | DeliverReport:
    """Read what a service centre gets."""
    reader = _reader(data)
    first = reader.octet("first octet")
    if first & 0x03 == 1:
        return _read_submit(reader, first)
    if first & 0x03 == 2:
        return _read_command(reader, first)
    if first & 0x03 == 0:
        return _read_deliver_report(reader, first, is_error)
    raise RemoteProtocolError("a message type that is reserved")


def from_hex(line: str) -> tuple[Address | None, bytes]:
    """What PDU mode writes (TS 27.005 §4.1): a service centre, and the TPDU behind it."""
    try:
        data = bytes.fromhex(line.strip())
    except ValueError:
        raise RemoteProtocolError(f"a PDU that is not hexadecimal: {line[:20]!r}") from None
    reader = Reader(data[: MAX_SIZE + 13])
    return read_service_centre(reader), reader.rest()


def to_hex(tpdu: Tpdu | bytes, service_centre: Address | None = None) -> tuple[str, int]:
    """A TPDU for PDU mode, and the length that the command says: without the service centre."""
    data = bytes(tpdu)
    return (write_service_centre(service_centre) + data).hex().upper(), len(data)


def _reader(data: bytes) -> Reader:
    if len(data) > MAX_SIZE:
        raise RemoteProtocolError(f"a TPDU of {len(data)} octets")
    return Reader(data)


def _read_deliver(reader: Reader, first: int) -> Deliver:
    source = read_address(reader, "originating address")
    protocol_id = reader.octet("protocol identifier")
    data_coding = reader.octet("data coding scheme")
    return Deliver(
        source,
        read_timestamp(reader, "service centre time stamp"),
        read_user_data(reader, data_coding, has_header=bool(first & 0x40)),
        data_coding,
        protocol_id,
        has_more_to_come=not first & 0x04,
        is_looped=bool(first & 0x08),
        has_status_report=bool(first & 0x20),
        has_reply_path=bool(first & 0x80),
    )


def _read_submit(reader: Reader, first: int) -> Submit:
    message_reference = reader.octet("message reference")
    destination = read_address(reader, "destination address")
    protocol_id = reader.octet("protocol identifier")
    data_coding = reader.octet("data coding scheme")
    validity = read_validity(reader, first >> 3 & 0x03)
    return Submit(
        destination,
        read_user_data(reader, data_coding, has_header=bool(first & 0x40)),
        data_coding,
        protocol_id,
        validity,
        message_reference,
        wants_status_report=bool(first & 0x20),
        rejects_duplicates=bool(first & 0x04),
        has_reply_path=bool(first & 0x80),
    )


def _read_status_report(reader: Reader, first: int) -> StatusReport:
    message_reference = reader.octet("message reference")
    recipient = read_address(reader, "recipient address")
    timestamp = read_timestamp(reader, "service centre time stamp")
    discharged = read_timestamp(reader, "discharge time")
    status = reader.octet("status")
    options = _read_options(reader, reader.octet("parameter indicator") if reader.left else 0, first)
    return StatusReport(
        message_reference,
        recipient,
        timestamp,
        discharged,
        status,
        not first & 0x04,
        bool(first & 0x08),
        bool(first & 0x20),
        *options,
    )


def _read_deliver_report(reader: Reader, first: int, is_error: bool) -> DeliverReport:
    cause = reader.octet("failure cause") if is_error else None
    indicator = reader.octet("parameter indicator") if reader.left else 0
    return DeliverReport(cause, *_read_options(reader, indicator, first))


def _read_submit_report(reader: Reader, first: int, is_error: bool) -> SubmitReport:
    cause = reader.octet("failure cause") if is_error else None
    indicator = reader.octet("parameter indicator")
    timestamp = read_timestamp(reader, "service centre time stamp")
    return SubmitReport(timestamp, cause, *_read_options(reader, indicator, first))


def _read_command(reader: Reader, first: int) -> Command:
    message_reference = reader.octet("message reference")
    protocol_id = reader.octet("protocol identifier")
    command_type = reader.octet("command type")
    message_number = reader.octet("message number")
    destination = read_address(reader, "destination address")
    size = reader.octet("command data length")
    return Command(
        command_type,
        message_number,
        destination,
        reader.take(size, "command data"),
        protocol_id,
        message_reference,
        wants_status_report=bool(first & 0x20),
        has_header=bool(first & 0x40),
    )


def _read_options(
    reader: Reader, indicator: int, first: int
) -> tuple[int | None, int | None, UserData | None]:
    """What TP-PI says is there; further octets of it say nothing that is known (§9.2.3.27)."""
    extension = indicator
    while extension & 0x80:
        extension = reader.octet("parameter indicator")
    protocol_id = reader.octet("protocol identifier") if indicator & 0x01 else None
    data_coding = reader.octet("data coding scheme") if indicator & 0x02 else None
    if not indicator & 0x04:
        return protocol_id, data_coding, None
    return protocol_id, data_coding, read_user_data(reader, data_coding or 0, has_header=bool(first & 0x40))
