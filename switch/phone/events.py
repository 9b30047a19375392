"""What a phone tells its owner, and how it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = [
    "CallFailedError",
    "PhoneEvent",
    "RegistrationFailedError",
    "RequestFailedError",
    "TextFailedError",
]


@dataclass(frozen=True, slots=True)
class PhoneEvent:
    """Something happened: a word and what belongs to it, in the order in which it is shown."""

    name: str
    fields: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{key}={_shown(value)}" for key, value in self.fields.items())])


class _StatusError(Exception):
    """A SIP status that ended what was tried; 0 when it did not come as far as SIP."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}" if status else reason)
        self.status = status
        self.reason = reason


class CallFailedError(_StatusError):
    """A call was not answered, or a change in it was refused."""


class RegistrationFailedError(_StatusError):
    """The registrar did not accept us."""


class RequestFailedError(_StatusError):
    """Nobody answered a request of ours."""


class TextFailedError(_StatusError):
    """A text was not taken."""


def _shown(value: object) -> str:
    text = str(value)
    printable = "".join(
        character if character.isprintable() else "?" for character in text
    )  # no escape codes
    return f'"{printable}"' if not printable or " " in printable else printable
