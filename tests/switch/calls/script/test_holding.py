"""Music on hold, by ear: between two phones, for a phone in a program's call, for one that is parked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from switchroom.codecs import Samples
from switchroom.codecs.files import write_header
from switchroom.protocols import sdp, sip
from switchroom.switch.calls.script import Apps, Call, House
from switchroom.switch.config import SoundConfig
from tests.codecs.sounds import tone
from tests.switch.calls.world import World

from .handset import Handset, run, until
from .handset import pitches as exact_pitches

Phones = Callable[..., Handset]
TYPED = (("Content-Type", "application/sdp"),)
MUSIC = ["tone:600:0.3", "tone:1000:0.3"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    users = {"carol": {"hold_music": [str(tmp_path / "carol.wav")]}}
    samples = tone(1500, 16000, 1.0)
    (tmp_path / "carol.wav").write_bytes(write_header(16000, 1, 2 * len(samples)) + samples.tobytes())
    world = World(tmp_path, routes=[("750", "app:menu")], users=users, features={"park_slots": "700-702"})
    yield world
    world.close()


@pytest.fixture
def apps(world: World, tmp_path: Path) -> Iterator[Apps]:
    sound = SoundConfig(hold_music=MUSIC)
    apps = Apps(House(world.exchange, world.settle, sound, state_dir=tmp_path), world.log)
    yield apps
    world.loop.run_until_complete(apps.stop())


def pitches(samples: Samples, rate: int) -> list[int]:
    """Rounded to 50 Hz: where the sound begins anew, an edge may be a little off."""
    rounded = [round(pitch / 50) * 50 for pitch in exact_pitches(samples, rate)]
    return [pitch for i, pitch in enumerate(rounded) if i == 0 or rounded[i - 1] != pitch]


def hold_form(phone: Handset, form: str) -> bytes:
    """What a phone says that holds: with a direction, or with no address, as it was done long ago."""
    if form != "0.0.0.0":
        return phone.describe(form)
    lines = phone.sdp.split(b"\r\n")
    return b"\r\n".join([b"c=IN IP4 0.0.0.0" if line.startswith(b"c=") else line for line in lines])


async def reinvite(world: World, one: Handset, body: bytes, other: Handset, answer: str) -> str:
    """Change the media of a call; the direction that ``one`` is told in the end."""
    one.session.reinvite(world.now, body=body, headers=TYPED)
    world.settle()
    event = other.phone.take(sip.ReinviteReceived)
    other.obey(event.request.body)
    other.session.answer_reinvite(
        event.transaction, 200, world.now, body=other.describe(answer), headers=TYPED
    )
    world.settle()
    answered = one.phone.take(sip.ReinviteAnswered)
    one.session.acknowledge(world.now)
    world.settle()
    said = sdp.Description.parse(answered.response.body)
    return str(said.direction_of(said.media[0]))


async def call(a: Handset, b: Handset, number: str) -> None:
    a.call(number)
    await b.rings()
    b.answer()
    await a.answered()


async def heard(phone: Handset, seconds: float) -> list[int]:
    phone.parts.clear()
    await asyncio.sleep(seconds)
    return pitches(phone.sound, phone.rate)


@pytest.mark.parametrize("form", ["sendonly", "inactive", "0.0.0.0"])
def test_the_held_one_hears_music_and_then_the_other_again(
    world: World, apps: Apps, handset: Phones, form: str
) -> None:
    a, b = handset(), handset("127.0.0.3", "bob")

    async def story() -> None:
        await call(a, b, "200")
        await asyncio.gather(a.say(tone(500, 8000, 0.3)), b.say(tone(900, 8000, 0.3)))
        told = await reinvite(world, a, hold_form(a, form), b, "recvonly")
        assert told == ("inactive" if form == "inactive" else "recvonly")
        _, music = await asyncio.gather(a.say(tone(300, 8000, 1.0)), heard(b, 1.0))
        assert music[:2] == [600, 1000]
        assert set(music) == {600, 1000}  # not what the holder sends
        # The one on hold refreshes its session: still on hold, and the music goes on
        await reinvite(world, b, b.describe("recvonly"), a, "inactive" if form == "inactive" else "sendonly")
        assert set(await heard(b, 0.8)) == {600, 1000}
        await reinvite(world, a, a.sdp, b, "sendrecv")
        await asyncio.sleep(0.05)
        a.parts.clear(), b.parts.clear()
        await asyncio.gather(a.say(tone(500, 8000, 0.5)), b.say(tone(900, 8000, 0.5)))
        assert pitches(a.sound, 8000) == [900]
        assert pitches(b.sound, 8000) == [500]
        assert not [
            leg
            for session in {c.media for c in world.exchange.calls.values()}
            for leg in session.legs
            if leg.waiting
        ]
        b.hang_up()
        await until(lambda: a.is_over)

    run(world, story())


def test_whose_music_it_is_and_in_which_codec(world: World, apps: Apps, handset: Phones) -> None:
    """The caller speaks G.722, the one who holds G.711: sound is converted, and the music is wide."""
    a, b = handset(payload_type=9), handset("127.0.0.3", "carol", payload_type=8)

    async def story() -> None:
        await call(a, b, "201")
        await reinvite(world, b, b.describe("sendonly"), a, "recvonly")
        assert await heard(a, 0.8) == [1500]
        await reinvite(world, b, b.sdp, a, "sendrecv")
        a.parts.clear(), b.parts.clear()
        await asyncio.gather(a.say(tone(500, 16000, 0.5)), b.say(tone(900, 8000, 0.5)))
        assert (pitches(a.sound, 16000), pitches(b.sound, 8000)) == ([900], [500])
        b.hang_up()

    run(world, story())


def test_a_recording_goes_on_over_hold(world: World, apps: Apps, handset: Phones, tmp_path: Path) -> None:
    a, b = handset(), handset("127.0.0.3", "bob")

    async def story() -> None:
        await call(a, b, "200")
        [one] = world.exchange.calls.values()
        apps.recordings.start(one)
        await asyncio.gather(a.say(tone(500, 8000, 0.4)), b.say(tone(900, 8000, 0.4)))
        await reinvite(world, a, a.describe("sendonly"), b, "recvonly")
        await heard(b, 0.4)
        await reinvite(world, a, a.sdp, b, "sendrecv")
        await asyncio.gather(a.say(tone(1400, 8000, 0.4)), b.say(tone(2000, 8000, 0.4)))
        a.hang_up()
        await until(lambda: not apps.house.recorder.count)

    run(world, story())
    [path] = (tmp_path / "recordings").iterdir()
    both = np.frombuffer(path.read_bytes()[44:], dtype="<i2").reshape(-1, 2)
    assert pitches(both[:, 0], 8000) == [500, 1400]
    assert pitches(both[:, 1], 8000) == [900, 2000]


def test_an_announcement_is_not_hold(world: World, apps: Apps, handset: Phones) -> None:
    a, b = handset(), handset("127.0.0.3", "bob")

    async def story() -> None:
        a.call("200", a.describe("sendonly"))
        await b.rings()
        b.answer("recvonly")
        await a.answered()
        await a.say(tone(500, 8000, 0.5))
        assert pitches(b.sound, 8000) == [500]
        await reinvite(world, b, b.describe("recvonly"), a, "sendonly")
        b.parts.clear()
        await a.say(tone(700, 8000, 0.5))
        assert pitches(b.sound, 8000) == [700]
        a.hang_up()

    run(world, story())


def test_without_music_what_the_holder_sends_passes(world: World, handset: Phones) -> None:
    a, b = handset(), handset("127.0.0.3", "bob")

    async def story() -> None:
        await call(a, b, "200")
        await reinvite(world, a, a.describe("sendonly"), b, "recvonly")
        await a.say(tone(700, 8000, 0.5))
        assert pitches(b.sound, 8000) == [700]
        a.hang_up()

    run(world, story())


def test_a_file_that_is_not_there_is_told_and_heard_as_silence(
    world: World, apps: Apps, handset: Phones
) -> None:
    apps.house.music.reconfigure(["nowhere.wav"])
    a, b = handset(), handset("127.0.0.3", "bob")

    async def story() -> None:
        await call(a, b, "200")
        await reinvite(world, a, a.describe("sendonly"), b, "recvonly")
        assert await heard(b, 0.3) == []
        assert "hold_music.failed" in [event for event, _ in world.log.lines]
        a.hang_up()

    run(world, story())


def test_a_leg_of_a_program_holds_its_caller(world: World, apps: Apps, handset: Phones) -> None:
    a, b = handset(), handset("127.0.0.3", "bob")

    async def menu(call: Call) -> None:
        await call.connect("200")

    apps.add("menu", menu)

    async def change(body: bytes) -> None:
        b.session.reinvite(world.now, body=body, headers=TYPED)
        world.settle()
        b.phone.take(sip.ReinviteAnswered)
        b.session.acknowledge(world.now)
        world.settle()

    async def story() -> None:
        a.call("750")
        await b.rings()
        b.answer()
        await a.answered()
        await until(lambda: len(a.parts) > 5)
        await change(b.describe("sendonly"))
        _, music = await asyncio.gather(b.say(tone(300, 8000, 0.8)), heard(a, 0.8))
        assert set(music) == {600, 1000}
        await change(b.sdp)
        await asyncio.sleep(0.1)
        a.parts.clear()
        await b.say(tone(300, 8000, 0.5))
        assert pitches(a.sound, 8000) == [300]
        a.hang_up()
        await until(lambda: b.is_over)

    run(world, story())


def test_whoever_is_parked_hears_music(world: World, apps: Apps, handset: Phones) -> None:
    a, b = handset(), handset("127.0.0.3", "bob")

    async def story() -> None:
        await call(a, b, "200")
        await asyncio.gather(a.say(tone(500, 8000, 0.2)), b.say(tone(900, 8000, 0.2)))
        b.session.send_request("REFER", world.now, headers=(("Refer-To", "<sip:701@127.0.0.1>"),))
        world.settle()
        await until(lambda: world.features.lot.parked)
        assert set(await heard(a, 0.8)) == {600, 1000}
        a.hang_up()
        assert not world.features.lot.parked

    run(world, story())
