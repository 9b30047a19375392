"""The page about the configuration and the examples say what the program does."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchroom.switch.config import Config, load
from switchroom.switch.ops.document import describe
from switchroom.switch.ops.twins import missing_twins

ROOT = Path(__file__).parents[3]


def test_the_page_has_not_drifted() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert page == describe(), "run: switchroom config-doc > docs/configuration.md"


def test_the_page_has_every_key_with_default_unit_and_limits() -> None:
    page = describe()
    for name in Config.model_fields:
        assert f"## `[{name}]`" in page or f"## `[[{name}]]`" in page
    for row in (
        "| `t1` | number | `0.5` | s | > 0, ≤ 10 | Timer T1",
        '| `listen` | list of texts | `["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060"]` |  | at least 1, at most',
        '| `level` | text | `"info"` |  | `debug`, `info`, `warning`, `error` |',
        "| `password` | text | *required* |  | at most 128 characters |",
        "| `max_calls` | whole number | *not given* |",
        "*restart* |",
    ):
        assert row in page
    assert all(
        line.count("|") - line.count("\\|") == 7 for line in page.splitlines() if line.startswith("| `")
    )


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.toml")), ids=lambda p: p.name)
def test_an_example_of_a_configuration_is_good(path: Path) -> None:
    assert load(path).users


def test_nothing_compiled_is_missing_here() -> None:
    assert missing_twins() == []
