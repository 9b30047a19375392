"""DNS messages (RFC 1035, RFC 6891), written and read by dnspython."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any, NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from switchroom.protocols.sip.locating import Naptr, Question, Record, Srv

_UDP_SIZE = 1232  # octets; what no path on the way has to cut to pieces (DNS flag day 2020)
_MAX_RECORDS = 64  # of one answer that are kept: nobody has more servers that he wants tried
_MAX_ALIASES = 8  # CNAME records in a row
_NEGATIVE_TTL = 30  # of an answer without SOA


class BadAnswer(ValueError):  # noqa: N818 - an answer, not an error of ours
    """What came is no answer to the question."""


class Answer(NamedTuple):
    """What a server said: the records, how long they hold, and what it added about other names."""

    records: tuple[Record, ...]
    ttl: int
    extra: tuple[tuple[Question, tuple[Record, ...], int], ...] = ()


class Query(NamedTuple):
    """A question on its way."""

    id: int
    question: Question
    octets: bytes

    @classmethod
    def of(cls, question: Question) -> Query:
        """Ask with an id that cannot be guessed (RFC 5452)."""
        number = secrets.randbelow(65536)
        message = dns.message.make_query(
            question.name + ".", question.kind, use_edns=0, payload=_UDP_SIZE, id=number
        )
        return cls(number, question, message.to_wire())


def is_reply(query: Query, octets: bytes) -> bool:
    """Whether the octets begin as the reply to a query."""
    return len(octets) >= 12 and octets[:2] == query.id.to_bytes(2, "big") and bool(octets[2] & 0x80)


def is_truncated(octets: bytes) -> bool:
    """Whether the rest has to be asked for over TCP."""
    return bool(octets[2] & 0x02)


def read(query: Query, octets: bytes) -> Answer | None:
    """What the reply says; None when the server could not answer; BadAnswer when it is no reply to this."""
    try:
        # Records that cannot be read are left out: dnsmasq breaks names beyond 16 KiB
        message = dns.message.from_wire(octets, ignore_trailing=True, continue_on_error=True)
    except (dns.exception.DNSException, ValueError) as error:  # ValueError: from addresses and names inside
        raise BadAnswer(str(error) or type(error).__name__) from None
    asked = message.question[0] if len(message.question) == 1 else None
    name = dns.name.from_text(query.question.name + ".")
    kind = dns.rdatatype.from_text(query.question.kind)
    if message.id != query.id or asked is None or asked.name != name or asked.rdtype != kind:
        raise BadAnswer("the answer is to another question")
    if message.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return None
    found, ttl = _follow(message, name, kind)
    if found is None:
        if message.errors:
            raise BadAnswer("the answer cannot be read")
        return Answer((), _negative_ttl(message))
    return Answer(_records(found), min(ttl, found.ttl), tuple(_extra(message)))


def _follow(
    message: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType
) -> tuple[dns.rrset.RRset | None, int]:
    """The records at the end of the aliases; the server has followed them for us, or there is nothing."""
    by_key = {(rrset.name, rrset.rdtype): rrset for rrset in message.answer}
    ttl = 1 << 31
    for _ in range(_MAX_ALIASES):
        found = by_key.get((name, kind))
        if found is not None:
            return found, ttl
        alias = by_key.get((name, dns.rdatatype.CNAME))
        if alias is None:
            break
        name, ttl = alias[0].target, min(ttl, alias.ttl)
    return None, ttl


def _negative_ttl(message: dns.message.Message) -> int:
    """How long there is nothing (RFC 2308 §5)."""
    for rrset in message.authority:
        if rrset.rdtype == dns.rdatatype.SOA and rrset:
            return min(rrset.ttl, int(rrset[0].minimum))
    return _NEGATIVE_TTL


def _records(rrset: dns.rrset.RRset) -> tuple[Record, ...]:
    found = [record for rdata in rrset if (record := _record(rdata)) is not None]
    if found and isinstance(found[0], Srv):
        found.sort(key=lambda record: record[0])  # by priority: the first are those that matter
    return tuple(found[:_MAX_RECORDS])


def _record(rdata: Any) -> Record | None:
    match rdata.rdtype:
        case dns.rdatatype.A | dns.rdatatype.AAAA:
            return str(rdata.address)
        case dns.rdatatype.SRV:
            return Srv(rdata.priority, rdata.weight, rdata.port, _text(rdata.target))
        case dns.rdatatype.NAPTR:
            flags, service = (octets.decode("latin-1") for octets in (rdata.flags, rdata.service))
            return Naptr(rdata.order, rdata.preference, flags, service, _text(rdata.replacement))
    return None


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower() if name.labels != (b"",) else ""


def _extra(message: dns.message.Message) -> Iterator[tuple[Question, tuple[Record, ...], int]]:
    """The addresses that a server adds for the hosts that it names (RFC 2782)."""
    for rrset in message.additional[:_MAX_RECORDS]:
        if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
            question = Question(_text(rrset.name), dns.rdatatype.to_text(rrset.rdtype))
            yield question, _records(rrset), rrset.ttl
