"""Menus of the configuration: a prompt, keys, and where they lead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchroom.switch.config.patterns import match_any, read_patterns
from switchroom.switch.media.clips import Say, Sound, parse_sound

from .dialling import NotAnswered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchroom.switch.config import MenuConfig

    from .apps import Apps
    from .call import Call

_MAX_KEYS = 20
_INSIDE = ("app", "conference", "voicemail")


class Menu:
    """A program: one for each menu."""

    def __init__(self, apps: Apps, config: MenuConfig) -> None:
        self.config = config
        self._apps = apps
        self._choices = config.choices
        self._numbers = read_patterns(config.numbers) if config.numbers else ()
        self._longest = max(len(keys) for keys in self._choices)

    async def __call__(self, call: Call) -> None:
        """Lead a caller on, or end his call."""
        config = self.config
        await call.answer()
        for _ in range(config.tries):
            keys = await self._ask(call)
            target = self._target(keys)
            if target and await self._lead(call, target):
                return
            if keys and not target:
                await call.play(*_sounds(config.wrong))
        if config.otherwise:
            await self._lead(call, config.otherwise)

    async def _ask(self, call: Call) -> str:
        config = self.config
        prompt = _sounds(config.prompt)
        if config.say:
            prompt += (Say(config.say, config.language),)
        count = _MAX_KEYS if self._numbers else self._longest
        finish_on = "" if "#" in "".join(self._choices) else "#"
        return await call.gather(
            count, timeout=config.timeout, between=config.between, finish_on=finish_on, prompt=prompt
        )

    def _target(self, keys: str) -> str:
        found = self._choices.get(keys, "")
        return found or (keys if keys and match_any(self._numbers, keys) else "")

    async def _lead(self, call: Call, target: str) -> bool:
        """Whether the caller was taken there; what comes after that is not the menu's."""
        kind, _, name = target.partition(":")
        if kind in _INSIDE:
            return await self._apps.go_on(call, kind, name)
        try:
            await call.connect(target, timeout=self.config.ring_time)
        except NotAnswered:
            await call.play(*_sounds(self.config.failed))
            return False
        return True


def _sounds(names: Sequence[str]) -> tuple[Sound, ...]:
    return tuple([parse_sound(name) for name in names])
