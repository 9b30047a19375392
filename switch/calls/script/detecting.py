"""Listening to who speaks, and for how long: somebody or a machine, talk and silence."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from switchroom.codecs import AnswerDetector, Answered
from switchroom.switch.media._sound import Pipe

if TYPE_CHECKING:
    from .party import Party

_RATE = 8000
_INTERVAL = 0.1  # seconds between two looks at what was heard


async def detect(party: Party, detector: AnswerDetector, *, to_end: bool) -> Answered:
    """Listen to whoever has answered until it is known who that is."""
    heard = Pipe(_RATE, 2.0)
    station = party.station
    station.tap(heard)
    try:
        while not (detector.is_over if to_end else detector.answered is not None):
            await party.sleep(_INTERVAL)
            detector.process(heard.read(_RATE * 2))
    finally:
        if not station.is_closed:
            station.untap(heard)
    first, end = detector.answered, detector.ended
    assert first is not None
    return Answered(f"machine-{end.kind}", end.at) if to_end and end is not None else first


async def wait_for_silence(party: Party, seconds: float, limit: float) -> bool:
    """Wait until nothing was said for so long."""
    loop = asyncio.get_running_loop()
    until, news = loop.time() + limit, asyncio.Event()
    is_talking, quiet_since = False, loop.time()

    def on_talk(is_speech: bool) -> None:
        nonlocal is_talking, quiet_since
        is_talking, quiet_since = is_speech, loop.time() - _HANGOVER
        news.set()

    before = party.hears_talk
    party.hear_talk(on_talk)
    try:
        while loop.time() < until:
            left = until - loop.time() if is_talking else quiet_since + seconds - loop.time()
            if left <= 0:
                return True
            news.clear()
            await party.wait_for(news, min(left, until - loop.time()))
        return False
    finally:
        if not party.is_over:
            party.hear_talk(before)


_HANGOVER = 0.5  # seconds after which the end of speech is told
