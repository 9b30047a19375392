"""Waits for what real sockets bring."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(claim: Callable[[], bool], timeout: float = 5.0) -> None:
    """Return as soon as the claim holds; TimeoutError if it does not in time."""
    async with asyncio.timeout(timeout):
        while not claim():  # noqa: ASYNC110 - counters have no event
            await asyncio.sleep(0.005)
