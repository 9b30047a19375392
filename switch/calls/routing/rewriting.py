"""How a route writes a number: strip, then prefix, then replace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from switchroom.switch.config.patterns import Replacement, read_replacement


class Rewrite(NamedTuple):
    """The three things that may be done to a number, in this order."""

    strip: int = 0
    prefix: str = ""
    replacement: Replacement | None = None

    def apply(self, number: str) -> str:
        """The number rewritten; one that nothing would be left of stays as it was."""
        written = self.prefix + number[self.strip :]
        if self.replacement is not None:
            written = self.replacement.apply(written)
        return written or number


def rewrite_of(strip: int, prefix: str, replace: Sequence[str]) -> Rewrite | None:
    """What the configuration asks for; None: nothing."""
    replacement = read_replacement(*replace) if replace else None
    return Rewrite(strip, prefix, replacement) if strip or prefix or replacement else None
