"""Patterns of numbers: 200, +49*, 1XXX, [2-5]X, 1000-1999, /0(8|9)[0-9]+/; several stand apart by spaces."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated

from pydantic import PlainValidator, Strict

from .checks import compile_pattern, readable

MAX_NUMBER = 64  # a longer "number" matches no expression in slashes
_MAX_EXPRESSION = 128
_MAX_TEXT = 2048
_MAX_CHOICES = 8  # groups, alternatives, question marks: each multiplies the ways to try
_RANGE = re.compile(r"(\+?)([0-9]{1,20})-(\+?)([0-9]{1,20})")
_OPEN_ENDED = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|([*+]|\{[0-9]*,[0-9]*\})|(\?(?!:)|[(|])")
_FORBIDDEN = re.compile(r"\(\?(?!:)|\)[*+{]|\\[1-9Gg]")
_TEMPLATE = re.compile(r"(?:[0-9A-Za-z+*#_.-]|\\[1-9])*")


@dataclass(frozen=True, slots=True)
class NumberPattern:
    """One pattern: ``head`` is what a number must begin with before ``matches`` needs to be asked."""

    text: str
    head: str
    is_exact: bool = False  # the head is all of it
    is_prefix: bool = False  # whatever begins with the head
    matches: Callable[[str], bool] = field(default=bool, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Replacement:
    """What becomes of a number that matches: a template with the groups of the expression."""

    expression: re.Pattern[str]
    template: str

    def apply(self, number: str) -> str:
        """The number rewritten, or as it was where the expression does not match."""
        if len(number) > MAX_NUMBER:
            return number
        found = self.expression.fullmatch(number)
        return number if found is None else found.expand(self.template)


@lru_cache(maxsize=65536)
def read_patterns(text: str) -> tuple[NumberPattern, ...]:
    """Read patterns that stand apart by spaces; ValueError says what is allowed."""
    if len(text) > _MAX_TEXT:
        raise ValueError(f"must be at most {_MAX_TEXT} characters")
    return tuple(_pattern(part) for part in text.split(" ") if part) or (_pattern(text),)


def match_any(patterns: tuple[NumberPattern, ...], number: str) -> bool:
    """Whether one of the patterns takes the number."""
    return any(pattern.matches(number) for pattern in patterns)


@lru_cache(maxsize=4096)
def read_replacement(pattern: str, template: str) -> Replacement:
    """Read ``00*`` or ``/00([1-9].*)/`` and a template such as ``+\\1``."""
    if not _TEMPLATE.fullmatch(template) or len(template) > MAX_NUMBER:
        raise ValueError(f"{template}: must be digits, + * # letters and \\1 to \\9 for what was found")
    if _is_expression(pattern):
        expression = _expression(pattern)
    else:
        plain = compile_pattern(pattern).pattern
        expression = re.compile(f"{plain[:-2]}(.*)" if pattern.endswith("*") else plain)
    for group in re.findall(r"\\([1-9])", template):
        if int(group) > expression.groups:
            raise ValueError(f"{template}: {pattern} finds no \\{group}")
    return Replacement(expression, template)


def _pattern(text: str) -> NumberPattern:
    if _is_expression(text):
        expression = _expression(text)
        return NumberPattern(
            text,
            "",
            matches=lambda number: len(number) <= MAX_NUMBER and expression.fullmatch(number) is not None,
        )
    limits = _RANGE.fullmatch(text)
    if limits is not None:
        return _range(text, limits)
    compiled = compile_pattern(text)
    head = re.split(r"[X\[]", text.removesuffix("*"), maxsplit=1)[0]
    if head == text:
        return NumberPattern(text, head, is_exact=True, matches=text.__eq__)
    if text == f"{head}*":
        return NumberPattern(text, head, is_prefix=True, matches=lambda number: number.startswith(head))
    return NumberPattern(text, head, matches=lambda number: compiled.fullmatch(number) is not None)


def _range(text: str, limits: re.Match[str]) -> NumberPattern:
    plus, first, plus_too, last = limits.groups()
    if plus != plus_too or len(first) != len(last) or first > last:
        raise ValueError("must go from a number to a larger one with as many digits, such as 1000-1999")
    first, last = plus + first, plus + last

    def matches(number: str) -> bool:
        return len(number) == len(first) and first <= number <= last and number[len(plus) :].isdecimal()

    same = next((n for n, (a, b) in enumerate(zip(first, last, strict=True)) if a != b), len(first))
    return NumberPattern(text, first[:same], matches=matches)


def _is_expression(text: str) -> bool:
    return len(text) > 2 and text[0] == text[-1] == "/"


def _expression(text: str) -> re.Pattern[str]:
    """A regular expression that no number can keep busy: no repeated group, at most two open ends."""
    inner = text[1:-1].removeprefix("^").removesuffix("$")
    if len(inner) > _MAX_EXPRESSION or not inner.isascii():
        raise ValueError(f"must have at most {_MAX_EXPRESSION} plain characters between the slashes")
    if _FORBIDDEN.search(inner):
        raise ValueError("must not repeat a group, look around or refer back: a number could keep it busy")
    found = [(bool(part[1]), bool(part[2])) for part in _OPEN_ENDED.finditer(inner)]
    if sum(is_open for is_open, _ in found) > 2:
        raise ValueError("must not repeat more than twice (* + {n,m}): a number could keep it busy")
    if sum(is_choice for _, is_choice in found) > _MAX_CHOICES:
        raise ValueError(f"must have at most {_MAX_CHOICES} of ( | ?: a number could keep it busy")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # [[ and the like: nobody means that
            return re.compile(inner)
    except (re.error, OverflowError, FutureWarning) as error:
        raise ValueError(f"is no regular expression: {error}") from None


def _replacement(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(part, str) for part in value):
        raise ValueError("must be a list of a pattern and what to write, such as ['00*', '+\\1']")
    if value and len(value) != 2:
        raise ValueError("must be a pattern and what to write, such as ['00*', '+\\1']")
    if value:
        read_replacement(*value)
    return tuple(value)


Patterns = Annotated[str, Strict(), readable(read_patterns)]
Rewriting = Annotated[tuple[str, ...], PlainValidator(_replacement)]
