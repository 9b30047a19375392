"""A media plane on the loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack

import pytest

from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane

from .phones import THIRD, A, B, Phone


def local_for(toward: str) -> str:
    return "::1" if ":" in toward else "127.0.0.1"


@pytest.fixture
async def plane() -> AsyncIterator[MediaPlane]:
    """One that relays and converts nothing."""
    config = MediaConfig(ports="22000-27999", transcode=[])
    plane = MediaPlane(config, local_for, lambda session: None, quarantine=0.0)
    plane.start(asyncio.get_running_loop())
    yield plane
    plane.stop()


@pytest.fixture
def phone() -> Iterator[Callable[[str], Phone]]:
    with ExitStack() as stack:
        yield lambda host: stack.enter_context(Phone(host))


@pytest.fixture
def a(phone: Callable[[str], Phone]) -> Phone:
    return phone(A)


@pytest.fixture
def b(phone: Callable[[str], Phone]) -> Phone:
    return phone(B)


@pytest.fixture
def third(phone: Callable[[str], Phone]) -> Phone:
    return phone(THIRD)
