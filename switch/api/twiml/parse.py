"""From a document to verbs that can be carried out: attributes read, defaults filled in, nesting checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .document import Element, TwimlError, read
from .grammar import ABSENT, MESSAGING, RULES, VOICE


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb or noun."""

    name: str
    attributes: dict[str, Any]
    text: str
    children: tuple[Verb, ...] = ()

    def __getitem__(self, name: str) -> Any:
        """An attribute as it was given, else its default."""
        return self.attributes[name]

    def first(self, name: str) -> Verb | None:
        """The first child of that name."""
        return next((child for child in self.children if child.name == name), None)


@dataclass(frozen=True, slots=True)
class Document:
    """What a server answered."""

    verbs: tuple[Verb, ...]
    warnings: tuple[tuple[int, str], ...]  # what was passed over, and its code


def parse_voice(data: bytes) -> Document:
    """Read what is to be done with a call; TwimlError says what is wrong."""
    return _parse(data, VOICE, 12200)


def parse_messaging(data: bytes) -> Document:
    """Read what is to be done with a text; TwimlError says what is wrong."""
    return _parse(data, MESSAGING, 14110)


def _parse(data: bytes, verbs: tuple[str, ...], code: int) -> Document:
    warnings: list[tuple[int, str]] = []
    found = []
    for element in read(data).children:
        if element.name in verbs:
            found.append(_verb(element, warnings))
        elif code == 14110 and element.name in VOICE:
            raise TwimlError(code, f"{element.name}: is no verb for a text")
        else:
            warnings.append(_absent(element.name, "not a verb that is known here"))
    return Document(tuple(found), tuple(warnings))


def _absent(name: str, otherwise: str) -> tuple[int, str]:
    code, why = ABSENT.get(name, (12200, otherwise))
    return code, f"{name[:40]}: {why}"


def _verb(element: Element, warnings: list[tuple[int, str]]) -> Verb:
    rule = RULES[element.name]
    given = dict(element.attributes)
    attributes = {}
    for known in rule.attributes:
        text = given.pop(known.name, None)
        if text is None:
            attributes[known.name] = known.default
            continue
        try:
            attributes[known.name] = known.read(text)
        except ValueError as error:
            raise TwimlError(known.code, f"{element.name}: {known.name}: {error}") from None
    warnings += [
        (12200, f"{element.name}: {name[:40]}: not an attribute that is known here") for name in given
    ]
    if rule.takes_markup:
        return Verb(element.name, attributes, element.all_text)
    children = []
    for child in element.children:
        if child.name in rule.children:
            children.append(_verb(child, warnings))
        elif child.name in rule.passed_over:
            warnings.append(_absent(child.name, ""))
        elif child.name in ABSENT:
            raise TwimlError(*_absent(child.name, ""))
        else:
            raise TwimlError(rule.nesting_code, f"{child.name[:40]} may not stand in {element.name}")
    return Verb(element.name, attributes, element.text, tuple(children))
