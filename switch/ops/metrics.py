"""Metrics for Prometheus: nothing is counted here, the rooms' plain numbers are read when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ..media.quality.summary import measured
from ..net.watchdog import LAG_BOUNDS
from . import api_metrics, smpp_metrics, sms_metrics

Number = int | float
Values = Number | Mapping[Any, Number]  # one number, or one for each label value (a tuple for several labels)


class Family(NamedTuple):
    """One metric: where its numbers are."""

    name: str
    text: str
    read: Callable[[Any], Values]
    labels: tuple[str, ...] = ()
    is_gauge: bool = False


def _gauge(name: str, text: str, read: Callable[[Any], Values], *labels: str) -> Family:
    return Family(name, text, read, labels, is_gauge=True)


def _counter(name: str, text: str, read: Callable[[Any], Values], *labels: str) -> Family:
    return Family(name, text, read, labels)


FAMILIES = (
    _gauge("registrations", "Contacts that are registered.", lambda s: s.registrar.count()),
    _gauge("calls_active", "Calls being set up or up.", lambda s: len(s.exchange.calls)),
    _counter("calls_started", "Calls that began.", lambda s: s.exchange.calls_started),
    _counter("calls", "Calls that ended, by cause (SIP status).", lambda s: s.exchange.calls_total, "cause"),
    _counter(
        "sip_requests", "Requests.", lambda s: _both(s, "requests_in", "requests_out"), "direction", "method"
    ),
    _counter(
        "sip_responses",
        "Responses.",
        lambda s: _both(s, "responses_in", "responses_out"),
        "direction",
        "status",
    ),
    _gauge(
        "sip_transactions", "Transactions that are not finished.", lambda s: s.endpoint.counters.transactions
    ),
    _gauge("sip_sessions", "Sessions (legs of calls).", lambda s: s.endpoint.counters.sessions),
    _counter(
        "sip_parse_errors", "Messages that could not be read.", lambda s: s.endpoint.counters.parse_errors
    ),
    _counter(
        "sip_retransmissions",
        "Messages that were sent again, or came again.",
        lambda s: {"in": s.endpoint.counters.retransmissions_in, "out": s.endpoint.counters.retransmissions},
        "direction",
    ),
    _counter("sip_timeouts", "Transactions without an answer.", lambda s: s.endpoint.counters.timeouts),
    _counter(
        "sip_strays",
        "Messages that belong to no transaction or session.",
        lambda s: s.endpoint.counters.strays,
    ),
    _counter("sip_overloads", "Requests refused for want of room.", lambda s: s.endpoint.counters.overloads),
    _counter("auth_failures", "Wrong passwords.", lambda s: s.guard.failures),
    _counter("auth_bans", "Sources that were banned.", lambda s: s.guard.bans),
    _counter(
        "auth_dropped",
        "Messages of banned sources, and of those that answer no challenge.",
        lambda s: s.guard.dropped + s.guard.ban_list.dropped,
    ),
    _gauge("auth_banned", "Sources that are banned.", lambda s: len(s.guard.banned(s.clock.now()))),
    _counter(
        "sip_ignored",
        "Requests of strangers that got no answer (silent_to_strangers).",
        lambda s: s.exchange.reception.strangers.ignored if s.exchange.reception.strangers is not None else 0,
    ),
    _counter(
        "sip_unanswered",
        "Requests of strangers whose answer would have been too large for them (max_amplification).",
        lambda s: s.exchange.reception.proportion.unanswered,
    ),
    _counter(
        "calls_shed",
        "New calls that were sent away for want of time, or not answered.",
        lambda s: {
            "refused": s.exchange.admission.overload.refused,
            "dropped": s.exchange.admission.overload.dropped,
        },
        "how",
    ),
    _counter(
        "net_datagrams",
        "UDP datagrams of the signalling.",
        lambda s: {"in": s.face.counters.datagrams_in, "out": s.face.counters.datagrams_out},
        "direction",
    ),
    _counter(
        "net_stream_messages",
        "Messages over TCP.",
        lambda s: {"in": s.face.counters.messages_in, "out": s.face.counters.messages_out},
        "direction",
    ),
    _counter(
        "net_octets",
        "Octets of the signalling.",
        lambda s: {"in": s.face.counters.octets_in, "out": s.face.counters.octets_out},
        "direction",
    ),
    _counter(
        "net_handshakes",
        "TLS and WebSocket handshakes, and those that failed.",
        lambda s: s.face.counters.handshakes,
        "kind",
    ),
    _gauge("net_connections", "TCP connections that are open.", lambda s: s.face.counters.connections),
    _counter(
        "net_dropped", "Messages that were dropped unread.", lambda s: s.face.counters.dropped, "reason"
    ),
    _counter(
        "net_refused", "TCP connections that were not let in.", lambda s: s.face.counters.refused, "reason"
    ),
    _counter("net_faults", "Faults of the switch that cost a message.", lambda s: s.face.counters.faults),
    _counter("dns_queries", "Queries sent to name servers.", lambda s: s.resolver.counters.queries),
    _counter("dns_failures", "Questions that no server answered.", lambda s: s.resolver.counters.failures),
    _counter("dns_stale", "Look-ups that old answers had to serve.", lambda s: s.resolver.stale_count),
    _gauge("dns_cached", "Answers that are remembered.", lambda s: s.resolver.cached),
    _gauge("dns_waiting", "Look-ups on their way.", lambda s: s.resolver.searches),
    _gauge("dns_paused", "Domains that are left alone for a while.", lambda s: s.resolver.paused),
    _gauge("trace_messages", "Messages that are kept for trace.", lambda s: len(s.trace.ring)),
    _gauge("trace_octets", "Octets of them.", lambda s: s.trace.ring.octets),
    _gauge("media_ports_in_use", "UDP ports of the relay that are in use.", lambda s: s.media.ports_in_use),
    _gauge("program_calls", "Calls that programs have.", lambda s: len(s.apps.calls)),
    _gauge("recordings", "Recordings that go on.", lambda s: s.apps.house.recorder.count),
    _gauge("conferences", "Conferences that go on.", lambda s: len(s.apps.house.conferences.rooms)),
    _gauge(
        "conference_members",
        "Those who are in one.",
        lambda s: sum(len(room.members) for room in s.apps.house.conferences.rooms.values()),
    ),
    _gauge("relay_sessions", "Calls whose media is relayed.", lambda s: s.media.counters()["sessions"]),
    _gauge(
        "converted_sessions",
        "Calls whose sound is converted between codecs.",
        lambda s: s.media.counters()["converted_sessions"],
    ),
    _counter("relay_packets", "Packets that were relayed.", lambda s: s.media.counters()["packets"]),
    _counter(
        "relay_kernel_packets",
        "Those of them that the kernel relayed.",
        lambda s: s.media.counters()["kernel_packets"],
    ),
    _counter(
        "relay_gathered_packets",
        "Packets that were read from the socket of all ports.",
        lambda s: s.media.counters()["gathered_packets"],
    ),
    _gauge(
        "relay_kernel_streams",
        "Directions of streams that the kernel relays.",
        lambda s: s.media.counters()["kernel_streams"],
    ),
    _gauge(
        "media_directions",
        "Directions of sound that are heard; poor: MOS below 3.1; unheard: it should be, and is not.",
        lambda s: _directions(s.media),
        "state",
    ),
    _gauge(
        "media_mos_mean",
        "The mean opinion of the sound that is heard now (E-model, 1 to 4.5).",
        lambda s: round(measured(s.media.observer.sessions())["mean"], 3),
    ),
    _counter(
        "media_unheard",
        "Times that a leg was found not to be heard though it should.",
        lambda s: s.media.observer.counts["one_way"],
    ),
    _counter("media_reports", "RTCP reports of our own.", lambda s: s.media.observer.counts["reports"]),
    _counter("relay_octets", "Octets of media that were relayed.", lambda s: s.media.counters()["bytes"]),
    _counter(
        "relay_dropped",
        "Packets that were dropped, by reason.",
        lambda s: _dropped(s.media.counters()),
        "reason",
    ),
    _gauge("store_waiting", "Entries that are not on the disk yet.", lambda s: s.store.counters["waiting"]),
    _counter("store_commits", "Commits.", lambda s: s.store.counters["commits"]),
    _counter(
        "store_failures", "Commits that failed and are tried again.", lambda s: s.store.counters["failures"]
    ),
    _counter("store_lost", "Entries that were refused or given up.", lambda s: s.store.counters["lost"]),
    _gauge("loop_lag_max_seconds", "The longest delay of the event loop.", lambda s: s.watchdog.max_lag),
)


class Metrics(Collector):
    """Everything that a running switch counts, as a page."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, switch: Any, families: tuple[Family, ...] = FAMILIES) -> None:
        self._switch, self._families = switch, families
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self._registry.register(self)

    def render(self) -> bytes:
        """The page as it is now."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Nothing in advance: the numbers are read when asked."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read all families."""
        for family in self._families:
            kind = GaugeMetricFamily if family.is_gauge else CounterMetricFamily
            metric = kind(f"switchroom_{family.name}", family.text, labels=family.labels)
            for labels, value in _by_label(family.read(self._switch)):
                metric.add_metric(labels, value)
            yield metric
        yield _lag(self._switch.watchdog)
        yield from sms_metrics.collect(self._switch.messages, self._switch.clock.now())
        yield from smpp_metrics.collect(self._switch.messages.smpp)
        yield from api_metrics.collect(self._switch.api)


def _lag(watchdog: Any) -> Metric:
    metric = HistogramMetricFamily("switchroom_loop_lag_seconds", "How late the event loop was.", labels=())
    total, buckets = 0, []
    for bound, count in zip((*LAG_BOUNDS, float("inf")), watchdog.counts, strict=True):
        total += count
        buckets.append(("+Inf" if bound == float("inf") else str(bound), total))
    metric.add_metric((), buckets, watchdog.lag_sum)
    return metric


def _by_label(values: Values) -> Iterator[tuple[tuple[str, ...], Number]]:
    if isinstance(values, Mapping):
        for label, value in values.items():
            yield tuple(map(str, label)) if isinstance(label, tuple) else (str(label),), value
    else:
        yield (), values


def _directions(media: Any) -> dict[str, Number]:
    found = measured(media.observer.sessions())
    return {name: found[name] for name in ("heard", "poor", "unheard")}


def _dropped(counters: Mapping[str, int]) -> dict[str, int]:
    return {k.removeprefix("dropped_"): count for k, count in counters.items() if k.startswith("dropped_")}


def _both(switch: Any, name_in: str, name_out: str) -> dict[tuple[str, Any], Number]:
    """Both directions of a count by method or status, without what never came."""
    found: dict[tuple[str, Any], Number] = {}
    for direction, name in (("in", name_in), ("out", name_out)):
        counts = getattr(switch.endpoint.counters, name)
        pairs = counts.items() if isinstance(counts, dict) else enumerate(counts)
        found |= {(direction, key): count for key, count in pairs if count}
    return found
