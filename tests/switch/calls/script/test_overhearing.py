"""Somebody attends a call between two telephones: he listens, whispers to one of them, joins both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from switchroom.switch.calls.script import Apps, Call
from switchroom.switch.calls.script.overhearing import Overhearing
from tests.codecs.sounds import tone
from tests.switch.calls.world import World

from .handset import Handset, pitches, run, until

Phones = Callable[..., Handset]


class Attended:
    """Two phones in a call, and a third whose program attends it."""

    def __init__(self, apps: Apps, handset: Phones) -> None:
        self.apps = apps
        self.a, self.b = handset(), handset("127.0.0.3", "carol")
        self.c = handset(port=5080, payload_type=9)
        self.outcome: list[str] = []
        self.seen: list[Overhearing] = []
        apps.on_call("799")(self._attend)

    async def _attend(self, call: Call) -> None:
        await call.answer()
        [other] = [one for one in self.apps.house.exchange.calls if one != call.id]
        try:
            await self.apps.overhear(call, other, on_start=self.seen.append)
            self.outcome.append("over")
        finally:
            self.outcome.append("left")

    async def begin(self) -> Overhearing:
        self.a.call("201")
        await self.b.rings()
        self.b.answer()
        await self.a.answered()
        self.c.call("799")
        await self.c.answered()
        await until(lambda: self.seen)
        await asyncio.sleep(0.1)
        return self.seen[0]

    async def talk(self) -> tuple[list[int], list[int], list[int]]:
        """All three say their tones; which tones each hears."""
        await asyncio.sleep(0.25)
        for phone in (self.a, self.b, self.c):
            phone.parts.clear()
        for phone, hertz in ((self.a, 500), (self.b, 900), (self.c, 1400)):
            await phone.say(tone(hertz, phone.rate, 0.6))
        await asyncio.sleep(0.25)
        return pitches(self.a.sound, 8000), pitches(self.b.sound, 8000), pitches(self.c.sound, 16000)


@pytest.fixture
def attended(apps: Apps, handset: Phones) -> Attended:
    return Attended(apps, handset)


def test_who_hears_whom_in_each_manner(world: World, attended: Attended) -> None:
    heard = dict[str, object]()

    async def story() -> None:
        it = await attended.begin()
        heard["listen"] = await attended.talk()
        it.whisper("callee")
        heard["whisper"] = await attended.talk()
        it.whisper("caller")
        heard["other"] = await attended.talk()
        it.join()
        heard["join"] = await attended.talk()
        it.listen()
        heard["again"] = await attended.talk()
        attended.a.hang_up()
        await until(lambda: attended.outcome)

    run(world, story(), 30)
    assert heard["listen"] == heard["again"] == ([900], [500], [500, 900])
    assert heard["whisper"] == ([900], [500, 1400], [500, 900])
    assert heard["other"] == ([900, 1400], [500], [500, 900])
    assert heard["join"] == ([900, 1400], [500, 1400], [500, 900])
    assert attended.outcome == ["over", "left"]
    assert not attended.apps.house.media.sounds.count


def test_the_call_goes_on_when_the_one_who_speaks_leaves(world: World, attended: Attended) -> None:
    heard = list[object]()

    async def story() -> None:
        it = await attended.begin()
        it.join()
        await attended.talk()
        attended.c.hang_up()
        await until(lambda: attended.outcome)
        for phone in (attended.a, attended.b):
            phone.parts.clear()
        await asyncio.gather(
            attended.a.say(tone(600, 8000, 0.5)), attended.b.say(tone(1000, 8000, 0.5))
        )
        heard.extend([pitches(attended.a.sound, 8000), pitches(attended.b.sound, 8000)])
        attended.a.hang_up()
        await until(lambda: attended.b.is_over)

    run(world, story(), 20)
    assert heard == [[1000], [600]]
    assert not attended.apps.house.media.sounds.count


def test_keys_pass_beside_the_mix(world: World, attended: Attended) -> None:
    async def story() -> None:
        it = await attended.begin()
        it.join()
        await asyncio.sleep(0.2)
        attended.b.parts.clear()
        await attended.a.press("7")
        await until(lambda: any(is_end for _, is_end, _ in attended.b.events))
        attended.a.hang_up()
        await until(lambda: attended.outcome)

    run(world, story(), 20)
    assert {key for key, _, _ in attended.b.events} == {7}
