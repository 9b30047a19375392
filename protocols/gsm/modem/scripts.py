"""Several commands that belong together, each written like a story: what is asked, what follows from it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from enum import IntEnum

from .dialogue import Command
from .results import Result

__all__ = ["Pause", "Script", "Urgency", "ask"]


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is asked for so long."""

    seconds: float


Script = Generator[Command | Pause, Result, None]


class Urgency(IntEnum):
    """Which script comes first."""

    START = 0
    ACKNOWLEDGE = 1  # the network waits for it
    READ = 2
    SEND = 3
    LOOK = 4


def ask(text: str, expects: str = "", *, timeout: float = 10.0) -> Command:
    """A command whose answer begins with its own name."""
    return Command(text, expects, timeout=timeout)


def ask_plainly(text: str) -> Command:
    """A command that is answered with something that has no name, such as AT+CGMI."""
    return Command(text, has_plain_answer=True, timeout=5.0)
