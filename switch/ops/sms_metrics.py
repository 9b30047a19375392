"""Metrics of the message centre; where there is none, there are none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from . import modem_metrics


def collect(room: Any, now: float) -> Iterator[Metric]:
    """Read the numbers of a message room."""
    if not room.is_open:
        return
    centre, store = room.centre, room.store
    counters = centre.book.counters
    for name, text in (
        ("accepted", "Messages that were taken."),
        ("sent", "Messages that the next hop took."),
        ("delivered", "Messages that were delivered."),
        ("failed", "Messages that ended otherwise."),
        ("retried", "Attempts that are made again."),
        ("dead", "Messages that were given up."),
        ("maybe_twice", "Messages that were in flight at a crash and went again."),
    ):
        yield _counter(f"sms_{name}", text, counters[name])
    yield _counters(
        "sms_refused", "Messages that were not taken, by reason.", "reason", centre.acceptance.refused
    )
    failures = CounterMetricFamily(
        "switchroom_sms_failures", "Attempts that failed, by way and reason.", labels=("outlet", "reason")
    )
    for labels, count in centre.book.failures.items():
        failures.add_metric(labels, count)
    yield failures
    outcomes = CounterMetricFamily(
        "switchroom_sms_outcomes",
        "Messages that entered a state, by the way they went; sent, and all ends.",
        labels=("outlet", "state"),
    )
    for (outlet, state), count in centre.book.outcomes.items():
        outcomes.add_metric((outlet, state.name.lower()), count)
    yield outcomes
    yield _counters("sms_receipts", "Receipts from next hops.", "kind", centre.receipts.counters)
    yield _counters("sms_notices", "Receipts for senders.", "kind", centre.notices.counters)
    yield from _queues(centre, now)
    yield _gauge("sms_store_waiting", "Changes that are not on the disk yet.", store.counters["waiting"])
    yield _gauge("sms_store_failing", "Whether the disk cannot be written to.", int(store.is_failing))
    yield _counter("sms_store_commits", "Commits of messages.", store.counters["commits"])
    yield from modem_metrics.collect(room.modems, now, centre.book.posix(now))
    for name, text, histogram in (
        ("answer", "From handing a message over to the next hop's answer.", centre.book.answer_times),
        ("delivery", "From taking a message to its delivery.", centre.book.delivery_times),
    ):
        family = HistogramMetricFamily(f"switchroom_sms_{name}_seconds", text, labels=())
        family.add_metric((), histogram.buckets(), histogram.sum)
        yield family
    receipts = HistogramMetricFamily(
        "switchroom_sms_receipt_seconds",
        "From the next hop's answer to its receipt, by way.",
        labels=("outlet",),
    )
    for outlet, histogram in centre.book.receipt_times.items():
        receipts.add_metric((outlet,), histogram.buckets(), histogram.sum)
    yield receipts


def _queues(centre: Any, now: float) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("switchroom_sms_waiting", "Messages that wait, by lane.", labels=("lane",))
    ages = GaugeMetricFamily(
        "switchroom_sms_waiting_age_seconds", "Age of the next message of a lane.", labels=("lane",)
    )
    posix = centre.book.posix(now)
    for lane in centre.lanes:
        if lane.name.startswith("user:"):
            continue  # there may be one for each user
        waiting.add_metric((lane.name,), lane.count)
        if lane.heads:
            ages.add_metric((lane.name,), max(0.0, posix - lane.heads[0].accepted_at))
    yield waiting
    yield ages
    rooms = GaugeMetricFamily("switchroom_sms_room", "Parts that a way takes now.", labels=("outlet",))
    for row in centre.ways.rows(now):
        rooms.add_metric((row["outlet"],), row["room"])
    yield rooms
    owed = GaugeMetricFamily(
        "switchroom_sms_notices_waiting", "Receipts that wait for their senders.", labels=("inlet",)
    )
    for inlet, count in centre.notices.waiting.items():
        owed.add_metric((inlet,), count)
    yield owed
    yield _gauge("sms_gathering", "Long messages that are incomplete.", len(centre.gathering))


def _gauge(name: str, text: str, value: float) -> Metric:
    family = GaugeMetricFamily(f"switchroom_{name}", text)
    family.add_metric((), value)
    return family


def _counter(name: str, text: str, value: float) -> Metric:
    family = CounterMetricFamily(f"switchroom_{name}", text)
    family.add_metric((), value)
    return family


def _counters(name: str, text: str, label: str, values: dict[str, int]) -> Metric:
    family = CounterMetricFamily(f"switchroom_{name}", text, labels=(label,))
    for value, count in values.items():
        family.add_metric((value,), count)
    return family
