"""Who of those whom Dial names is called at once."""

from __future__ import annotations

from itertools import repeat
from random import Random

from switchroom.switch.api.voice.rounds import rounds_of
from switchroom.switch.api.voice.wishes import Callee

A = Callee("sip", "a", noun=1)
B = Callee("sip", "b", noun=2)


def names(callees: list[Callee], *, is_sequential: bool = False, chance: float = 0.0) -> list[str]:
    draw = repeat(chance).__next__
    found = rounds_of(callees, is_sequential=is_sequential, draw=draw)
    return ["".join([one.name for one in row]) for row in found]


def test_nouns_ring_at_once_or_one_after_the_other() -> None:
    assert names([A, B]) == ["ab"]
    assert names([A, B], is_sequential=True) == ["a", "b"]
    assert names([]) == []


def test_uris_of_one_noun_come_by_priority_beside_other_nouns() -> None:
    second = Callee("sip", "2", noun=2, priority=2)
    first = Callee("sip", "1", noun=2, priority=1)
    assert names([A, second, first]) == ["a1", "2"]
    assert names([A, second, first], is_sequential=True) == ["a", "1", "2"]


def test_weights_share_calls_out() -> None:
    light, heavy = Callee("sip", "l", noun=1, weight=1), Callee("sip", "h", noun=1, weight=3)
    never = Callee("sip", "n", noun=1, weight=0)
    chance = Random(7).random
    firsts = [
        rounds_of([light, heavy, never], is_sequential=False, draw=chance)[0][0].name for _ in range(400)
    ]
    assert 70 < firsts.count("l") < 130
    assert firsts.count("n") < 5
    assert names([never, light], chance=0.0) == ["n", "l"]  # RFC 2782: a very small chance, not none
    assert names([Callee("sip", "x", noun=1, weight=0)], chance=0.9) == ["x"]
