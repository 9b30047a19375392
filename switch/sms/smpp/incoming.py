"""What a remote end submits or delivers, as the message centre wants it."""

from __future__ import annotations

from typing import Any

from switchroom.protocols import gsm
from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.smpp import DataSm, DeliverSm, Destination, SubmitMulti, SubmitSm, Tag, Tlvs

from ..interfaces import NO_CONCAT, Concat, Submission
from .addresses import read_address
from .times import to_posix

__all__ = ["read_data_sm", "read_submit_multi", "read_submit_sm"]

_UDHI = 0x40
_WISHES = 0x1F
_LATIN_1 = 3  # data_coding
_CONCATENATION = (gsm.Element.CONCATENATION_8, gsm.Element.CONCATENATION_16)
_SAR = frozenset((Tag.SAR_MSG_REF_NUM, Tag.SAR_TOTAL_SEGMENTS, Tag.SAR_SEGMENT_SEQNUM))
_READ = _SAR | {Tag.MESSAGE_PAYLOAD}


def read_submit_sm(
    pdu: SubmitSm | DeliverSm, inlet: str, now: float, *, is_latin: bool = False, context: Any = None
) -> Submission:
    """A message of submit_sm or deliver_sm; ``now`` is in seconds since 1970."""
    (service_type, ton, npi, source, to_ton, to_npi, to, esm_class, protocol_id, priority, schedule, validity,
     registered, replace, coding, _, body, tlvs, _, _) = pdu  # fmt: skip
    udh, concat = b"", NO_CONCAT
    if tlvs or esm_class & _UDHI:
        body, udh, concat, tlvs = _read_body(esm_class, body, tlvs)
    return Submission(
        inlet,
        read_address(ton, npi, source),
        read_address(to_ton, to_npi, to),
        body,
        _LATIN_1 if is_latin and coding == 0 else coding,
        udh,
        concat,
        -1,
        protocol_id,
        esm_class & ~_UDHI,
        service_type,
        min(priority, 3),
        registered & _WISHES,
        to_posix(schedule, now) if schedule else 0.0,
        to_posix(validity, now) if validity else 0.0,
        replace == 1,
        tlvs,
        "",
        context,
    )


def read_data_sm(
    pdu: DataSm, inlet: str, now: float, *, is_latin: bool = False, context: Any = None
) -> Submission:
    """A message of data_sm."""
    body, udh, concat, tlvs = _read_body(pdu.esm_class, b"", pdu.tlvs)
    life = next((value for tag, value in tlvs if tag == Tag.QOS_TIME_TO_LIVE), b"")
    return Submission(
        inlet,
        read_address(pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr),
        read_address(pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr),
        body,
        _LATIN_1 if is_latin and pdu.data_coding == 0 else pdu.data_coding,
        udh,
        concat,
        esm_class=pdu.esm_class & ~_UDHI,
        service_type=pdu.service_type,
        wish=pdu.registered_delivery & _WISHES,
        expires_at=now + int.from_bytes(life) if life else 0.0,
        tlvs=tlvs,
        context=context,
    )


def read_submit_multi(
    pdu: SubmitMulti, to: Destination, inlet: str, now: float, *, is_latin: bool, key: str, context: Any
) -> Submission:
    """The message of submit_multi for one of its destinations."""
    values: tuple[Any, ...] = (*pdu[:4], to.dest_addr_ton, to.dest_addr_npi, to.destination_addr, *pdu[5:])
    one = SubmitSm(*values)  # the fields of submit_multi are the same but for its destinations
    return read_submit_sm(one, inlet, now, is_latin=is_latin, context=context)._replace(key=key)


def _read_body(esm_class: int, body: bytes, tlvs: Tlvs) -> tuple[bytes, bytes, Concat, Tlvs]:
    """Text, information elements, which part it is, and the optional parameters that are left."""
    udh, concat = b"", NO_CONCAT
    if tlvs:
        values = dict(tlvs)
        body = values.get(Tag.MESSAGE_PAYLOAD, body)
        if values.keys() >= _SAR:
            reference, total, number = (int.from_bytes(values[tag]) for tag in sorted(_SAR))
            concat = Concat(reference, total, number) if 0 < number <= total < 256 else NO_CONCAT
        if not values.keys().isdisjoint(_READ):
            tlvs = tuple((tag, value) for tag, value in tlvs if tag not in _READ)
    if esm_class & _UDHI:
        try:
            header, body = gsm.UserDataHeader.parse(body)
        except RemoteProtocolError:
            return body, udh, concat, tlvs  # of a carrier: a customer's was refused before
        if (part := header.concatenation) is not None:
            concat = Concat(part.reference, part.total, part.number)
        udh = bytes(header.without(*_CONCATENATION))[1:]
    return body, udh, concat, tlvs
