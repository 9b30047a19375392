"""The engine's checks, the converter and the switch's own sound under mutated streams, with the sanitizers;
THREATS A3, A8, G14."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import switchroom.switch.media

ROOT = Path(switchroom.switch.media.__file__).parents[2]
HERE = Path(__file__).parent
ROUNDS = 1_000_000
FLAGS = [
    "-std=gnu11",
    "-O1",
    "-g",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
]
CONVERTER = [
    HERE / "fuzz_transcoder_core.c",
    ROOT / "switch" / "media" / "conversion" / "transcoder.c",
    ROOT / "codecs" / "resampling_core.c",
    *(ROOT / "codecs" / "sound" / f"{name}.c" for name in ("conceal", "mix", "noise", "tones")),
    *sorted((ROOT / "codecs" / "native").glob("*.c")),
]
SOUND = [
    HERE / "fuzz_sound_core.c",
    *sorted((ROOT / "switch" / "media" / "sound").glob("*.c")),
    ROOT / "codecs" / "resampling_core.c",
    *sorted((ROOT / "codecs" / "sound").glob("*.c")),
    *sorted((ROOT / "codecs" / "native").glob("*.c")),
]


def build(folder: Path, *sources: Path) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    program = folder / "fuzz"
    built = subprocess.run(
        ["gcc", *FLAGS, "-I", ROOT, "-I", ROOT / "switch" / "media", *sources, "-o", program, "-lm", "-ldl"],
        capture_output=True,
        text=True,
        check=False,
    )
    if "cannot find" in built.stderr and "san" in built.stderr:
        pytest.skip("gcc's sanitizer libraries are not installed")
    assert built.returncode == 0, built.stderr
    return program


def run(program: Path, rounds: int, seed: int) -> str:
    ran = subprocess.run(
        [str(program), str(rounds), str(seed)], capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def fuzz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("fuzz"), HERE / "fuzz_core.c")


@pytest.fixture(scope="module")
def converter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("converter"), *CONVERTER)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_million_mutated_datagrams(fuzz: Path, seed: int) -> None:
    found = re.fullmatch(r"(\d+) datagrams, (\d+) admitted\n", run(fuzz, ROUNDS // 2, seed))
    assert found is not None
    assert int(found[1]) == ROUNDS // 2
    assert int(found[2]) > ROUNDS // 50  # the mutations do not all stop at the first check


def test_streams_with_every_fault_are_converted(converter: Path) -> None:
    rounds = 20_000
    found = re.fullmatch(r"(\d+) packets, (\d+) made\n", run(converter, rounds, 1))
    assert found is not None
    assert int(found[1]) == rounds
    assert int(found[2]) > rounds // 4


def test_lines_stations_and_rooms_under_random_orders(tmp_path: Path) -> None:
    ticks = 100_000 if os.environ.get("SWITCHROOM_LONG") else 1500
    ran = run(build(tmp_path, *SOUND), ticks, 1)
    found = re.fullmatch(r"(\d+) ticks, (\d+) packets, (\d+) made\n", ran)
    assert found is not None
    assert int(found[3]) > ticks * 4  # eight of them speak, as far as they may
