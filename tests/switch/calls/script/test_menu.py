"""Menus of the configuration, by keys and by ear."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from switchroom.protocols import sip
from switchroom.switch.calls.script import Apps
from switchroom.switch.config import Config, MenuConfig
from tests.switch.calls.world import World

from .handset import Handset, pitches, run, until

Phones = Callable[..., Handset]


def menus(apps: Apps, **more: Any) -> None:
    front = {
        "name": "menu",
        "prompt": ["tone:440:0.2", "tone:880:3"],
        "keys": ["1 = user:bob", "2 = conference:sales", "3 = app:other", "40 = app:echo", "5 = 200"],
        "wrong": ["tone:1500:0.3"],
        "failed": ["tone:2000:0.3"],
        "timeout": 1.0,
        "between": 0.5,
        **more,
    }
    other = {"name": "other", "prompt": ["tone:660:0.5"], "keys": ["1 = user:bob"], "timeout": 1.0}
    apps.set_menus([MenuConfig(**front), MenuConfig(**other)])


@pytest.mark.parametrize("keys", ["1", "5", "200"])
def test_keys_lead_to_somebody(world: World, apps: Apps, handset: Phones, keys: str) -> None:
    menus(apps, numbers="2XX")
    a, b = handset(), handset("127.0.0.3", "bob")

    async def story() -> None:
        a.call("700")
        await a.answered()
        await until(lambda: len(a.parts) > 15)
        await a.press(keys)
        await b.rings()
        b.answer()
        a.hang_up()
        await until(lambda: b.is_over)

    run(world, story())
    assert pitches(a.sound, 8000)[0] in (430, 440, 450)


def test_keys_lead_inside_and_wrong_ones_nowhere(world: World, apps: Apps, handset: Phones) -> None:
    menus(apps)
    a = handset()

    async def heard(pitch: int) -> None:
        a.parts.clear()
        await until(lambda: pitch in pitches(a.sound, 8000))

    async def story() -> None:
        a.call("700")
        await a.answered()
        await heard(880)
        await a.press("7")  # nothing
        await heard(1500)
        await heard(880)
        await a.press("3")  # another menu
        await heard(660)
        await a.press("#")
        a.hang_up()
        await until(lambda: not apps.calls)
        b = handset(port=5070)
        b.call("700")
        await b.answered()
        await b.press("2")
        await until(lambda: apps.house.conferences.get("sales") is not None)
        b.hang_up()
        await until(lambda: not apps.calls)

    run(world, story())


def test_who_does_not_answer_and_who_chooses_nothing(world: World, apps: Apps, handset: Phones) -> None:
    menus(apps, prompt=["tone:880:0.2"], tries=2, otherwise="user:bob")
    a, b = handset(), handset("127.0.0.3", "bob")

    async def story() -> None:
        a.call("700")
        await a.answered()
        await a.press("1")
        await b.rings()
        b.session.reject(486, world.now)
        world.settle()
        await until(lambda: 2000 in pitches(a.sound, 8000))
        await b.rings()  # after one more try
        b.answer()
        await asyncio.sleep(0.1)
        b.hang_up()
        await until(lambda: not apps.calls)

    run(world, story())
    assert a.phone.has(sip.SessionEnded)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"keys": ["1 = user:zoe"]}, "there is no such user"),
        ({"keys": ["1 = user:anna", "1 = 200"]}, "twice"),
        ({"keys": ["x = user:anna"]}, "KEYS = TARGET"),
        ({"keys": ["1 = anna"]}, "must be user:NAME"),
        ({"name": "voicemail"}, "always there"),
        ({"otherwise": "app:front"}, "leads to itself"),
        ({"prompt": ["tone:99999:1"]}, "tone:HZ:SECONDS"),
    ],
)
def test_what_is_wrong_with_a_menu_is_told(more: dict[str, Any], said: str) -> None:
    menu = {"name": "front", "prompt": ["a.wav"], "keys": ["1 = user:anna"], **more}
    with pytest.raises(ValueError, match=said):
        Config(users=[{"name": "anna", "password": "secret-anna"}], menus=[menu])  # type: ignore[list-item]
