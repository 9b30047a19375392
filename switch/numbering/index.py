"""Finds the routes whose pattern takes a number without asking each of them."""

from __future__ import annotations

from collections.abc import Sequence

from switchroom.switch.config.patterns import NumberPattern

_Asked = list[tuple[int, NumberPattern | None]]  # None: the head was all there is to know


class PatternIndex:
    """By the head of each pattern: a number is looked up once for each length that a head has."""

    def __init__(self, patterns: Sequence[tuple[NumberPattern, ...]]) -> None:
        self._exact: dict[str, list[int]] = {}
        self._heads: dict[str, _Asked] = {}
        for place, those in enumerate(patterns):
            for pattern in those:
                if pattern.is_exact:
                    self._exact.setdefault(pattern.head, []).append(place)
                else:
                    asked = None if pattern.is_prefix else pattern
                    self._heads.setdefault(pattern.head, []).append((place, asked))
        self._lengths = sorted({len(head) for head in self._heads})

    def find(self, number: str) -> list[int]:
        """The places of all that match, in their order."""
        found = list(self._exact.get(number, ()))
        size = len(number)
        for length in self._lengths:
            if length > size:
                break
            asked = self._heads.get(number[:length])
            if asked is not None:
                found += [place for place, pattern in asked if pattern is None or pattern.matches(number)]
        return found if len(found) < 2 else sorted(set(found))
