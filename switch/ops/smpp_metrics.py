"""Metrics of binds over SMPP, of customers and of carriers; where nothing speaks it, there are none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)


def collect(room: Any) -> Iterator[Metric]:
    """Read the numbers of a room that speaks SMPP, or of None."""
    if room is None:
        return
    parties = [*room.server, *room.trunks.values()]
    yield from _binds(parties)
    yield from _messages(parties)
    yield from _statuses(room, parties)
    yield from _times(room)
    yield from _connections(room)


def _binds(parties: Iterable[Any]) -> Iterator[Metric]:
    bound = _gauge("binds", "Binds that are up, by account or trunk.")
    wanted = _gauge("binds_wanted", "Binds that there should be at a carrier.")
    used = _gauge("window_used", "Requests sent that wait for answers.")
    size = _gauge("window_size", "How many of them there may be.")
    unanswered = _gauge("unanswered", "Requests received that wait for our answers.")
    for party in parties:
        if (berths := getattr(party, "berths", None)) is not None:
            wanted.add_metric((party.name,), len(berths))
        lines = party.lines if berths is None else [berth.line for berth in berths if berth.is_bound]
        sessions = [line.session for line in lines]
        bound.add_metric((party.name,), len(sessions))
        used.add_metric((party.name,), sum(session.outstanding for session in sessions))
        size.add_metric((party.name,), sum(session.max_window for session in sessions))
        unanswered.add_metric((party.name,), sum(session.unanswered for session in sessions))
    yield from (bound, wanted, used, size, unanswered)


def _messages(parties: Iterable[Any]) -> Iterator[Metric]:
    family = CounterMetricFamily(
        "switchroom_smpp_messages", "Messages and receipts, by what became of them.", labels=("name", "kind")
    )
    for party in parties:
        for kind, count in party.counts.items():
            family.add_metric((party.name, kind), count)
    yield family


def _statuses(room: Any, parties: Iterable[Any]) -> Iterator[Metric]:
    heard = _by_status("errors_heard", "Errors in answers to us, by command_status.", "name")
    told = _by_status("errors_told", "Errors in our answers to messages, by command_status.", "name")
    for party in parties:
        for status, count in party.errors.items():
            heard.add_metric((party.name, _word(status)), count)
        for status, count in getattr(party, "refused", {}).items():
            told.add_metric((party.name, _word(status)), count)
    wrong = _by_status("wrong_requests", "Requests that could not be what they said, by kind.", "request")
    for (request, status), count in room.lines.counters.errors.items():
        wrong.add_metric((request, _word(status)), count)
    yield from (heard, told, wrong)


def _times(room: Any) -> Iterator[Metric]:
    ours = _histogram("answer_seconds", "From reading a customer's message to answering it.")
    theirs = _histogram("response_seconds", "From writing a request to its answer.")
    for account in room.server:
        ours.add_metric((account.name,), account.answer_times.buckets(), account.answer_times.sum)
        theirs.add_metric((account.name,), account.delivery_times.buckets(), account.delivery_times.sum)
    for trunk in room.trunks.values():
        theirs.add_metric((trunk.name,), trunk.answer_times.buckets(), trunk.answer_times.sum)
    yield from (ours, theirs)


def _connections(room: Any) -> Iterator[Metric]:
    counters = room.lines.counters
    for name, text, values in (
        ("refused", "Connections that were not let in, by why.", room.server.refused),
        ("binds_failed", "Binds of customers that failed, by why.", room.server.failed),
        ("closed", "Connections that ended, by why.", counters.closed),
        ("octets", "Octets, by direction.", {"in": counters.octets_in, "out": counters.octets_out}),
    ):
        family = CounterMetricFamily(f"switchroom_smpp_{name}", text, labels=("kind",))
        for kind, count in values.items():
            family.add_metric((kind,), count)
        yield family


def _word(status: int) -> str:
    from switchroom.protocols.smpp import Status  # only here: who speaks no SMPP does not load it

    try:
        return f"ESME_{Status(status).name}"
    except ValueError:
        return f"0x{status:08X}"


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"switchroom_smpp_{name}", text, labels=("name",))


def _by_status(name: str, text: str, label: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"switchroom_smpp_{name}", text, labels=(label, "status"))


def _histogram(name: str, text: str) -> HistogramMetricFamily:
    return HistogramMetricFamily(f"switchroom_smpp_{name}", text, labels=("name",))
