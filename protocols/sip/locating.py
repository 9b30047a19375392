"""Where a SIP URI leads: transport, address and port by NAPTR, SRV, A and AAAA (RFC 3263, RFC 2782).

A pure algorithm: it is given what is known of the DNS and says where to go, or what must be asked first.
Whoever asks calls it again with the answers; it takes the same way, because chance is an argument.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from itertools import islice
from typing import NamedTuple

from .uri import Uri

MAX_HOPS = 10
MAX_QUESTIONS = 8  # of one location, whatever the DNS tells us to ask (THREATS D2)
_MAX_SERVICES = 3

DEFAULT_PORTS = {"UDP": 5060, "TCP": 5060, "TLS": 5061, "WS": 80, "WSS": 443}  # RFC 3261 §19.1.2, RFC 7118
_SERVICES = {"UDP": "_sip._udp", "TCP": "_sip._tcp", "TLS": "_sips._tcp"}  # RFC 3263 §4.1, §4.2
_NAPTR_SERVICES = {"sip+d2u": "UDP", "sip+d2t": "TCP", "sips+d2t": "TLS"}
_SECURED = {"TCP": "TLS", "TLS": "TLS", "WS": "WSS", "WSS": "WSS"}  # what a sips URI makes of a transport

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
# The last label is not a number: what looks like an address, such as .1 or 1.2.3, is nobody's name
_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL}")


class Question(NamedTuple):
    """What the DNS is asked: a name, in lower case and without the last dot, and a type of record."""

    name: str
    kind: str  # NAPTR, SRV, A, AAAA


class Srv(NamedTuple):
    """One SRV record (RFC 2782); the target of a service that is decidedly not there is empty."""

    priority: int
    weight: int
    port: int
    target: str


class Naptr(NamedTuple):
    """One NAPTR record (RFC 3403), without the regular expression: SIP has no use for it."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


Record = str | Srv | Naptr  # an address is a text
Answers = Callable[[Question], Sequence[Record] | None]  # nothing there: empty; not asked yet: None


class Hop(NamedTuple):
    """One place to try; ``name`` is whom a TLS server there must prove to be (RFC 5922 §4)."""

    transport: str
    host: str
    port: int
    name: str = ""


class Target(NamedTuple):
    """What is located: a host, and what is known beside it."""

    host: str
    port: int | None = None
    transport: str | None = None
    is_secure: bool = False

    @staticmethod
    def of_uri(uri: Uri) -> Target:
        """The TARGET of a sip or sips URI (RFC 3263 §4)."""
        host = uri.param("maddr") or uri.host
        return Target(host, uri.port, uri.transport, uri.scheme == "sips")


class Means(NamedTuple):
    """What we can use, the preferred first; ``rank`` sorts addresses and gives None for what has no route."""

    transports: Sequence[str] = ("UDP", "TCP", "TLS")
    families: Sequence[str] = ("A", "AAAA")
    rank: Callable[[str], int | None] = lambda address: 0


class Location(NamedTuple):
    """The places to try, in order; complete when nothing is missing."""

    hops: tuple[Hop, ...]
    missing: tuple[Question, ...] = ()


def locate(target: Target, answers: Answers, chance: float = 0.0, means: Means | None = None) -> Location:
    """Where to go, by what is known; ``chance`` from 0 up to 1 decides between weights (RFC 2782)."""
    walk = _Walk(target, answers, chance, means or Means())
    walk.run()
    return Location(tuple(walk.hops), tuple(walk.missing))


def literal_address(host: str) -> str | None:
    """The address that a host is, without brackets; None for a name."""
    text = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def host_name(text: str) -> str | None:
    """A name as the DNS may be asked for it; None for what can be none."""
    name = text.removesuffix(".").lower()
    return name if _NAME.fullmatch(name) else None


def by_weight(records: Sequence[Srv], chance: float) -> Iterator[Srv]:
    """The records by priority, those of one priority in a random order that obeys the weights (RFC 2782).

    One number decides everything: what a choice leaves of it is as random as it was.
    """
    for priority in sorted({record.priority for record in records}):
        rest = [record for record in records if record.priority == priority]
        rest.sort(key=lambda record: record.weight > 0)  # those without weight have a very small chance
        if not rest[-1].weight:
            rest = [record._replace(weight=1) for record in rest]
        while rest:
            at, chance = _pick([record.weight for record in rest], chance)
            yield rest.pop(at)


def _pick(weights: Sequence[int], chance: float) -> tuple[int, float]:
    """The first whose running sum reaches a number up to the sum of all; and what is left of chance."""
    drawn = chance * (sum(weights) + 1)
    low = 0
    for at, high in enumerate(_running(weights)):
        if drawn < high:
            return at, (drawn - low) / (high - low)
        low = max(low, high)
    return len(weights) - 1, 0.0  # rounding


def _running(weights: Sequence[int]) -> Iterator[int]:
    total = 1
    for weight in weights:
        total += weight
        yield total


class _Walk:
    """One way through the DNS; stops where an answer is missing."""

    def __init__(self, target: Target, answers: Answers, chance: float, means: Means) -> None:
        self._target, self._answers, self._chance, self._means = target, answers, chance, means
        self._asked: set[Question] = set()
        self.hops: list[Hop] = []
        self.missing: list[Question] = []

    def run(self) -> None:
        """Take the steps of RFC 3263 §4."""
        given = self._target
        transport = given.transport.upper() if given.transport else None
        if given.is_secure and transport is not None:
            transport = _SECURED.get(transport, "")  # sips over UDP is nowhere
        address = literal_address(given.host)
        name = host_name(given.host)
        if address is not None:
            self._add(transport or self._plain(), address, given.port)
        elif name is None:
            return
        elif given.port is not None:
            self._hosts(transport or self._plain(), name, given.port)
        elif transport is not None:
            self._service(transport, name)
        else:
            self._select(name)

    def _plain(self) -> str:
        """The transport where nothing says which (§4.1)."""
        usual = ("TLS",) if self._target.is_secure else ("UDP", "TCP")
        return next((transport for transport in usual if transport in self._means.transports), usual[0])

    def _select(self, name: str) -> None:
        """Let the domain select the transport: NAPTR, or which SRV records there are (§4.1)."""
        found = self._ask(name, "NAPTR")
        if found is None:
            return
        services = list(islice(self._naptr_services(found), _MAX_SERVICES))
        is_chosen = bool(services)
        if not is_chosen:
            transports = [t for t in self._means.transports if t in _SERVICES and self._may_use(t)]
            services = [(t, f"{_SERVICES[t]}.{name}") for t in transports]
        lists = [(transport, self._ask(service, "SRV")) for transport, service in services]
        if any(records is None for _, records in lists):
            return  # the hosts of one would take questions from the others
        for transport, records in lists:
            self._servers(transport, records or ())
        if not is_chosen and not any(records for _, records in lists):
            transport = self._plain()
            self._hosts(transport, name, DEFAULT_PORTS[transport])

    def _may_use(self, transport: str) -> bool:
        return (transport == "TLS") == self._target.is_secure  # _sips for sips URIs, _sip for sip URIs

    def _naptr_services(self, records: Sequence[Record]) -> Iterator[tuple[str, str]]:
        """What of the NAPTR records we can use; a sips URI may not lead to less (§4.1)."""
        usable = []
        for record in records:
            if isinstance(record, Naptr) and record.flags.lower() == "s":
                transport = _NAPTR_SERVICES.get(record.service.lower(), "")
                service = host_name(record.replacement)
                is_allowed = transport == "TLS" or not self._target.is_secure
                if service is not None and is_allowed and transport in self._means.transports:
                    usable.append((record.order, record.preference, transport, service))
        for _, _, transport, service in sorted(usable):
            yield transport, service

    def _service(self, transport: str, name: str) -> None:
        """The servers of a transport that is certain (§4.2)."""
        prefix = _SERVICES.get(transport)
        records: Sequence[Record] | None = ()
        if prefix is not None and transport in self._means.transports:
            records = self._ask(f"{prefix}.{name}", "SRV")
        if records:
            self._servers(transport, records)
        elif records is not None and transport in DEFAULT_PORTS:
            self._hosts(transport, name, DEFAULT_PORTS[transport])

    def _servers(self, transport: str, records: Sequence[Record]) -> None:
        """The hosts behind SRV records, in their order."""
        order = by_weight([r for r in records if isinstance(r, Srv)], self._chance)
        for record in islice(order, MAX_HOPS):
            name = host_name(record.target)
            if name is not None and record.port:
                self._hosts(transport, name, record.port)

    def _hosts(self, transport: str, name: str, port: int) -> None:
        """The addresses of a host, of the families that we have."""
        if transport not in self._means.transports:
            return
        found = [self._ask(name, family) for family in self._means.families]
        addresses = [str(address) for answer in found for address in answer or ()]
        ranked = [(self._means.rank(address), address) for address in dict.fromkeys(addresses)]
        for _, address in sorted(((r, a) for r, a in ranked if r is not None), key=lambda pair: pair[0]):
            self._add(transport, address, port)

    def _add(self, transport: str, address: str, port: int | None) -> None:
        if transport in self._means.transports and len(self.hops) < MAX_HOPS:
            name = self._target.host.strip("[]").lower() if transport in ("TLS", "WSS") else ""
            hop = Hop(transport, address, port or DEFAULT_PORTS[transport], name)
            if hop not in self.hops:
                self.hops.append(hop)

    def _ask(self, name: str, kind: str) -> Sequence[Record] | None:
        question = Question(name, kind)
        if question not in self._asked:
            if len(self._asked) >= MAX_QUESTIONS:
                return ()
            self._asked.add(question)
        found = self._answers(question)
        if found is None and question not in self.missing:
            self.missing.append(question)
        return found
