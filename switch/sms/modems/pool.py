"""Modems that are one way out: a message goes by one that is free and whose SIM may send it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from switchroom.protocols.gsm import Language
from switchroom.switch.net import Clock

from ..interfaces import Centre, Fault, Form, Outcome, Part
from .unit import Unit

__all__ = ["Pool"]

_MAX_WAITING = 20  # messages that wait for the one SIM that is to send them
_MANY_MISSES = 3  # one after the other: a SIM without credit, or a place without a network
_OF_THE_SIM = (Fault.TEMPORARY, Fault.ROUTE)
_MAX_LONG = 10_000  # long messages whose SIM is remembered


class Pool:
    """An outlet of the centre while one of its modems is ready."""

    id_notation = "same"

    def __init__(
        self, name: str, centre: Centre, clock: Clock, has_stopped: Callable[[str, str], bool]
    ) -> None:
        self.name = name
        self._has_stopped = has_stopped
        self.units: list[Unit] = []
        self._centre, self._clock = centre, clock
        self._is_attached = self._is_starved = False
        self._is_stopped = False
        self._tried: dict[tuple[int, int], set[Unit]] = {}  # of parts that went on from a SIM to another
        self._long: OrderedDict[tuple[str, int, int], Unit] = OrderedDict()
        self._wake: asyncio.TimerHandle | None = None
        self._turn = 0

    @property
    def form(self) -> Form:
        """How its messages are to be: as all of its modems can send them."""
        configs = [unit.config for unit in self.units]
        return Form(
            is_16_bit=all(config.long_reference == 16 for config in configs),
            is_transliterated=any(config.transliterate for config in configs),
            max_parts=min((config.max_parts for config in configs), default=1),
            is_gsm=True,
            languages=_common(config.languages for config in configs),
        )

    def room(self, now: float) -> int:
        """How many parts it takes now."""
        room = sum(unit.room(now) for unit in self.units)
        if not room:
            self._is_starved = True
            self._wake_up(now)
        return room

    def send(self, parts: Sequence[Part], now: float) -> None:
        """Give each to a modem; all parts of one long message to the same, for else nobody can join them."""
        for part in parts:
            self._choose(part, now).send(part)

    def stop(self, now: float) -> None:
        """Be gone."""
        self._is_stopped = True
        if self._wake is not None:
            self._wake.cancel()
        for unit in self.units:
            unit.stop(now)
        if self._is_attached:
            self._is_attached = False
            self._centre.detach(outlet=self.name, now=now)

    # -- from modems

    def changed(self, unit: Unit, now: float) -> None:
        """A modem has room, or is not ready any more."""
        if not any(unit.is_ready for unit in self.units):
            if self._is_attached:
                self._is_attached = False
                self._centre.detach(outlet=self.name, now=now)
        elif not self._is_attached or (self._is_starved and self.room(now) > 0):
            self._is_attached, self._is_starved = True, False
            self._centre.attach(outlet=self, now=now)

    def report(self, unit: Unit, outcomes: list[Outcome], now: float) -> None:
        """What became of parts. What one SIM could not send, another one may."""
        settled = [outcome for outcome in outcomes if not self._pass_on(unit, outcome, now)]
        if settled:
            self._centre.report(self.name, settled, now)

    def _pass_on(self, unit: Unit, outcome: Outcome, now: float) -> bool:
        part = outcome.part
        key = (part.message.id, part.ordinal)
        tried = {*self._tried.pop(key, ()), unit}
        if outcome.fault not in _OF_THE_SIM or part.concat.total or self._is_stopped:
            return False  # parts of one message from several numbers could not be joined
        if unit.number == part.message.source.number:
            return False  # it is to be from this one
        others = [other for other in self.units if other not in tried and _may_wait(other, now)]
        if not others:
            return False
        self._tried[key] = tried
        max(others, key=lambda other: _merit(other, 1, now)).send(part)
        return True

    def why_not(self, part: Part) -> str:
        """Why a part goes by none of them. What the receiver sees is the number of a SIM, whatever was asked
        for: who said STOP to one of the pool means all of it."""
        message = part.message
        receiver = message.submission.destination.number
        for number in {unit.number for unit in self.units} - {message.submission.source.number}:
            if self._has_stopped(number, receiver) or self._has_stopped(number, message.destination.number):
                return f"{receiver}: wants no messages from {number}"
        return ""

    # -- choice

    def _choose(self, part: Part, now: float) -> Unit:
        """The SIM that is the sender, where there is one: answers come from the number that was asked."""
        concat = part.concat
        key = (part.message.destination.number, concat.reference, concat.total)
        if concat.total and (known := self._long.get(key)) is not None and known.is_ready:
            return known
        source = part.message.source.number
        own = next((unit for unit in self.units if unit.number == source), None)
        if own is not None and _may_wait(own, now):
            return own
        count = max(1, concat.total)
        self._turn = (self._turn + 1) % len(self.units)
        units = self.units[self._turn :] + self.units[: self._turn]
        unit = max(units, key=lambda unit: _merit(unit, count, now))
        if concat.total:
            self._long[key] = unit
            if len(self._long) > _MAX_LONG:
                self._long.popitem(last=False)
        return unit

    def _wake_up(self, now: float) -> None:
        """Come back when limits, not modems, are what is waited for."""
        if self._wake is None:
            times = [unit.allowed_at(now) for unit in self.units if unit.is_ready]
            if times and min(times) > now:
                delay = min(times) - now + 0.01
                self._wake = asyncio.get_running_loop().call_later(delay, self._on_wake)

    def _on_wake(self) -> None:
        self._wake = None
        for unit in self.units:
            unit.turn(self._clock.now())


def _common(languages: Iterable[Iterable[str]]) -> tuple[int, ...]:
    """The tables that all of them may use."""
    names = [set(some) for some in languages]
    shared = set.intersection(*names) if names else set()
    return tuple(sorted(Language[name.upper()] for name in shared))


def _may_wait(unit: Unit, now: float) -> bool:
    """Whether a message may wait for a modem that is busy."""
    return unit.is_ready and len(unit.waiting) < min(unit.allowed(now), _MAX_WAITING)


def _merit(unit: Unit, count: int, now: float) -> tuple[bool, bool, int, int]:
    """The modem that works and is free now, whose SIM may still send all parts."""
    room = unit.room(now)
    works = unit.misses < _MANY_MISSES and _may_wait(unit, now)  # rather busy than broken
    return works, room > 0, min(unit.allowed(now), count), room
