"""The page for Prometheus, of a real switch."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from switchroom.switch.config import Config, read
from switchroom.switch.ops.metrics import FAMILIES, Metrics


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return read(
        b'[sip]\nlisten = ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]\n'
        b'[api]\nlisten = ""\n[media]\nports = "43000-43099"\n',
        folder=tmp_path,
    )


def values(page: bytes) -> dict[str, dict[tuple[str, ...], float]]:
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


async def test_what_a_switch_counts(config: Config) -> None:
    from switchroom.switch.app import Switch

    async with Switch(config) as switch:
        metrics = Metrics(switch)
        switch.exchange.calls_total[486] = 3
        for _ in range(7):
            switch.endpoint.counters.count_request_in("INVITE")
        for _ in range(5):
            switch.endpoint.counters.count_response_out(401)
        switch.face.counters.dropped["rate"] += 2
        found = values(metrics.render())
        assert found["switchroom_registrations"][()] == 0
        assert found["switchroom_calls_active"][()] == 0
        assert found["switchroom_calls_total"] == {("486",): 3}
        assert found["switchroom_sip_requests_total"] == {("in", "INVITE"): 7}
        assert found["switchroom_sip_responses_total"] == {("out", "401"): 5}
        assert found["switchroom_net_dropped_total"][("rate",)] == 2
        assert found["switchroom_relay_packets_total"][()] == 0
        assert ("source",) in found["switchroom_relay_dropped_total"]
        assert found["switchroom_sip_transactions"][()] == 0
        assert (
            found["switchroom_loop_lag_seconds_bucket"][("+Inf",)]
            == found["switchroom_loop_lag_seconds_count"][()]
        )
        assert found["process_resident_memory_bytes"][()] > 1e6
        switch.endpoint.counters.parse_errors += 4
        assert values(metrics.render())["switchroom_sip_parse_errors_total"][()] == 4  # read when asked


def test_every_family_has_a_name_and_a_sentence() -> None:
    names = [family.name for family in FAMILIES]
    assert len(set(names)) == len(names)
    assert all(family.text.endswith(".") for family in FAMILIES)
    assert not any(name.endswith("_total") for name in names)  # the format adds it
