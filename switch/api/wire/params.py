"""Parameters: what may be given by which name, how its text is read, and what is said when it cannot be."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .dates import parse_moment
from .errors import ApiError

MAX_TEXT = 4096
MAX_VALUES = 100
_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|[\ud800-\udfff]")

Values = Mapping[str, Sequence[str]]  # of a form or a query, by name


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of an operation."""

    name: str
    read: Callable[[str], Any]
    kind: str = "string"  # for the OpenAPI document
    is_required: bool = False
    is_list: bool = False
    is_range: bool = False  # NAME< and NAME> too
    code: int = 20422
    text: str = ""
    choices: tuple[str, ...] = ()
    max_size: int = MAX_TEXT
    schema: dict[str, Any] = field(default_factory=dict)

    def take(self, values: Values, name: str = "") -> Any:
        """The value, or None when it was not given; ApiError: it cannot be read."""
        given = values.get(name or self.name)
        if given is None:
            if self.is_required:
                raise ApiError(self.code, self.text or f"{self.name} is required")
            return None
        if self.is_list:
            if len(given) > MAX_VALUES:
                raise ApiError(self.code, f"{self.name}: more than {MAX_VALUES} values")
            return [self._read(one) for one in given]
        return self._read(given[-1])

    def _read(self, text: str) -> Any:
        if len(text) > self.max_size:
            raise ApiError(self.code, f"{self.name} is longer than {self.max_size} characters")
        if _CONTROL.search(text):
            raise ApiError(self.code, f"{self.name} has characters that no text has")
        if not text and self.read is not _text and not self.is_required:
            return ""  # given and empty: what was there is taken away
        try:
            return self.read(text)
        except (ValueError, OverflowError) as error:
            raise ApiError(self.code, self.text or f"{self.name}: {error}") from None


def _text(text: str) -> str:
    return text


def _flag(text: str) -> bool:
    low = text.lower()
    if low in ("true", "1", "yes"):
        return True
    if low in ("false", "0", "no"):
        return False
    raise ValueError("must be true or false")


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
        raise ValueError("must be an http or https URL")
    if parts.port is not None and not 0 < parts.port < 65536:
        raise ValueError("has a port that cannot be")
    if re.search(r"\s", text):
        raise ValueError("has a space in it")
    return text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("is nested too deep") from None


def is_e164(text: str) -> bool:
    """Whether a text is a number as E.164 writes it."""
    return _E164.fullmatch(text) is not None


def text(name: str, **more: Any) -> Param:
    """Any text."""
    return Param(name, _text, **more)


def flag(name: str, **more: Any) -> Param:
    """true or false."""
    return Param(name, _flag, "boolean", **more)


def url(name: str, **more: Any) -> Param:
    """An address of the web."""
    return Param(name, _url, schema={"format": "uri"}, **more)


def moment(name: str, **more: Any) -> Param:
    """A time or a day."""
    return Param(name, parse_moment, schema={"format": "date-time"}, **more)


def document(name: str, **more: Any) -> Param:
    """A value written as JSON."""
    return Param(name, _json, **more)


def count(name: str, low: int, high: int, **more: Any) -> Param:
    """A whole number."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            raise ValueError("must be a whole number")
        number = int(text)
        if not low <= number <= high:
            raise ValueError(f"must be from {low} to {high}")
        return number

    return Param(name, read, "integer", schema={"minimum": low, "maximum": high}, **more)


def choice(name: str, *choices: str, **more: Any) -> Param:
    """One of some words."""

    def read(text: str) -> str:
        for one in choices:
            if text.lower() == one.lower():
                return one
        raise ValueError(f"must be one of {', '.join(choices)}")

    return Param(name, read, choices=choices, **more)


def method(name: str, **more: Any) -> Param:
    """GET or POST."""
    return choice(name, "GET", "POST", **more)


def read_all(params: Sequence[Param], values: Values) -> dict[str, Any]:
    """Read what an operation knows; other names are passed over, as the clients expect."""
    found = {}
    for param in params:
        value = param.take(values)
        if value is not None:
            found[param.name] = value
        if param.is_range:
            for sign in "<>":
                bound = param.take(values, param.name + sign) if param.name + sign in values else None
                if bound is not None:
                    found[param.name + sign] = bound
    return found
