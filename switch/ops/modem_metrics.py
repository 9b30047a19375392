"""Metrics of modems: whether they are ready, what they have done, what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

_COUNTERS = (
    ("sent", "Parts that the network took."),
    ("failed", "Parts that it did not take."),
    ("received", "Messages that came in, with those that came again."),
    ("reports", "Status reports."),
    ("refused", "Messages that came in and were not taken, by whatever reason."),
    ("garbled", "What came in and cannot be read."),
    ("calls", "Calls that came in."),
    ("lost", "Ports that were gone."),
    ("resets", "Modems that had to be reset."),
)


def collect(modems: Any, now: float, posix: float) -> Iterator[Metric]:
    """Read the numbers of all modems."""
    units = [] if modems is None else list(modems)
    if not units:
        return
    gauges: tuple[tuple[str, str, Callable[[Any], float | None]], ...] = (
        ("up", "Whether a modem is ready.", lambda unit: int(unit.is_ready)),
        ("room", "Parts that it takes now.", lambda unit: unit.room(now)),
        ("signal_dbm", "Strength of the signal.", lambda unit: unit.modem.facts.signal_dbm),
        ("stored", "Messages in its storage.", lambda unit: unit.modem.facts.stored),
        ("sent_today", "Messages that its SIM has sent today (UTC).", lambda unit: unit.sent_today(posix)),
    )
    for name, text, read in gauges:
        gauge = GaugeMetricFamily(f"switchroom_modem_{name}", text, labels=("modem",))
        for unit in units:
            if (value := read(unit)) is not None:
                gauge.add_metric((unit.name,), value)
        yield gauge
    for name, text in _COUNTERS:
        counter = CounterMetricFamily(f"switchroom_modem_{name}", text, labels=("modem",))
        for unit in units:
            counter.add_metric((unit.name,), unit.counts[name])
        yield counter
    errors = CounterMetricFamily(
        "switchroom_modem_errors", "Parts that failed, by what the modem said.", labels=("modem", "reason")
    )
    for unit in units:
        for reason, count in unit.errors.items():
            errors.add_metric((unit.name, reason), count)
    yield errors
