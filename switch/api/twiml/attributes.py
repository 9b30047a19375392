"""Attributes of TwiML: how each is read, what it is when it is not there, and the code when it is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

Read = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a verb or noun."""

    name: str
    read: Read
    default: Any = None
    code: int = 12200


def text(name: str, default: Any = None, code: int = 12200, max_size: int = 4096) -> Attribute:
    """Any text."""

    def read(value: str) -> str:
        if len(value) > max_size:
            raise ValueError(f"longer than {max_size} characters")
        return value

    return Attribute(name, read, default, code)


def flag(name: str, default: bool | None = False, code: int = 12200) -> Attribute:
    """true or false."""

    def read(value: str) -> bool:
        low = value.strip().lower()
        if low not in ("true", "false"):
            raise ValueError("must be true or false")
        return low == "true"

    return Attribute(name, read, default, code)


def count(name: str, default: int | None, low: int, high: int, code: int = 12200) -> Attribute:
    """A whole number, no more than ``high``; what is larger is taken as that."""

    def read(value: str) -> int:
        if not re.fullmatch(r"\s*[0-9]{1,12}\s*", value):
            raise ValueError("must be a whole number")
        number = int(value)
        if number < low:
            raise ValueError(f"must be at least {low}")
        return min(number, high)

    return Attribute(name, read, default, code)


def count_or_auto(name: str, default: Any, low: int, high: int, code: int = 12200) -> Attribute:
    """A whole number, or the word auto."""
    number = count(name, None, low, high, code).read
    return Attribute(name, lambda value: "auto" if value == "auto" else number(value), default, code)


def choice(name: str, default: str | None, *choices: str, code: int = 12200) -> Attribute:
    """One of some words, whatever their case."""
    known = {one.lower(): one for one in choices}

    def read(value: str) -> str:
        try:
            return known[value.strip().lower()]
        except KeyError:
            raise ValueError(f"must be one of {', '.join(choices)}") from None

    return Attribute(name, read, default, code)


def words(name: str, default: tuple[str, ...], *choices: str, code: int = 12200) -> Attribute:
    """Some of these words, with spaces between."""

    def read(value: str) -> tuple[str, ...]:
        given = tuple(value.split())
        if not set(given) <= set(choices):
            raise ValueError(f"must be some of {', '.join(choices)}")
        return given

    return Attribute(name, read, default, code)


def method(name: str, default: str | None = "POST", code: int = 12200) -> Attribute:
    """GET or POST."""
    return choice(name, default, "GET", "POST", code=code)


def url(name: str, default: str | None = None, code: int = 11100) -> Attribute:
    """An address, whole or relative to the document."""

    def read(value: str) -> str:
        value = value.strip()
        parts = urlsplit(value)
        if parts.scheme not in ("", "http", "https", "ws", "wss") or re.search(r"[\s\x00-\x1f]", value):
            raise ValueError("must be an address of http or https")
        return value

    return Attribute(name, read, default, code)


def digits(name: str, allowed: str, default: str | None = None, code: int = 12200) -> Attribute:
    """Keys of a telephone."""

    def read(value: str) -> str:
        if not set(value) <= set(allowed) or len(value) > 256:
            raise ValueError(f"must be made of {allowed}")
        return value

    return Attribute(name, read, default, code)
