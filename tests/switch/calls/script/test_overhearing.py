"""Somebody attends a call between two telephones: he listens, whispers to one of them, joins both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from switchroom.protocols import sip
from switchroom.switch.calls.script import Apps, Call
from switchroom.switch.calls.script.overhearing import Overhearing
from tests.codecs.sounds import tone
from tests.switch.calls.world import World

from .handset import Handset, run, until

Phones = Callable[..., Handset]
TYPED = (("Content-Type", "application/sdp"),)


def tones(phone: Handset) -> list[int]:
    """Which of the tones that are said here somebody has heard."""
    heard = np.asarray(phone.sound, float)
    if not len(heard):
        return []
    power = np.abs(np.fft.rfft(heard)) ** 2
    at = np.fft.rfftfreq(len(heard), 1 / phone.rate)
    loud = {hertz: power[np.abs(at - hertz) < 25].sum() for hertz in (500, 600, 900, 1000, 1400)}
    return [hertz for hertz, energy in loud.items() if energy > 0.005 * power.sum() and energy > 1e9]


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
        said = ((self.a, 500), (self.b, 900), (self.c, 1400))
        await asyncio.gather(*[phone.say(tone(hertz, phone.rate, 0.5)) for phone, hertz in said])
        await asyncio.sleep(0.25)
        return tones(self.a), tones(self.b), tones(self.c)


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
        await asyncio.gather(attended.a.say(tone(600, 8000, 0.5)), attended.b.say(tone(1000, 8000, 0.5)))
        heard.extend([tones(attended.a), tones(attended.b)])
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


async def reinvite(one: Handset, body: bytes, other: Handset, answer: str) -> None:
    world = one.world
    one.session.reinvite(world.now, body=body, headers=TYPED)
    world.settle()
    await obey_reinvite(other, answer)
    one.phone.take(sip.ReinviteAnswered)
    one.session.acknowledge(world.now)
    world.settle()


async def obey_reinvite(phone: Handset, answer: str = "sendrecv") -> None:
    await until(lambda: phone.phone.has(sip.ReinviteReceived))
    event = phone.phone.take(sip.ReinviteReceived)
    phone.obey(event.request.body)
    phone.session.answer_reinvite(
        event.transaction, 200, phone.world.now, body=phone.describe(answer), headers=TYPED
    )
    phone.world.settle()


def test_hold_and_resume_while_he_speaks(world: World, attended: Attended) -> None:
    heard = dict[str, object]()

    async def story() -> None:
        a, b = attended.a, attended.b
        it = await attended.begin()
        it.join()
        await reinvite(a, a.describe("sendonly"), b, "recvonly")
        heard["held"] = await attended.talk()
        await reinvite(a, a.describe(), b, "sendrecv")
        heard["resumed"] = await attended.talk()
        a.hang_up()
        await until(lambda: attended.outcome)

    run(world, story(), 30)
    held = heard["held"]
    assert isinstance(held, tuple)
    assert held[0] == []  # who holds hears nobody
    assert heard["resumed"] == ([900, 1400], [500, 1400], [500, 900])


@pytest.mark.parametrize("side", ["caller", "callee"])
def test_he_stays_with_a_call_that_is_transferred(
    world: World, attended: Attended, handset: Phones, side: Literal["caller", "callee"]
) -> None:
    """Whom he whispers to he whispers to still; when that one leaves, he only listens."""
    heard, d = dict[str, object](), handset("127.0.0.4", "bob")

    async def story() -> None:
        a, b = attended.a, attended.b
        it = await attended.begin()
        it.whisper(side)
        b.session.send_request("REFER", world.now, headers=(("Refer-To", "<sip:200@127.0.0.1>"),))
        world.settle()
        await d.rings()
        d.answer()
        await obey_reinvite(a)
        attended.b = d
        heard["after"] = await attended.talk()
        heard["manner"] = it.manner
        a.hang_up()
        await until(lambda: attended.outcome)

    run(world, story(), 30)
    is_kept = side == "caller"
    assert heard["manner"] == ("whisper" if is_kept else "listen")
    assert heard["after"] == ([900, 1400] if is_kept else [900], [500], [500, 900])
    assert attended.outcome == ["over", "left"]
    assert not attended.apps.house.media.sounds.count


class Boss:
    """A phone of a user who may attend the calls of 201."""

    def __init__(self, apps: Apps, handset: Phones) -> None:
        apps.supervision.code = "*55"
        self.a, self.b = handset(), handset("127.0.0.3", "carol")
        self.c = handset("127.0.0.4", "bob", 9)

    async def connect(self) -> None:
        self.a.call("201")
        await self.b.rings()
        self.b.answer()
        await self.a.answered()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, users={"bob": {"supervises": "201"}})
    yield world
    world.close()


def test_a_supervisor_dials_the_code_and_chooses_by_keys(world: World, apps: Apps, handset: Phones) -> None:
    boss, heard = Boss(apps, handset), list[object]()
    a, b, c = boss.a, boss.b, boss.c

    async def talk() -> tuple[list[int], list[int], list[int]]:
        await asyncio.sleep(0.3)
        for phone in (a, b, c):
            phone.parts.clear()
        said = ((a, 500), (b, 900), (c, 1400))
        await asyncio.gather(*[phone.say(tone(hertz, phone.rate, 0.5)) for phone, hertz in said])
        await asyncio.sleep(0.25)
        return tones(a), tones(b), tones(c)

    async def story() -> None:
        await boss.connect()
        c.call("*55201", account="bob")
        await c.answered()
        for key in "x564":
            if key != "x":
                await c.press(key)
            heard.append(await talk())
        a.hang_up()
        await until(lambda: c.is_over)

    run(world, story(), 30)
    assert heard == [
        ([900], [500], [500, 900]),
        ([900], [500, 1400], [500, 900]),
        ([900, 1400], [500, 1400], [500, 900]),
        ([900], [500], [500, 900]),
    ]
    assert ("call.supervised", {"by": "bob"}) in [
        (event, {"by": values.get("by")}) for event, values in world.log.lines
    ]


@pytest.mark.parametrize(
    ("account", "number", "status"),
    [
        ("carol", "*55200", 403),  # she may attend nobody's
        ("bob", "*55100", 403),  # not hers
        ("bob", "*55201", 480),  # nobody talks there
        ("", "*55201", 401),  # a stranger
    ],
)
def test_who_may_not_attend_is_told_no_more(
    world: World, apps: Apps, handset: Phones, account: str, number: str, status: int
) -> None:
    apps.supervision.code = "*55"
    c, refused = handset("127.0.0.4"), list[int]()

    async def story() -> None:
        c.call(number, account=account)
        await until(lambda: c.phone.has(sip.SessionRejected))
        refused.append(c.phone.take(sip.SessionRejected).status)

    run(world, story())
    assert refused == [status]
