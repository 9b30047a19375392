"""A world with programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from switchroom.switch.calls.script import Apps
from tests.switch.calls.world import World

from .handset import Handset, apps_of


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    routes = [
        *(("700", "app:menu"), ("701", ["user:bob", "app:menu"]), ("702", "conference:sales")),
        *(("703", "app:echo"), ("704", "app:milliwatt"), ("705", "app:tones")),
        *(("706", "app:voicemail"), ("707", "voicemail:bob"), ("708", ["user:bob", "user:carol"])),
    ]
    world = World(tmp_path, routes=routes, users={"carol": {"record": True}, "bob": {"voicemail": True}})
    yield world
    world.close()


@pytest.fixture
def apps(world: World, tmp_path: Path) -> Iterator[Apps]:
    apps = apps_of(world, tmp_path)
    yield apps
    world.loop.run_until_complete(apps.stop())


@pytest.fixture
def handset(world: World) -> Iterator[Callable[..., Handset]]:
    made: list[Handset] = []

    def make(host: str = "127.0.0.2", user: str = "", payload_type: int = 0, port: int = 5060) -> Handset:
        made.append(Handset(world, host, user, payload_type, port))
        return made[-1]

    yield make
    for one in made:
        one.close()
