"""Ticks of what is heard here come just behind the packets of those who speak (sound/cadence.h)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from .test_fuzz import SOUND, build


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    core = Path(__file__).parent / "beats_core.c"
    return build(tmp_path_factory.mktemp("beats"), core, *SOUND[1:])


def waits(program: Path, seconds: int, how: str, *phases: float) -> list[float]:
    """Milliseconds that packets waited which come so late in each 20 ms; all was said that should be."""
    words = [str(program), str(seconds), how, *(str(round(10 * phase)) for phase in phases)]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    lines = [line.split() for line in ran.stdout.splitlines()]
    for _, made in lines:
        assert int(made) == pytest.approx(50 * seconds, abs=3)
    return [int(waited) / 1000 for waited, _ in lines]


@pytest.mark.parametrize("phase", [0, 3.3, 9.7, 13.1, 19.9])
def test_who_is_alone_waits_for_next_to_nothing(program: Path, phase: float) -> None:
    assert waits(program, 15, "alone", phase)[0] <= 3


@pytest.mark.parametrize(("phases", "least"), [((2, 3), 1), ((0, 19), 1), ((5, 15), 10)])
def test_two_who_talk_wait_no_longer_than_they_must(
    program: Path, phases: tuple[float, float], least: float
) -> None:
    """``least``: of one of the two, since both have the same ticks."""
    assert sum(waits(program, 15, "pair", *phases)) <= least + 6


def test_the_ticks_of_a_room_are_best_for_most(program: Path) -> None:
    found = waits(program, 15, "room", 4, 5, 6, 16)
    assert sum(found[:3]) <= 3 * 5
    assert found[3] < 20
