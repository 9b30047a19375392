"""Calls without a switch, for tests of what stands around them: whoever is called does not answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from switchroom.switch.calls.script import NotAnswered


class MemoryApps:
    """Of script.Apps what the API uses."""

    def __init__(self) -> None:
        self.claims: list[Callable[[Any], str | None]] = []
        self.handlers: dict[str, Any] = {}
        self.called: list[str] = []
        self.credentials: list[Any] = []  # of each of them
        self.on_call_state: list[Callable[[Any, float], None]] = []
        self.house = self.exchange = self.conferences = self
        self.on_event: list[Callable[[Any], object]] = []

    def add(self, name: str, handler: Any) -> None:
        self.handlers[name] = handler

    def is_local(self, host: str) -> bool:
        return False

    async def call(self, target: str, *, credentials: Any = None, **_: Any) -> Any:
        self.called.append(target)
        self.credentials.append(credentials)
        raise NotAnswered(486, "Busy Here")
