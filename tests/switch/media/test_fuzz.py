"""The engine's checks under mutated datagrams, built with the sanitizers; THREATS A3, G14."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import switchroom.switch.media

SOURCES = Path(switchroom.switch.media.__file__).parent
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


@pytest.fixture(scope="module")
def fuzz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    program = tmp_path_factory.mktemp("fuzz") / "fuzz"
    source = Path(__file__).with_name("fuzz_core.c")
    built = subprocess.run(
        ["gcc", *FLAGS, "-I", str(SOURCES), str(source), "-o", str(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "cannot find" in built.stderr and "san" in built.stderr:
        pytest.skip("gcc's sanitizer libraries are not installed")
    assert built.returncode == 0, built.stderr
    return program


@pytest.mark.parametrize("seed", [1, 2])
def test_a_million_mutated_datagrams(fuzz: Path, seed: int) -> None:
    ran = subprocess.run(
        [str(fuzz), str(ROUNDS // 2), str(seed)], capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found = re.fullmatch(r"(\d+) datagrams, (\d+) admitted\n", ran.stdout)
    assert found is not None
    assert int(found[1]) == ROUNDS // 2
    assert int(found[2]) > ROUNDS // 50  # the mutations do not all stop at the first check
