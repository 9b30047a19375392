"""How much anybody may send before we know who it is: token buckets per source and for all together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any

from .owners import to_tag

if TYPE_CHECKING:
    from .bans import Ban, BanList

# What belongs to something that we let begin is not shed before new work: overload must not keep calls up.
_ONGOING = (b"SIP/2.0 ", b"ACK ", b"BYE ", b"CANCEL ", b"PRACK ", b"UPDATE ", b"INFO ")
_ONGOING_SHARE = 10  # messages that a request which opens something brings with it, generously
_RESERVE_SHARE = 0.25  # on top of the total rate, for trusted sources only: strangers cannot starve them


@dataclass(frozen=True, slots=True)
class NetLimits:
    """The limits of the listeners; times in seconds, rates in messages a second, sizes in octets."""

    max_message_size: int = 65536
    max_head_size: int = 32768  # of a message's header section on a connection
    source_rate: float = 200.0
    source_burst: float = 400.0
    total_rate: float = 5000.0  # of requests that open something new
    total_burst: float = 5000.0
    register_rate: float = 5000.0  # of REGISTERs, which total_rate does not count
    call_rate: float = 0.0  # of INVITEs that begin calls, in all; 0: no limit but total_rate
    source_call_rate: float = 0.0  # the same from one source; 0: no limit but source_rate
    source_register_rate: float = 0.0
    max_wait: float = 0.5  # of new requests for their turn; beyond that they are refused, see backlog
    refuse_rate: float = 2000.0  # refusals; beyond that nothing is answered
    retry_after: int = 5
    max_amplification: float = 1.5  # an answer over UDP, against a request that may be forged; 0: no limit
    max_sources: int = 16384  # remembered; a source that is forgotten starts with a full bucket
    max_connections: int = 2000
    max_connections_per_source: int = 50
    reserved_connections: int = 100  # of max_connections: for trusted sources and for those we open
    connect_timeout: float = 8.0
    message_timeout: float = 32.0
    idle_timeout: float = 7200.0
    handshake_timeout: float = 8.0  # of TLS and of WebSocket
    handshake_rate: float = 10.0  # a second, from one source
    handshake_burst: float = 50.0
    write_buffer_size: int = 131072
    user_timeout: float = 30.0  # unacknowledged octets for so long break a connection; RFC 5482
    send_queue_size: int = 4096  # datagrams that wait while a UDP socket would block
    receive_buffer_size: int = 4 << 20  # what comes while a pass lasts; the backlog sees to what is late


class NetCounters:
    """Plain numbers since the start, but for the gauge ``connections``."""

    def __init__(self) -> None:
        self.datagrams_in = 0
        self.datagrams_out = 0
        self.messages_in = 0  # over streams
        self.messages_out = 0
        self.octets_in = 0
        self.octets_out = 0
        self.keep_alives = 0
        self.connections = 0  # open now
        self.connections_accepted = 0
        self.connections_opened = 0
        self.handshakes: Counter[str] = Counter()  # tls, ws, wss, and those that failed
        self.faults = 0  # exceptions of our own making that one message cost
        self.dropped: Counter[str] = Counter()  # messages, by why
        self.refused: Counter[str] = Counter()  # connections not let in, by why
        self.closed: Counter[str] = Counter()  # connections, by why
        self.failed: Counter[str] = Counter()  # destinations not reached, by why


class Verdict(StrEnum):
    """What to do with a message; the refusals are the names they are counted by."""

    PASS = "pass"
    SOURCE = "source"  # dropped: this source sends too much
    TOTAL = "total"  # dropped: all together send too much
    OVERLOAD = "overload"  # a new request beyond its rate: 503 with Retry-After
    LATE = "late"  # dropped: it waited too long, and there are too many to be refused
    BANNED = "banned"  # dropped: nobody listens to this source


_PASS = Verdict.PASS


class Recent:
    """Two generations: what is used stays young; when the young are too many, the old are forgotten."""

    __slots__ = ("_old", "_size", "young")

    def __init__(self, size: int) -> None:
        self._size = size
        self._old: dict[Any, Any] = {}
        self.young: dict[Any, Any] = {}  # hot code looks here first by itself

    def __len__(self) -> int:
        return len(self.young) + sum(key not in self.young for key in self._old)

    def get(self, key: Any) -> Any:
        """Return what is kept for the key, None if nothing is, and keep it longer."""
        value = self.young.get(key)
        if value is None and (value := self._old.pop(key, None)) is not None:
            self.put(key, value)
        return value

    def put(self, key: Any, value: Any) -> None:
        """Keep a value, for at least ``size`` further new keys."""
        if len(self.young) >= self._size:
            self._old = self.young
            self.young = {}
        self.young[key] = value

    def clear(self) -> None:
        """Forget everything."""
        self.young = {}
        self._old = {}


class Bucket:
    """So many tokens, refilled at a rate, never more than the burst."""

    __slots__ = ("at", "tokens")

    def __init__(self, tokens: float, at: float) -> None:
        self.tokens = tokens
        self.at = at

    def take(self, rate: float, burst: float, now: float) -> bool:
        """Take a token if there is one."""
        tokens = self.tokens + (now - self.at) * rate
        self.at = now
        if tokens > burst:
            tokens = burst
        if tokens < 1.0:
            self.tokens = tokens
            return False
        self.tokens = tokens - 1.0
        return True


class Limiter:
    """Judges each message by its source and first octets, before anything of it is parsed."""

    def __init__(
        self,
        limits: NetLimits,
        is_trusted: Callable[[str], bool],
        now: float,
        *,
        bans: BanList | None = None,
        mark: Callable[[], bytes] = lambda: b"",
    ) -> None:
        """``mark`` stands in every identifier that the switch minted."""
        self._is_trusted = is_trusted
        self._bans = bans
        self._banned: Mapping[str, Ban] = {} if bans is None else bans.table
        self._mark = mark
        self._sources = Recent(limits.max_sources)
        self._callers = Recent(limits.max_sources)
        self._registrants = Recent(limits.max_sources)
        self._new = Bucket(limits.total_burst, now)
        self._registers = Bucket(limits.register_rate, now)
        self._calls = Bucket(limits.call_rate, now)
        self._refusals = Bucket(limits.refuse_rate, now)
        self._reserve = Bucket(limits.total_burst * _RESERVE_SHARE, now)
        self._ongoing = Bucket(limits.total_burst * _ONGOING_SHARE, now)
        self.apply(limits)

    def apply(self, limits: NetLimits) -> None:
        """Go on with other limits."""
        self._limits = limits
        self._source_rate, self._source_burst = limits.source_rate, limits.source_burst
        self._total_rate, self._total_burst = limits.total_rate, limits.total_burst
        self._call_rate, self._source_call_rate = limits.call_rate, limits.source_call_rate

    @property
    def source_count(self) -> int:
        """How many sources it remembers."""
        return len(self._sources)

    def judge(self, host: str, data: bytes, now: float) -> Verdict:
        """Say whether a message may pass, and count it."""
        if self._banned and self._is_shut_out(host, data, now):
            return Verdict.BANNED
        young = self._sources.young
        bucket: Bucket | None = young.get(host)
        if bucket is None:
            bucket = self._bucket_of(host, now)
        if not bucket.take(self._source_rate, self._source_burst, now):
            if not self._is_trusted(host):  # asked only here: it may have to look into tables
                return Verdict.SOURCE
            bucket.tokens = self._source_burst
        if data.startswith(_ONGOING):
            return _PASS if self._may_go_on(now) else Verdict.TOTAL
        if self._may_begin(host, data, now):
            return _PASS
        return self._judge_excess(host, data, now)

    def _may_go_on(self, now: float) -> bool:
        return self._ongoing.take(self._total_rate * _ONGOING_SHARE, self._total_burst * _ONGOING_SHARE, now)

    def _may_begin(self, host: str, data: bytes, now: float) -> bool:
        """Whether a request that opens something is within the rates."""
        if data.startswith(b"REGISTER "):
            limits = self._limits
            rate = limits.register_rate
            is_within = self._registers.take(rate, rate, now)
            if limits.source_register_rate:
                is_within &= self._is_within(
                    self._registrants, host, limits.source_register_rate, now, for_trusted=False
                )
            return is_within
        is_within = self._new.take(self._total_rate, self._total_burst, now)
        if (self._call_rate or self._source_call_rate) and data.startswith(b"INVITE "):
            is_within &= self._may_call(host, now)
        return is_within

    def may_refuse(self, now: float) -> bool:
        """Whether one more refusal is sent: they cost too."""
        return self._refusals.take(self._limits.refuse_rate, self._limits.refuse_rate, now)

    def _judge_excess(self, host: str, data: bytes, now: float) -> Verdict:
        """What is beyond a rate: requests in dialogs go on, trunks and registered phones have a reserve."""
        limits = self._limits
        if to_tag(data) is not None:
            return _PASS if self._may_go_on(now) else Verdict.TOTAL
        rate, burst = limits.total_rate * _RESERVE_SHARE, limits.total_burst * _RESERVE_SHARE
        if self._is_trusted(host) and self._reserve.take(rate, burst, now):
            return Verdict.PASS
        return Verdict.OVERLOAD if self.may_refuse(now) else Verdict.TOTAL

    def _may_call(self, host: str, now: float) -> bool:
        if self._source_call_rate and not self._is_within(
            self._callers, host, self._source_call_rate, now, for_trusted=True
        ):
            return False
        return not self._call_rate or self._calls.take(self._call_rate, self._call_rate, now)

    def _is_within(self, sources: Recent, host: str, rate: float, now: float, *, for_trusted: bool) -> bool:
        """Whether a source keeps to its rate, two seconds' worth at once."""
        source = source_of(host)
        bucket: Bucket | None = sources.get(source)
        if bucket is None:
            bucket = Bucket(2 * rate, now)
            sources.put(source, bucket)
        return bucket.take(rate, max(2 * rate, 1.0), now) or (for_trusted and self._is_trusted(host))

    def _is_shut_out(self, host: str, data: bytes, now: float) -> bool:
        """Whether a banned source says this; what it does in calls that are up is heard."""
        bans = self._bans
        assert bans is not None
        ban = bans.find(host, now)
        if ban is None or ((mark := self._mark()) and mark in data):
            return False
        if ban.reason != "operator" and self._is_trusted(host):
            return False  # phones behind its address: their passwords are not looked at, see Authenticator
        if not ban.is_proven and data.startswith(b"REGISTER "):
            return False  # anybody can forge an address: whose it is may still prove who he is
        bans.dropped += 1
        return True

    def _bucket_of(self, host: str, now: float) -> Bucket:
        source = source_of(host)
        bucket: Bucket = self._sources.get(source) or Bucket(self._limits.source_burst, now)
        self._sources.put(source, bucket)
        if source != host:
            self._sources.put(host, bucket)  # all hosts of the network share it
        return bucket


def source_of(host: str) -> str:
    """Return what counts as one source: an IPv4 host, an IPv6 /64 (whoever has one address has them all)."""
    return _network_of(host) if ":" in host else host


@lru_cache(maxsize=4096)
def _network_of(host: str) -> str:
    address = IPv6Address(host)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> 64 << 64)) + "/64"
