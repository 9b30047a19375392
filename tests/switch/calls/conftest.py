"""Worlds that are closed when the test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.switch.calls.world import World

Build = Callable[..., World]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Make worlds; each has a folder of its own."""
    worlds: list[World] = []

    def make(**config: Any) -> World:
        folder = tmp_path / str(len(worlds))
        folder.mkdir()
        worlds.append(World(folder, **config))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()
