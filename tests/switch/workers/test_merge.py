"""One answer out of several."""

from __future__ import annotations

from typing import Any

import pytest

from switchroom.switch.workers.merge import merge, merge_metrics


@pytest.mark.parametrize(
    ("answers", "merged"),
    [
        ([[1, 2], [2, 3]], [1, 2, 3]),
        ([{"calls": 2, "lag_max": 0.5}, {"calls": 3, "lag_max": 0.25}], {"calls": 5, "lag_max": 0.5}),
        ([{"registrations": 7}, {"registrations": 7}], {"registrations": 7}),
        ([{"started_at": "2026-02"}, {"started_at": "2026-01"}], {"started_at": "2026-01"}),
        ([{"is_draining": False}, {"is_draining": True}], {"is_draining": True}),
        ([{"a": {"x": 1}}, {"a": {"x": 2, "y": 1}, "b": [1]}], {"a": {"x": 3, "y": 1}, "b": [1]}),
        ([{"id": "c"}], {"id": "c"}),
        ([None, "x", "x", ""], "x"),
        ([], None),
    ],
)
def test_answers(answers: list[Any], merged: object) -> None:
    assert merge(answers) == merged


def test_metrics() -> None:
    page = b'# HELP a_total A.\n# TYPE a_total counter\na_total{k="1"} %d.0\n%b'
    page += b"# HELP b B.\n# TYPE b gauge\nb 2.0\n"
    merged = merge_metrics([page % (1, b""), page % (4, b'a_total{k="2"} 7.0\n')]).decode().splitlines()
    assert merged == [
        "# HELP a_total A.",
        "# TYPE a_total counter",
        'a_total{k="1"} 5.0',
        'a_total{k="2"} 7.0',
        "# HELP b B.",
        "# TYPE b gauge",
        "b 4.0",
    ]
