"""[[menus]] of the file: what callers hear, and where their keys lead."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated

from pydantic import AfterValidator, Strict

from .checks import Count, Name, Number, Sound, Text, check_target
from .patterns import Patterns
from .sections import Section, key

_TAKEN = ("echo", "milliwatt", "tones", "voicemail")  # names of programs that are always there
_KEYS = frozenset("0123456789*#")


def _check_choice(text: str) -> str:
    """``1 = user:anna``, or a number as it is dialled."""
    keys, _, target = (part.strip() for part in text.partition("="))
    if not keys or len(keys) > 8 or not set(keys) <= _KEYS:
        raise ValueError("must be KEYS = TARGET, such as 1 = user:anna")
    return f"{keys} = {_check_way(target)}"


def _check_way(target: str) -> str:
    """A number as it is dialled, or what a route may lead to."""
    return target if target and set(target) <= _KEYS | {"+"} else check_target(target)


def _check_otherwise(text: str) -> str:
    return _check_way(text) if text else ""


Otherwise = Annotated[str, Strict(), AfterValidator(_check_otherwise)]
Choice = Annotated[str, Strict(), AfterValidator(_check_choice)]


class MenuConfig(Section):
    """A menu; a route leads to it with app:NAME."""

    name: Name = key("The name: app:NAME in a route.")
    prompt: list[Sound] = key(
        "What is played: files, tone:440:0.5, silence:1.", list, min_length=1, max_length=32
    )
    say: Text = key(
        "A text that api.say_command speaks behind the prompt. Empty: nothing.", "", max_length=2000
    )
    language: Text = key("The language of that text.", "en", max_length=16)
    keys: list[Choice] = key(
        "Where keys lead: 1 = user:anna, 2 = conference:sales, 3 = app:voicemail, 0 = +49301234.",
        min_length=1,
        max_length=100,
    )
    numbers: Patterns | None = key(
        "Numbers that may be dialled as they are: patterns as in a route. Not given: none.", None
    )
    timeout: Number = key("How long is waited for the first key.", 5.0, unit="s", ge=1, le=60)
    between: Number = key("How long is waited for the next key.", 2.0, unit="s", ge=0.5, le=20)
    tries: Count = key("How often it is played.", 3, ge=1, le=10)
    ring_time: Number = key("How long the chosen one rings.", 30.0, unit="s", ge=5, le=300)
    wrong: list[Sound] = key("What is played for keys that lead nowhere.", list, max_length=8)
    failed: list[Sound] = key("What is played where nobody has answered.", list, max_length=8)
    otherwise: Otherwise = key(
        "Where callers go who have chosen nothing, as in keys. Empty: the call ends.", ""
    )

    @property
    def choices(self) -> dict[str, str]:
        """Targets by keys."""
        return dict(part.split(" = ", 1) for part in self.keys)


def check_menus(menus: Sequence[MenuConfig], users: Collection[str], boxes: Collection[str]) -> None:
    """Each a name of its own, and targets that are there; ValueError says what is wrong."""
    names: dict[str, int] = {}
    for i, menu in enumerate(menus):
        if names.setdefault(menu.name, i) != i:
            raise ValueError(f"menus.{i}.name: {menu.name}: menus.{names[menu.name]} has it already")
        if menu.name in _TAKEN or menu.otherwise == f"app:{menu.name}":
            raise ValueError(f"menus.{i}.name: {menu.name}: is always there, or leads to itself")
        if len(menu.choices) != len(menu.keys):
            raise ValueError(f"menus.{i}.keys: the same keys stand there twice")
        for target in (*menu.choices.values(), menu.otherwise):
            kind, _, name = target.partition(":")
            if (kind == "user" and name not in users) or (kind == "voicemail" and name not in boxes):
                raise ValueError(f"menus.{i}.keys: {target}: there is no such user or mailbox")
