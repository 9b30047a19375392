"""Which destinations a dialled number leads to: users by number, then the configured routes in order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from switchroom.switch.config.checks import compile_pattern

_SEPARATORS = str.maketrans("", "", "-.() ")  # visual separators of RFC 3966 §3, dialled by phone books


@dataclass(frozen=True, slots=True)
class ToUser:
    """A user of this switch: every contact that the user has registered."""

    name: str


@dataclass(frozen=True, slots=True)
class ToTrunk:
    """A trunk of the configuration; the number goes there as dialled."""

    name: str


@dataclass(frozen=True, slots=True)
class ToUri:
    """A fixed SIP URI."""

    uri: str


Destination = ToUser | ToTrunk | ToUri


@dataclass(frozen=True, slots=True)
class Route:
    """One ``[[routes]]`` entry: a pattern and who rings, all at once."""

    match: str
    to: tuple[Destination, ...]
    pattern: re.Pattern[str]


def parse_destination(text: str) -> Destination:
    """``user:1001``, ``trunk:acme`` or ``sip:...``; ValueError says what is allowed."""
    scheme, _, rest = text.partition(":")
    if not rest:
        raise ValueError(f"{text!r}: must be user:NAME, trunk:NAME or sip:URI")
    if scheme == "user":
        return ToUser(rest)
    if scheme == "trunk":
        return ToTrunk(rest)
    if scheme in ("sip", "sips"):
        return ToUri(text)
    raise ValueError(f"{text!r}: must be user:NAME, trunk:NAME or sip:URI")


def clean_number(dialled: str) -> str:
    """The number without visual separators; names stay as they are."""
    if dialled.isalnum():
        return dialled
    stripped = dialled.translate(_SEPARATORS)
    return stripped if stripped.lstrip("+").isdigit() else dialled


class Router:
    """Finds the destinations of a number; a reload makes a new Router."""

    def __init__(self, numbers: Mapping[str, str], routes: Iterable[tuple[str, Sequence[str]]]) -> None:
        """``numbers``: number or name -> user; ``routes``: (match, destinations) in the configured order."""
        self._numbers = {number: (ToUser(user),) for number, user in numbers.items()}
        self._routes = [
            Route(match, tuple(map(parse_destination, to)), compile_pattern(match)) for match, to in routes
        ]

    def destinations(self, number: str) -> tuple[Destination, ...]:
        """Where the number leads; empty when no rule knows it. The users' own numbers come first."""
        known = self._numbers.get(number)
        if known is not None:
            return known
        for route in self._routes:
            if route.pattern.fullmatch(number):
                return route.to
        return ()
