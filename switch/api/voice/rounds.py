"""Who of those whom Dial names is called at once, and who after them; pure: chance is an argument."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby, zip_longest

from .wishes import Callee

Round = tuple[Callee, ...]


def rounds_of(callees: Iterable[Callee], *, is_sequential: bool, draw: Callable[[], float]) -> list[Round]:
    """All nouns at once, or one after the other; the URIs of one noun always one after the other.

    ``draw`` gives 0 <= chance < 1.
    """
    nouns: dict[int, list[Callee]] = {}
    for callee in callees:
        nouns.setdefault(callee.noun, []).append(callee)
    rows = [_in_order(found, draw) for found in nouns.values()]
    if is_sequential:
        return [(callee,) for row in rows for callee in row]
    return [tuple([one for one in column if one is not None]) for column in zip_longest(*rows)]


def _in_order(callees: list[Callee], draw: Callable[[], float]) -> list[Callee]:
    """The lowest priority first; those of one priority as their weights draw them (RFC 2782)."""
    ordered: list[Callee] = []
    for _, group in groupby(sorted(callees, key=lambda one: one.priority), lambda one: one.priority):
        left = sorted(group, key=lambda one: one.weight > 0)  # those of no weight have a chance too
        while left:
            ordered.append(left.pop(_drawn(left, draw())))
    return ordered


def _drawn(left: list[Callee], chance: float) -> int:
    point, passed = round(chance * sum(one.weight for one in left), 9), 0
    for place, one in enumerate(left):
        passed += one.weight
        if passed >= point:
            return place
    return len(left) - 1
