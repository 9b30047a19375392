"""Two who were called, or have called, each for himself, and are to talk."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .party import Party


async def meet(one: Party, other: Party, until: asyncio.Future[Any]) -> None:
    """Let two answered parties talk, until one of them leaves or ``until`` comes."""
    if one.is_over or other.is_over:
        return
    one._partner, other._partner = other, one
    one.station.patch(other.station)
    waiting: set[asyncio.Future[Any]] = {one.ended, other.ended, until}
    try:
        await asyncio.wait(waiting, return_when="FIRST_COMPLETED")
    finally:
        for each in (one, other):
            each._partner = None
            if not each.is_over:
                each.station.patch(None)
