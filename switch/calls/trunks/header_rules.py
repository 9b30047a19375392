"""Rules of a trunk about headers: add, remove, copy from leg to leg (``[[trunks.headers]]``).

Without a rule nothing travels. No rule reaches the headers that make a message what it is, and what is copied
is bounded and has no control characters, so that nobody writes our messages for us (THREATS C7).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from switchroom.protocols import sip
from switchroom.switch.calls.identity import ASSERTING
from switchroom.switch.config import HeaderRuleConfig
from switchroom.switch.config.trunks import STRUCTURAL_HEADERS

Header = tuple[str, str]

MAX_COPIED = 32
MAX_VALUE = 1024


class HeaderRules:
    """The rules of one trunk, for both directions."""

    __slots__ = ("_added", "_copied", "_removed")

    def __init__(self, rules: Iterable[HeaderRuleConfig]) -> None:
        rules = list(rules)
        self._added = {
            direction: [(r.header, r.value) for r in rules if (r.direction, r.action) == (direction, "add")]
            for direction in ("in", "out")
        }
        self._copied = {
            d: _pattern(r.header for r in rules if (r.direction, r.action) == (d, "copy")) for d in _BOTH
        }
        self._removed = {
            d: _pattern(r.header for r in rules if (r.direction, r.action) == (d, "remove")) for d in _BOTH
        }

    def copied(self, direction: str, source: sip.Message | None) -> list[Header]:
        """What one leg's request gives to the other's."""
        pattern = self._copied[direction]
        if pattern is None or source is None:
            return []
        found: list[Header] = []
        for name, value in source.items():
            if len(found) == MAX_COPIED:
                break
            if _may_copy(name, pattern) and len(value) <= MAX_VALUE and value.isprintable():
                found.append((name, value))
        return found

    def added(self, direction: str) -> list[Header]:
        """What is written whatever the other leg said."""
        return self._added[direction]

    def kept(self, direction: str, headers: Iterable[Header]) -> list[Header]:
        """The headers without those that a rule removes."""
        pattern = self._removed[direction]
        if pattern is None:
            return list(headers)
        return [(name, value) for name, value in headers if not _is_removed(name, pattern)]

    def strip(self, direction: str, message: sip.Message) -> None:
        """Take away what a rule removes."""
        pattern = self._removed[direction]
        if pattern is not None:
            for name in {name for name, _ in message.items() if _is_removed(name, pattern)}:
                message.remove(name)


_BOTH = ("in", "out")


def _pattern(names: Iterable[str]) -> re.Pattern[str] | None:
    """One expression for all names; ``*`` stands for any letters."""
    texts = [".*".join(re.escape(part) for part in name.split("*")) for name in names]
    return re.compile("|".join(texts), re.IGNORECASE) if texts else None


def _may_copy(name: str, pattern: re.Pattern[str]) -> bool:
    key = name.lower()
    if key in STRUCTURAL_HEADERS or pattern.fullmatch(name) is None:
        return False
    return key not in ASSERTING  # who calls is told by the trunk's caller_id, or by nobody


def _is_removed(name: str, pattern: re.Pattern[str]) -> bool:
    return name.lower() not in STRUCTURAL_HEADERS and pattern.fullmatch(name) is not None
