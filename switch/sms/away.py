"""Texts to the world that reach a worker without the message centre: they go to the leader over the bus."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from switchroom.protocols import sip
from switchroom.switch.net import Clock
from switchroom.switch.net.bus import Bus

from .interfaces import Refusal, Submission
from .phones import ACCEPTED, Done, Texts, read_request

if TYPE_CHECKING:
    from .centre import Centre

_IN, _ANSWER = "sms.in", "sms.answer"
_TIMEOUT = 10.0  # seconds that the leader has to write a text down
_MAX_WAITING = 10_000


class Away:
    """In a worker: sends texts to the leader, and its answer to the phone."""

    def __init__(self, bus: Bus, texts: Texts, clock: Clock, flush: Callable[[], None]) -> None:
        self._bus, self._texts, self._clock, self._flush = bus, texts, clock, flush
        self._numbers = itertools.count(1)
        self._waiting: dict[int, tuple[Done, float]] = {}  # in the order of their times
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Be there for texts to the world."""
        self._texts.gateway = self.take
        self._bus.subscribe(_ANSWER, self._on_answer)

    def stop(self) -> None:
        """Be gone."""
        self._texts.gateway = None
        if self._timer is not None:
            self._timer.cancel()

    def take(self, request: sip.Request, caller: Any, now: float, done: Done) -> bool:
        """A MESSAGE for a number that is no user's."""
        found = read_request(request, caller, self._clock.posix(now))
        if isinstance(found, int):
            done(found, now)
        elif len(self._waiting) >= _MAX_WAITING:
            done(503, now)
        else:
            number = next(self._numbers)
            self._waiting[number] = (done, now + _TIMEOUT)
            self._bus.send(0, _IN, (number, found))
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(_TIMEOUT, self._on_timer)
        return True

    def _on_answer(self, answer: tuple[int, int], _: int) -> None:
        number, status = answer
        waiting = self._waiting.pop(number, None)
        if waiting is not None:
            waiting[0](status, self._clock.now())
            self._flush()

    def _on_timer(self) -> None:
        self._timer, now = None, self._clock.now()
        for number, (done, until) in list(self._waiting.items()):
            if until > now:
                break
            del self._waiting[number]
            done(503, now)  # the leader is away: the text may be there all the same, as after any 503
        if self._waiting:
            self._timer = asyncio.get_running_loop().call_later(1.0, self._on_timer)
        self._flush()


def serve(bus: Bus, centre: Centre, now: Callable[[], float]) -> None:
    """In the leader: take what the others send, and answer when it is on the disk."""

    def hear(asked: tuple[int, Submission], slot: int) -> None:
        number, submission = asked

        def done(_: Sequence[Submission], results: Sequence[int | Refusal], at: float) -> None:
            [result] = results
            bus.send(slot, _ANSWER, (number, result.sip if isinstance(result, Refusal) else ACCEPTED))

        centre.submit([submission], now(), done)

    bus.subscribe(_IN, hear)
