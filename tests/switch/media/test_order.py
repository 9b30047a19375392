"""Packets that overtake each other on their way to a converter."""

from __future__ import annotations

from itertools import pairwise

import pytest

from .converting import Line, share_of_tone, steps


def swapped(line: Line, by: int = 1) -> list[int]:
    """A packet that comes after `by` later ones; how many leave at each arrival."""
    packets = [line.speak() for _ in range(by + 1)]
    return [len(line.take(packet)) for packet in (*packets[1:], packets[0])]


@pytest.mark.parametrize("by", [1, 2, 4])
def test_disorder_that_was_seen_is_waited_for(by: int) -> None:
    line = Line("PCMU", "PCMA")
    line.talk(10)
    swapped(line, by)  # nobody knew: concealed
    sent = line.talk(3)
    for _ in range(20):
        packets = [line.speak() for _ in range(by + 1)]
        made = [line.take(packet) for packet in (*packets[1:], packets[0])]
        assert [len(one) for one in made] == [0] * by + [by + 1]
        sent += made[-1] + line.talk(2)
    assert steps(sent) == ({1}, {160})
    assert share_of_tone(line.heard(sent), 8000) > 0.999  # nothing was made up


def test_who_waits_for_what_is_lost_goes_on_soon() -> None:
    line = Line("PCMU", "PCMA")
    line.talk(10)
    swapped(line)
    line.talk(3)
    line.skip()
    assert [len(line.take(line.speak())) for _ in range(4)] == [0, 3, 1, 1]


def test_a_calm_network_is_waited_for_no_more() -> None:
    line = Line("PCMU", "PCMA")
    swapped(line)
    line.talk(510)
    line.skip()
    assert len(line.take(line.speak())) == 2


def test_double_packets_are_no_disorder() -> None:
    line = Line("PCMU", "PCMA")
    packets = [line.speak() for _ in range(40)]
    line.take(packets[0])
    for before, packet in pairwise(packets):
        line.take(packet)
        line.take(before)
        line.take(packet)
    line.skip()
    assert len(line.take(line.speak())) == 2


def test_another_source_waits_for_nobody() -> None:
    line = Line("PCMU", "PCMA")
    line.talk(10)
    swapped(line)
    line.skip()
    assert line.take(line.speak()) == []
    line.ssrc += 1
    assert len(line.take(line.speak())) == 1
    assert len(line.take(line.speak())) == 1
