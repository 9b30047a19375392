"""What an operator sees of recordings and conferences, and does to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from switchroom.codecs.files import read_wav
from switchroom.switch.calls.script import Apps, Call
from switchroom.switch.calls.script.questions import SoundQuestions
from tests.codecs.sounds import tone
from tests.switch.calls.world import World

from .handset import Handset, pitches, run, until

Phones = Callable[..., Handset]


def test_recordings_are_seen_begun_paused_and_stopped(
    world: World, apps: Apps, handset: Phones, tmp_path: Path
) -> None:
    a, b = handset(), handset("127.0.0.3", "bob")
    ask = SoundQuestions(apps)
    apps.house.config = apps.house.config.model_copy(update={"recording_sides": "mixed"})

    async def story() -> None:
        a.call("200")
        await b.rings()
        b.answer()
        await a.answered()
        assert ask.recordings() == []
        [call] = world.exchange.calls
        [row] = ask.recording(call[:6], "start")
        assert (row["call"], row["sides"], row["state"]) == (call, "mixed", "recording")
        await a.say(tone(500, 8000, 0.5))
        await asyncio.sleep(0.3)
        assert ask.recording(call, "pause")[0]["state"] == "paused"
        assert ask.recordings()[0]["state"] == "paused"
        await a.say(tone(900, 8000, 0.5))
        await asyncio.sleep(0.3)
        ask.recording(call, "resume")
        await b.say(tone(1400, 8000, 0.5))
        await asyncio.sleep(0.3)
        assert ask.recording(call, "stop")[0]["state"] == "stopped"
        await until(lambda: not ask.recordings())
        with pytest.raises(LookupError, match="there is none"):
            ask.recording(call, "pause")
        with pytest.raises(LookupError, match="must be start"):
            ask.recording(call, "erase")
        a.hang_up()

    run(world, story())
    [path] = (tmp_path / "recordings").iterdir()
    samples, rate = read_wav(path.read_bytes())
    assert pitches(samples, rate) == [500, 1400]


def test_the_call_of_a_program_is_recorded_by_the_operator(
    world: World, apps: Apps, handset: Phones, tmp_path: Path
) -> None:
    a = handset()

    async def menu(call: Call) -> None:
        await call.answer()
        await call.wait()

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700")
        await a.answered()
        [call] = apps.calls
        SoundQuestions(apps).recording(call, "start")
        await a.say(tone(500, 8000, 0.5))
        a.hang_up()
        await until(lambda: not apps.house.recorder.count)

    run(world, story())
    [path] = (tmp_path / "recordings").iterdir()
    assert path.stat().st_size > 8000


def test_members_of_conferences_are_seen_muted_and_put_out(world: World, apps: Apps, handset: Phones) -> None:
    a, b = handset(), handset(port=5070)
    ask = SoundQuestions(apps)

    async def story() -> None:
        assert ask.conferences() == []
        for phone in (a, b):
            phone.call("702")
            await phone.answered()
        await until(lambda: len(ask.conferences()) == 2)
        await a.say(tone(500, 8000, 0.4))
        first, second = ask.conferences()
        assert (first["conference"], first["state"], first["speaks"]) == ("sales", "talks", True)
        assert (second["speaks"], second["codec"]) == (False, "PCMU/8000")
        call = str(first["call"])
        assert ask.member(call, "mute") == [{"call": call, "state": "muted"}]
        assert ask.member(call, "hold")[0]["state"] == "held"
        assert ask.member(call, "unhold")[0]["state"] == "muted"
        assert ask.member(call, "unmute")[0]["state"] == "talks"
        with pytest.raises(LookupError, match="there is none"):
            ask.member("zz", "mute")
        with pytest.raises(LookupError, match="must be mute"):
            ask.member(call, "shout")
        assert ask.member(call, "kick")[0]["state"] == "kicked"
        await until(lambda: len(ask.conferences()) == 1)
        b.hang_up()
        await until(lambda: not ask.conferences())

    run(world, story())
