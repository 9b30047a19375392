"""Metrics of REST: requests, webhooks, who listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from switchroom.switch.api.house import House
    from switchroom.switch.api.room import ApiRoom

_COUNTERS: tuple[tuple[str, str, Callable[[House], float]], ...] = (
    ("requests", "Requests.", lambda house: house.desk.request_count),
    ("errors", "Requests that were refused, or failed.", lambda house: house.desk.error_count),
    ("refused_credentials", "Requests with wrong credentials.", lambda house: house.gate.refused_count),
    ("messages_submitted", "Messages for the message centre.", lambda house: house.outbox.submitted_count),
    ("messages_received", "Messages for numbers of accounts.", lambda house: house.inbox.received_count),
    ("webhooks_delivered", "Webhooks that were taken.", lambda house: house.courier.delivered_count),
    ("webhook_failures", "Attempts that failed.", lambda house: house.courier.failed_count),
    ("webhooks_dead", "Webhooks that were given up.", lambda house: house.courier.dead_count),
    ("commits", "Transactions of the file of REST.", lambda house: house.library.commit_count),
    ("events", "Events in the stream, by the number of the last.", lambda house: house.library.event_id),
)
_GAUGES: tuple[tuple[str, str, Callable[[House], float]], ...] = (
    ("webhooks_waiting", "Webhooks that wait in memory.", lambda house: house.courier.waiting_count),
    ("listeners", "Who follows the stream of events.", lambda house: house.events.count),
    ("full", "Whether the disk does not keep up.", lambda house: int(house.library.is_full)),
)


def collect(room: ApiRoom) -> Iterator[Metric]:
    """Read the numbers; none, while REST is not served."""
    try:
        house = room.house
    except LookupError:
        return
    for name, text, read in _COUNTERS:
        yield CounterMetricFamily(f"switchroom_api_{name}", text, value=read(house))
    for name, text, read in _GAUGES:
        yield GaugeMetricFamily(f"switchroom_api_{name}", text, value=read(house))
