"""Programs that listen for who is there, somebody or a machine, talk and silence; and that speak."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from switchroom.codecs import Answered, AnswerRules
from switchroom.codecs.tones import find
from switchroom.switch.api.voice.speaking.speech import Speech
from switchroom.switch.calls.script import Apps, Call, Say, Tone
from tests.codecs.sounds import voice
from tests.switch.calls.world import World

from .handset import Handset, pitches, run, until

Phones = Callable[..., Handset]
BEEP = find("beep", "us").samples(0.3, 8000)


def silence(seconds: float) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.zeros(round(8000 * seconds), np.int16)


def test_a_message_is_left_behind_the_beep_of_a_machine(world: World, apps: Apps, handset: Phones) -> None:
    a, b = handset(), handset("127.0.0.3", "bob")
    found = list[Answered]()

    async def menu(call: Call) -> None:
        leg = await call.dial("200")
        rules = AnswerRules(speech=0.8, pause=0.6)
        found.append(await leg.detect(to_end=True, rules=rules))
        await leg.hang_up()

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700")
        await b.rings()
        b.answer()
        await b.say(np.concatenate([voice(seconds=2.2), silence(0.2), BEEP, silence(0.4)]))
        await until(lambda: b.is_over)

    run(world, story())
    assert [one.kind for one in found] == ["machine-beep"]


def test_somebody_answers_and_talk_and_silence_are_told(world: World, apps: Apps, handset: Phones) -> None:
    a, b = handset(), handset("127.0.0.3", "bob")
    kinds, told, quiet = list[str](), list[bool](), list[bool]()

    async def menu(call: Call) -> None:
        leg = await call.dial("200")
        kinds.append((await leg.detect(rules=AnswerRules(pause=0.5))).kind)
        quiet.append(await leg.wait_for_silence(0.8, limit=5))
        quiet.append(await leg.wait_for_silence(3.0, limit=0.3))
        leg.hear_talk(told.append)
        await leg.wait()

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700")
        await b.rings()
        b.answer()
        await b.say(np.concatenate([silence(0.2), voice(seconds=0.6), silence(1.0)]))
        await b.say(voice(seconds=0.5))
        await until(lambda: len(quiet) == 2)
        await b.say(np.concatenate([voice(seconds=0.5), silence(0.9)]))
        b.hang_up()
        await until(lambda: not apps.calls)
        assert "app.failed" not in [event for event, _ in world.log.lines]

    run(world, story())
    assert kinds == ["human"]
    assert quiet == [True, False]
    assert told == [True, False]


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_texts_are_spoken_and_a_key_ends_them(
    world: World, apps: Apps, handset: Phones, tmp_path: Path
) -> None:
    speech = Speech(lambda: "espeak-ng -v {voice} -w {file} --stdin", tmp_path / "speech")
    world.media.clips.speak = speech.speak
    a, keys = handset(), list[str]()

    async def menu(call: Call) -> None:
        await call.answer()
        await call.say("Hello.")
        keys.append(
            await call.gather(
                1, prompt=(Say("Please press a key, any key you like, but do."), Tone((3000.0,), 3.0))
            )
        )
        keys.append(await call.say("Good bye, and thank you for calling us today.", stop_on="#"))

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700")
        await a.answered()
        await until(lambda: np.abs(a.sound.astype(float)).max(initial=0) > 3000)
        await a.press("5")
        await until(lambda: keys == ["5"])
        await asyncio.sleep(0.5)
        await a.press("#")
        await until(lambda: not apps.calls)

    run(world, story())
    assert keys == ["5", "#"]
    assert 3000 not in pitches(a.sound, 8000)  # which speech has not


def test_a_program_that_speaks_where_nothing_can_speak_fails_alone(
    world: World, apps: Apps, handset: Phones
) -> None:
    a = handset()

    async def menu(call: Call) -> None:
        await call.say("Hello.")

    apps.add("menu", menu)

    async def story() -> None:
        a.call("700")
        await until(lambda: not apps.calls)

    run(world, story())
    [failed] = [values for event, values in world.log.lines if event == "app.failed"]
    assert failed["error"] == "OSError: nothing here can speak"
