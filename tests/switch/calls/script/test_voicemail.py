"""Voicemail: a call that nobody takes leaves a message, the lamp follows, its owner hears and deletes it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from switchroom.codecs.files import read_wav
from switchroom.protocols import sip
from switchroom.switch.calls.script import Apps
from switchroom.switch.calls.script.voicemail import Box
from switchroom.switch.config import VoicemailConfig
from tests.codecs.sounds import tone
from tests.switch.calls.world import World

from .handset import Handset, pitches, run, until

Phones = Callable[..., Handset]


@pytest.fixture
def told(apps: Apps) -> list[tuple[str, int, int]]:
    told: list[tuple[str, int, int]] = []
    apps.house.voicemail.tell = lambda *counts: told.append(counts)
    return told


@pytest.fixture
def box(apps: Apps) -> Box:
    box = apps.house.voicemail.box("bob")
    assert box is not None
    return box


async def said(phone: Handset, frequency: float) -> None:
    """Wait for the beep, say something and hang up."""
    await until(lambda: 1000 in pitches(phone.sound, 8000))
    await phone.say(tone(frequency, 8000, 1.2))
    phone.hang_up()


def test_a_message_is_left_heard_and_deleted(
    world: World, apps: Apps, handset: Phones, told: list[tuple[str, int, int]], box: Box
) -> None:
    a, b = handset(), handset("127.0.0.3", "bob")

    async def story() -> None:
        a.call("200")
        await b.rings()
        b.session.reject(486, world.now)
        world.settle()
        await a.answered()
        await said(a, 500)
        await until(lambda: told)
        assert told == [("bob", 1, 0)]
        b.call("706", account="bob")
        await b.answered()
        await until(lambda: pitches(b.sound, 8000)[-2:] == [500, 1000])
        await b.press("1")  # again
        await until(lambda: pitches(b.sound, 8000)[-4:] == [500, 1000, 500, 1000])
        await b.press("3")
        await until(lambda: pitches(b.sound, 8000)[-1] == 440)
        b.hang_up()
        await until(lambda: len(told) == 2)

    run(world, story(), 30)
    assert told[-1] == ("bob", 0, 0)
    assert box.messages() == []
    assert not world.exchange.calls


def test_what_was_heard_is_old_and_a_greeting_is_ones_own(
    world: World, apps: Apps, handset: Phones, told: list[tuple[str, int, int]], box: Box
) -> None:
    a, b = handset(), handset("127.0.0.3", "bob")

    async def story() -> None:
        a.call("707")
        await a.answered()
        await said(a, 700)
        await until(lambda: told)
        b.call("706", account="bob")
        await b.answered()
        await until(lambda: pitches(b.sound, 8000)[-2:] == [700, 1000])
        await b.press("0")
        await until(lambda: pitches(b.sound[-4000:], 8000) == [])
        await b.say(tone(1700, 8000, 1.2))
        await b.press("#")
        await until(lambda: b.is_over)
        assert told[-1] == ("bob", 0, 1)
        a.parts.clear()
        a.call("707")
        await a.answered()
        await until(lambda: pitches(a.sound, 8000)[-2:] == [1700, 1000])
        a.hang_up()
        await until(lambda: not list((box.folder / "draft").iterdir()))

    run(world, story(), 30)
    [message] = box.messages()
    assert not message.is_new
    assert message.path.stat().st_mode & 0o777 == 0o600
    assert message.caller == "alice"
    samples, rate = read_wav(message.path.read_bytes())
    assert pitches(samples, rate) == [700]


def test_who_has_no_box_is_refused_and_a_full_one_takes_nothing(
    world: World, apps: Apps, handset: Phones, box: Box
) -> None:
    a = handset()
    apps.house.voicemail.config = VoicemailConfig(max_messages=1)
    box.keep(_file(box, 2000))

    async def story() -> None:
        a.call("706")  # a trunk has none
        await until(lambda: a.phone.has(sip.SessionRejected))
        assert a.phone.take(sip.SessionRejected).status == 403
        a.call("707")
        await a.answered()
        await until(lambda: a.is_over)

    run(world, story())
    assert set(pitches(a.sound, 8000)) <= {480, 620}  # busy
    assert len(box.messages()) == 1


def _file(box: Box, size: int) -> Path:
    path = box.draft("+49/../30", 1_700_000_000_000)
    path.write_bytes(bytes(size))
    return path


def test_drafts_of_a_killed_switch_are_messages(tmp_path: Path) -> None:
    box = Box(tmp_path / "bob")
    kept, empty, fresh = _file(box, 2000), _file(box, 44), _file(box, 2000)
    long_ago = time.time() - 60
    for path in (kept, empty):
        os.utime(path, (long_ago, long_ago))
    box.recover(round(time.time() * 1000))
    [message] = box.messages()
    assert (message.path.name, message.caller, message.is_new) == (kept.name, "+4930", True)
    assert not empty.exists()
    assert fresh.exists()


def test_names_in_the_folder_that_are_no_messages_are_left_alone(tmp_path: Path) -> None:
    box = Box(tmp_path / "bob")
    path = box.draft("x", 1)
    other = path.parent / "note.txt"
    other.write_text("hello")
    box.recover(10**15)
    assert other.exists()
    assert box.messages() == []


def test_a_box_does_not_take_a_call_that_others_may_answer(
    world: World, apps: Apps, handset: Phones, box: Box
) -> None:
    a, b, c = handset(), handset("127.0.0.3", "bob"), handset("127.0.0.4", "carol")

    async def story() -> None:
        a.call("708")
        await b.rings()
        await c.rings()
        b.session.reject(486, world.now)
        world.settle()
        c.answer()
        await a.answered()
        a.hang_up()

    run(world, story())
    assert box.messages() == []
